"""One training example, whatever format it came in."""

import hashlib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

Role = Literal["system", "user", "assistant"]


class WrongSchema(Exception):
    """A row cannot be made into an example; the message says what is wrong with it.

    It never reaches a user as an exception: ``examine`` turns it into a finding. An ``encode`` given to ``examine``
    may raise it for a row that the chat template does not accept.
    """


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True)
class Example:
    """A conversation to learn from; ``number`` is the row's place in the source, counted from 1."""

    number: int
    messages: tuple[Message, ...]

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


def question_digest(example: Example) -> bytes:
    """16 bytes that are equal where the user says the same; the split keeps such rows on one side."""
    return _digest(example.contents("user"))


def exchange_digest(example: Example) -> bytes:
    """16 bytes that are equal where user and assistant say the same, under any system prompt: a leak is told by it."""
    return _digest(
        part for message in example.messages if message.role != "system" for part in (message.role, message.content)
    )


def example_digest(example: Example) -> bytes:
    """16 bytes that are equal for the same example."""
    return _digest(part for message in example.messages for part in (message.role, message.content))


def _digest(texts: Iterable[str]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for text in texts:
        # Line endings, outer blanks and Unicode composition are not content; inner blanks are (code, verse).
        data = unicodedata.normalize("NFC", text.replace("\r\n", "\n").strip()).encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.digest()
