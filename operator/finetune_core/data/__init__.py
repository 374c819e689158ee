"""Datasets: read, checked, counted and split, one row at a time.

The whole of it, as the prepare step calls it::

    kept: list[Kept] = []
    report = examine(read_rows(path), Rules.of(dataset), encode=encode, keep=kept.append)
    report.raise_if_refused()  # after storing report.to_json() as dataset-report.json

    rows = SplitRows()
    for row in kept:
        rows.add(row.example, row.like)
    held_out = rows.choose_validation(fraction=0.1, seed=0)
    training = [row for place, row in enumerate(kept) if place not in held_out]
    statistics = summarize((row.tokens for row in training), validation_rows=len(held_out))
    report = report.with_training_rows(statistics, labels=rows.labels(held_out), examples=[])

``encode`` takes an ``Example`` to the caller's own object with ``length`` and ``supervised``, and gets it back as
``Kept.tokens``. A validation set of its own is examined first, with ``Rules.for_validation()``; its rows'
``exchange_digest`` go into ``examine(..., validation=...)``.

A bad row is never an error. A few thousand rows are held at a time, and of each about 300 bytes of digests.
"""

from finetune_core.data.estimate import TokenCount, estimate_tokens
from finetune_core.data.examine import Kept, Rejected, Rules, examine
from finetune_core.data.example import (
    Example,
    Message,
    Tokenized,
    ToolCall,
    WrongSchema,
    exchange_digest,
    question_digest,
)
from finetune_core.data.mend import mend
from finetune_core.data.reading import RawRow, read_rows
from finetune_core.data.report import DatasetReport, Finding, Piece, ShownRow
from finetune_core.data.split import SplitRows, choose_validation
from finetune_core.data.statistics import summarize
from finetune_core.data.workers import available_processes

__all__ = [
    "DatasetReport",
    "Example",
    "Finding",
    "Kept",
    "Message",
    "Piece",
    "RawRow",
    "Rejected",
    "Rules",
    "ShownRow",
    "SplitRows",
    "TokenCount",
    "Tokenized",
    "ToolCall",
    "WrongSchema",
    "available_processes",
    "choose_validation",
    "estimate_tokens",
    "examine",
    "exchange_digest",
    "mend",
    "question_digest",
    "read_rows",
    "summarize",
]
