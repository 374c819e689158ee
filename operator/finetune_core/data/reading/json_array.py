"""A JSON array of objects, taken apart without holding more than one element.

The array is split at the commas of its top level and each element is then parsed alone, so that one bad element costs
one row and not the file.
"""

import re
from collections.abc import Iterable, Iterator

from finetune_core.data.reading.row import MAX_ROW_BYTES, TOO_LARGE, RawRow, parse_object
from finetune_core.errors import DatasetUnavailable

_MAX_TOKENS = 2_000_000
"""Brackets, commas and quotes of one element. More is no row; and to find its end could take minutes."""

_OUTSIDE_STRING = re.compile(rb'["\[\]{},]')
_INSIDE_STRING = re.compile(rb'["\\]')


def read_json_array(chunks: Iterable[bytes], name: str) -> Iterator[RawRow]:
    """Every element; the first byte that is not blank is the array's opening bracket.

    Raises:
        DatasetUnavailable: the array does not end, so that nobody knows how much is missing; or an element does not.
    """
    for number, element in enumerate(_split(chunks, name), start=1):
        yield RawRow(number, None, element) if isinstance(element, str) else parse_object(number, element)


class _Element:
    """The bytes of the element being read, as long as they are not too many."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._size = 0

    def add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= MAX_ROW_BYTES:
            self._held += part
        else:
            self._held.clear()

    def take(self) -> bytes | str:
        """The element, or what is wrong with it; what follows belongs to the next."""
        element = bytes(self._held).strip() if self._size <= MAX_ROW_BYTES else TOO_LARGE
        self._held, self._size = bytearray(), 0
        return element


def _split(chunks: Iterable[bytes], name: str) -> Iterator[bytes | str]:
    """Elements as bytes; where there is none to parse, a text that says why."""
    element = _Element()
    depth = position = tokens = 0
    in_string = False
    chunks = iter(chunks)
    for chunk in chunks:
        start = 0
        while found := (_INSIDE_STRING if in_string else _OUTSIDE_STRING).search(chunk, position):
            token, position = found.group(), found.end()
            tokens += 1
            if token == b"\\":
                position += 1  # what is escaped may be the first byte of the next chunk
            elif token == b'"':
                in_string = not in_string
            elif token in b"[{":
                depth += 1
                start = position if depth == 1 else start
            elif token in b"]}":
                depth -= 1
            if (token == b"," and depth == 1) or depth == 0:
                element.add(chunk[start : position - 1])
                start = position
                text, tokens = element.take(), 0
                if depth == 0:
                    if text:  # nothing before the bracket: an empty array, or a comma after the last element
                        yield text
                    yield from _after(chunk[position:], chunks)
                    return
                yield text or "nothing between two commas"
        element.add(chunk[start:])
        position = max(0, position - len(chunk))
        if tokens > _MAX_TOKENS:
            raise DatasetUnavailable(
                f"{name}: one of its elements has more than {_MAX_TOKENS:,} brackets, commas and quotes, "
                "as no row of a dataset has: leave it out"
            )
    raise DatasetUnavailable(
        f"{name}: ends inside its array: was it cut off? Fetch it again; or, to use what is there, end it with ]"
    )


def _after(rest: bytes, chunks: Iterator[bytes]) -> Iterator[str]:
    while not rest.strip():
        following = next(chunks, None)
        if following is None:
            return
        rest = following
    yield "there is more after the end of the array"
