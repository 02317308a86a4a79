"""What a hostile client sends to /graphql: none of it may cost a statement or a resolver."""

import json
from dataclasses import dataclass
from typing import Final

from graphql import get_introspection_query

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Abuse:
    """One request, and the status that it is answered with."""

    body: str
    status: int = 400
    method: str = "POST"
    content_type: str = JSON
    query: str = ""  # of the address


def of(document: str, status: int = 400) -> Abuse:
    return Abuse(json.dumps({"query": document}), status)


def nested(levels: int, leaf: str = "title") -> str:
    """So many levels below a work, in turn an edition and its work; leaf and root included."""
    steps = ["editions(pageSize: 1)", "work"]
    inner = leaf
    for place in reversed(range(levels - 2)):
        inner = f"{steps[place % 2]} {{ {inner} }}"
    return f'{{ work(id: "1") {{ {inner} }} }}'


def spread_out(count: int, body: str) -> str:
    """Fragments on Query, each of which names the next one twice; the last is `body`."""
    chain = " ".join(
        f"fragment f{place} on Query {{ ...f{place + 1} ...f{place + 1} }}"
        for place in range(count)
    )
    return f"{{ ...f0 }} {chain} fragment f{count} on Query {{ {body} }}"


_FORM: Final = "query=mutation%20%7B%20deleteWatch(id%3A%201)%20%7D"
_MUTATION: Final = '{"query": "mutation { deleteWatch(id: 1) }"}'
_BOOKS: Final = "audiobooks { results { title } }"

ABUSES: Final[dict[str, Abuse]] = {
    "depth of 50": of(nested(50)),
    "depth of 50 through fragments": of(
        "{ work(id: 1) { ...w0 } } "
        + " ".join(
            f"fragment w{place} on Work {{ editions(pageSize: 1) {{ work {{ ...w{place + 1} }} }} }}"
            for place in range(24)
        )
        + " fragment w24 on Work { title }"
    ),
    "depth of 300 through fragments": of(
        "{ ...f0 } "
        + " ".join(
            f"fragment f{place} on Query {{ {'a {' * 50} ...f{place + 1} {'}' * 50} }}"
            for place in range(6)
        )
        + " fragment f6 on Query { a }"
    ),
    "depth of 100,000": of("{ a " * 100_000),
    "1,000 aliases": of("{" + " ".join(f"a{n}: {_BOOKS}" for n in range(1000)) + "}"),
    "100 aliases": of("{" + " ".join(f"a{n}: {_BOOKS}" for n in range(100)) + "}"),
    "aliases that fragments multiply": of(spread_out(9, f"a: {_BOOKS}")),
    "1,000 operations in a batch": Abuse(json.dumps([{"query": f"{{ {_BOOKS} }}"}] * 1000)),
    "a batch of one": Abuse(json.dumps([{"query": f"{{ {_BOOKS} }}"}])),
    "two operations": of(f"query A {{ {_BOOKS} }} query B {{ {_BOOKS} }}"),
    "10,000 directives": of("{ audiobooks " + "@skip(if: false) " * 10_000 + "{ next } }"),
    "100 directives": of("{ audiobooks " + "@skip(if: false) " * 100 + "{ next } }"),
    "a field 5,000 times": of("{" + f"{_BOOKS} " * 5000 + "}"),
    "a field 160 times": of("{" + f"{_BOOKS} " * 160 + "}"),
    "fields that fragments multiply": of(spread_out(20, _BOOKS)),
    "100 fragments": of(
        "{"
        + " ".join(f"...f{n}" for n in range(100))
        + "}"
        + " ".join(f"fragment f{n} on Query {{ n: __typename }}" for n in range(100))
    ),
    "fragments named for nothing": of(
        "{ __typename } " + f"fragment f on Query {{ {'__typename ' * 900} }}"
    ),
    "a fragment that holds itself": of("{ ...f } fragment f on Query { ...f }"),
    "two fragments that hold each other": of(
        "{ ...f } fragment f on Query { ...g } fragment g on Query { ...f }"
    ),
    "rows multiplied": of(
        "{ audiobooks(pageSize: 200) { results { work { editions(pageSize: 200) { title } } } } }"
    ),
    "a page without end": of("{ audiobooks(pageSize: 1000000) { next } }"),
    "introspection": of(get_introspection_query()),
    "introspection of one type": of('{ __type(name: "Watch") { fields { name } } }'),
    "introspection many times": of("{ __schema { types {" + "name " * 900 + "} } }"),
    "a misspelt field": of("{ audiobook { results { title } } }"),
    "a misspelt argument": of("{ audiobooks(pagesize: 1) { next } }"),
    "a misspelt name in a variable": Abuse(
        json.dumps(
            {
                "query": "query ($w: AudiobookWhere) { audiobooks(where: $w) { next } }",
                "variables": {"w": {"langage": "x"}},
            }
        )
    ),
    "a query over GET": Abuse("", 405, "GET", query="?query=%7B__typename%7D"),
    "a mutation over GET": Abuse("", 405, "GET", query=f"?{_FORM}"),
    "a form": Abuse(_FORM, 415, content_type="application/x-www-form-urlencoded"),
    "a form of parts": Abuse(
        f'--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n{_MUTATION}\r\n--x--',
        415,
        content_type="multipart/form-data; boundary=x",
    ),
    "text": Abuse(_MUTATION, 415, content_type="text/plain"),
    "@defer": of("{ audiobooks { ... @defer { next } } }"),
    "@stream": of("{ audiobooks { results @stream { title } } }"),
    "a subscription": of("subscription { audiobooks { next } }"),
    "a type of one's own": of("{ __typename } type Mine { name: String }"),
    "a long text": of("{ __typename } #" + "x" * 500_000),
    "no text": Abuse("{}"),
    "no document": of(""),
    "half a document": of("{ audiobooks {"),
    "no JSON": Abuse("{"),
    "deep JSON": Abuse("[" * 100_000),
    "deep variables": Abuse(
        '{"query": "{ __typename }", "variables": {"v": ' + "[" * 100_000 + "]" * 100_000 + "}}"
    ),
    "a body that is too large": Abuse(" " * 1_100_000, 413),
}
