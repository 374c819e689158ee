"""What kind of file it is, told by how it begins."""

from pathlib import Path
from typing import Literal

from finetune_core.data.reading.encoding import foreign_line
from finetune_core.errors import DatasetUnavailable

Kind = Literal["array", "lines", "csv"]

CSV_DELIMITERS = ",\t;"

_OTHER_KINDS = {
    b"\x1f\x8b": "compressed twice: decompress it first",
    b"\x28\xb5\x2f\xfd": "compressed twice: decompress it first",
    b"PAR1": "Parquet inside an archive: decompress it first",
    b"PK\x03\x04": "a zip archive or an Excel workbook: write the data as JSONL or CSV first",
    b"\xff\xfe\0\0": "text in UTF-32: save it as UTF-8",
    b"\0\0\xfe\xff": "text in UTF-32: save it as UTF-8",
}


def sniff(path: Path, head: bytes) -> Kind:
    """The kind by content; the extension decides only where content leaves it open.

    Args:
        path: for its extension, and for messages.
        head: how the text begins, unpacked and in UTF-8.

    Raises:
        DatasetUnavailable: no text in UTF-8, or text of none of these kinds.
    """
    for magic, kind in _OTHER_KINDS.items():
        if head.startswith(magic):
            raise DatasetUnavailable(f"{path}: is {kind}")
    # A stray NUL is one bad row; one in a hundred bytes is another kind of file.
    if head.count(0) * 100 > len(head):
        raise DatasetUnavailable(f"{path}: is a binary file: JSON, JSONL or CSV in UTF-8 is needed")
    if number := foreign_line(head):
        raise DatasetUnavailable(
            f"{path}: is neither UTF-8, UTF-16 nor GB18030, first in line {number}: save it as UTF-8"
        )

    lines = head.split(b"\n")
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
