"""Turns of a conversation: messages with role and content, or with from and value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finetune_core.data.example import Message, Role, ToolCall, WrongSchema
from finetune_core.data.formats.fields import Fields
from finetune_core.data.formats.tools import read_calls
from finetune_core.data.reading import kind_of

_CALLING = ("function_call", "tool_call")
"""A turn whose content is calls, in JSON."""

_ROLES: Mapping[str, Role] = {
    "system": "system", "developer": "system",
    "user": "user", "human": "user",
    "assistant": "assistant", "gpt": "assistant", "chatgpt": "assistant",
    "function_call": "assistant", "tool_call": "assistant",
    "tool": "tool", "observation": "tool", "tool_response": "tool",
}  # fmt: skip
"""The roles of OpenAI; of ShareGPT as LLaMA-Factory extends it (its data/README.md); of ms-swift (its docs on agents).

"function" is not among them: to OpenAI it was the result, to LLaMA-Factory the call.
"""


@dataclass(frozen=True)
class Turns:
    """What a format calls the two fields of a message."""

    role: str
    content: str

    def read(self, name: str, row: Fields) -> list[Message]:
        """The messages in field ``name``."""
        messages: list[Message] = []
        for number, item in enumerate(row.listing(name)):
            try:
                self._add(item, row, messages)
            except WrongSchema as problem:
                raise WrongSchema(f"{row.column(name)}[{number}]: {problem}") from problem
        return messages

    def are_in(self, name: str, row: Fields) -> bool:
        """Is field ``name`` a list that begins like this?"""
        try:
            turns = row.listing(name)
        except WrongSchema:
            return False
        # By value, since Parquet gives an object the fields of all its siblings, as null.
        return bool(turns) and isinstance(turns[0], dict) and row.inside(turns[0]).get(self.role) is not None

    def _add(self, item: Any, row: Fields, messages: list[Message]) -> None:
        if not isinstance(item, dict):
            raise WrongSchema(f"is {kind_of(item)}, where an object with {self.role} and {self.content} is needed")
        fields = row.inside(item)
        name = fields.text(self.role)
        role = _ROLES.get(name)
        if role is None:
            raise WrongSchema(f"{fields.column(self.role)} {name[:40]!r} is none of {', '.join(_ROLES)}")
        if name in _CALLING:
            _add_calls(read_calls(fields, self.content), _is_trained(fields), messages)
        elif len(item) == 2 and fields.has(self.content):
            messages.append(Message(role, _words(fields, self.content)))
        else:
            messages.append(self._full(role, fields))

    def _full(self, role: Role, fields: Fields) -> Message:
        """A message with more than role and content."""
        if fields.get("function_call"):
            raise WrongSchema("field 'function_call' is of OpenAI's first format: write it as 'tool_calls'")
        calls = read_calls(fields, "tool_calls") if fields.get("tool_calls") else ()
        content = _words(fields, self.content) if fields.has(self.content) or not calls else ""
        if role != "assistant":
            if calls:
                raise WrongSchema(f"field 'tool_calls' is of the {role}, where only the assistant calls")
            return Message(role, content)
        thinking = fields.optional_text("reasoning_content") or fields.optional_text("thinking")
        return Message(role, content, calls, thinking, _is_trained(fields))


def _add_calls(calls: tuple[ToolCall, ...], trained: bool, messages: list[Message]) -> None:
    """Into the assistant's message before, where there is one: a chat template knows no other place for them."""
    if messages and messages[-1].role == "assistant" and messages[-1].trained == trained:
        messages[-1] = messages[-1]._replace(calls=messages[-1].calls + calls)
    else:
        messages.append(Message("assistant", "", calls, trained=trained))


def _words(fields: Fields, name: str) -> str:
    """Content, which is text, or a list of texts as OpenAI has it."""
    parts = fields.get(name)
    if not isinstance(parts, list):
        return fields.text(name)
    return "".join(_part(part, f"{fields.column(name)}[{number}]") for number, part in enumerate(parts))


def _part(part: Any, place: str) -> str:
    if not isinstance(part, dict):
        raise WrongSchema(f"{place} is {kind_of(part)}, where an object with type and text is needed")
    if part.get("type") != "text" or not isinstance(part.get("text"), str):
        raise WrongSchema(
            f"{place} is of type {str(part.get('type'))[:40]!r}: only 'text', with a text, can be trained on"
        )
    return str(part["text"])


def _is_trained(fields: Fields) -> bool:
    weight = fields.get("weight")
    if weight not in (None, 0, 1):
        raise WrongSchema(f"field 'weight' is {weight!r:.40}, where 0 or 1 is needed")
    # OpenAI's weight, Axolotl's train, ms-swift's loss: each says of an answer that it is not to be learned.
    return weight != 0 and fields.get("train") is not False and fields.get("loss") is not False
