"""A dataset's rows to the examples worth training on, and a report on all the others, in one pass."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from itertools import chain, islice

from finetune_core.api.findings import FindingCode, Policy
from finetune_core.api.job import Dataset, FormatChoice, Task
from finetune_core.data.checks import CHECKS, COURSE_CUTOFF_LENGTH, Candidate, Check, Context
from finetune_core.data.estimate import estimate
from finetune_core.data.example import Example, Tokenized, WrongSchema
from finetune_core.data.formats import Format, check_columns, detect, named, to_example
from finetune_core.data.reading import RawRow
from finetune_core.data.report import DatasetReport, Finding
from finetune_core.data.statistics import summarize
from finetune_core.data.sufficiency import judge
from finetune_core.errors import InvalidSpec

_ROWS_TO_DETECT_BY = 10
_ROWS_LISTED = 50


@dataclass(frozen=True)
class Rules:
    """How a dataset is read and judged; the fields are those of ``spec.dataset``."""

    format: FormatChoice = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    task: Task | None = None
    max_rows: int | None = None
    """Stop after so many good rows; what follows is not read."""
    quality: Mapping[FindingCode, Policy] = field(default_factory=dict)
    cutoff_length: int = COURSE_CUTOFF_LENGTH
    """Longer rows, in tokens, are reported."""

    @classmethod
    def of(cls, dataset: Dataset, cutoff_length: int = COURSE_CUTOFF_LENGTH) -> "Rules":
        """The rules that a job states."""
        return cls(
            format=dataset.format, columns=dataset.columns, task=dataset.task, max_rows=dataset.max_rows,
            quality=dataset.quality, cutoff_length=cutoff_length,
        )  # fmt: skip

    def for_validation(self) -> "Rules":
        """The same for a validation set of its own, which need not be large."""
        return replace(self, max_rows=None, quality={**self.quality, "too-few-samples": "ignore"})


@dataclass(frozen=True)
class Kept:
    """A good row: as it lay in the source, as an example, and in tokens (estimated where no ``encode`` was given)."""

    row: RawRow
    example: Example
    tokens: Tokenized


@dataclass(frozen=True)
class Rejected:
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
) -> DatasetReport:
    """Check every row, hand the good ones to ``keep`` and the others to ``reject``, and report.

    Nothing is held of a row but digests. A refused dataset is no error here: ``DatasetReport.raise_if_refused``
    makes it one.

    Args:
        rows: as from ``read_rows``.
        rules: format, policies and limits.
        encode: tokenizes with the real chat template, and may raise WrongSchema for a row that the template refuses;
            without it, lengths are estimated.
        validation: ``exchange_digest`` of each row of a validation set, for none of them to be trained on.
        keep: called with each good row, in order.
        reject: called with each row that is left out, in order.

    Raises:
        InvalidSpec: the rules contradict each other or the format.
        DatasetUnavailable: from ``rows``.
    """
    source = iter(rows)
    first = list(islice(source, _ROWS_TO_DETECT_BY))
    format, reason = _format(first, rules)
    context = Context(rules.cutoff_length, encode is not None, validation, rules.task)
    examination = _Examination(rules, format, context, encode or estimate)

    def used() -> Iterator[Tokenized]:
        # The one pass: it runs as the statistics draw on it.
        for row in chain(first, source):
            match examination.judge(row):
                case Kept() as kept:
                    keep(kept)
                    yield kept.tokens
                    if examination.used_rows == rules.max_rows:
                        return
                case rejected:
                    reject(rejected)

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
        sufficient=judge(examination.used_rows, rules.task),
    )


def _format(first: list[RawRow], rules: Rules) -> tuple[Format, str]:
    if rules.format == "auto":
        format, reason = detect([row.value for row in first if row.value is not None], rules.columns)
    else:
        format, reason = named(rules.format), "named"
    check_columns(format, rules.columns)
    return format, reason


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
    """The checks at work on one dataset."""

    def __init__(self, rules: Rules, format: Format, context: Context, encode: Callable[[Example], Tokenized]) -> None:
        self.rows = self.used_rows = 0
        self._rules = rules
        self._format = format
        self._encode = encode
        self._policies = {check.code: _policy(check, rules.quality) for check in CHECKS}
        self._tallies = {check.code: _Tally(check) for check in CHECKS}
        active = [check for check in CHECKS if self._policies[check.code] != "ignore"]
        self._row_checks = [(check.code, check.row(context)) for check in active if check.row]
        self._set_checks = [(check, check.dataset(context)) for check in active if check.dataset]
        self._watching = [check.see for _, check in self._set_checks if check.see]

    def judge(self, row: RawRow) -> Kept | Rejected:
        """Put one row to all checks, up to the first that rejects it."""
        self.rows += 1
        if row.value is None:
            return self._reject(row, "unreadable-row", row.problem or "")
        try:
            example = to_example(row.number, row.value, self._format, self._rules.columns)
            candidate = Candidate(example, self._encode)
            for code, check in self._row_checks:
                message = check(candidate)
                if message is not None and self._policies[code] in ("enforce", "drop"):
                    return self._reject(row, code, message)
                if message is not None:
                    self._tallies[code].add(row.number, message)
            kept = Kept(row, example, candidate.tokens)
        except WrongSchema as problem:
            return self._reject(row, "wrong-schema", str(problem))
        for see in self._watching:
            see(candidate)
        self.used_rows += 1
        return kept

    def findings(self) -> list[Finding]:
        """Everything found, once all rows are judged."""
        of_rows = [
            _finding(tally.check, self._final_policy(tally), tally.count, tally.rows, tally.first)
            for tally in self._tallies.values()
            if tally.count
        ]
        of_the_set = [
            _finding(check, self._policies[check.code], 1, [], message)
            for check, set_check in self._set_checks
            if (message := set_check.judge(self.used_rows)) is not None
        ]
        return of_rows + of_the_set

    def _reject(self, row: RawRow, code: FindingCode, message: str) -> Rejected:
        self._tallies[code].add(row.number, message)
        return Rejected(row, code, message)

    def _final_policy(self, tally: _Tally) -> Policy:
        check = tally.check
        by_default = check.code not in self._rules.quality
        if by_default and check.enforced_above is not None and tally.count > check.enforced_above * self.rows:
            return "enforce"
        return self._policies[check.code]


def _policy(check: Check, quality: Mapping[FindingCode, Policy]) -> Policy:
    policy = quality.get(check.code, check.policy)
    if check.dataset and policy == "drop":
        raise InvalidSpec(
            f"dataset.quality: {check.code} is about no single row: use enforce, warn or ignore, not drop"
        )
    found_by_reading = check.row is None and check.dataset is None
    # What cannot be read cannot be kept either: at the mildest, the row is left out and listed.
    return "drop" if found_by_reading and policy in ("warn", "ignore") else policy


def _finding(check: Check, policy: Policy, count: int, rows: list[int], detail: str) -> Finding:
    return Finding(
        code=check.code, severity=check.severity, policy=policy, count=count, rows=rows,
        message=f"{check.message}; {detail}", fix=check.fix,
    )  # fmt: skip
