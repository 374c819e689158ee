"""Rows of the known formats to examples.

A format is one entry of ``FORMATS``: its name, the fields it knows, how to recognise it and how to read it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from finetune_core.api.job import DatasetFormat
from finetune_core.data.example import Example, Message, Role, WrongSchema
from finetune_core.data.reading import kind_of
from finetune_core.errors import InvalidSpec

_TOOL_ROLES = ("tool", "function", "function_call", "observation")
_NO_TOOLS = "tool calls cannot be trained on yet"


@dataclass(frozen=True)
class Fields:
    """An object of the data, read by the names that the format gives its fields."""

    value: Mapping[str, Any]
    columns: Mapping[str, str]
    """Name in the format -> name in the data, where they differ."""
    where: str = ""
    """Where in the row it lies, for messages: ``messages[2]: ``."""

    def get(self, name: str) -> Any:
        """The field, or None."""
        return self.value.get(self.columns.get(name, name))

    def has(self, name: str) -> bool:
        """Is the field there, if only as null?"""
        return self.columns.get(name, name) in self.value

    def text(self, name: str) -> str:
        """A field that must be there; null is read as no text."""
        column = self.columns.get(name, name)
        if column not in self.value:
            raise WrongSchema(f"{self.where}field {column!r} is missing; there is {_names(self.value)}")
        return self.optional_text(name)

    def optional_text(self, name: str) -> str:
        """A field that may be missing."""
        content = self.get(name)
        if content is None:
            return ""
        if not isinstance(content, str):
            column = self.columns.get(name, name)
            raise WrongSchema(f"{self.where}field {column!r} is {kind_of(content)}, where text is needed")
        return content

    def listing(self, name: str) -> list[Any]:
        """A list that must be there."""
        content = self.get(name)
        if not isinstance(content, list):
            found = f"is {kind_of(content)}, where a list is needed" if self.has(name) else "is missing"
            raise WrongSchema(f"field {self.columns.get(name, name)!r} {found}; there is {_names(self.value)}")
        return content


@dataclass(frozen=True)
class Format:
    """One format of rows."""

    name: DatasetFormat
    fields: tuple[str, ...]
    """What ``dataset.columns`` may rename."""
    fits: Callable[[Fields], bool]
    """Does the row look like it?"""
    read: Callable[[Fields], list[Message]]


def to_example(number: int, value: Mapping[str, Any], format: Format, columns: Mapping[str, str]) -> Example:
    """The example in a row.

    Raises:
        WrongSchema: the row does not fit; the message names the field.
    """
    messages = format.read(Fields(value, columns))
    if not any(message.role == "user" for message in messages):
        raise WrongSchema("there is no message of the user")
    return Example(number, tuple(messages))


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


def _read_alpaca(row: Fields) -> list[Message]:
    messages = []
    if system := row.optional_text("system"):
        messages.append(Message("system", system))
    for number, turn in enumerate(row.listing("history") if row.get("history") else []):
        if not (isinstance(turn, list) and len(turn) == 2 and all(isinstance(text, str) for text in turn)):
            raise WrongSchema(f"history[{number}] is not a pair of texts, [user, assistant]")
        messages += [Message("user", turn[0]), Message("assistant", turn[1])]
    # Joined as LLaMA-Factory joins them (its Alpaca converter), so that a model answers alike wherever it was trained.
    question = "\n".join(text for text in (row.text("instruction"), row.optional_text("input")) if text)
    return [*messages, Message("user", question), Message("assistant", row.text("output"))]


@dataclass(frozen=True)
class _Turns:
    """How a format writes a message."""

    role: str
    content: str
    roles: Mapping[str, Role]
    """Name in the data -> role."""

    def read(self, name: str, row: Fields) -> list[Message]:
        """The messages in field ``name``."""
        return [self._message(f"{name}[{n}]: ", item, row.columns) for n, item in enumerate(row.listing(name))]

    def are_in(self, name: str, row: Fields) -> bool:
        """Is field ``name`` a list that begins like this?"""
        turns = row.get(name)
        first = turns[0] if isinstance(turns, list) and turns else None
        # By value, since Parquet gives an object the fields of all its siblings, as null.
        return isinstance(first, dict) and Fields(first, row.columns).get(self.role) is not None

    def _message(self, where: str, item: Any, columns: Mapping[str, str]) -> Message:
        if not isinstance(item, dict):
            raise WrongSchema(
                f"{where}is {kind_of(item)}, where an object with {self.role} and {self.content} is needed"
            )
        fields = Fields(item, columns, where)
        role = fields.text(self.role)
        if role in _TOOL_ROLES:
            raise WrongSchema(f"{where}{self.role} {role!r}: {_NO_TOOLS}")
        if role not in self.roles:
            raise WrongSchema(f"{where}{self.role} {role[:40]!r} is none of {', '.join(self.roles)}")
        # Read past, they would be trained on as something that they are not.
        for name in ("tool_calls", "function_call"):
            if item.get(name):
                raise WrongSchema(f"{where}field {name!r}: {_NO_TOOLS}")
        if item.get("weight") not in (None, 1):
            raise WrongSchema(f"{where}field 'weight': leaving a message out of the loss is not possible yet")
        return Message(self.roles[role], fields.text(self.content))


_OPENAI = _Turns("role", "content", {role: role for role in get_args(Role)})
_SHAREGPT = _Turns(
    "from",
    "value",
    {
        "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant",
        "system": "system",
    },
)  # fmt: skip


def _refuse_tools(row: Fields) -> None:
    if row.get("tools"):
        raise WrongSchema(f"field 'tools': {_NO_TOOLS}")


def _read_chat(name: str) -> Callable[[Fields], list[Message]]:
    def read(row: Fields) -> list[Message]:
        _refuse_tools(row)
        return _OPENAI.read(name, row)

    return read


def _read_sharegpt(row: Fields) -> list[Message]:
    _refuse_tools(row)
    turns = _SHAREGPT.read("conversations", row)
    system = row.optional_text("system")
    if system and any(turn.role == "system" for turn in turns):
        raise WrongSchema("field 'system' and a turn from 'system' are both there: keep one of them")
    return [Message("system", system), *turns] if system else turns


def _read_prompt_completion(row: Fields) -> list[Message]:
    _refuse_tools(row)
    prompt, completion = _spoken(row, "prompt", "user"), _spoken(row, "completion", "assistant")
    # The format means only the completion to be learned.
    if any(message.role == "assistant" for message in prompt):
        raise WrongSchema(
            "field 'prompt' holds an answer: leaving a message out of the loss is not possible yet; "
            "to train on every answer, write the row as messages"
        )
    return [*prompt, *completion]


def _spoken(row: Fields, name: str, role: Role) -> list[Message]:
    """A field that is either text, of this role, or a list of messages."""
    if isinstance(row.get(name), list):
        return _OPENAI.read(name, row)
    return [Message(role, row.text(name))]


def _names(value: Mapping[str, Any]) -> str:
    if not value:
        return "no field at all"
    shown = ", ".join(repr(name if len(name) <= 40 else name[:37] + "...") for name in list(value)[:8])
    return shown + (f" and {len(value) - 8} more" if len(value) > 8 else "")


FORMATS: tuple[Format, ...] = (
    Format(
        name="alpaca",
        fields=("instruction", "input", "output", "system", "history"),
        fits=lambda row: row.has("instruction") and row.has("output"),
        read=_read_alpaca,
    ),
    Format(
        name="conversations",
        fields=("conversations", "role", "content"),
        fits=lambda row: (
            isinstance(row.get("conversations"), list)
            and (_OPENAI.are_in("conversations", row) or not _SHAREGPT.are_in("conversations", row))
        ),
        read=_read_chat("conversations"),
    ),
    Format(
        name="sharegpt",
        fields=("conversations", "from", "value", "system"),
        fits=lambda row: _SHAREGPT.are_in("conversations", row),
        read=_read_sharegpt,
    ),
    Format(
        name="messages",
        fields=("messages", "role", "content"),
        fits=lambda row: isinstance(row.get("messages"), list),
        read=_read_chat("messages"),
    ),
    Format(
        name="prompt-completion",
        fields=("prompt", "completion", "role", "content"),
        fits=lambda row: row.has("prompt") and row.has("completion"),
        read=_read_prompt_completion,
    ),
)
"""In the order of preference where a row looks like several."""
