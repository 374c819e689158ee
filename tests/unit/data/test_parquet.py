"""Parquet to rows as JSON would give them."""

import datetime
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from finetune_core.data import RawRow, examine, read_rows
from finetune_core.data.reading import limits
from finetune_core.data.reading.row import MAX_ROW_BYTES
from finetune_core.errors import DatasetUnavailable

CHAT = [{"role": "user", "content": "怎么退货？"}, {"role": "assistant", "content": "您可以申请退货。"}]
QUICKSTART = Path(__file__).parents[3] / "examples" / "quickstart" / "rows.jsonl"


def write(path: Path, columns: dict[str, object], **options: object) -> Path:
    parquet.write_table(pa.table(columns), path, **options)
    return path


def read(path: Path) -> list[RawRow]:
    return list(read_rows(path))


def refusal(path: Path) -> str:
    with pytest.raises(DatasetUnavailable) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_rows_are_those_of_the_same_data_as_json(tmp_path):
    values = [json.loads(line) for line in QUICKSTART.read_text(encoding="utf-8").splitlines()]
    path = tmp_path / "data"
    parquet.write_table(pa.Table.from_pylist(values), path, row_group_size=50)
    rows = read(path)
    assert [row.value for row in rows] == values
    assert [row.number for row in rows] == list(range(1, len(values) + 1))


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
def test_nested_values_are_lists_and_objects(tmp_path, compression):
    values = [
        {
            "messages": CHAT,
            "history": [["a", "b"], []],
            "score": 0.5,
            "id": 7,
            "good": True,
            "more": {"deep": [{"x": 1}]},
        },
        {"messages": [], "history": None, "score": None, "id": None, "good": False, "more": {"deep": []}},
    ]
    path = tmp_path / "data.parquet"
    parquet.write_table(pa.Table.from_pylist(values), path, compression=compression)
    assert [row.value for row in read(path)] == values


def test_chats_are_read_although_their_objects_have_the_fields_of_all(tmp_path):
    weighted = [CHAT[0] | {"weight": None, "tool_calls": None}, CHAT[1] | {"weight": 1, "tool_calls": None}]
    path = write(tmp_path / "data", {"conversations": [weighted, CHAT]})
    report = examine(read_rows(path))
    assert (report.format, report.used_rows, report.encoding) == ("conversations", 1, "UTF-8")
    assert report.rejected_rows == 1
    assert "exact-duplicate" in [finding.code for finding in report.findings]


def test_kinds_that_json_lacks_become_text_or_numbers(tmp_path):
    moment = datetime.datetime(2026, 11, 26, 8, 30)
    path = write(
        tmp_path / "data",
        {
            "bytes": pa.array(["文字".encode()], pa.binary()),
            "map": pa.array([[("a", 1), ("b", 2)]], pa.map_(pa.string(), pa.int64())),
            "day": [moment.date()],
            "moment": pa.array([moment], pa.timestamp("us")),
            "nanoseconds": pa.array([1_795_681_800_000_000_001], pa.timestamp("ns", "Asia/Shanghai")),
            "price": [Decimal("1.50")],
            "amount": [Decimal("3")],
            "label": pa.array(["red"]).dictionary_encode(),
        },
    )
    [row] = read(path)
    assert row.value == {
        "bytes": "文字", "map": {"a": 1, "b": 2}, "day": "2026-11-26", "moment": "2026-11-26T08:30:00",
        "nanoseconds": "2026-11-26T08:30:00", "price": 1.5, "amount": 3, "label": "red",
    }  # fmt: skip
    assert json.loads(json.dumps(row.value)) == row.value


def test_what_cannot_be_a_value_is_one_bad_row(tmp_path):
    scores = [1.0] * 100
    scores[40], scores[70] = float("nan"), float("inf")
    path = write(tmp_path / "a", {"a": ["x"] * 100, "score": scores})
    assert [(row.number, row.problem) for row in read(path) if row.value is None] == [
        (41, "nan is not JSON"), (71, "inf is not JSON"),
    ]  # fmt: skip
    path = write(tmp_path / "b", {"a": pa.array([b"ok", b"\xff\xfe", b"ok"], pa.binary())})
    assert [row.problem for row in read(path)] == [None, "not UTF-8", None]


def test_a_row_that_is_too_large_is_passed_over(tmp_path):
    path = write(tmp_path / "data", {"a": ["x", "y" * (MAX_ROW_BYTES + 1), "z"]}, compression="none")
    assert [row.problem for row in read(path)] == [None, "larger than 16 MiB", None]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PAR1xxxx", "its Parquet is damaged"),
        (b"PAR1" + bytes(100) + b"PAR1", "its Parquet is damaged"),
        (b"PAR1", "its Parquet is damaged"),
    ],
)
def test_a_file_that_only_begins_like_parquet_is_refused(tmp_path, content, message):
    path = tmp_path / "data"
    path.write_bytes(content)
    assert message in refusal(path)


def test_truncated_empty_and_ambiguous_files_are_refused(tmp_path):
    path = write(tmp_path / "data", {"a": ["x" * 50] * 1000})
    path.write_bytes(path.read_bytes()[:-20])
    assert "its Parquet is damaged" in refusal(path)
    write(path, {"a": pa.array([], pa.string())})
    assert "holds no rows" in refusal(path)
    parquet.write_table(pa.table([pa.array(["x"]), pa.array(["y"])], names=["a", "a"]), path)
    assert "has column 'a' twice" in refusal(path)


@pytest.mark.parametrize("shared", [False, True])
def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, shared):
    text = pa.DictionaryArray.from_arrays(pa.array([0] * (200 if shared else 1), pa.int32()), ["x" * (20 * 2**20)])
    path = write(tmp_path / "data", {"a": text}, compression="zstd", use_dictionary=shared, store_schema=False)
    assert path.stat().st_size < 2**14
    assert f"grows to more than {limits.MAX_RATIO} times its size" in refusal(path)


def test_progress_ends_with_the_file(tmp_path):
    path = write(tmp_path / "data", {"a": [f"row {n}" for n in range(5000)]}, row_group_size=700)
    told: list[int] = []
    assert len(list(read_rows(path, on_progress=told.append))) == 5000
    assert told == sorted(told)
    assert told[0] < told[-1] == path.stat().st_size


MEASURE = """
import re, sys
from pathlib import Path
from finetune_core.data import read_rows
import pyarrow.parquet
def peak(): return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])  # not inherited
before = peak()
print(sum(1 for _ in read_rows(Path(sys.argv[1]))), peak() - before)
"""


def test_a_row_group_is_not_held(tmp_path):
    path = tmp_path / "data"
    text = pa.array([f"{n:06d}" * 1000 for n in range(20_000)])
    parquet.write_table(pa.table({"a": text}), path, compression="none", use_dictionary=False, row_group_size=20_000)
    assert path.stat().st_size > 110 * 2**20
    ended = subprocess.run([sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True)
    count, kibibytes = map(int, ended.stdout.split())
    assert count == 20_000
    assert kibibytes < 80 * 1024


def test_a_long_text_that_rows_share_is_not_held_for_all_of_them(tmp_path):
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 300, pa.int32()), ["x" * (15 * 2**20)])
    path = write(tmp_path / "data", {"a": text}, compression="zstd", store_schema=False)
    ended = subprocess.run([sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True)
    count, kibibytes = map(int, ended.stdout.split())
    assert count == 300
    assert kibibytes < 512 * 1024  # the rows have 4.4 GiB


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("parquet") / "data"


@settings(deadline=None)
@given(place=st.integers(4, 2000), damage=st.binary(min_size=1, max_size=8))
def test_damage_anywhere_raises_nothing_but_dataset_unavailable(scratch, place, damage):
    write(scratch, {"messages": [CHAT] * 40, "id": list(range(40))})
    content = bytearray(scratch.read_bytes())
    place %= len(content)
    content[place : place + len(damage)] = damage
    scratch.write_bytes(content)
    try:
        rows = read(scratch)
    except DatasetUnavailable:
        return
    assert all((row.value is None) == (row.problem is not None) for row in rows)
