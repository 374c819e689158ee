"""CSV (RFC 4180) whose first row names the columns."""

import csv
import re
from collections.abc import Iterator
from typing import BinaryIO

from finetune_core.data.reading.json_lines import numbered_lines
from finetune_core.data.reading.limits import refuse_many_columns, refuse_twice
from finetune_core.data.reading.row import MAX_ROW_BYTES, NOT_UTF8, TOO_LARGE, RawRow
from finetune_core.errors import DatasetUnavailable

_DAMAGED = re.compile("[\udc80-\udcff]")

_MAX_DELIMITERS = 1_000_000
"""In a row, those in its text included. Empty cells take ten times their size in memory."""


class _TooLarge(Exception):
    """A row grew past a limit; over several lines, it is because a quote is never closed."""


class _Lines:
    """Decoded lines for the csv module, which goes on after an exception where a generator would be finished."""

    def __init__(self, file: BinaryIO, delimiter: str) -> None:
        self._lines = numbered_lines(file)
        self._delimiter = delimiter.encode()
        self._bytes = self._delimiters = self._number = 0
        self.first = 1
        """The line that the row begins on."""
        self.ended = False

    def begin_row(self) -> None:
        self._bytes = self._delimiters = 0
        self.first = self._number + 1

    def several(self) -> bool:
        """Does the row go over more than one line?"""
        return self._number > self.first

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        try:
            self._number, line = next(self._lines)
        except StopIteration:
            self.ended = True
            raise
        if line is None:
            raise _TooLarge(TOO_LARGE)
        self._bytes += len(line)
        self._delimiters += line.count(self._delimiter)
        if self._bytes > MAX_ROW_BYTES:
            raise _TooLarge(TOO_LARGE)
        if self._delimiters > _MAX_DELIMITERS:
            raise _TooLarge(f"divided into more than {_MAX_DELIMITERS:,} cells")
        return line.decode(errors="surrogateescape")


def read_csv(file: BinaryIO, delimiter: str, name: str) -> Iterator[RawRow]:
    """Every row below the header; all cells are text.

    Raises:
        DatasetUnavailable: the header cannot be read; or a quote is not closed, so that nobody knows which of the lines
            that follow are rows.
    """
    csv.field_size_limit(MAX_ROW_BYTES)  # the module's own 128 KiB is less than a long document
    lines = _Lines(file, delimiter)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    header: list[str] | None = None
    while True:
        lines.begin_row()
        number = lines.first
        cells: list[str] = []
        problem = None
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if lines.ended:
                raise DatasetUnavailable(
                    f"{name}: the file ends within the row that begins on line {number}: "
                    "is a quote not closed, or was the file cut off?"
                ) from error
            problem = f"not CSV: {error}"
        except _TooLarge as error:
            if lines.several():
                raise DatasetUnavailable(
                    f"{name}: the row that begins on line {number} is {error}: is a quote not closed?"
                ) from error
            problem = str(error)
        problem = problem or _problem("".join(cells))
        if header is None:
            if problem:
                raise DatasetUnavailable(f"{name}: the header, line {number}, cannot be read: {problem}")
            header = [cell.strip() for cell in cells]
            refuse_many_columns(len(header), name)
            refuse_twice(header, name)
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
