"""What a body may hold: each value of the very type that the description says."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from django.core.validators import RegexValidator
from rest_framework import serializers

IS_ASIN: Final = RegexValidator(r"^[A-Z0-9]{10}$", "This is not an ASIN: ten capitals and digits.")

GivenT = TypeVar("GivenT")

_TYPES: Mapping[type[serializers.Field[Any, Any, Any, Any]], type | tuple[type, ...]] = {
    serializers.CharField: str,
    serializers.BooleanField: bool,
    serializers.IntegerField: (int, float),  # to JSON 5 and 5.0 are one number
}


class Given(serializers.Serializer[GivenT]):
    # An object in which no number stands for its text, and no text for yes, no or a number: REST
    # framework takes them as it takes a form's. A docstring would be in every description.

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            errors = {
                name: words
                for name, field in self.fields.items()
                if name in data and not field.read_only and (words := _misfit(field, data[name]))
            }
            if errors:
                raise serializers.ValidationError(errors)
        return super().to_internal_value(data)


def _misfit(field: Any, value: Any) -> Any:
    """What is wrong with the type of a value, in the field's own words; None: nothing, so far."""
    if value is None:
        return None
    if isinstance(field, serializers.ListField) and isinstance(value, list):
        found = {place: _misfit(field.child, each) for place, each in enumerate(value)}
        return {place: words for place, words in found.items() if words} or None
    if isinstance(field, serializers.DictField) and isinstance(value, Mapping):
        found = {name: _misfit(field.child, each) for name, each in value.items()}
        return {name: words for name, words in found.items() if words} or None
    for kind, wanted in _TYPES.items():
        if isinstance(field, kind):
            fits = isinstance(value, wanted) and isinstance(value, bool) == (wanted is bool)
            return None if fits else [field.error_messages["invalid"]]
    return None
