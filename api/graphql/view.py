"""POST /graphql"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotAuthenticated, ParseError, PermissionDenied
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from api import throttling
from api.auth import InScope
from api.graphql.admission import Admitted, Question, RefusedError, admit
from api.graphql.asking import Asking
from api.graphql.errors import refused, shown
from api.graphql.schema import schema
from api.rest.anybody import AnybodysView
from api.rest.once import Once

_UNSEEN: Final = {"Cache-Control": "no-store"}  # an answer may hold a secret that was just made
_SCHEMA_TEXT: Final = schema.as_str()


class GraphQLRenderer(JSONRenderer):
    media_type = "application/graphql-response+json"


@extend_schema(exclude=True)  # /graphql/schema says what there is
class GraphQLView(Once, AnybodysView):
    """One operation a request. Whatever is not answered is refused before anything is looked up."""

    http_method_names = ("post",)
    renderer_classes = (JSONRenderer, GraphQLRenderer)

    def post(self, request: Request) -> Response:
        question = _question(request.data)
        try:
            admitted = admit(question, schema._schema, may_introspect=request.user.is_staff)
        except RefusedError as error:
            return _answer({"errors": [refused(each) for each in error.errors]}, 400)
        self._allow(request, admitted)
        _count(request, admitted.fields, self)
        return _executed(Asking(request, admitted.document), question)

    def _allow(self, request: Request, admitted: Admitted) -> None:
        """Only who is signed in, and may write, changes anything."""
        if not admitted.is_mutation:
            return
        if not request.user.is_authenticated:
            raise NotAuthenticated
        if not InScope().has_permission(request, self):
            raise PermissionDenied(InScope.message)


def _question(body: Any) -> Question:
    if not isinstance(body, Mapping):
        raise ParseError("This is one operation, as an object; several are several requests.")
    text, variables, name = (body.get(key) for key in ("query", "variables", "operationName"))
    if not isinstance(text, str):
        raise ParseError("`query` is the text of a document.")
    if not isinstance(variables, Mapping | None):
        raise ParseError("`variables` are an object.")
    if not isinstance(name, str | None):
        raise ParseError("`operationName` is a name.")
    return Question(text, variables or {}, name)


def _count(request: Request, fields: Sequence[str], view: AnybodysView) -> None:
    """Each further field at the top is as good as a further request."""
    more = max(len(fields) - 1, 0)
    if request.user.is_authenticated:
        rules = throttling.rules_of_user(request, more) if more else []
    else:
        further = {view.anonymous_group: (view.anonymous_rate, more)}
        further["upcoming"] = (throttling.ANONYMOUS, fields.count("upcoming"))
        rules = [
            throttling.rule_of(request, group, rate, cost=cost)
            for group, (rate, cost) in further.items()
            if cost
        ]
    if rules:
        throttling.limit_all(request, rules)


def _executed(asking: Asking, question: Question) -> Response:
    result = schema.execute_sync(
        None,
        variable_values=dict(question.variables),
        context_value=asking,
        operation_name=question.operation,
    )
    answer: dict[str, Any] = {"data": result.data}
    if result.errors:
        answer["errors"] = [shown(error) for error in result.errors]
    return _answer(answer, 200)


def _answer(body: Mapping[str, Any], status: int) -> Response:
    return Response(body, status=status, headers=_UNSEEN)


@require_safe
@throttling.limited("graphql schema", throttling.ANONYMOUS)
def schema_text(_request: HttpRequest) -> HttpResponse:
    """GET /graphql/schema: what introspection would say, for whoever asks."""
    return HttpResponse(_SCHEMA_TEXT, content_type="text/plain; charset=utf-8")
