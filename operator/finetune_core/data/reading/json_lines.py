"""JSONL: one JSON object on each line."""

from collections.abc import Iterator
from typing import BinaryIO

from finetune_core.data.reading.row import MAX_ROW_BYTES, TOO_LARGE, RawRow, parse_object
from finetune_core.errors import DatasetUnavailable

_BOM = b"\xef\xbb\xbf"
_SKIP_BYTES = 64 * 1024


def read_json_lines(file: BinaryIO, name: str) -> Iterator[RawRow]:
    """Every line that is not blank.

    Raises:
        DatasetUnavailable: the file ends within an object, so that nobody knows how much is missing.
    """
    for number, line in numbered_lines(file):
        if line is None:
            yield RawRow(number, None, TOO_LARGE)
        # Files put together with "copy a+b" carry a byte order mark in their middle too.
        elif stripped := line.strip().removeprefix(_BOM).lstrip():
            row = parse_object(number, stripped)
            if row.value is None and not line.endswith(b"\n") and _is_cut_off(stripped):
                raise DatasetUnavailable(
                    f"{name}: ends within the row on line {number}: was it cut off? Fetch it again; "
                    "or, to leave this row out, end the file with a line break"
                )
            yield row


def _is_cut_off(line: bytes) -> bool:
    return line.startswith(b"{") and (not line.endswith(b"}") or line.count(b"{") > line.count(b"}"))


def numbered_lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their numbers from 1; None for a line that is too large, which is passed over without being held."""
    number = 0
    while line := file.readline(MAX_ROW_BYTES + 1):
        number += 1
        if len(line) <= MAX_ROW_BYTES:
            yield number, line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(_SKIP_BYTES)
        yield number, None
