"""A dataset file to its rows: JSON array, JSONL or CSV, in UTF-8, in bounded memory.

A bad line is a row with a problem. Only a file that is no data at all is an error.
"""

from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from finetune_core.data.reading.csv_rows import read_csv
from finetune_core.data.reading.json_array import read_json_array
from finetune_core.data.reading.json_lines import read_json_lines
from finetune_core.data.reading.row import MAX_ROW_BYTES, RawRow, kind_of
from finetune_core.data.reading.sniff import HEAD_BYTES, csv_delimiter, sniff
from finetune_core.errors import DatasetUnavailable

__all__ = ["MAX_ROW_BYTES", "RawRow", "kind_of", "read_rows"]

_BOM = b"\xef\xbb\xbf"
_ROWS_BETWEEN_CALLS = 500


def read_rows(path: Path, on_progress: Callable[[int], None] | None = None) -> Iterator[RawRow]:
    """Every row of the file at ``path``.

    Args:
        path: the file; what kind it is is told by its content.
        on_progress: called now and then with the number of bytes read so far.

    Raises:
        DatasetUnavailable: at the first row, when the file cannot be opened, is empty, binary, a folder or not UTF-8;
            at the end, when it held no row.
    """
    read = 0
    try:
        with path.open("rb", buffering=0) as raw, BufferedReader(raw, HEAD_BYTES) as file:
            for read, row in enumerate(_rows(file, file.peek(HEAD_BYTES), path), start=1):
                yield row
                if on_progress and read % _ROWS_BETWEEN_CALLS == 0:
                    on_progress(file.tell())
    except IsADirectoryError as error:
        raise DatasetUnavailable(f"{path}: is a folder: name one file in it") from error
    except OSError as error:
        raise DatasetUnavailable(f"{path}: cannot be read: {error.strerror or error}") from error
    if not read:
        raise DatasetUnavailable(f"{path}: holds no rows")


def _rows(file: BinaryIO, head: bytes, path: Path) -> Iterator[RawRow]:
    if head.startswith(_BOM):
        file.read(len(_BOM))
        head = head.removeprefix(_BOM)
    if not head.strip():
        raise DatasetUnavailable(f"{path}: is empty")
    match sniff(path, head):
        case "array":
            return read_json_array(iter(lambda: file.read(HEAD_BYTES), b""))
        case "lines":
            return read_json_lines(file)
        case "csv":
            return read_csv(file, csv_delimiter(head), str(path))
