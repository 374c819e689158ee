"""A dataset file to its rows, in bounded memory.

Parquet; or text, plain or compressed by gzip or zstd, in UTF-8, UTF-16 or GB18030, that is a JSON array, JSONL or CSV.

A bad line is a row with a problem. Only a file that is no data at all, or not the whole of it, is an error.
"""

from collections.abc import Callable, Iterable, Iterator
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import Any

from finetune_core.data.reading.chunks import CHUNK_BYTES
from finetune_core.data.reading.csv_rows import read_csv
from finetune_core.data.reading.encoding import Encoding, as_utf8, encoding_of
from finetune_core.data.reading.json_array import read_json_array
from finetune_core.data.reading.json_lines import read_json_lines
from finetune_core.data.reading.parquet import MAGIC, ParquetRows
from finetune_core.data.reading.row import MAX_ROW_BYTES, NOT_UTF8, RawRow, kind_of
from finetune_core.data.reading.sniff import csv_delimiter, sniff
from finetune_core.data.reading.unpack import unpacked
from finetune_core.errors import DatasetUnavailable

__all__ = ["MAX_ROW_BYTES", "Encoding", "RawRow", "kind_of", "read_rows"]

_BOM = b"\xef\xbb\xbf"
_ROWS_BETWEEN_CALLS = 500
_ROWS_TO_TRY = 1000
"""Where none of so many can be read, the file is no dataset."""


def read_rows(path: Path, on_progress: Callable[[int], None] | None = None) -> Iterator[RawRow]:
    """Every row of the file at ``path``.

    Args:
        path: the file; what kind it is is told by its content.
        on_progress: called now and then with the number of the file's bytes read so far.

    Raises:
        DatasetUnavailable: at the first row, when the file cannot be opened, is no regular file, empty, binary or in
            another encoding; later, when it is cut off, damaged or a bomb; at the end, when no row could be read.
    """
    read = 0
    try:
        if path.exists() and not path.is_file():  # to open a pipe would wait for its other end
            kind = "a folder: name one file in it" if path.is_dir() else "no regular file"
            raise DatasetUnavailable(f"{path}: is {kind}")
        with path.open("rb", buffering=0) as raw, BufferedReader(raw, CHUNK_BYTES) as file:
            rows, position = _open(file, path)
            for read, row in enumerate(_some_readable(rows, path), start=1):
                yield row
                if on_progress and read % _ROWS_BETWEEN_CALLS == 0:
                    on_progress(position())
    except OSError as error:
        raise DatasetUnavailable(f"{path}: cannot be read: {error.strerror or error}") from error
    if not read:
        raise DatasetUnavailable(f"{path}: holds no rows")


def _some_readable(rows: Iterable[RawRow], path: Path) -> Iterator[RawRow]:
    """The rows, as long as not all of them are bad.

    A file without one readable row was not read, and is an error of its own; refusing bad rows is left to checks.
    """
    rows = iter(rows)
    first: RawRow | None = None
    tried = 0
    for row in islice(rows, _ROWS_TO_TRY):
        yield row
        if row.value is not None:
            yield from rows
            return
        first = first or row
        tried += 1
    if first:
        raise DatasetUnavailable(
            f"{path}: no row can be read ({tried:,} tried); row {first.number}: {first.problem}; "
            "write the file with a library for JSON or CSV"
        )


def _open(file: "BufferedReader[Any]", path: Path) -> tuple[Iterable[RawRow], Callable[[], int]]:
    """The rows, and what tells how far into the file they are."""
    if file.peek().startswith(MAGIC):
        parquet = ParquetRows(path)
        return parquet, parquet.position
    text = unpacked(file, str(path))
    encoding = encoding_of(text.peek())
    if encoding == "UTF-8":
        return _text_rows(text, path), file.tell
    return (_converted(row, encoding) for row in _text_rows(as_utf8(text, encoding), path)), file.tell


def _text_rows(file: "BufferedReader[Any]", path: Path) -> Iterator[RawRow]:
    head = file.peek()
    if head.startswith(_BOM):
        file.read(len(_BOM))
        head = head.removeprefix(_BOM)
    if not head.strip():
        blank = "is empty" if len(head) < CHUNK_BYTES // 4 else "begins with many kilobytes of white space: remove it"
        raise DatasetUnavailable(f"{path}: {blank}")
    match sniff(path, head):
        case "array":
            return read_json_array(iter(lambda: file.read(CHUNK_BYTES), b""), str(path))
        case "lines":
            return read_json_lines(file, str(path))
        case "csv":
            return read_csv(file, csv_delimiter(head), str(path))


def _converted(row: RawRow, encoding: Encoding) -> RawRow:
    damaged = row.problem is not None and row.problem.startswith(NOT_UTF8)
    return row._replace(encoding=encoding, problem=f"not {encoding}" if damaged else row.problem)
