"""Turns that say nothing."""

from finetune_core.data.checks.base import Check, locate, stateless
from finetune_core.data.example import Example


def empty_output(example: Example) -> str | None:
    """An answer of the assistant is blank, or there is none."""
    if not example.contents("assistant"):
        return "there is no answer"
    for number, message in enumerate(example.messages, start=1):
        if message.role == "assistant" and not message.calls and _blank(message.content):
            return f"message {number}, of the assistant, is blank"
    return None


def empty_instruction(example: Example) -> str | None:
    """A message of the user is blank."""
    return locate(example, _blank, "user")


def _blank(text: str) -> str | None:
    return None if text.strip() else "is blank"


# 空白的output: the course's cleaning list, part 3.2.
EMPTY_OUTPUT = Check(
    code="empty-output",
    policy="drop",
    message="the answer is empty",
    fix="write the answer, or remove the row: an empty answer teaches the model to say nothing",
    row=stateless(empty_output),
)

EMPTY_INSTRUCTION = Check(
    code="empty-instruction",
    policy="drop",
    message="the question is empty",
    fix="write the question, or remove the row: without one the answer is learned for any question",
    row=stateless(empty_instruction),
)
