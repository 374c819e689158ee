"""What is seen in rows that needs no other rows: the part of the examination that any process can do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from finetune_core.api.findings import FindingCode, Policy
from finetune_core.data.checks import CHECKS, Context
from finetune_core.data.estimate import TokenCount, estimate
from finetune_core.data.example import Example


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was seen in a chunk of examples: a column for each check, with one entry per example."""

    found: dict[int, list[tuple[FindingCode, str]]] = field(default_factory=dict)
    """By the example's place in the chunk: what is wrong with it, up to the first that rejects it."""
    compared: dict[FindingCode, list[bytes]] = field(default_factory=dict)
    """``Comparison.fact`` of each example."""
    counted: dict[FindingCode, list[Any]] = field(default_factory=dict)
    """``SetCheck.fact`` of each example."""
    lengths: list[TokenCount] = field(default_factory=list)
    """Estimated, where there is no tokenizer."""


class Inspector:
    """The checks of single rows, and the facts that the others need."""

    def __init__(self, context: Context, policies: Mapping[FindingCode, Policy]) -> None:
        active = [check for check in CHECKS if policies[check.code] != "ignore"]
        self._rows = [
            (check.code, policies[check.code] in ("enforce", "drop"), check.row(context))
            for check in active
            if check.row
        ]
        self._facts = [(check.code, check.comparison(context).fact) for check in active if check.comparison]
        of_sets = [(check.code, check.dataset(context).fact) for check in active if check.dataset]
        self._counts = [(code, fact) for code, fact in of_sets if fact]
        self._estimates = not context.exact

    def __call__(self, examples: Sequence[Example]) -> Inspection:
        """Look at a chunk."""
        inspection = Inspection()
        for place, example in enumerate(examples):
            for code, rejects, check in self._rows:
                message = check(example)
                if message is not None:
                    inspection.found.setdefault(place, []).append((code, message))
                    if rejects:
                        break
        for code, fact in self._facts:
            inspection.compared[code] = list(map(fact, examples))
        for code, count in self._counts:
            inspection.counted[code] = list(map(count, examples))
        if self._estimates:
            inspection.lengths.extend(map(estimate, examples))
        return inspection
