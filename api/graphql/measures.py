"""How large a question is, known before anything of it is looked up or even checked.

Each fragment is measured once, however often it is named: the time a document takes grows with its
length only, whatever it unfolds to.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)

from api.rest.paging import SIZE_MAX

DEPTH: Final = 8
PAGE_SIZE: Final = "pageSize"  # the argument that says how many rows a field has, at most
RESULTS: Final = "results"  # the rows of a page, which its size has counted already
INTROSPECTION: Final = ("__schema", "__type")
INTROSPECTION_DEPTH: Final = 12  # what tools ask is nested so deep, beyond DEPTH


@dataclass(slots=True)
class Measures:
    """Of a part of a document; fragments are counted wherever they are named."""

    depth: int = 0
    aliases: int = 0
    directives: int = 0
    cost: int = 0
    repeats: int = 0
    names: Counter[str] = field(default_factory=Counter)  # what the answer has at this level …
    fields: Counter[str] = field(default_factory=Counter)  # … and whence

    def take_in(self, other: "Measures") -> None:
        """Add what stands at the same level."""
        self.names += other.names
        self.fields += other.fields
        self.take_in_below(other)
        self.depth = max(self.depth, other.depth)
        self.cost += other.cost

    def take_in_below(self, other: "Measures") -> None:
        """Add of another level what counts wherever it stands."""
        self.aliases += other.aliases
        self.directives += other.directives
        self.repeats += other.repeats


class Walk:
    """One walk over the one operation of a document, and over all of its fragments."""

    def __init__(
        self, schema: GraphQLSchema, variables: Mapping[str, Any], *, may_introspect: bool
    ) -> None:
        self._schema = schema
        self._variables = dict(variables)
        self._may_introspect = may_introspect
        self._fragments: dict[str, FragmentDefinitionNode] = {}
        self._known: dict[str, Measures] = {}
        self._open: set[str] = set()
        self._depth = 0
        self.spreads = 0

    def measure(
        self,
        operation: OperationDefinitionNode,
        fragments: Sequence[FragmentDefinitionNode],
    ) -> Measures:
        """All of it; raises GraphQLError where it has no end, or asks for a page of no size."""
        self._fragments = {each.name.value: each for each in fragments}
        for variable in operation.variable_definitions or ():
            if variable.default_value is not None:
                self._variables.setdefault(variable.variable.name.value, variable.default_value)
        root = self._schema.get_root_type(operation.operation)
        whole = self._of_set(operation.selection_set, root)
        whole.directives += _directives([operation, *(operation.variable_definitions or ())])
        whole.repeats += _repeats(whole)
        self._leave_nothing_out(fragments)
        return whole

    def _leave_nothing_out(self, fragments: Sequence[FragmentDefinitionNode]) -> None:
        """What was not measured would still be checked, which takes time as well."""
        for fragment in fragments:
            name = fragment.name.value
            if name not in self._known or fragment is not self._fragments[name]:
                raise GraphQLError(f"The fragment {name} is there twice, or for nothing.", fragment)

    def _of_set(self, selected: SelectionSetNode, parent: GraphQLNamedType | None) -> Measures:
        found = Measures()
        for selection in selected.selections:
            found.directives += _directives([selection])
            if isinstance(selection, FieldNode):
                self._add_field(found, selection, parent)
            elif isinstance(selection, FragmentSpreadNode):
                found.take_in(self._of_fragment(selection))
            elif isinstance(selection, InlineFragmentNode):
                named = selection.type_condition
                inner = self._schema.get_type(named.name.value) if named else parent
                found.take_in(self._of_set(selection.selection_set, inner))
        return found

    def _add_field(self, found: Measures, node: FieldNode, parent: GraphQLNamedType | None) -> None:
        name = node.name.value
        found.aliases += node.alias is not None
        found.names[node.alias.value if node.alias else name] += 1
        found.fields[name] += 1
        found.depth = max(found.depth, 1)
        if name in INTROSPECTION and not self._may_introspect:
            raise GraphQLError("The schema is not shown here; see /graphql/schema.", node)
        if node.selection_set is None:
            return
        defined = _field(parent, name)
        inner = self._below(node, node.selection_set, defined)
        found.take_in_below(inner)
        found.repeats += _repeats(inner)
        if name not in INTROSPECTION:  # which has no rows, and is deep by nature
            found.depth = max(found.depth, inner.depth + 1)
            found.cost += self._size(node, defined) * ((name != RESULTS) + inner.cost)

    def _below(
        self, node: FieldNode, selected: SelectionSetNode, defined: GraphQLField | None
    ) -> Measures:
        before = self._depth
        self._depth = before + 1 if node.name.value not in INTROSPECTION else -INTROSPECTION_DEPTH
        if self._depth >= DEPTH:  # before the walk itself is too deep for the stack
            raise too_large("levels", DEPTH, node)
        inner = self._of_set(selected, get_named_type(defined.type) if defined else None)
        self._depth = before
        return inner

    def _of_fragment(self, spread: FragmentSpreadNode) -> Measures:
        name = spread.name.value
        self.spreads += 1
        fragment = self._fragments.get(name)
        if fragment is None:
            raise GraphQLError(f"There is no fragment {name}.", spread)
        if name in self._open:
            raise GraphQLError(f"The fragment {name} holds itself.", spread)
        if name not in self._known:
            self._open.add(name)
            parent = self._schema.get_type(fragment.type_condition.name.value)
            self._known[name] = self._of_set(fragment.selection_set, parent)
            self._known[name].directives += _directives([fragment])
            self._open.remove(name)
        return self._known[name]

    def _size(self, node: FieldNode, defined: GraphQLField | None) -> int:
        """How many rows a field may have; 1 of one that has no pages."""
        argument = defined.args.get(PAGE_SIZE) if defined else None
        if argument is None:
            return 1
        given = next((each for each in node.arguments or () if each.name.value == PAGE_SIZE), None)
        value: Any = given.value if given else argument.default_value
        if isinstance(value, VariableNode):
            value = self._variables.get(value.name.value, argument.default_value)
        size = _number(value)
        if size is None or not 1 <= size <= SIZE_MAX:
            raise GraphQLError(f"{PAGE_SIZE} is a number from 1 to {SIZE_MAX}.", node)
        return size


def too_large(what: str, most: int, node: Node | None = None) -> GraphQLError:
    """A document has more of something than it may."""
    return GraphQLError(f"This asks for too much: {most} {what} are the limit.", node)


def _field(parent: GraphQLNamedType | None, name: str) -> GraphQLField | None:
    if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
        fields: dict[str, GraphQLField] = parent.fields
        return fields.get(name)
    return None


def _number(value: Any) -> int | None:
    """What a literal or a variable says; None where it is no number of a few digits."""
    if isinstance(value, IntValueNode):
        return int(value.value) if len(value.value) < 5 else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _repeats(found: Measures) -> int:
    """How often something is asked for again, at the top level of this part."""
    return found.names.total() - len(found.names)


def _directives(nodes: Iterable[Node]) -> int:
    return sum(len(getattr(node, "directives", None) or ()) for node in nodes)
