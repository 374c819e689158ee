"""An object of the data, read field by field."""

from collections.abc import Mapping
from typing import Any

from finetune_core.data.example import WrongSchema
from finetune_core.data.reading import kind_of
from finetune_core.data.reading.row import parse_json


class Fields:
    """An object's fields by the names that a format gives them; what does not fit is named as in the data."""

    __slots__ = ("_columns", "_value")

    def __init__(self, value: Mapping[str, Any], columns: Mapping[str, str]) -> None:
        """Wrap an object; ``columns`` has name in the format -> name in the data, where they differ."""
        self._value = value
        self._columns = columns

    def inside(self, value: Mapping[str, Any]) -> "Fields":
        """An object that lies in this one."""
        return Fields(value, self._columns)

    def column(self, name: str) -> str:
        """What the data call the field."""
        return self._columns.get(name, name)

    def get(self, name: str) -> Any:
        """The field, or None."""
        return self._value.get(self._columns.get(name, name))

    def has(self, name: str) -> bool:
        """Is the field there, if only as null?"""
        return self.column(name) in self._value

    def text(self, name: str) -> str:
        """A field that must be there; null is read as no text."""
        content = self._value.get(self._columns.get(name, name))
        if isinstance(content, str):
            return content
        self.require(name)
        return self.optional_text(name)

    def optional_text(self, name: str) -> str:
        """A field that may be missing."""
        content = self._value.get(self._columns.get(name, name))
        if content is None:
            return ""
        if isinstance(content, str):
            return content
        raise WrongSchema(f"field {self.column(name)!r} is {kind_of(content)}, where text is needed")

    def is_listing(self, name: str) -> bool:
        """Does the field seem to be a list, if only as JSON in a text?"""
        content = self.get(name)
        return isinstance(content, list) or (isinstance(content, str) and content.lstrip().startswith("["))

    def listing(self, name: str) -> list[Any]:
        """A list that must be there, perhaps as JSON in a text: the cells of a table hold no lists."""
        content = self.get(name)
        if isinstance(content, list):
            return content
        self.require(name)
        if self.is_listing(name) and isinstance(unpacked := self.unpacked(name), list):
            return unpacked
        raise WrongSchema(f"field {self.column(name)!r} is {kind_of(content)}, where a list is needed")

    def unpacked(self, name: str) -> Any:
        """A field, or the JSON that is its text."""
        content = self.get(name)
        if not isinstance(content, str):
            return content
        try:
            return parse_json(content)
        except ValueError as error:
            raise WrongSchema(f"field {self.column(name)!r} is text, but not valid JSON: {error}") from error

    def require(self, name: str) -> None:
        """Refuse the object if the field is not there.

        Raises:
            WrongSchema: it is not.
        """
        if not self.has(name):
            raise WrongSchema(f"field {self.column(name)!r} is missing; there is {_names(self._value)}")


def _names(value: Mapping[str, Any]) -> str:
    if not value:
        return "no field at all"
    shown = ", ".join(repr(name if len(name) <= 40 else name[:37] + "...") for name in list(value)[:8])
    return shown + (f" and {len(value) - 8} more" if len(value) > 8 else "")
