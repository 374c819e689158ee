"""What the pages of a Parquet file say of their size, looked at before pyarrow believes it.

A page's header gives its size packed and unpacked, and pyarrow takes that much memory at once: a file of 700 bytes
made it take 2 GiB. The footer, which has sizes too, need not agree. Headers are Thrift structs in the compact protocol
(https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md), and fields 2 and 3 of PageHeader
the sizes (https://github.com/apache/parquet-format, parquet.thrift).
"""

from typing import Any, BinaryIO

from finetune_core.data.reading.limits import refuse_bomb
from finetune_core.data.reading.row import MAX_ROW_BYTES
from finetune_core.errors import DatasetUnavailable

_MAX_HELD_BYTES = 128 * 2**20
"""Of pages held at once, one of each column. Writers end a page after 1 MiB, but not within 1,024 rows or so: rows of
100 KB fit."""

_UNPACKED, _PACKED = 2, 3  # numbers of fields
_BOOLEANS, _BYTE, _INTEGERS, _DOUBLE, _BINARY, _STRUCT = (1, 2), 3, (4, 5, 6), 7, 8, 12


def refuse_pages(file: BinaryIO, metadata: Any, size: int, name: str) -> None:
    """Refuse a file whose pages are too large, together or one by one.

    Args:
        file: the file.
        metadata: pyarrow's, of the file.
        size: of the file.
        name: for messages.

    Raises:
        DatasetUnavailable: a page is too large, or all of them are for the file.
        ValueError: the pages are damaged.
    """
    packed = unpacked = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        held = 0
        for place in range(group.num_columns):
            column = group.column(place)
            if column.num_values <= 0:
                continue  # nothing is read of it, and its places may be anywhere
            packed += column.total_compressed_size
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
    refuse_bomb(max(unpacked, len("{}\n") * metadata.num_rows), size, name, unsuspicious=MAX_ROW_BYTES)


def _pages(file: BinaryIO, column: Any, size: int) -> tuple[int, int]:
    """Unpacked bytes of a column's largest page, and of all."""
    position = column.data_page_offset
    if column.has_dictionary_page and 0 < column.dictionary_page_offset < position:
        position = column.dictionary_page_offset
    end = position + column.total_compressed_size
    largest = together = 0
    while position < end:
        file.seek(position)
        header = _struct(file)
        unpacked, packed = header.get(_UNPACKED, -1), header.get(_PACKED, -1)
        position = file.tell() + packed
        if unpacked < 0 or packed < 0 or position > size:
            raise ValueError(f"a page claims {max(unpacked, packed):,} bytes, in a file of {size:,}")
        largest = max(largest, unpacked)
        together += unpacked
    return largest, together


def _struct(file: BinaryIO, depth: int = 0) -> dict[int, int]:
    """The integers of a struct, by the numbers of their fields; the file is at its end then."""
    fields: dict[int, int] = {}
    number = 0
    while head := _byte(file):
        kind = head & 15
        number = number + (head >> 4) if head >> 4 else _integer(file)
        if kind in _INTEGERS:
            fields[number] = _integer(file)
        elif kind == _BINARY:
            file.seek(_varint(file), 1)
        elif kind == _STRUCT and depth < 4:
            _struct(file, depth + 1)
        elif kind == _BYTE:
            _byte(file)
        elif kind == _DOUBLE:
            file.seek(8, 1)
        elif kind not in _BOOLEANS:  # which have no more than their kind
            raise ValueError("a page has a header of a kind that does not exist")
    return fields


def _integer(file: BinaryIO) -> int:
    value = _varint(file)
    return value >> 1 ^ -(value & 1)


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 63, 7):
        byte = _byte(file)
        value |= (byte & 127) << shift
        if byte < 128:
            return value
    raise ValueError("a page's header has a number without end")


def _byte(file: BinaryIO) -> int:
    byte = file.read(1)
    if not byte:
        raise ValueError("a page's header is cut off")
    return byte[0]
