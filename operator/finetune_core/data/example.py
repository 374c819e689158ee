"""One training example, whatever format it came in."""

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, Protocol

Role = Literal["system", "user", "assistant", "tool"]


class WrongSchema(Exception):
    """A row cannot be made into an example; the message says what is wrong with it.

    It never reaches a user as an exception: ``examine`` turns it into a finding. An ``encode`` given to ``examine``
    may raise it for a row that the chat template does not accept.
    """


class ToolCall(NamedTuple):
    """A function that the assistant asks for; the message of role "tool" that follows has its result."""

    name: str
    arguments: Mapping[str, Any]


class Message(NamedTuple):
    """One turn of a conversation."""

    role: Role
    content: str
    calls: tuple[ToolCall, ...] = ()
    """Of the assistant, beside or instead of content."""
    thinking: str = ""
    """Of the assistant, before the content: ``reasoning_content`` in the data."""
    trained: bool = True
    """False: an answer that the loss leaves out (``weight: 0`` in the data)."""


class Example(NamedTuple):
    """A conversation to learn from, or a text; ``number`` is the row's place in the source, counted from 1."""

    number: int
    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    """Functions that the assistant may call, each as OpenAI's ``tools`` write it: ``{"type": "function", ...}``."""
    plain: bool = False
    """A text without a question: one message of the assistant, trained on whole and without a chat template."""

    def contents(self, *roles: Role) -> list[str]:
        """What these roles say, in order."""
        return [message.content for message in self.messages if message.role in roles]


class Tokenized(Protocol):
    """What checks and statistics need of a tokenized example; the trainer's own class has the tokens too."""

    @property
    def length(self) -> int:
        """Tokens, not truncated."""
        ...

    @property
    def supervised(self) -> int:
        """Tokens that the loss is taken on."""
        ...

    @property
    def unlocated(self) -> int:
        """Answers that the loss leaves out, since the chat template drops or rewrites them."""
        ...


def question_digest(example: Example) -> bytes:
    """16 bytes that are equal where the user says the same; the split keeps such rows on one side."""
    return _digest(example.contents("user") if not example.plain else example.contents("assistant"))


def exchange_digest(example: Example) -> bytes:
    """16 bytes that are equal where user and assistant say the same, under any system prompt: a leak is told by it."""
    return _digest(part for message in example.messages if message.role != "system" for part in _parts(message))


def example_digest(example: Example) -> bytes:
    """16 bytes that are equal for the same example."""
    return _digest(part for message in example.messages for part in _parts(message))


def _parts(message: Message) -> Iterator[str]:
    yield message.role
    yield message.content
    if message.thinking:
        yield message.thinking
    for call in message.calls:
        yield call.name
        yield json.dumps(call.arguments, sort_keys=True, ensure_ascii=False)


def _digest(texts: Iterable[str]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for text in texts:
        # Line endings, outer blanks and Unicode composition are not content; inner blanks are (code, verse).
        plain = text if text.isascii() else unicodedata.normalize("NFC", text)
        data = plain.replace("\r\n", "\n").strip().encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.digest()
