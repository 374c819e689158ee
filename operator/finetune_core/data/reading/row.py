"""One row as it lies in the file, readable or not."""

import json
import math
import re
from itertools import islice
from typing import Any, NamedTuple, NoReturn

from finetune_core.data.reading.encoding import Encoding

MAX_ROW_BYTES = 16 * 2**20
"""A larger row is passed over without being held: no model's context holds so much, and memory stays bounded."""

MAX_DEPTH = 100
"""Deeper nesting is no conversation; whatever walks the row later is safe from running out of stack."""

MAX_PARTS = 100_000
"""Values in a row. Of small ones, a row of the largest size would hold millions, in 30 times its size of memory."""

TOO_LARGE = f"larger than {MAX_ROW_BYTES // 2**20} MiB"

TOO_DEEP = "nested too deeply"

TOO_MANY_PARTS = f"divided into more than {MAX_PARTS:,} values"

NOT_UTF8 = "not UTF-8"

_MAX_DIGITS = 4300
"""Of an integer; Python converts no longer ones."""

_PART = re.compile(rb'(?:[^"\[{,]++|"(?:[^"\\]++|\\.)*+"?)*+(?:[\[{,]|\Z)', re.DOTALL)
"""Up to the next bracket or comma that is outside of strings."""
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")


class RawRow(NamedTuple):
    """A row of the source: its fields, or the problem that keeps them from being read."""

    number: int
    """Counted from 1: the line in JSONL and CSV, the element in a JSON array, the row in Parquet."""
    value: dict[str, Any] | None
    problem: str | None = None
    encoding: Encoding = "UTF-8"
    """Of the file that it was read from."""


def parse_object(number: int, raw: bytes) -> RawRow:
    """Read one JSON object, with no blanks around it; whatever is wrong with it becomes the row's problem."""
    try:
        if len(raw) > MAX_PARTS:
            _refuse_many_parts(raw)
        text = raw.decode()
        value, end = _DECODER.raw_decode(text)
        if end < len(text):
            raise json.JSONDecodeError("Extra data", text, end)
        if isinstance(value, dict):
            _refuse_hostile(value, raw)
            return RawRow(number, value)
        problem = f"{kind_of(value)}, where an object is needed"
    except UnicodeDecodeError as error:
        problem = f"{NOT_UTF8}: byte 0x{raw[error.start]:02x} at position {error.start + 1}"
    except json.JSONDecodeError as error:
        problem = f"not JSON: {error.msg.removesuffix(' at')} at character {error.pos + 1}"
    except RecursionError:
        problem = TOO_DEEP
    except ValueError as error:
        problem = str(error)  # ours, below
    return RawRow(number, None, problem)


def parse_json(text: str) -> Any:
    """Read JSON that is a text within a row.

    Raises:
        ValueError: what is wrong with it.
    """
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg.removesuffix(' at')} at character {error.pos + 1}") from error
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error
    _refuse_hostile({"": value}, text.encode())
    return value


def kind_of(value: object) -> str:
    """What a JSON value is, in words."""
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def _refuse_hostile(value: dict[str, Any], raw: bytes) -> None:
    # A close look is rare: rows with so many brackets, and rows with escapes outside the basic plane (emoji).
    for item in value.values():
        if item.__class__ is not str:
            if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
                raise ValueError(TOO_DEEP)
            break
    if _SURROGATE_ESCAPE.search(raw):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise ValueError("holds half of a surrogate pair (a \\ud800 to \\udfff escape alone)") from error


def _refuse_many_parts(raw: bytes) -> None:
    if next(islice(_PART.finditer(raw), MAX_PARTS, None), None):
        raise ValueError(TOO_MANY_PARTS)


def _depth(value: object) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        containers = [item for item in level if isinstance(item, dict | list)]
        level = [child for item in containers for child in (item.values() if isinstance(item, dict) else item)]
    return depth


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"field {next(name for name in names if names.count(name) > 1)[:40]!r} is given twice")
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits[:20]} is too large a number")
    return number


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"an integer of {len(digits):,} digits is too large a number")
    return int(digits)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_integer
)
