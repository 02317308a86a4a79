"""Row 37: what asks too much over GraphQL is refused before anything is looked up."""

import json
from typing import Any

import pytest
from django.db import connection
from graphql import get_introspection_query
from rest_framework.test import APIClient

from accounts.models import User
from api import throttling
from api.graphql.admission import ALIASES, CHARACTERS, COST, DIRECTIVES, REPEATS, SPREADS, TOKENS
from api.graphql.measures import DEPTH
from tests.abuse import ABUSES, Abuse, nested
from tests.integration.api.conftest import ClientOf

TOO_MUCH = "This asks for too much: "


def send(client: APIClient, abuse: Abuse) -> Any:
    return client.generic(
        abuse.method, f"/graphql{abuse.query}", abuse.body, content_type=abuse.content_type
    )


def ask(client: APIClient, document: str, **variables: Any) -> Any:
    return client.post("/graphql", {"query": document, "variables": variables})


def refusal(answer: Any) -> str:
    """The only sentence of a document that was refused."""
    assert answer.status_code == 400, answer.content
    assert list(answer.json()) == ["errors"]
    return str(answer.json()["errors"][0]["message"])


@pytest.mark.parametrize("name", ABUSES)
def test_abuse_is_refused_without_a_statement_or_a_resolver(name: str, anybody: APIClient) -> None:
    """Proves the guards of admission: whatever was resolved would be in `data`."""
    abuse = ABUSES[name]

    def never(*_: Any) -> None:
        raise AssertionError("something was looked up")

    with connection.execute_wrapper(never):
        answer = send(anybody, abuse)
    assert answer.status_code == abuse.status, answer.content
    said = answer.json()
    assert "data" not in said
    assert "Did you mean" not in answer.content.decode()
    assert len(answer.content) < 3000
    if answer["Content-Type"] == "application/problem+json":
        assert said["status"] == abuse.status
    else:
        assert all(each["extensions"] == {"status": 400} for each in said["errors"])


def test_what_is_not_abuse_asks_something(anybody: APIClient) -> None:
    """So that the refusals above are about the questions."""
    answer = ask(anybody, "{ audiobooks { next results { title } } }")
    assert answer.json() == {"data": {"audiobooks": {"next": None, "results": []}}}


# -- each limit, and one more -------------------------------------------------------------------


def test_so_many_levels_and_no_more(anybody: APIClient) -> None:
    assert ask(anybody, nested(DEPTH)).json() == {"data": {"work": None}}
    said = refusal(ask(anybody, nested(DEPTH + 1)))
    assert said == f"{TOO_MUCH}{DEPTH} levels are the limit."


def test_levels_are_counted_through_fragments(anybody: APIClient) -> None:
    """Also through one that was measured before, further up."""
    fragment = (
        "fragment f on Work { editions(pageSize: 1) { work { editions(pageSize: 1) { id } } } }"
    )
    for step, status in (("", 200), ("editions(pageSize: 1) { work { ...f } }", 200)):
        assert ask(anybody, f"{{ work(id: 1) {{ ...f {step} }} }} {fragment}").status_code == status
    further = "editions(pageSize: 1) { work { editions(pageSize: 1) { work { ...f } } } }"
    said = refusal(ask(anybody, f"{{ work(id: 1) {{ ...f {further} }} }} {fragment}"))
    assert said == f"{TOO_MUCH}{DEPTH} levels are the limit."


def test_so_many_aliases_and_no_more(anybody: APIClient) -> None:
    names = " ".join(f"a{n}: __typename" for n in range(ALIASES))
    assert ask(anybody, f"{{ {names} }}").status_code == 200
    said = refusal(ask(anybody, f"{{ {names} more: __typename }}"))
    assert said == f"{TOO_MUCH}{ALIASES} aliases are the limit."


def test_aliases_are_counted_wherever_their_fragment_is_named(anybody: APIClient) -> None:
    parts = "a: id b: id c: id d: id"
    works = " ".join(f"w{n}: work(id: 1) {{ ...f }}" for n in range(4))
    said = refusal(ask(anybody, f"{{ {works} }} fragment f on Work {{ {parts} }}"))
    assert said == f"{TOO_MUCH}{ALIASES} aliases are the limit."


def test_so_many_directives_and_no_more(anybody: APIClient) -> None:
    fields = " ".join(f"a{n}: __typename @skip(if: false)" for n in range(DIRECTIVES))
    assert ask(anybody, f"{{ {fields} }}").status_code == 200
    for more in ("... @skip(if: true) { __typename }", "__typename @include(if: true)"):
        said = refusal(ask(anybody, f"{{ {fields} {more} }}"))
        assert said == f"{TOO_MUCH}{DIRECTIVES} directives are the limit."


def test_a_field_stands_beside_itself_so_often_and_no_more(anybody: APIClient) -> None:
    assert ask(anybody, "{" + "__typename " * (1 + REPEATS) + "}").status_code == 200
    said = refusal(ask(anybody, "{" + "__typename " * (2 + REPEATS) + "}"))
    assert said == f"{TOO_MUCH}{REPEATS} fields that are there already are the limit."
    inner = "{ work(id: 1) {" + "id " * (2 + REPEATS) + "} }"
    assert refusal(ask(anybody, inner)) == said


def test_fragments_are_named_so_often_and_no_more(anybody: APIClient) -> None:
    chain = " ".join(f"fragment f{n} on Query {{ ...f{n + 1} }}" for n in range(SPREADS - 1))
    whole = f"{{ ...f0 }} {chain} fragment f{SPREADS - 1} on Query {{ __typename }}"
    assert ask(anybody, whole).status_code == 200
    assert refusal(ask(anybody, whole.replace("{ ...f0 }", "{ ...f0 ...f0 }"))) == (
        f"{TOO_MUCH}{SPREADS} uses of fragments are the limit."
    )


def test_a_fragment_is_measured_or_refused(anybody: APIClient) -> None:
    """Proves the guard _leave_nothing_out: the standard's checks would go over it all the same."""
    once = "fragment f on Query { __typename }"
    assert ask(anybody, f"{{ ...f }} {once}").status_code == 200
    for document in (f"{{ __typename }} {once}", f"{{ ...f }} {once} {once}"):
        said = refusal(ask(anybody, document))
        assert said == "The fragment f is there twice, or for nothing."


def test_so_many_tokens_and_no_more(anybody: APIClient) -> None:
    """Each number is one; the list of them is refused for what it is, not for its length."""
    document = "{ work(id: [" + "1 " * (TOKENS - 12) + "]) { id } }"
    assert "tokens" not in refusal(ask(anybody, document))
    said = refusal(ask(anybody, document.replace("[", "[1 ")))
    assert said == f"Syntax Error: Document contains more than {TOKENS} tokens. Parsing aborted."


def test_a_document_is_so_long_and_no_longer(anybody: APIClient) -> None:
    document = "{ __typename }"
    assert ask(anybody, document.ljust(CHARACTERS)).status_code == 200
    assert "20000" in refusal(ask(anybody, document.ljust(CHARACTERS + 1)))


# -- cost ---------------------------------------------------------------------------------------

HISTORIES = "{ audiobooks(pageSize: $n) { results { history(pageSize: 9) { kind } } } }"


@pytest.mark.parametrize(
    ("document", "variables", "status"),
    [
        ("{ audiobooks(pageSize: 200) { results { id people { name } } } }", {}, 200),
        (
            "{ audiobooks(pageSize: 200) { results { work { id } people { name } series { title } } } }",
            {},
            200,
        ),
        (
            "{ audiobooks(pageSize: 200) { results "
            "{ work { id } people { contributor { id } } series { title } } } }",
            {},
            200,
        ),
        (
            "{ audiobooks(pageSize: 200) { results "
            "{ work { id } people { contributor { id } } series { series { id } } } } }",
            {},
            400,
        ),
        ("{ audiobooks { results { work { editions { id } } } } }", {}, 400),
        ("{ audiobooks { results { work { editions(pageSize: 10) { id } } } } }", {}, 200),
        (
            "{ audiobooks { results { ...f } } } fragment f on Audiobook { history { kind } }",
            {},
            400,
        ),
        (f"query ($n: Int!) {HISTORIES}", {"n": 99}, 200),
        (f"query ($n: Int!) {HISTORIES}", {"n": 101}, 400),
        (f"query ($n: Int! = 101) {HISTORIES}", {}, 400),
        (f"query ($n: Int! = 101) {HISTORIES}", {"n": 99}, 200),
        (f"query ($n: Int) {HISTORIES}", {}, 200),
        ("query ($n: Int) " + HISTORIES.replace("9", "19"), {}, 200),
        ("query ($n: Int) " + HISTORIES.replace("9", "20"), {}, 400),
    ],
)
def test_pages_within_pages_cost_what_they_may_hold(
    anybody: APIClient, document: str, variables: dict[str, Any], status: int
) -> None:
    answer = ask(anybody, document, **variables)
    assert answer.status_code == status, answer.content
    if status == 400:
        assert refusal(answer) == f"{TOO_MUCH}{COST} rows are the limit."


@pytest.mark.parametrize("size", [0, -1, 201, 2**31, 2**70, None, True, "5", 1.5, [], {}])
def test_a_page_has_a_size_within_bounds_however_it_is_said(anybody: APIClient, size: Any) -> None:
    for kind in ("Int", "Int!"):
        document = f"query ($n: {kind}) {{ audiobooks(pageSize: $n) {{ next }} }}"
        assert refusal(ask(anybody, document, n=size)) == "pageSize is a number from 1 to 200."
    if size not in (True, "5", 1.5):
        literal = json.dumps(size)
        answer = ask(anybody, f"{{ audiobooks(pageSize: {literal}) {{ next }} }}")
        assert refusal(answer) == "pageSize is a number from 1 to 200."


# -- who may look into the schema ---------------------------------------------------------------


def test_only_staff_may_introspect_as_tools_do(
    alice: User, staff: User, client_of: ClientOf, anybody: APIClient
) -> None:
    """Proves the guard may_introspect."""
    for client in (anybody, client_of(alice)):
        said = refusal(ask(client, get_introspection_query()))
        assert said == "The schema is not shown here; see /graphql/schema."
    answer = ask(client_of(staff), get_introspection_query())
    assert answer.json()["data"]["__schema"]["mutationType"]["name"] == "Mutation"
    deep = "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }"
    assert "depth" in refusal(ask(client_of(staff), deep))


def test_the_schema_is_there_to_be_read(anybody: APIClient) -> None:
    answer = anybody.get("/graphql/schema")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert "type Mutation {" in answer.content.decode()
    assert anybody.post("/graphql/schema").status_code == 405


# -- the same throttle as REST ------------------------------------------------------------------


def left(answer: Any) -> tuple[str, str]:
    return answer["RateLimit-Limit"], answer["RateLimit-Remaining"]


def test_each_field_at_the_top_is_a_request(anybody: APIClient) -> None:
    """Proves the guard _count: aliases are no way around a limit, nor are fragments."""
    assert left(ask(anybody, "{ work(id: 1) { id } }")) == ("600", "599")
    three = "{ a: work(id: 1) { id } b: work(id: 2) { id } ...f } fragment f on Query { c: work(id: 3) { id } }"
    assert left(ask(anybody, three)) == ("600", "596")
    assert left(anybody.get("/api/audiobooks")) == ("600", "595")
    assert left(ask(anybody, "{ nonsense }")) == ("600", "594")


def test_what_is_upcoming_counts_as_at_its_own_door(
    anybody: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttling, "ANONYMOUS", "4/h")
    two = "{ a: upcoming { next } b: upcoming { next } }"
    assert left(ask(anybody, two)) == ("4", "2")
    assert left(anybody.get("/api/upcoming")) == ("4", "1")
    answer = ask(anybody, two)
    assert (answer.status_code, answer["Content-Type"]) == (429, "application/problem+json")
    assert 3500 < int(answer["Retry-After"]) <= 3600
    assert anybody.get("/api/upcoming").status_code == 200


def test_a_user_is_counted_over_both(
    alice: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttling, "SIGNED_IN", "5/h")
    client = client_of(alice)
    assert left(client.get("/api/watches")) == ("5", "4")
    assert left(ask(client, "{ watches { next } channels { next } upcoming { next } }")) == (
        "5",
        "1",
    )
    assert ask(client, "{ watches { next } channels { next } }").status_code == 429
    assert client.get("/api/watches").status_code == 429
