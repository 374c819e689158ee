"""Functions that the assistant may call, and its calls: as OpenAI writes them, or without the object around them.

Both are often JSON in a text, whole or in part.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from finetune_core.data.example import ToolCall, WrongSchema
from finetune_core.data.formats.fields import Fields
from finetune_core.data.reading import kind_of


def read_tools(row: Fields) -> tuple[Mapping[str, Any], ...]:
    """The functions in field ``tools``."""
    if not row.get("tools"):
        return ()
    as_text = isinstance(row.get("tools"), str)
    functions = (function if as_text else _without_nulls(function) for _, function in _functions(row, "tools"))
    return tuple({"type": "function", "function": function} for function in functions)


def read_calls(message: Fields, name: str) -> tuple[ToolCall, ...]:
    """The calls in field ``name``."""
    calls = tuple(_call(place, message.inside(function)) for place, function in _functions(message, name))
    if not calls:
        raise WrongSchema(f"field {message.column(name)!r} holds no call")
    return calls


def _functions(fields: Fields, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each object of a field that has the name of a function, and its place; the field is a list, or a single one."""
    content = fields.unpacked(name)
    for number, item in enumerate(content if isinstance(content, list) else [content]):
        place = f"{fields.column(name)}[{number}]"
        function = item.get("function") or item if isinstance(item, dict) else None
        if not (isinstance(function, dict) and isinstance(function.get("name"), str) and function["name"]):
            raise WrongSchema(f"{place}: is {kind_of(item)} that names no function")
        yield place, function


def _call(place: str, function: Fields) -> ToolCall:
    try:
        return ToolCall(function.text("name"), _arguments(function))
    except WrongSchema as problem:
        raise WrongSchema(f"{place}: {problem}") from problem


def _arguments(function: Fields) -> Mapping[str, Any]:
    given = function.get("arguments")
    if given is None or (isinstance(given, str) and not given.strip()):
        function.require("arguments")  # or they are there under another name, and would be lost
        return {}
    arguments = function.unpacked("arguments")
    if not isinstance(arguments, dict):
        raise WrongSchema(f"field 'arguments' is {kind_of(arguments)}, where an object is needed")
    return arguments if isinstance(given, str) else _without_nulls(arguments)


def _without_nulls(value: Any) -> Any:
    """As the object was before Parquet gave it the fields of all its siblings, as null.

    A call would have the arguments of all functions. JSON in a text is spared that, and stays as it is.
    """
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
