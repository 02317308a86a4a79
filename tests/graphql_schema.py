"""What there is at /graphql, walked through: for tests that leave nothing out."""

from collections.abc import Iterator
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    get_named_type,
    is_input_object_type,
)

from api.graphql.schema import schema

CORE = schema._schema
SDL = schema.as_str()
Step = tuple[str, str]  # a type and a field of it


def roots() -> dict[str, GraphQLField]:
    """Every field at the top, such as Query.work."""
    return {
        f"{kind.name}.{name}": field
        for kind in (CORE.query_type, CORE.mutation_type)
        if kind
        for name, field in kind.fields.items()
    }


def of_field(field: GraphQLField) -> GraphQLObjectType | None:
    """The type of what a field has; None of a plain value."""
    kind = get_named_type(field.type)
    return kind if isinstance(kind, GraphQLObjectType) else None


def plain(kind: GraphQLObjectType) -> list[str]:
    """Its fields that are plain values."""
    return [name for name, field in kind.fields.items() if of_field(field) is None]


def steps(kind: GraphQLObjectType) -> Iterator[tuple[str, GraphQLObjectType]]:
    """Its fields that lead on, each with where."""
    for name, field in kind.fields.items():
        further = of_field(field)
        if further:
            yield name, further


def ways(kind: GraphQLObjectType, taken: tuple[Step, ...] = ()) -> Iterator[tuple[Step, ...]]:
    """Every way from a type through others, no step twice, as deep as a question may be."""
    yield taken
    if len(taken) == 6:  # with the root and a plain field: eight levels
        return
    for name, further in steps(kind):
        if (kind.name, name) not in taken:
            yield from ways(further, (*taken, (kind.name, name)))


def call(field: str, defined: GraphQLField, size: int = 5) -> str:
    """A field as it is asked for, with the size of its pages."""
    return f"{field}(pageSize: {size})" if "pageSize" in defined.args else field


def along(way: tuple[Step, ...], kind: GraphQLObjectType) -> str:
    """A selection that goes that way, and takes all plain values at its end."""
    if not way:
        return "{ __typename " + " ".join(plain(kind)) + " }"
    (_, name), *rest = way
    field = kind.fields[name]
    further = of_field(field)
    assert further
    return f"{{ {call(name, field)} {along(tuple(rest), further)} }}"


def inputs() -> dict[str, GraphQLInputObjectType]:
    """Every type of what can be given."""
    return {
        name: kind
        for name, kind in CORE.type_map.items()
        if is_input_object_type(kind) and isinstance(kind, GraphQLInputObjectType)
    }


def arguments() -> Iterator[tuple[str, str, Any]]:
    """Every argument of every field: (type, field, argument's type), inputs looked into."""
    for kind in CORE.type_map.values():
        if not isinstance(kind, GraphQLObjectType) or kind.name.startswith("__"):
            continue
        for name, field in kind.fields.items():
            for argument in field.args.values():
                yield kind.name, name, get_named_type(argument.type)
