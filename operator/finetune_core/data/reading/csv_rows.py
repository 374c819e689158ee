"""CSV (RFC 4180) whose first row names the columns."""

import csv
import re
from collections.abc import Iterator
from typing import BinaryIO

from finetune_core.data.reading.json_lines import numbered_lines
from finetune_core.data.reading.row import MAX_ROW_BYTES, NOT_UTF8, TOO_LARGE, RawRow
from finetune_core.errors import DatasetUnavailable

_DAMAGED = re.compile("[\udc80-\udcff]")


class _TooLarge(Exception):
    """A row grew past the limit, most often because a quote is never closed."""


class _Lines:
    """Decoded lines for the csv module, which goes on after an exception where a generator would be finished."""

    def __init__(self, file: BinaryIO) -> None:
        self._lines = numbered_lines(file)
        self.number = 0
        self.row_bytes = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        self.number, line = next(self._lines)
        self.row_bytes += len(line or b"")
        if line is None or self.row_bytes > MAX_ROW_BYTES:
            raise _TooLarge
        return line.decode(errors="surrogateescape")


def read_csv(file: BinaryIO, delimiter: str, name: str) -> Iterator[RawRow]:
    """Every row below the header; all cells are text.

    Raises:
        DatasetUnavailable: the header cannot be read.
    """
    csv.field_size_limit(MAX_ROW_BYTES)  # the module's own 128 KiB is less than a long document
    lines = _Lines(file)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    header: list[str] | None = None
    while True:
        number, lines.row_bytes = lines.number + 1, 0
        cells: list[str] = []
        problem = None
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = f"not CSV: {error}"
        except _TooLarge:
            problem = f"{TOO_LARGE}: is a quote not closed?"
        problem = problem or _problem("".join(cells))
        if header is None:
            if problem:
                raise DatasetUnavailable(f"{name}: the header, line {number}, cannot be read: {problem}")
            header = _header(cells, name)
        elif problem:
            yield RawRow(number, None, problem)
        elif cells and len(cells) != len(header):
            yield RawRow(number, None, f"{len(cells)} cells, but the header names {len(header)} columns")
        elif cells:
            yield RawRow(number, dict(zip(header, cells, strict=True)))


def _problem(text: str) -> str | None:
    if _DAMAGED.search(text):
        return NOT_UTF8
    return "holds a NUL byte" if "\0" in text else None


def _header(cells: list[str], name: str) -> list[str]:
    header = [cell.strip() for cell in cells]
    for column in header:
        if header.count(column) > 1:
            raise DatasetUnavailable(f"{name}: the header names column {column[:40]!r} twice: rename one of them")
    return header
