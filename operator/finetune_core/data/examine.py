"""A dataset's rows to the examples worth training on, and a report on all the others, in one pass."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain, count, islice
from typing import NamedTuple, cast

import numpy as np

from finetune_core.api.findings import FindingCode, Policy, ThresholdCode
from finetune_core.api.job import Dataset, FormatChoice, Task
from finetune_core.data.checks import (
    CHECKS,
    COURSE_CUTOFF_LENGTH,
    DEFAULT_THRESHOLDS,
    Check,
    Context,
    Named,
    Numbers,
    common_pieces,
)
from finetune_core.data.checks.sample import BEYOND, LOOKED_AT
from finetune_core.data.estimate import estimate
from finetune_core.data.example import Example, Tokenized, WrongSchema
from finetune_core.data.formats import Format, check_columns, detect, named, to_example
from finetune_core.data.inspection import Found, Inspection, Inspector, Readable
from finetune_core.data.reading import RawRow
from finetune_core.data.report import DatasetReport, Finding
from finetune_core.data.statistics import summarize
from finetune_core.data.workers import Workers
from finetune_core.errors import InvalidSpec
from finetune_core.sufficiency import judge

_ROWS_TO_DETECT_BY = 10
_ROWS_LISTED = 50

_CHUNK = 1_000
"""Rows that are looked at together. The first of them also tell which text is a prompt's."""

_CHUNKS_ALONE = 10
_CHUNKS_ALONE_ENCODING = 2
"""Looking at so many takes about as long as it does to start other processes; tokenizing is most of it."""


@dataclass(frozen=True)
class Rules:
    """How a dataset is read and judged; the fields are those of ``spec.dataset``."""

    format: FormatChoice = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    task: Task | None = None
    max_rows: int | None = None
    """Stop after so many good rows; what follows is not read."""
    quality: Mapping[FindingCode, Policy] = field(default_factory=dict)
    thresholds: Mapping[ThresholdCode, float] = field(default_factory=dict)
    cutoff_length: int = COURSE_CUTOFF_LENGTH
    """Longer rows, in tokens, are reported."""

    @classmethod
    def of(cls, dataset: Dataset, cutoff_length: int = COURSE_CUTOFF_LENGTH) -> "Rules":
        """The rules that a job states."""
        return cls(
            format=dataset.format, columns=dataset.columns, task=dataset.task, max_rows=dataset.max_rows,
            quality=dataset.quality, thresholds=dataset.thresholds, cutoff_length=cutoff_length,
        )  # fmt: skip

    def for_validation(self) -> "Rules":
        """The same for a validation set of its own, which need not be large."""
        return replace(self, max_rows=None, quality={**self.quality, "too-few-samples": "ignore"})


class Kept(NamedTuple):
    """A good row: as it lay in the source, as an example, and in tokens (estimated where no ``encode`` was given)."""

    row: RawRow
    tokens: Tokenized
    like: int
    """Number of an earlier row that it is nearly the same as; 0 for none."""
    read: Callable[[RawRow], Example]

    @property
    def example(self) -> Example:
        """Made from the row when it is asked for."""
        return self.read(self.row)


class Rejected(NamedTuple):
    """A row left out, and why."""

    row: RawRow
    code: FindingCode
    message: str


def examine(
    rows: Iterable[RawRow],
    rules: Rules = Rules(),
    *,
    encode: Callable[[Example], Tokenized] | None = None,
    validation: Set[bytes] = frozenset(),
    keep: Callable[[Kept], None] = lambda kept: None,
    reject: Callable[[Rejected], None] = lambda rejected: None,
    processes: int = 1,
) -> DatasetReport:
    """Check every row, hand the good ones to ``keep`` and the others to ``reject``, and report.

    A few thousand rows are held at a time, and digests of all. A refused dataset is no error here:
    ``DatasetReport.raise_if_refused`` makes it one. What is reported of a row that is left out is why; warnings are
    counted over the rows that are kept.

    Args:
        rows: as from ``read_rows``.
        rules: format, policies and limits.
        encode: tokenizes with the real chat template, and may raise WrongSchema for a row that the template refuses;
            without it, lengths are estimated. With several processes it is pickled, and so is what it gives.
        validation: ``exchange_digest`` of each row of a validation set, for none of them to be trained on.
        keep: called with each good row, in order.
        reject: called with each row that is left out, in order.
        processes: how many look at rows; more than one are started only for more than 10,000 rows, or 2,000 with
            ``encode``.

    Raises:
        InvalidSpec: the rules contradict each other or the format.
        DatasetUnavailable: from ``rows``.
        OutOfMemory: a process was killed.
    """
    source = iter(rows)
    first = list(islice(source, _ROWS_TO_DETECT_BY))
    format, reason = _format(first, rules)
    chunks = _chunks(chain(first, source), min(_CHUNK, rules.max_rows or _CHUNK))
    opening = next(chunks, [])
    context = Context(
        cutoff_length=rules.cutoff_length,
        exact=encode is not None,
        validation=validation,
        task=rules.task,
        thresholds={**DEFAULT_THRESHOLDS, **rules.thresholds},
        common=common_pieces(_examples(opening, format, rules.columns)),
    )
    examination = _Examination(rules, context, format)
    inspector = Inspector(context, examination.policies, format.name, rules.columns, encode or estimate)
    alone = None if processes == 1 else _CHUNKS_ALONE_ENCODING if encode else _CHUNKS_ALONE

    def used() -> Iterator[Tokenized]:
        # The one pass: it runs as the statistics draw on it.
        for chunk, inspection in _inspected(chain([opening], chunks), inspector, alone, processes):
            for verdict in examination.judge(chunk, inspection):
                if isinstance(verdict, Rejected):
                    reject(verdict)
                    continue
                keep(verdict)
                yield verdict.tokens
                if examination.used_rows == rules.max_rows:
                    return

    statistics = summarize(used(), exact=context.exact)
    findings = examination.findings()
    return DatasetReport(
        rows=examination.rows,
        used_rows=examination.used_rows,
        rejected_rows=examination.rows - examination.used_rows,
        format=format.name,
        format_reason=reason,
        encoding=first[0].encoding if first else "UTF-8",
        refused=not examination.used_rows or any(found.policy == "enforce" for found in findings),
        findings=findings,
        statistics=statistics,
        unlocated_answers=examination.unlocated_answers,
        sufficient=judge(examination.used_rows, rules.task),
    )


def _format(first: list[RawRow], rules: Rules) -> tuple[Format, str]:
    if rules.format == "auto":
        format, reason = detect([row.value for row in first if row.value is not None], rules.columns)
    else:
        format, reason = named(rules.format), "named"
    check_columns(format, rules.columns)
    return format, reason


Chunk = list[RawRow]


def _chunks(rows: Iterable[RawRow], size: int) -> Iterator[Chunk]:
    source = iter(rows)
    while chunk := list(islice(source, size)):
        yield chunk


def _examples(rows: Chunk, format: Format, columns: Mapping[str, str]) -> Iterator[Example]:
    for row in rows:
        if row.value is not None:
            with suppress(WrongSchema):
                yield to_example(row.number, row.value, format, columns)


def _inspected(
    chunks: Iterator[Chunk], inspector: Inspector, alone: int | None, processes: int
) -> Iterator[tuple[Chunk, Inspection]]:
    """Each chunk with what is seen in its readable rows, in order; so many of them, or all, in this process."""
    for chunk in islice(chunks, alone):
        yield chunk, inspector(_readable(chunk))
    first = next(chunks, None)
    if first is None:
        return
    waiting: deque[Chunk] = deque()

    def sent() -> Iterator[list[Readable]]:
        for chunk in chain([first], chunks):
            waiting.append(chunk)
            yield _readable(chunk)

    with Workers[list[Readable], Inspection](processes, inspector) as workers:
        for inspection in workers.map(sent()):
            yield waiting.popleft(), inspection


def _readable(chunk: Chunk) -> list[Readable]:
    return [(row.number, row.value) for row in chunk if row.value is not None]


@dataclass
class _Tally:
    """One check's findings so far."""

    check: Check
    count: int = 0
    rows: list[int] = field(default_factory=list)
    first: str = ""

    def add(self, row: int, message: str) -> None:
        self.first = self.first or f"row {row}: {message}"
        self.count += 1
        if len(self.rows) < _ROWS_LISTED:
            self.rows.append(row)


class _Examination:
    """The checks at work on one dataset: what rows are, given what was seen in each and in those before it."""

    def __init__(self, rules: Rules, context: Context, format: Format) -> None:
        self.rows = self.used_rows = self.unlocated_answers = 0
        self.policies = {check.code: _policy(check, rules.quality) for check in CHECKS}
        self._rules = rules
        self._context = context
        self._format = format
        self._rejecting = {code for code, policy in self.policies.items() if policy in ("enforce", "drop")}
        self._tallies = {check.code: _Tally(check) for check in CHECKS}
        active = [check for check in CHECKS if self.policies[check.code] != "ignore"]
        self._comparisons = [(check.code, check.comparison(context)) for check in active if check.comparison]
        self._token_checks = [(check.code, check.tokens(context)) for check in active if check.tokens]
        self._set_checks = [(check, check.dataset(context)) for check in active if check.dataset]
        self._adding = {check.code: set_check.add for check, set_check in self._set_checks if set_check.add}

    def judge(self, chunk: Chunk, inspection: Inspection) -> Iterator[Kept | Rejected]:
        """What becomes of each row of the chunk."""
        found, like = self._compare(
            np.array([row.number for row in chunk if row.value is not None], np.uint32), inspection
        )
        places = count()
        for row in chunk:
            self.rows += 1
            if row.value is None:
                yield self._reject(row, "unreadable-row", row.problem or "")
                continue
            place = next(places)
            warnings = found.get(place, ())
            if warnings and warnings[-1][0] in self._rejecting:
                yield self._reject(row, *warnings[-1])
                continue
            tokens = inspection.tokens[place]
            assert tokens is not None
            if isinstance(tokens, str):
                yield self._reject(row, "wrong-schema", tokens)
                continue
            warnings = [*warnings, *self._of_tokens(tokens)]
            if warnings and warnings[-1][0] in self._rejecting:
                yield self._reject(row, *warnings[-1])
                continue
            for code, message in warnings:
                self._tallies[code].add(row.number, message)
            for code, fact in inspection.counted.get(place, ()):
                self._adding[code](fact)
            self.used_rows += 1
            self.unlocated_answers += tokens.unlocated
            yield Kept(row, tokens, like.get(place, 0), self._read)

    def findings(self) -> list[Finding]:
        """Everything found, once all rows are judged."""
        of_rows = [
            _finding(tally.check, self._final_policy(tally), tally.count, tally.rows, self._detail(tally))
            for tally in self._tallies.values()
            if tally.count
        ]
        of_the_set = [
            _finding(check, self.policies[check.code], len(rows) or 1, rows[:_ROWS_LISTED], message)
            for check, set_check in self._set_checks
            if (seen := set_check.judge(self.used_rows)) is not None
            for message, rows in [seen if isinstance(seen, Named) else (seen, [])]
        ]
        return of_rows + of_the_set

    def _read(self, row: RawRow) -> Example:
        return to_example(row.number, row.value or {}, self._format, self._rules.columns)

    def _of_tokens(self, tokens: Tokenized) -> Iterator[Found]:
        """What is wrong with them, up to the first that rejects the row."""
        for code, check in self._token_checks:
            if (message := check(tokens)) is not None:
                yield code, message
                if code in self._rejecting:
                    return

    def _compare(self, numbers: Numbers, inspection: Inspection) -> tuple[dict[int, list[Found]], dict[int, int]]:
        """What is wrong with rows, by place, now that those before them are known; and which are nearly the same.

        What rejects a row is its last entry. Rows that are left out are not compared with.
        """
        found = {place: list(seen) for place, seen in inspection.found.items()}
        like: dict[int, int] = {}
        out = {place for place, seen in found.items() if seen[-1][0] in self._rejecting}
        staying = np.array([place for place in range(len(numbers)) if place not in out], np.intp)
        for code, comparison in self._comparisons:
            earlier = comparison.compare(numbers[staying], inspection.compared[code][staying])
            collided = dict(zip(staying[earlier > 0].tolist(), earlier[earlier > 0].tolist(), strict=True))
            for place, number in collided.items():
                found.setdefault(place, []).append((code, comparison.says.format(number)))
            if code == "near-duplicate":
                like = collided
            if code in self._rejecting:
                staying = staying[earlier == 0]
        return found, like

    def _reject(self, row: RawRow, code: FindingCode, message: str) -> Rejected:
        self._tallies[code].add(row.number, message)
        return Rejected(row, code, message)

    def _detail(self, tally: _Tally) -> str:
        if not tally.check.sampled or self.rows <= LOOKED_AT or tally.check.code in self._rejecting:
            return tally.first
        return f"{tally.first}; of the rows after {LOOKED_AT:,}, one in {BEYOND} was looked at"

    def _final_policy(self, tally: _Tally) -> Policy:
        check = tally.check
        by_default = check.code not in self._rules.quality
        if by_default and check.enforced_above_threshold:
            most = self._context.thresholds[cast("ThresholdCode", check.code)] * self.rows
            return "enforce" if tally.count > most else self.policies[check.code]
        return self.policies[check.code]


def _policy(check: Check, quality: Mapping[FindingCode, Policy]) -> Policy:
    policy = quality.get(check.code, check.policy)
    if check.dataset and policy == "drop":
        raise InvalidSpec(
            f"dataset.quality: {check.code} is about no single row: use enforce, warn or ignore, not drop"
        )
    found_by_reading = not (check.row or check.tokens or check.comparison or check.dataset)
    # What cannot be read cannot be kept either: at the mildest, the row is left out and listed.
    return "drop" if found_by_reading and policy in ("warn", "ignore") else policy


def _finding(check: Check, policy: Policy, count: int, rows: list[int], detail: str) -> Finding:
    return Finding(
        code=check.code, severity=check.severity, policy=policy, count=count, rows=rows,
        message=f"{check.message}; {detail}", fix=check.fix,
    )  # fmt: skip
