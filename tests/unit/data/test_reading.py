"""Files good, odd and hostile, to rows."""

import gzip
import json
import re
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_core.data import RawRow, read_rows
from finetune_core.data.reading.json_array import read_json_array
from finetune_core.data.reading.row import MAX_ROW_BYTES
from finetune_core.errors import DatasetUnavailable

HELLO = '{"instruction": "你好", "output": "Hello!"}'
HELLO_VALUE = {"instruction": "你好", "output": "Hello!"}


def read(tmp_path: Path, content: str | bytes, name: str = "data") -> list[RawRow]:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_rows(path))


JSON_FILES = [
    HELLO,
    HELLO + "\n",
    "\n\n  " + HELLO + "  \n\n",
    f"[{HELLO}]",
    f"\n [\n{HELLO}\n]\n",
    f"[{HELLO},]",
]
CSV_FILES = [
    "instruction,output\n你好,Hello!\n",
    'instruction,output\r\n"你好","Hello!"\r\n',
    "instruction;output\n你好;Hello!",
    "instruction\toutput\n你好\tHello!",
]


@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize(
    ("content", "name"),
    [(content, name) for content in JSON_FILES for name in ("data", "data.json", "data.jsonl", "data.csv")]
    + [(content, name) for content in CSV_FILES for name in ("data", "data.csv", "data.txt")],
)
def test_the_kind_is_told_by_content(tmp_path, bom, content, name):
    [row] = read(tmp_path, bom + content, name)
    assert row.problem is None
    assert row.value == HELLO_VALUE


def test_rows_are_numbered_as_an_editor_numbers_lines(tmp_path):
    assert [row.number for row in read(tmp_path, f"{HELLO}\r\n\r\n{HELLO}\r\n")] == [1, 3]
    assert [row.number for row in read(tmp_path, f"[{HELLO},\n\n{HELLO}]")] == [1, 2]
    rows = read(tmp_path, 'a,b\n"1\n1",2\n\n3,4\n')
    assert [(row.number, row.value) for row in rows] == [(2, {"a": "1\n1", "b": "2"}), (5, {"a": "3", "b": "4"})]


DEEP = 90_000
BAD_OBJECTS = {
    '{"a": "cut off': "not JSON",
    "{'a': 1}": "not JSON: Expecting property name enclosed in double quotes at character 2",
    '{"a": 1,}': "not JSON",
    '{"a": NaN}': "NaN is not JSON",
    '{"a": [-Infinity]}': "-Infinity is not JSON",
    '{"a": 1e999}': "too large a number",
    '{"a": 1, "b": 2, "a": 3}': "field 'a' is given twice",
    '{"a": "\0"}': "not JSON: Invalid control character at character 8",
    '{"a": "\\ud83d"}': "half of a surrogate pair",
    '{"a": ' + "9" * 5000 + "}": "an integer of 5,000 digits is too large a number",
    '{"a": ' + "[" * DEEP + "]" * DEEP + "}": "nested too deeply",
    '{"a": ' + "[" * 150 + "]" * 150 + "}": "nested too deeply",
    '{"a":' * DEEP + "1" + "}" * DEEP: "nested too deeply",
    '"text"': "text, where an object is needed",
    "[1]": "a list, where an object is needed",
    "null": "null, where an object is needed",
    "true": "a boolean, where an object is needed",
    "12": "a number, where an object is needed",
}


@pytest.mark.parametrize(("bad", "problem"), BAD_OBJECTS.items(), ids=[key[:16] for key in BAD_OBJECTS])
def test_a_bad_line_is_one_bad_row(tmp_path, bad, problem):
    rows = read(tmp_path, f"{HELLO}\n{bad}\n{HELLO}\n")
    assert [row.value for row in rows] == [HELLO_VALUE, None, HELLO_VALUE]
    assert problem in rows[1].problem


@pytest.mark.parametrize(
    ("bad", "problem"), [item for item in BAD_OBJECTS.items() if "cut off" not in item[0]], ids=lambda text: text[:16]
)
def test_a_bad_element_is_one_bad_row(tmp_path, bad, problem):
    rows = read(tmp_path, f"[{HELLO}, {bad} ,{HELLO}]")
    assert [row.value for row in rows] == [HELLO_VALUE, None, HELLO_VALUE]
    assert problem in rows[1].problem


@pytest.mark.parametrize(
    ("content", "good", "problem"),
    [
        (f"[{HELLO},,{HELLO}]", 2, "nothing between two commas"),
        (f"[{HELLO} {HELLO}, {HELLO}]", 1, "Extra data"),
        (f"[{HELLO}]\n[{HELLO}]", 1, "more after the end"),
        (f"[{HELLO}]" + " " * 200_000 + "x", 1, "more after the end"),
    ],
)
def test_damaged_arrays_keep_what_is_whole(tmp_path, content, good, problem):
    rows = read(tmp_path, content)
    assert sum(row.value is not None for row in rows) == good
    [bad] = [row for row in rows if row.value is None]
    assert problem in bad.problem


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("1", "1 cells, but the header names 2 columns"),
        ("1,2,3", "3 cells, but the header names 2 columns"),
        ('"1"x,2', "not CSV"),
        ("1,\0", "NUL"),
    ],
)
def test_a_bad_csv_row_is_one_bad_row(tmp_path, line, problem):
    rows = read(tmp_path, "a,b\n" + "1,2\n" * 100 + line + "\n3,4\n")
    assert [row.number for row in rows if row.value is None] == [102]
    assert problem in rows[100].problem
    assert rows[101].value == {"a": "3", "b": "4"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"{HELLO}\n{HELLO[:20]}", "ends within the row on line 2: was it cut off?"),
        (f"{HELLO}\n{HELLO[:-1]}", "ends within the row on line 2: was it cut off?"),
        (f"{HELLO}\n" + '{"a": {"b": 1}', "ends within the row on line 2: was it cut off?"),
        (f"[{HELLO}, {HELLO[:20]}", "ends inside its array: was it cut off?"),
        (f"[{HELLO},", "ends inside its array: was it cut off?"),
        (f"[{HELLO},{HELLO}", "ends inside its array: was it cut off?"),
        ('a,b\n1,2\n"1,2\n3,4\n', "ends within the row that begins on line 3: is a quote not closed"),
    ],
)
def test_what_may_miss_more_than_a_row_is_an_error_of_the_file(tmp_path, content, message):
    """Else a part would be trained on as if it were the whole."""
    path = tmp_path / "data"
    path.write_text(content)
    rows = read_rows(path)
    assert next(rows).value is not None
    with pytest.raises(DatasetUnavailable, match=re.escape(message)):
        list(rows)


def test_a_last_line_that_is_wrong_but_whole_is_a_bad_row(tmp_path):
    rows = read(tmp_path, f"{HELLO}\n" + "{'a': 1}")
    assert [row.value for row in rows] == [HELLO_VALUE, None]


def test_a_file_without_a_readable_row_was_not_read(tmp_path):
    with pytest.raises(DatasetUnavailable, match=r"no row can be read \(2 tried\); row 1: NaN is not JSON; write"):
        read(tmp_path, '{"a": NaN}\n{"a": Infinity}\n')
    path = tmp_path / "numbers.json"
    path.write_text(f"[{'1,' * 5000}{HELLO}]")
    rows = read_rows(path)
    with pytest.raises(DatasetUnavailable, match=r"no row can be read \(1,000 tried\); row 1: a number"):
        list(rows)


def test_cells_may_be_longer_than_the_csv_module_likes(tmp_path):
    assert read(tmp_path, f"a,b\n{'长' * 300_000},2\n")[0].problem is None


def test_single_lines_in_another_encoding_are_bad_rows(tmp_path):
    good = (HELLO + "\n").encode() * 20
    rows = read(tmp_path, good + '{"a": "价格"}\n'.encode("gbk") + good)
    assert [row.number for row in rows if row.value is None] == [21]
    assert rows[20].problem == "not UTF-8: byte 0xbc at position 8"
    rows = read(tmp_path, b"a,b\n" + "一,二\n".encode() * 20 + "一,二\n".encode("gbk"))
    assert [(row.number, row.problem) for row in rows if row.value is None] == [(22, "not UTF-8")]


def test_escaped_emoji_are_text(tmp_path):
    [row] = read(tmp_path, json.dumps({"a": "😀"}))
    assert row.value == {"a": "😀"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \r\n\n\t", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"[]", "holds no rows"),
        (b"a,b\n", "holds no rows"),
        (b"a,a\n1,2\n", "has column 'a' twice"),
        (b'"a"x,b\n1,2\n', "the header, line 1, cannot be read"),
        (b"\0" * 100, "is a binary file"),
        (b"\x7fELF\x02\x01\x01" + b"\0" * 9, "is a binary file"),
        (b"PK\x03\x04xxxx", "Excel"),
        (HELLO.encode("utf-32"), "UTF-32"),
        (HELLO.encode("big5"), "is neither UTF-8, UTF-16 nor GB18030, first in line 1"),
        (("ascii,header\n" + "é,è\n" * 9).encode("latin-1"), "nor GB18030, first in line 2"),
        ("[\n{\n'prix': 'très élevé'\n}\n]".encode("cp1252"), "nor GB18030, first in line 3"),
        (f"{{\n{HELLO[1:-1]}\n}}\n".encode(), "an object over several lines"),
        (b"Once upon a time\nthere was\n", "neither JSON, JSONL nor CSV"),
    ],
)
def test_a_file_that_is_no_data_is_refused_in_one_line(tmp_path, content, message):
    with pytest.raises(DatasetUnavailable) as caught:
        read(tmp_path, content)
    assert message in str(caught.value)
    assert str(tmp_path / "data") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(DatasetUnavailable, match="is a folder: name one file in it"):
        list(read_rows(tmp_path))
    with pytest.raises(DatasetUnavailable, match="No such file"):
        list(read_rows(tmp_path / "missing"))


def test_a_damaged_first_line_does_not_hide_what_the_file_is(tmp_path):
    for name in ("data", "data.jsonl"):
        rows = read(tmp_path, f"# made by me, today\n{HELLO}\n", name)
        assert [row.value for row in rows] == [None, HELLO_VALUE]


@pytest.mark.parametrize("wrap", ["%s\n%s\n", "[%s,%s]"])
def test_a_row_that_is_too_large_is_passed_over_and_not_held(tmp_path, wrap):
    big = '{"a": "' + "x" * (MAX_ROW_BYTES * 3) + '"}'
    path = tmp_path / "data"
    path.write_text(wrap % (big, HELLO))
    del big
    tracemalloc.start()
    rows = list(read_rows(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [row.problem for row in rows] == ["larger than 16 MiB", None]
    assert peak < 2.5 * MAX_ROW_BYTES


def test_a_csv_row_without_end_is_not_held(tmp_path):
    path = tmp_path / "data"
    path.write_text('a,b\n"' + ("x" * 1000 + "\n") * 40_000)
    with pytest.raises(DatasetUnavailable, match="begins on line 2 is larger than 16 MiB: is a quote"):
        list(read_rows(path))


def test_progress_is_told_in_bytes(tmp_path):
    path = tmp_path / "data"
    path.write_text((HELLO + "\n") * 5000)
    told: list[int] = []
    assert len(list(read_rows(path, on_progress=told.append))) == 5000
    assert told == sorted(told)
    assert told[-1] <= path.stat().st_size


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("bytes") / "data"


ALPHABET = [bytes([byte]) for byte in b'{}[]",:\\\n\r 1a\0\xff'] + ["中".encode()]


WRAPPINGS = [
    bytes,
    gzip.compress,
    lambda content: gzip.compress(content)[:-9],
    b"\xff\xfe".__add__,
    b"\xfe\xff".__add__,
]


@settings(deadline=None)
@given(
    content=st.binary() | st.lists(st.sampled_from([*ALPHABET, "中".encode("gbk")])).map(b"".join),
    wrap=st.sampled_from(WRAPPINGS),
)
def test_no_bytes_raise_anything_but_dataset_unavailable(scratch, content, wrap):
    scratch.write_bytes(wrap(content))
    try:
        rows = list(read_rows(scratch))
    except DatasetUnavailable:
        return
    assert rows
    assert all((row.value is None) == (row.problem is not None) for row in rows)
    assert [row.number for row in rows] == sorted({row.number for row in rows})


JSON_VALUES = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(
    values=st.lists(st.dictionaries(st.text(max_size=3), JSON_VALUES, max_size=3), max_size=4),
    indent=st.none() | st.just(1), ascii=st.booleans(), size=st.integers(1, 9),
)  # fmt: skip
def test_arrays_read_alike_however_they_are_cut_into_chunks(values, indent, ascii, size):
    data = json.dumps(values, indent=indent, ensure_ascii=ascii).encode()
    rows = list(read_json_array((data[start : start + size] for start in range(0, len(data), size)), "data"))
    assert [row.value for row in rows] == values
