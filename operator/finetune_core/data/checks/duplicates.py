"""Rows that are there twice, in this set or across the border to the validation set."""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

from finetune_core.data.checks.base import Check, Comparison, Context, Facts, Numbers, RowCheck
from finetune_core.data.example import Example, example_digest, exchange_digest
from finetune_core.data.first_seen import FirstSeen


def exact_duplicate(context: Context) -> Comparison:
    """The same messages as an earlier row's; 8 bytes of a digest are kept for each row."""
    seen = FirstSeen()

    def facts(examples: Sequence[Example]) -> Facts:
        return _words((example_digest(example)[:8] for example in examples), 1)

    def compare(numbers: Numbers, facts: Facts) -> Numbers:
        first = seen.put(facts[:, 0], numbers)
        return np.where(first == numbers, np.uint32(0), first)

    return Comparison(facts, compare, "the same as row {}")


def validation_leak(context: Context) -> RowCheck:
    """The same question and answer as a validation row's."""

    def check(example: Example) -> str | None:
        leaks = context.validation and exchange_digest(example) in context.validation
        return "question and answer are in the validation set" if leaks else None

    return check


def conflicting_output(context: Context) -> Comparison:
    """The same conversation up to the last answer as an earlier row's, and another answer.

    Capitals, blanks and the marks at the ends make no difference; 8 bytes of a digest of each are kept for each row.
    """
    questions, exchanges = FirstSeen(), FirstSeen()

    def compare(numbers: Numbers, facts: Facts) -> Numbers:
        asked_first, answered_first = questions.put(facts[:, 0], numbers), exchanges.put(facts[:, 1], numbers)
        return np.where(answered_first != asked_first, asked_first, np.uint32(0))

    return Comparison(
        lambda examples: _words(map(_question_and_exchange, examples), 2),
        compare,
        "the question is row {}'s, the answer is another",
    )


def _question_and_exchange(example: Example) -> bytes:
    *asked, answer = example.messages
    digest = hashlib.blake2b(digest_size=8)
    for message in asked:
        digest.update(f"{message.role}\0{_plain(message.content)}\0".encode())
    # A row without a question, which is a plain text, conflicts with none.
    question = digest.digest() if asked else example_digest(example)[:8]
    digest.update(_plain(answer.content).encode())
    return question + digest.digest()


def _words(digests: Iterable[bytes], words: int) -> Facts:
    return np.frombuffer(b"".join(digests), np.uint64).reshape(-1, words)


def _plain(text: str) -> str:
    text = text.lower() if text.isascii() else text  # which is slow otherwise, and Chinese has no capitals
    return text.replace(" ", "").replace("\n", "").strip(".。!！?？\t\r\u3000")


EXACT_DUPLICATE = Check(
    code="exact-duplicate",
    policy="drop",
    message="the row is there twice",
    fix="remove the copies: what is repeated is learned by heart, and weighs more than the rest",
    comparison=exact_duplicate,
)

VALIDATION_LEAK = Check(
    code="validation-leak",
    policy="drop",
    message="the row is in the validation set too",
    fix="keep it on one side only: on rows it was trained on, a model's validation loss says nothing",
    row=validation_leak,
)

CONFLICTING_OUTPUT = Check(
    code="conflicting-output",
    policy="warn",
    message="the question is there with different answers",
    fix="keep the best answer, or put what decides between them into the question",
    comparison=conflicting_output,
)
