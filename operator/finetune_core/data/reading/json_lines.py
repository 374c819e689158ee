"""JSONL: one JSON object on each line."""

from collections.abc import Iterator
from typing import BinaryIO

from finetune_core.data.reading.row import MAX_ROW_BYTES, TOO_LARGE, RawRow, parse_object

_BOM = b"\xef\xbb\xbf"
_SKIP_BYTES = 64 * 1024


def read_json_lines(file: BinaryIO) -> Iterator[RawRow]:
    """Every line that is not blank."""
    for number, line in numbered_lines(file):
        if line is None:
            yield RawRow(number, None, TOO_LARGE)
        # Files put together with "copy a+b" carry a byte order mark in their middle too.
        elif stripped := line.strip().removeprefix(_BOM):
            yield parse_object(number, stripped)


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
