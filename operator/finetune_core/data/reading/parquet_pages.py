"""What the pages of a Parquet file say of their size, looked at before pyarrow believes it.

A page's header gives its size packed and unpacked, and pyarrow takes that much memory at once: a file of 700 bytes
made it take 2 GiB. The footer, which has sizes too, need not agree. Headers are Thrift structs in the compact protocol
(https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md), and fields 2 and 3 of PageHeader
the sizes (https://github.com/apache/parquet-format, parquet.thrift).

The footer is read here a second time, since pyarrow ends the process when it is asked for a column whose statistics do
not agree with each other.
"""

from typing import Any, BinaryIO

from finetune_core.data.reading.limits import refuse_bomb
from finetune_core.data.reading.row import MAX_ROW_BYTES
from finetune_core.errors import DatasetUnavailable

MAX_FOOTER_BYTES = 4 * 2**20
"""A column of a row group takes about 150 bytes of it, so that ten columns may have 2,500 row groups. Opened, it takes
up to twenty times its size in memory."""

_MAX_HELD_BYTES = 128 * 2**20
"""Of pages held at once, one of each column. Writers end a page after 1 MiB, but not within 1,024 rows or so: rows of
100 KB fit."""

_FOOTER_PARTS, _HEADER_PARTS = 2_000_000, 1000
"""Fields and items. A column of a row group has about 40, a page's header 20."""

_TRAILER_BYTES = 8
"""The size of the footer and the magic bytes, which end the file."""


def footer_size(file: BinaryIO, size: int) -> int:
    """Bytes of the footer, as the file says."""
    file.seek(max(0, size - _TRAILER_BYTES))
    return int.from_bytes(file.read(4), "little")


def refuse_pages(file: BinaryIO, size: int, rows: int, name: str) -> None:
    """Refuse a file whose pages are too large, together or one by one.

    Args:
        file: the file, which pyarrow could open.
        size: of the file.
        rows: how many it is said to have.
        name: for messages.

    Raises:
        DatasetUnavailable: a page is too large, or all of them are for the file.
        ValueError: the footer or a page is damaged.
    """
    file.seek(size - _TRAILER_BYTES - footer_size(file, size))
    packed = unpacked = 0
    for group in _Thrift(file, _FOOTER_PARTS).struct().get(("list", 4), []):
        held = 0
        for chunk in group.get(("list", 1), []):
            column = chunk.get(("struct", 3), {})
            if column.get(("i64", 5), 0) <= 0:
                continue  # it has no values: nothing is read of it, and its places may be anywhere
            packed += column.get(("i64", 7), 0)
            if packed > size:
                raise ValueError("its columns are larger than the file")
            largest, together = _pages(file, column, size)
            held += largest
            unpacked += together
        if held > _MAX_HELD_BYTES:
            raise DatasetUnavailable(
                f"{name}: its Parquet has pages of {held / 2**20:,.0f} MiB, more than {_MAX_HELD_BYTES // 2**20}: "
                "write it with smaller pages, or as JSONL"
            )
    # Rows that take no room, since all of them are null, would be gone through for days: each counts at least as JSON.
    # Less is unsuspicious than elsewhere, since rows may share a long text, which is given to each of them anew.
    refuse_bomb(max(unpacked, len("{}\n") * rows), size, name, unsuspicious=MAX_ROW_BYTES)


def _pages(file: BinaryIO, column: dict[tuple[str, int], Any], size: int) -> tuple[int, int]:
    """Unpacked bytes of a column's largest page, and of all."""
    position, dictionary = column.get(("i64", 9), 0), column.get(("i64", 11), 0)
    if 0 < dictionary < position:
        position = dictionary
    end = position + column.get(("i64", 7), 0)
    largest = together = 0
    while position < end:
        file.seek(max(0, position))
        header = _Thrift(file, _HEADER_PARTS).struct()
        unpacked, packed = header.get(("i32", 2), -1), header.get(("i32", 3), -1)
        position = file.tell() + packed
        if unpacked < 0 or packed < 0 or position > size:
            raise ValueError(f"a page claims {max(unpacked, packed):,} bytes, in a file of {size:,}")
        largest = max(largest, unpacked)
        together += unpacked
    return largest, together


_KINDS = {
    1: "yes", 2: "no", 3: "byte", 4: "i16", 5: "i32", 6: "i64", 7: "double", 8: "binary", 9: "list", 10: "list",
    12: "struct",
}  # fmt: skip
_MAX_DEPTH = 8


class _Thrift:
    """Structs as they follow in a file: integers, and structs and lists of them; what else they hold is passed over."""

    def __init__(self, file: BinaryIO, parts: int) -> None:
        self._file = file
        self._parts = parts
        """How many more there may be."""

    def struct(self, depth: int = 0) -> dict[tuple[str, int], Any]:
        """The fields by kind and number: one of another kind than is meant counts as missing, as it does to pyarrow."""
        fields: dict[tuple[str, int], Any] = {}
        numbers = set()
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._integer()
            if number in numbers:
                raise ValueError("a field is there twice")
            numbers.add(number)
            kind = _KINDS.get(head & 15, "")
            value = None if kind in ("yes", "no") else self._value(kind, depth)
            if value is not None:
                fields[kind, number] = value
        return fields

    def _value(self, kind: str, depth: int) -> Any:
        self._parts -= 1
        if not self._parts or depth > _MAX_DEPTH:
            raise ValueError("it has too many parts")
        match kind:
            case "i16" | "i32" | "i64":
                return self._integer()
            case "struct":
                return self.struct(depth + 1)
            case "list":
                return self._list(depth + 1)
            case "binary":
                self._file.seek(self._varint(), 1)
            case "double":
                self._file.seek(8, 1)
            case "byte" | "yes" | "no":  # a truth takes room in lists only
                self._byte()
            case _:
                raise ValueError("it has a field of a kind that does not exist")
        return None

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        kind = _KINDS.get(head & 15, "")
        count = head >> 4 if head >> 4 < 15 else self._varint()
        items = (self._value(kind, depth) for _ in range(count))
        return [item for item in items if kind == "struct"]

    def _integer(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 63, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError("a number does not end")

    def _byte(self) -> int:
        byte = self._file.read(1)
        if not byte:
            raise ValueError("it is cut off")
        return byte[0]
