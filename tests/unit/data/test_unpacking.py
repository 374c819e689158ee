"""Compressed files to rows: streamed, within limits."""

import gzip
import tracemalloc
from pathlib import Path

import pyarrow
import pytest

from finetune_core.data import read_rows
from finetune_core.data.reading import limits
from finetune_core.errors import DatasetUnavailable

ROW = b'{"instruction": "a", "output": "b"}\n'


def zstd(data: bytes) -> bytes:
    packed: bytes = pyarrow.compress(data, codec="zstd", asbytes=True)
    return packed


PACK = {"gzip": gzip.compress, "zstd": zstd}
KINDS = pytest.mark.parametrize("kind", PACK)


def refusal(path: Path) -> str:
    with pytest.raises(DatasetUnavailable) as caught:
        list(read_rows(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@KINDS
@pytest.mark.parametrize(
    "content",
    [ROW, b"[" + ROW + b"]", b"instruction,output\na,b\n", b"\xef\xbb\xbf" + ROW, ROW.decode().encode("utf-16")],
)
@pytest.mark.parametrize("name", ["data", "data.jsonl.gz", "data.csv.zst"])
def test_what_is_inside_is_read_whatever_the_name(tmp_path, kind, content, name):
    path = tmp_path / name
    path.write_bytes(PACK[kind](content))
    assert [row.value for row in read_rows(path)] == [{"instruction": "a", "output": "b"}]


@KINDS
def test_archives_put_together_are_read_to_the_end(tmp_path, kind):
    path = tmp_path / "data"
    path.write_bytes(PACK[kind](ROW * 3) + PACK[kind](ROW * 4))
    assert len(list(read_rows(path))) == 7


@KINDS
def test_progress_counts_the_bytes_of_the_archive(tmp_path, kind):
    path = tmp_path / "data"
    path.write_bytes(PACK[kind](b"".join(b'{"a": %d}\n' % (n * 7919 % 100_003) for n in range(60_000))))
    told: list[int] = []
    assert len(list(read_rows(path, on_progress=told.append))) == 60_000
    assert told == sorted(told)
    assert told[0] < told[-1] == path.stat().st_size


@KINDS
@pytest.mark.parametrize("size", [0.1, 0.5, 0.99])
def test_an_archive_that_was_cut_off_is_refused(tmp_path, kind, size):
    path = tmp_path / "data"
    packed = PACK[kind](b"".join(b'{"a": %d}\n' % (n * 7919 % 100_003) for n in range(60_000)))
    path.write_bytes(packed[: int(len(packed) * size)])
    assert f"its {kind} data ends too early: was it cut off?" in refusal(path)


@KINDS
def test_a_damaged_archive_is_refused(tmp_path, kind):
    path = tmp_path / "data"
    packed = bytearray(PACK[kind](b"".join(b'{"a": %d}\n' % (n * 7919 % 100_003) for n in range(60_000))))
    half = len(packed) // 2
    packed[half : half + 99] = bytes(byte ^ 0xFF for byte in packed[half : half + 99])
    path.write_bytes(packed)
    assert f"its {kind} data is damaged" in refusal(path)


@pytest.mark.parametrize("content", [b"\x1f\x8b", b"\x1f\x8b\x08abc", b"\x28\xb5\x2f\xfd", b"\x1f\x8bPNG and so on"])
def test_a_file_that_only_begins_like_an_archive_is_refused(tmp_path, content):
    path = tmp_path / "data"
    path.write_bytes(content)
    assert "data ends too early" in refusal(path) or "data is damaged" in refusal(path)


@KINDS
def test_what_is_in_the_archive_is_judged_as_any_file(tmp_path, kind):
    path = tmp_path / "data"
    for content, message in (
        (b"", "is empty"),
        (b"\0" * 999, "binary"),
        (PACK[kind](ROW), "compressed twice"),
        (b"PAR1....PAR1", "Parquet inside an archive"),
        (b"Once upon a time\n", "neither JSON, JSONL nor CSV"),
    ):
        path.write_bytes(PACK[kind](content))
        assert message in refusal(path)


def bomb(kind: str, path: Path) -> None:
    """300 MiB that begin like a row."""
    filling = bytes(b"x" * 2**20)
    with path.open("wb") as file:
        packed = (
            gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1)
            if kind == "gzip"
            else pyarrow.CompressedOutputStream(pyarrow.PythonFile(file, "w"), "zstd")
        )
        with packed:
            packed.write(b'{"instruction": "')
            for _ in range(300):
                packed.write(filling)


@KINDS
def test_a_bomb_is_refused_in_bounded_memory(tmp_path, kind):
    path = tmp_path / "bomb.jsonl"
    bomb(kind, path)
    assert path.stat().st_size < 2 * 2**20
    tracemalloc.start()
    before = pyarrow.total_allocated_bytes()
    message = refusal(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "grows to more than 200 times its size" in message
    assert peak < 48 * 2**20
    assert pyarrow.total_allocated_bytes() - before < 8 * 2**20


def test_more_than_the_total_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "MAX_UNPACKED_BYTES", 10 * len(ROW))
    path = tmp_path / "data"
    path.write_bytes(gzip.compress(ROW * 10))
    assert len(list(read_rows(path))) == 10
    path.write_bytes(gzip.compress(ROW * 11))
    assert "once decompressed: split it" in refusal(path)


def test_a_header_without_end_is_not_held(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(b"\x1f\x8b\x08\x08" + bytes(6) + b"x" * 2**20)  # a name that does not end
    assert "ends too early" in refusal(path)


def test_small_files_may_shrink_as_they_like(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(zstd(ROW * 100_000))
    assert path.stat().st_size * limits.MAX_RATIO < len(ROW) * 100_000
    assert sum(1 for _ in read_rows(path)) == 100_000
