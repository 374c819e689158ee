"""What is seen in rows that needs no other rows: the part of the examination that any process can do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from finetune_core.api.findings import FindingCode, Policy
from finetune_core.api.job import DatasetFormat
from finetune_core.data.checks import CHECKS, Context, Facts
from finetune_core.data.checks.sample import looked_at
from finetune_core.data.estimate import estimate
from finetune_core.data.example import Example, Tokenized, WrongSchema
from finetune_core.data.formats import named, to_example

Readable = tuple[int, Mapping[str, Any]]
"""A row's number and fields."""

Found = tuple[FindingCode, str]
"""What is wrong with a row."""

_UNREAD = Example(0, ())
"""In the place of a row that does not fit the format: it is left out, and no fact of it is used."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was seen in a chunk of rows: a column for each check, with one entry per row."""

    found: dict[int, list[Found]] = field(default_factory=dict)
    """By the row's place in the chunk: what is wrong with it, up to the first that rejects it."""
    compared: dict[FindingCode, Facts] = field(default_factory=dict)
    """``Comparison.facts`` of the rows."""
    counted: dict[int, list[tuple[FindingCode, Any]]] = field(default_factory=dict)
    """By the row's place: each ``SetCheck.fact`` that is one."""
    tokens: list[Tokenized | str | None] = field(default_factory=list)
    """Of each row, or why the chat template does not accept it; None where a check of the row alone rejects it."""


class Inspector:
    """The format, the checks of single rows, what tokenizes them, and the facts that the other checks need.

    It travels to processes, and ``encode`` with it.
    """

    def __init__(
        self,
        context: Context,
        policies: Mapping[FindingCode, Policy],
        format: DatasetFormat,
        columns: Mapping[str, str],
        encode: Callable[[Example], Tokenized] = estimate,
    ) -> None:
        self._made_of = (context, policies, format, columns, encode)
        self._format = named(format)
        self._columns = columns
        active = [check for check in CHECKS if policies[check.code] != "ignore"]
        self._rows = [
            (check.code, policies[check.code] in ("enforce", "drop"), check.row(context))
            for check in active
            if check.row
        ]
        sampled = {check.code for check in active if check.sampled}
        self._rows_beyond = [entry for entry in self._rows if entry[0] not in sampled or entry[1]]
        self._facts = [(check.code, check.comparison(context).facts) for check in active if check.comparison]
        of_sets = [(check.code, check.dataset(context).fact) for check in active if check.dataset]
        self._counts = [(code, fact) for code, fact in of_sets if fact]
        self._encode = encode

    def __reduce__(self) -> tuple[type["Inspector"], tuple[Any, ...]]:
        return Inspector, self._made_of

    def __call__(self, rows: Sequence[Readable]) -> Inspection:
        """Look at a chunk."""
        inspection = Inspection(tokens=[None] * len(rows))
        examples = [_UNREAD] * len(rows)
        for place, (number, value) in enumerate(rows):
            try:
                examples[place] = example = to_example(number, value, self._format, self._columns)
            except WrongSchema as problem:
                inspection.found[place] = [("wrong-schema", str(problem))]
                continue
            for code, rejects, check in self._rows if looked_at(number) else self._rows_beyond:
                if (message := check(example)) is not None:
                    inspection.found.setdefault(place, []).append((code, message))
                    if rejects:
                        break
            else:
                inspection.tokens[place] = self._tokenized(example)
        read = [place for place, example in enumerate(examples) if example.number]
        for code, facts_of in self._facts:
            facts = facts_of([examples[place] for place in read])
            inspection.compared[code] = np.zeros((len(rows), *facts.shape[1:]), np.uint64)
            inspection.compared[code][read] = facts
        for code, fact_of in self._counts:
            for place in read:
                if (fact := fact_of(examples[place])) is not None:
                    inspection.counted.setdefault(place, []).append((code, fact))
        return inspection

    def _tokenized(self, example: Example) -> Tokenized | str:
        try:
            return self._encode(example)
        except WrongSchema as problem:
            return str(problem)
