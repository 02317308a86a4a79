"""Whether a question is answered: decided from its text alone, before any of it is resolved.

What is refused here has cost no statement and no resolver; docs/decisions/0027 says why here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    DefinitionNode,
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    get_variable_values,
    parse,
    specified_rules,
    validate,
)
from graphql.validation import MaxIntrospectionDepthRule

from api.graphql.measures import DEPTH, Measures, Walk, too_large

CHARACTERS: Final = 20_000
TOKENS: Final = 1_000
ALIASES: Final = 15
COST: Final = 1_000
DIRECTIVES: Final = 10
REPEATS: Final = 15  # fields asked for again beside themselves: comparing them is quadratic
SPREADS: Final = 50
_ERRORS: Final = 5  # that are looked for; the first says enough
_RULES: Final = (*specified_rules, MaxIntrospectionDepthRule)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A document that may be executed, and what of it counts elsewhere."""

    document: DocumentNode
    is_mutation: bool
    fields: Sequence[str]  # those at the top, by their own names, as often as they are there


class RefusedError(Exception):
    """The document can't be read, asks for too much, or does not fit the schema."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__(*errors)
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Question:
    """What was sent: a document, the values of its variables, the operation that is meant."""

    text: str
    variables: Mapping[str, Any]
    operation: str | None = None


def admit(question: Question, schema: GraphQLSchema, *, may_introspect: bool) -> Admitted:
    """The document, read, measured and held against the schema; or RefusedError."""
    try:
        document = parse(question.text, max_tokens=TOKENS, max_source_length=CHARACTERS)
        operation, fragments = _parts(document.definitions, question.operation)
        walk = Walk(schema, question.variables, may_introspect=may_introspect)
        measures = walk.measure(operation, fragments)
        _bound(measures, walk.spreads)
    except GraphQLError as error:
        raise RefusedError([error]) from error
    # Only now: its time grows with the square of what was bounded before.
    errors = validate(schema, document, _RULES, max_errors=_ERRORS, hide_suggestions=True)
    if errors or (errors := _of_variables(operation, question.variables, schema)):
        raise RefusedError(errors[:_ERRORS])
    return Admitted(
        document, operation.operation is OperationType.MUTATION, list(measures.fields.elements())
    )


def _parts(
    definitions: Sequence[DefinitionNode], name: str | None
) -> tuple[OperationDefinitionNode, list[FragmentDefinitionNode]]:
    operations = [each for each in definitions if isinstance(each, OperationDefinitionNode)]
    fragments = [each for each in definitions if isinstance(each, FragmentDefinitionNode)]
    if len(operations) != 1 or len(definitions) != 1 + len(fragments):
        raise GraphQLError("A document holds one operation, and fragments.")
    (operation,) = operations
    if name and name != (operation.name.value if operation.name else ""):
        raise GraphQLError("The operation that is to be run is not in the document.")
    return operation, fragments


def _of_variables(
    operation: OperationDefinitionNode, given: Mapping[str, Any], schema: GraphQLSchema
) -> list[GraphQLError]:
    """What is wrong with their values. Whoever executes asks that again, but with suggestions."""
    found = get_variable_values(
        schema,
        operation.variable_definitions or (),
        dict(given),
        max_errors=_ERRORS,
        hide_suggestions=True,
    )
    return found if isinstance(found, list) else []


def _bound(found: Measures, spreads: int) -> None:
    bounds = {
        "levels": (found.depth, DEPTH),
        "aliases": (found.aliases, ALIASES),
        "directives": (found.directives, DIRECTIVES),
        "fields that are there already": (found.repeats, REPEATS),
        "uses of fragments": (spreads, SPREADS),
        "rows": (found.cost, COST),
    }
    for what, (size, most) in bounds.items():
        if size > most:
            raise too_large(what, most)
