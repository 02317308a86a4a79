"""What a field of a new row begins with where nothing is given: its user's wish, else the usual."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from rest_framework.serializers import Field

from accounts.models import Preferences

_KNOWN: Final = "preferences"  # in a serializer's context, once they are read


def preferences_of(user_id: int) -> Preferences:
    """A user's; of who has said nothing, what goes without saying."""
    return Preferences.objects.filter(pk=user_id).first() or Preferences(user_id=user_id)


def preferred(
    name: str, usual: Callable[[], Any] | Any, *, beside: frozenset[str] = frozenset()
) -> Any:
    """A field's `default`. In a change, and where a field `beside` it is given, it is the usual."""
    return _Preferred(name, usual, beside)


class _Preferred:
    requires_context = True

    def __init__(self, name: str, usual: Callable[[], Any] | Any, beside: frozenset[str]) -> None:
        self._name, self._usual, self._beside = name, usual, beside

    def __call__(self, field: Field[Any, Any, Any, Any]) -> Any:
        given = (
            getattr(field.parent, "initial_data", None) if field.parent.instance is None else None
        )
        if isinstance(given, Mapping) and not self._beside & given.keys():
            context: Any = field.context
            wished = getattr(_preferences(context), self._name)
            if wished is not None:
                return wished
        return self._usual() if callable(self._usual) else self._usual


def _preferences(context: dict[str, Any]) -> Preferences:
    """Read once, however many fields and rows ask."""
    if _KNOWN not in context:
        context[_KNOWN] = preferences_of(context["request"].user.pk)
    known: Preferences = context[_KNOWN]
    return known
