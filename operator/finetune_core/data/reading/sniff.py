"""What kind of file it is, told by how it begins."""

import codecs
from pathlib import Path
from typing import Literal

from finetune_core.errors import DatasetUnavailable

Kind = Literal["array", "lines", "csv"]

HEAD_BYTES = 64 * 1024

CSV_DELIMITERS = ",\t;"

_OTHER_KINDS = {
    b"\x1f\x8b": "gzip-compressed: decompress it first",
    b"\x28\xb5\x2f\xfd": "zstd-compressed: decompress it first",
    b"PAR1": "Parquet: write it as JSONL first",
    b"PK\x03\x04": "a zip archive or an Excel workbook: write the data as JSONL or CSV first",
    b"\xff\xfe": "text in UTF-16: save it as UTF-8",
    b"\xfe\xff": "text in UTF-16: save it as UTF-8",
}


def sniff(path: Path, head: bytes) -> Kind:
    """The kind by content; the extension decides only where content leaves it open.

    Raises:
        DatasetUnavailable: no text in UTF-8, or text of none of these kinds.
    """
    for magic, kind in _OTHER_KINDS.items():
        if head.startswith(magic):
            raise DatasetUnavailable(f"{path}: is {kind}")
    # A stray NUL is one bad row; one in a hundred bytes is another kind of file.
    if head.count(0) * 100 > len(head):
        raise DatasetUnavailable(f"{path}: is a binary file: JSON, JSONL or CSV in UTF-8 is needed")
    lines = head.split(b"\n")
    _require_utf8(path, lines)

    text, first = head.lstrip(), next((line.strip() for line in lines if line.strip()), b"")
    suffix = path.suffix.lower()
    if text.startswith(b"["):
        return "array"
    if first == b"{":
        raise DatasetUnavailable(
            f"{path}: begins with an object over several lines: write one row on each line, or an array of rows"
        )
    if text.startswith(b"{") or not text or suffix in (".json", ".jsonl", ".ndjson"):
        return "lines"
    if suffix in (".csv", ".tsv"):
        return "csv"
    if any(line.lstrip().startswith(b"{") for line in lines):
        return "lines"  # its first line is damaged
    if any(delimiter.encode() in first for delimiter in CSV_DELIMITERS):
        return "csv"
    raise DatasetUnavailable(
        f"{path}: is neither JSON, JSONL nor CSV: it begins with {first[:40].decode('utf-8', 'replace')!r}"
    )


def csv_delimiter(head: bytes) -> str:
    """The delimiter that the header has most of."""
    header = head.lstrip().partition(b"\n")[0]
    return max(CSV_DELIMITERS, key=lambda delimiter: header.count(delimiter.encode()))


def _require_utf8(path: Path, lines: list[bytes]) -> None:
    """Refuse another encoding as a whole; single damaged lines are left to be bad rows.

    Another encoding damages most lines that are not plain ASCII. A file with a tenth of its rows damaged would be
    refused row by row as well, but the encoding is the better thing to say.
    """
    foreign = [(number, line) for number, line in enumerate(lines, start=1) if not line.isascii()]
    bad = [(number, line) for number, line in foreign if not _is_utf8(line)]
    if 2 * len(bad) > len(foreign) and 10 * len(bad) >= len(lines):
        raise DatasetUnavailable(f"{path}: is not UTF-8, first in line {bad[0][0]}: save it as UTF-8")


def _is_utf8(line: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(line)  # not final: the head may end inside a character
    except UnicodeDecodeError:
        return False
    return True
