"""What all contestants train on: rows of ragged length, of a language that can be learned."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SEED = 1
MEDIAN_TOKENS, SIGMA, LONGEST, SHORTEST = 100, 0.8, 1_000, 8
"""Lengths are log-normal: most rows are short, and a few are ten times as long."""
PROMPT_SHARE = 0.4
_SUCCESSORS = 4
"""Each token is followed by one of so many: what there is to learn."""


@dataclass(frozen=True)
class Row:
    """Tokens, and where the answer begins."""

    tokens: list[int]
    answer: int

    @property
    def supervised(self) -> int:
        """Tokens that the loss is on."""
        return len(self.tokens) - self.answer


def rows(count: int, vocabulary: int, seed: int) -> Iterator[Row]:
    """So many rows of the same language, other ones for another seed."""
    grammar = random.Random(SEED)
    follows = [[grammar.randrange(2, vocabulary) for _ in range(_SUCCESSORS)] for _ in range(vocabulary)]
    draw = random.Random(seed)
    for _ in range(count):
        length = min(LONGEST, max(SHORTEST, round(MEDIAN_TOKENS * draw.lognormvariate(0, SIGMA))))
        tokens = [draw.randrange(2, vocabulary)]
        while len(tokens) < length:
            tokens.append(draw.choice(follows[tokens[-1]]))
        yield Row(tokens, max(1, round(PROMPT_SHARE * length)))


def save_rows(kept: list[Row], path: Path) -> None:
    """One row a line."""
    path.write_text("".join(json.dumps([row.tokens, row.answer]) + "\n" for row in kept), encoding="utf-8")


def read_rows(path: Path) -> list[Row]:
    """As they were saved."""
    return [Row(*json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
