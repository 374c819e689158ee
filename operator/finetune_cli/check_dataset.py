"""What ``ftj lint`` does: a dataset is read and checked, the good rows are written, the findings told."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TextIO

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from finetune_cli.steps import require_trainer
from finetune_core.api.job import FormatChoice, Task
from finetune_core.api.location import parse_uri
from finetune_core.contract import Place
from finetune_core.data import (
    DatasetReport,
    Example,
    Finding,
    Kept,
    RawRow,
    Rejected,
    Rules,
    Tokenized,
    available_processes,
    examine,
    exchange_digest,
    mend,
    read_rows,
)
from finetune_core.data.workers import Workers
from finetune_core.errors import DatasetRefused, InvalidSpec
from finetune_core.sufficiency import advice

_ROWS_SHOWN = 8
_BAR_FROM_BYTES = 8 * 2**20
"""Smaller files are done before a bar could be read."""

Encode = Callable[[Example], Tokenized]

_STYLES = {"enforce": "bold red", "drop": "red", "warn": "yellow", "ignore": "dim"}
_OUTCOMES = {"enforce": "refuses the dataset", "drop": "left out", "warn": "kept", "ignore": "kept"}


def check_dataset(
    data: Path,
    format: FormatChoice,
    task: Task | None,
    tokenizer: str | None,
    cutoff_length: int,
    validation: Path | None,
    output: Literal["text", "json"],
    fix: Path | None,
) -> None:
    """The command; its options explain the arguments.

    Raises:
        DatasetUnavailable: it cannot be read.
        DatasetRefused: an enforced check failed.
        InvalidSpec: options contradict each other, or the good rows cannot be written.
    """
    console = Console(stderr=True)
    rules = Rules(format=format, task=task, cutoff_length=cutoff_length)
    encode = _encoder(tokenizer, console) if tokenizer is not None else None
    known = _validation_digests(validation, rules, encode, console) if validation else frozenset()
    with _fixed_files(fix, data, validation) if fix else nullcontext(_Files()) as files, _rows(data, console) as rows:
        report = examine(
            rows, rules, encode=encode, validation=known, keep=files.keep, reject=files.reject,
            processes=available_processes(),
        )  # fmt: skip

    if output == "json":
        typer.echo(report.to_json(indent=2))
    else:
        _print_report(report, data, task, Console(), fixed=fix is not None)
    if fix:
        mended = f" ({files.mended:,} of them mended)" if files.mended else ""
        console.print(Text(f"{report.used_rows:,} rows to {fix}{mended}"), soft_wrap=True)
        console.print(
            Text(f"{report.rejected_rows:,} rows, with the reason of each, to {_refused_path(fix)}"), soft_wrap=True
        )
    report.raise_if_refused()


def _encoder(uri: str, console: Console) -> Encode:
    """What counts a row's tokens as they will be when the model is trained.

    It is made in a process of its own: whatever finds the class of a tokenizer loads torch, and this one does without.
    """
    parse_uri(uri)
    require_trainer("--tokenizer")
    from finetune_trainer.encoder import fetch_encoder

    with (
        console.status("fetching the tokenizer"),
        TemporaryDirectory(prefix="ftj-") as scratch,
        Workers(1, partial(fetch_encoder, Place(uri=uri))) as elsewhere,
    ):
        [encoder] = elsewhere.map([Path(scratch)])
    return encoder.count


def _validation_digests(path: Path, rules: Rules, encode: Encode | None, console: Console) -> frozenset[bytes]:
    digests: set[bytes] = set()
    with _rows(path, console) as rows:
        report = examine(
            rows, rules.for_validation(), encode=encode, processes=available_processes(),
            keep=lambda kept: digests.add(exchange_digest(kept.example)),
        )  # fmt: skip
    try:
        report.raise_if_refused()
    except DatasetRefused as error:
        raise DatasetRefused(f"validation set {path}: {error}") from error
    return frozenset(digests)


@contextmanager
def _rows(path: Path, console: Console) -> Iterator[Iterator[RawRow]]:
    """The rows, with a bar on a terminal while a large file is read."""
    size = path.stat().st_size if path.is_file() else 0
    if size < _BAR_FROM_BYTES or not console.is_terminal:
        yield read_rows(path)
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(path.name, total=size)
        yield read_rows(path, on_progress=lambda read: progress.update(bar, completed=read))


# --fix


class _Files:
    """Where good and refused rows go: nowhere, unless asked for."""

    def __init__(self, good: TextIO | None = None, refused: TextIO | None = None) -> None:
        self._good = good
        self._refused = refused
        self.mended = 0

    def keep(self, kept: Kept) -> None:
        if self._good:
            value = mend(kept.row.value)
            self.mended += value is not kept.row.value
            _write(self._good, value)

    def reject(self, rejected: Rejected) -> None:
        row = rejected.row
        _write(
            self._refused,
            {"row": row.number, "code": rejected.code, "message": rejected.message, "value": row.value},
        )


def _write(file: TextIO | None, value: Any) -> None:
    if file:
        file.write(json.dumps(value, ensure_ascii=False) + "\n")


def _refused_path(good: Path) -> Path:
    return good.with_name(f"{good.stem}.refused.jsonl")


@contextmanager
def _fixed_files(good: Path, *inputs: Path | None) -> Iterator[_Files]:
    """The two files, which appear under their names only when they are whole."""
    if good.is_dir():
        raise InvalidSpec(f"--fix {good}: is a folder: name a file")
    refused = _refused_path(good)
    for source in inputs:
        if source and source.exists() and any(path.exists() and path.samefile(source) for path in (good, refused)):
            raise InvalidSpec(f"--fix {good}: would overwrite {source}: name another file")
    try:
        with _atomic(good) as good_file, _atomic(refused) as refused_file:
            yield _Files(good_file, refused_file)
    except OSError as error:
        raise InvalidSpec(f"--fix {good}: cannot be written: {error.strerror or error}") from error


@contextmanager
def _atomic(path: Path) -> Iterator[TextIO]:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("x", encoding="utf-8", newline="\n") as file:
            yield file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


# The report for people


def _print_report(report: DatasetReport, data: Path, task: Task | None, console: Console, *, fixed: bool) -> None:
    # Text and not markup: square brackets in a file's name or in a row must not be taken for styles.
    def line(*parts: str | tuple[str, str]) -> None:
        console.print(Text.assemble(*parts), soft_wrap=True)

    converted = "" if report.encoding == "UTF-8" else f", converted from {report.encoding}"
    line((str(data), "bold"), f": {report.format} ({report.format_reason}){converted}")
    line(f"{report.rows:,} rows read, {report.used_rows:,} good, {report.rejected_rows:,} left out")
    for finding in report.findings:
        line()
        _print_finding(finding, line)
    line()
    _print_summary(report, task, line)
    if hint := advice(report.used_rows, task):
        line(("next: ", "bold"), hint)
    if report.used_rows and not fixed and (report.rejected_rows or _mendable(report)):
        others = (
            f", and the {report.rejected_rows:,} others beside them with their reasons" if report.rejected_rows else ""
        )
        line(
            ("next: ", "bold"),
            f"--fix CLEAN.jsonl writes the {report.used_rows:,} good rows, mended where that is safe{others}",
        )


def _print_finding(finding: Finding, line: Callable[..., None]) -> None:
    heading: list[str | tuple[str, str]] = [(finding.code, _STYLES[finding.policy])]
    if finding.rows:
        shown = ", ".join(str(row) for row in finding.rows[:_ROWS_SHOWN])
        more = f" and {finding.count - _ROWS_SHOWN:,} more" if finding.count > _ROWS_SHOWN else ""
        rows = "row" if finding.count == 1 else f"{finding.count:,} rows,"
        heading.append(f"  {_OUTCOMES[finding.policy]}: {rows} {shown}{more}")
    elif finding.policy == "enforce":
        heading.append(f"  {_OUTCOMES[finding.policy]}")
    line(*heading)
    line(f"  {finding.message}")
    line(("  fix: ", "bold"), finding.fix)


def _print_summary(report: DatasetReport, task: Task | None, line: Callable[..., None]) -> None:
    statistics, enough = report.statistics, report.sufficient
    if statistics.rows:
        lengths = statistics.lengths
        line(
            f"tokens{'' if statistics.exact else ', estimated'}: {statistics.tokens:,}, of them in answers "
            f"{statistics.supervised_tokens:,}; a row has {lengths.p50:,} (median), {lengths.p95:,} (95 %), "
            f"{lengths.max:,} (longest)"
        )
    if report.unlocated_answers:
        line(f"{report.unlocated_answers:,} answers are not trained on: the chat template drops or rewrites them")
    named = "task not named (--task)" if enough.task == "unknown" else enough.task
    line(
        f"amount: {enough.verdict}; {named}: {enough.least:,} at least, {enough.recommended:,} recommended, "
        f"{report.used_rows:,} here"
    )


def _mendable(report: DatasetReport) -> bool:
    return any(finding.code == "control-characters" for finding in report.findings)
