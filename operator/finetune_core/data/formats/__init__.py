"""Rows of the known formats to examples.

A format is one entry of ``FORMATS``: its name, the fields it knows, how to recognise it and how to read it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finetune_core.api.job import DatasetFormat
from finetune_core.data.example import Example
from finetune_core.data.formats.fields import Fields
from finetune_core.data.formats.read import (
    OPENAI,
    SHAREGPT,
    read_alpaca,
    read_conversations,
    read_messages,
    read_prompt_completion,
    read_sharegpt,
    read_text,
)
from finetune_core.errors import InvalidSpec


@dataclass(frozen=True)
class Format:
    """One format of rows."""

    name: DatasetFormat
    fields: tuple[str, ...]
    """What ``dataset.columns`` may rename."""
    fits: Callable[[Fields], bool]
    """Does the row look like it?"""
    read: Callable[[int, Fields], Example]
    """The example in the row of that number."""


def to_example(number: int, value: Mapping[str, Any], format: Format, columns: Mapping[str, str]) -> Example:
    """The example in a row.

    Raises:
        WrongSchema: the row does not fit; the message names the field.
    """
    return format.read(number, Fields(value, columns))


def detect(values: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> tuple[Format, str]:
    """The format that most of the first rows look like, and why.

    Without any such row it is Alpaca: each row is then reported with the fields that it lacks and has.
    """
    fitting = [sum(format.fits(Fields(value, columns)) for value in values) for format in FORMATS]
    most = max(fitting)
    if not most:
        return FORMATS[0], "no row looks like a known format"
    format = FORMATS[fitting.index(most)]
    return format, f"{most} of the first {len(values)} readable rows look like it"


def named(name: DatasetFormat) -> Format:
    """The format of that name."""
    return next(format for format in FORMATS if format.name == name)


def check_columns(format: Format, columns: Mapping[str, str]) -> None:
    """Refuse to rename what the format does not have.

    Raises:
        InvalidSpec: a key of ``columns`` is no field of the format.
    """
    for name in columns:
        if name not in format.fields:
            raise InvalidSpec(
                f"dataset.columns: {name!r} is no field of {format.name}, which has {', '.join(format.fields)}"
            )


def _is_text(row: Fields) -> bool:
    # Beside a label, a text is to be classified, not to be continued.
    return isinstance(row.get("text"), str) and not (row.has("label") or row.has("labels"))


FORMATS: tuple[Format, ...] = (
    Format(
        name="alpaca",
        fields=("instruction", "input", "output", "system", "history", "tools"),
        fits=lambda row: row.has("instruction") and row.has("output"),
        read=read_alpaca,
    ),
    Format(
        name="conversations",
        fields=("conversations", "role", "content", "system", "tools"),
        fits=lambda row: (
            row.is_listing("conversations")
            and (OPENAI.are_in("conversations", row) or not SHAREGPT.are_in("conversations", row))
        ),
        read=read_conversations,
    ),
    Format(
        name="sharegpt",
        fields=("conversations", "from", "value", "system", "tools"),
        fits=lambda row: SHAREGPT.are_in("conversations", row),
        read=read_sharegpt,
    ),
    Format(
        name="messages",
        fields=("messages", "role", "content", "system", "tools"),
        fits=lambda row: row.is_listing("messages"),
        read=read_messages,
    ),
    Format(
        name="prompt-completion",
        fields=("prompt", "completion", "role", "content", "system", "tools"),
        fits=lambda row: row.has("prompt") and row.has("completion"),
        read=read_prompt_completion,
    ),
    Format(name="text", fields=("text",), fits=_is_text, read=read_text),
)
"""In the order of preference where a row looks like several."""
