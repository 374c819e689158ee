"""Parquet by pyarrow, a few rows at a time, as the values that JSON would have given."""

import datetime
import math
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from finetune_core.data.reading.limits import refuse_many_columns, refuse_twice
from finetune_core.data.reading.parquet_pages import MAX_FOOTER_BYTES, footer_size, refuse_pages
from finetune_core.data.reading.row import MAX_DEPTH, MAX_ROW_BYTES, NOT_UTF8, TOO_DEEP, TOO_LARGE, RawRow
from finetune_core.errors import DatasetUnavailable, first_line

MAGIC = b"PAR1"

_BATCH_ROWS = 8
"""Held at once. A long text that many rows share takes little room in the file, and is given to each of them anew."""

_BUFFER_BYTES = 2**20
"""Of a column read at once; without it pyarrow holds a whole row group, however large a writer made it."""


class ParquetRows:
    """The rows of a file, to be gone through once."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            DatasetUnavailable: pyarrow is missing, the file is damaged or a bomb, or names a column twice.
        """
        try:
            from pyarrow import parquet
        except ImportError as error:
            raise DatasetUnavailable(
                f"{path}: is Parquet: pip install 'finetune-operator[trainer]' to read it, or write it as JSONL"
            ) from error
        self._path = path
        self._size = path.stat().st_size
        self._read = self._rows = 0
        with self._damage_named():
            self._refuse_footer()
            self._file = parquet.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False)
            metadata = self._file.metadata
            self._rows = metadata.num_rows
            refuse_many_columns(metadata.num_columns, str(path))  # those within others, too
            refuse_twice(self._file.schema_arrow.names, str(path))
            with path.open("rb") as pages:
                refuse_pages(pages, self._size, self._rows, str(path))

    def position(self) -> int:
        """The share of rows read so far, in bytes of the file."""
        return self._size * self._read // max(1, self._rows)

    def __iter__(self) -> Iterator[RawRow]:
        with self._damage_named(), self._file:
            for batch in self._file.iter_batches(batch_size=_BATCH_ROWS, use_threads=False):
                for value in _values(_with_plain_times(batch)):
                    self._read += 1
                    yield RawRow(self._read, *value)

    def _refuse_footer(self) -> None:
        with self._path.open("rb") as file:
            size = footer_size(file, self._size)
        if MAX_FOOTER_BYTES < size < self._size:
            raise DatasetUnavailable(
                f"{self._path}: its Parquet has a footer of {size / 2**20:.0f} MiB, more than "
                f"{MAX_FOOTER_BYTES // 2**20}: write it with fewer columns and larger row groups"
            )

    @contextmanager
    def _damage_named(self) -> Iterator[None]:
        from pyarrow import ArrowException

        try:
            yield
        except (ArrowException, OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # of the disk
            why = "".join(letter if letter.isprintable() else "?" for letter in first_line(error)[:200])
            raise DatasetUnavailable(f"{self._path}: its Parquet is damaged: {why}") from error


def _values(batch: Any) -> Iterator[tuple[dict[str, Any] | None, str | None]]:
    """Each row's fields, or what is wrong with it."""
    if batch.nbytes <= MAX_ROW_BYTES:
        try:
            yield from [(_object(row), None) for row in batch.to_pylist()]
            return
        except (ValueError, OverflowError):
            pass  # of one row: which it is shows below
    for place in range(batch.num_rows):
        row = batch.slice(place, 1)
        if row.nbytes > MAX_ROW_BYTES:
            yield None, TOO_LARGE
            continue
        try:
            yield _object(row.to_pylist()[0]), None
        except UnicodeDecodeError:
            yield None, NOT_UTF8
        except (ValueError, OverflowError) as error:
            yield None, first_line(error)


def _with_plain_times(batch: Any) -> Any:
    """Times in microseconds, without a zone: Python has no finer ones, and zones may be unknown here."""
    from pyarrow import timestamp, types

    for place, field in enumerate(batch.schema):
        if types.is_timestamp(field.type):
            batch = batch.set_column(place, field.name, batch.column(place).cast(timestamp("us"), safe=False))
    return batch


def _object(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _as_json(value, 2) for name, value in row.items()}


def _as_json(value: Any, depth: int) -> Any:
    """What JSON has no kind for becomes text: times, binary that is text."""
    if depth > MAX_DEPTH:
        raise ValueError(TOO_DEEP)
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            if not math.isfinite(value):
                raise ValueError(f"{value} is not JSON")
            return value
        case dict():
            return {name: _as_json(item, depth + 1) for name, item in value.items()}
        case [tuple(), *_]:  # a map, as pyarrow gives it
            return {str(name): _as_json(item, depth + 1) for name, item in value}
        case list():
            return [_as_json(item, depth + 1) for item in value]
        case bytes():
            return value.decode()
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case _:
            return str(value)
