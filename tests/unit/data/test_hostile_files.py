"""Files that were made, or broken, to do harm: one line, exit code 2, and neither memory nor time that they choose."""

import base64
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from test_hostile_fuzz import HOSTILE, promises_kept

from finetune_core.data import read_rows
from finetune_core.errors import DatasetUnavailable

MOST_MEMORY = 400 * 2**20
MOST_SECONDS = 60  # each takes less than 5; this machine may be busy

LINT = """
import re, sys
from pathlib import Path
from finetune_cli.main import main
try:
    main()
finally:
    peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
    Path("peak").write_text(peak)
"""

MEGABYTE = b"x" * 2**20
ROWS = b"".join(b'{"instruction": "question %d", "output": "answer %d"}\n' % (n, n) for n in range(300))
ARRAY = b"[" + ROWS.strip().replace(b"\n", b",\n") + b"]"
CSV = b"instruction,output\n" + b"".join(b'"q, %d","a, %d"\n' % (n, n) for n in range(300))


def lint(folder: Path, name: str) -> tuple[int, str, int]:
    """Exit code, standard error and the most memory of ``ftj lint``."""
    ended = subprocess.run(
        [sys.executable, "-c", LINT, "lint", name],
        cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8", timeout=MOST_SECONDS,
    )  # fmt: skip
    return ended.returncode, ended.stderr, int((folder / "peak").read_text()) * 1024


def zstd(data: bytes) -> bytes:
    packed: bytes = pa.compress(data, codec="zstd", asbytes=True)
    return packed


def table(path: Path, columns: dict[str, object], **options: object) -> bytes:
    parquet.write_table(pa.table(columns), path, **options)
    return path.read_bytes()


def pieces(*parts: bytes | tuple[bytes, int]) -> Callable[[Path], None]:
    """Writes the parts, each as often as is said, without holding them all."""

    def write(path: Path) -> None:
        with path.open("wb") as file:
            for part in parts:
                content, times = part if isinstance(part, tuple) else (part, 1)
                for _ in range(times):
                    file.write(content)

    return write


def made(content: Callable[[Path], bytes]) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content(path))


def gzip_bomb(path: Path) -> None:
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b'{"instruction": "')
        for _ in range(500):
            file.write(MEGABYTE)


def zstd_bomb(path: Path) -> None:
    with path.open("wb") as file, pa.CompressedOutputStream(pa.PythonFile(file, "w"), "zstd") as packed:
        packed.write(b'{"instruction": "')
        for _ in range(500):
            packed.write(MEGABYTE)


def dictionary_bomb(path: Path) -> None:
    text = pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()), ["x" * (40 * 2**20)])
    table(path, {"instruction": text}, compression="zstd", store_schema=False)


def claiming(field: int) -> Callable[[Path], object]:
    """Two GiB in a field of the first page's header: 2 is the page's size unpacked, 3 packed."""

    def content(path: Path) -> bytes:
        rows = [f"question {n}" for n in range(300)]
        whole = table(path, {"instruction": rows}, compression="zstd", use_dictionary=False)
        start = end = len(b"PAR1")
        for _ in range(field):  # each is a byte and a number, which ends with the first byte below 128
            start = end + 1
            end = next(place for place in range(start, len(whole)) if whole[place] < 128) + 1
        return whole[:start] + b"\xfe\xff\xff\xff\x0f" + whole[end:]

    return made(content)


def object_with(fields: int) -> bytes:
    return json.dumps({f"{n}": 0 for n in range(fields)}, separators=(",", ":")).encode()


CUT_OFF = "was it cut off?"
FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated.jsonl": (pieces(ROWS[:-20]), "ends within the row on line 300: was it cut off?"),
    "truncated.json": (pieces(ARRAY[:-20]), CUT_OFF),
    "truncated.csv": (pieces(CSV[:-5]), "ends within the row that begins on line 301"),
    "truncated.jsonl.gz": (pieces(gzip.compress(ROWS)[:-20]), CUT_OFF),
    "truncated.jsonl.zst": (pieces(zstd(ROWS)[:-20]), CUT_OFF),
    "truncated.parquet": (made(lambda path: table(path, {"a": ["x"] * 300})[:-20]), "its Parquet is damaged"),
    "line.jsonl": (pieces(b'{"output": "', (MEGABYTE, 100), b'"}'), "row 1: larger than 16 MiB"),
    "line.json": (pieces(b'[{"output": "', (MEGABYTE, 100), b'"}]'), "row 1: larger than 16 MiB"),
    "line.csv": (pieces(b"instruction,output\n", (MEGABYTE, 100)), "row 2: larger than 16 MiB"),
    "quote.csv": (pieces(b'instruction,output\n"', (b"word and word\n", 7_500_000)), "is a quote not closed?"),
    "commas.csv": (pieces(b'instruction,output\n"', (b"x,y\n" * 2**18, 100)), "is a quote not closed?"),
    "bomb.jsonl.gz": (gzip_bomb, "grows to more than 200 times its size"),
    "bomb.jsonl.zst": (zstd_bomb, "grows to more than 200 times its size"),
    "twice.jsonl.gz.gz": (pieces(gzip.compress(gzip.compress(ROWS))), "compressed twice"),
    "dictionary.parquet": (dictionary_bomb, "grows to more than 200 times its size"),
    "packed-page.parquet": (claiming(3), "a page claims 2,147,483,647 bytes"),
    "unpacked-page.parquet": (claiming(2), "has pages of 2,048 MiB"),
    "nulls.parquet": (
        made(lambda path: table(path, {"a": pa.nulls(10**8, pa.int8())})),
        "grows to more than 200 times",
    ),
    "binary.jsonl": (pieces(bytes(range(256)) * 400), "is neither UTF-8, UTF-16 nor GB18030"),
    "nul.jsonl": (pieces((bytes(2**20), 100)), "is a binary file"),
    "nul-in-row.jsonl": (pieces(b'{"instruction": "' + b"a" * 200 + b'\0"}\n'), "Invalid control character"),
    "deep.jsonl": (pieces(b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}\n"), "nested too deeply"),
    "open.json": (pieces((b"[" * 2**20, 100)), "more than 2,000,000 brackets"),
    "open.jsonl": (pieces((b'{"a":' * 2**20, 3)), CUT_OFF),
    "twice.jsonl": (pieces(b'{"output": "a", "output": "b"}\n'), "field 'output' is given twice"),
    "nan.jsonl": (pieces(b'{"instruction": NaN, "output": Infinity}\n'), "NaN is not JSON"),
    "digits.jsonl": (pieces(b'{"a": ' + b"9" * 10**6 + b"}\n"), "1,000,000 digits is too large a number"),
    "surrogate.jsonl": (pieces(b'{"a": "\\ud83d"}\n'), "half of a surrogate pair"),
    "columns.jsonl": (pieces(object_with(10**6)), "more than 100,000 values"),
    "columns.json": (pieces(b"[", object_with(10**6), b"]"), "more than 2,000,000 brackets"),
    "columns.csv": (pieces((b"column,", 10**6), b"last\n1\n"), "has 1,000,001 columns"),
    "cells.csv": (pieces(b"a,b\n", (b"1,", 7 * 10**6), b"\n"), "more than 1,000,000 cells"),
    "footer.parquet": (
        pieces(b"PAR1", (MEGABYTE, 100), (99 * 2**20).to_bytes(4, "little"), b"PAR1"),
        "has a footer of 99 MiB, more than 4",
    ),
    "columns.parquet": (made(lambda path: table(path, {f"c{n}": [n] for n in range(1001)})), "has 1,001 columns"),
    "numbers.json": (pieces(b"[0", (b",12345" * 1000, 10_000), b"]"), "row 1: a number, where an object is needed"),
    "lists.jsonl": (pieces(b'{"a":[0', (b",[]" * 1000, 5000), b"]}\n"), "more than 100,000 values"),
    "objects.jsonl": (pieces(b'{"a":[0', (b',{"":0}' * 1000, 2200), b"]}\n"), "more than 100,000 values"),
    "empty.jsonl": (pieces(b""), "is empty"),
    "white.jsonl": (pieces(b" \n\t\r\n"), "is empty"),
    "blank.jsonl": (pieces((b" " * 2**20, 100)), "begins with many kilobytes of white space"),
    "newlines.jsonl": (pieces((b"\n" * 2**20, 100)), "begins with many kilobytes of white space"),
    "mark.jsonl": (pieces(b"\xef\xbb\xbf"), "is empty"),
    "loop.jsonl": (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
    "dangling.jsonl": (lambda path: path.symlink_to("nothing"), "No such file"),
    "folder.jsonl": (lambda path: path.mkdir(), "is a folder"),
    "pipe.jsonl": (lambda path: os.mkfifo(path), "is no regular file"),
    "zero.jsonl": (lambda path: path.symlink_to("/dev/zero"), "is no regular file"),
    "memory.jsonl": (lambda path: path.symlink_to("/proc/self/mem"), "cannot be read"),
}


@pytest.mark.parametrize(("name", "file"), FILES.items(), ids=FILES)
def test_a_hostile_file_costs_one_line(tmp_path, name, file):
    make, message = file
    make(tmp_path / name)
    code, said, peak = lint(tmp_path, name)
    [line] = said.splitlines()
    assert line.startswith(f"ftj: {name}: ")
    assert message in line
    assert len(line) < 300
    assert code == 2
    assert peak < MOST_MEMORY


def test_hostile_rows_among_good_ones_cost_themselves(tmp_path):
    """100 good rows, with one of the largest size that is read, and some that are none."""
    path = tmp_path / "data.jsonl"
    with path.open("wb") as file:
        file.write(ROWS)
        file.write(b'{"instruction": "long", "output": "' + b"x\\n" * (5 * 2**20) + b'"}\n')
        for bad in (
            b'{"a":' + b"9" * 10**6 + b"}",
            b"[" * 2**20,
            b'{"output": "' + 20 * MEGABYTE + b'"}',
            b"\xff" * 999,
        ):
            file.write(bad + b"\n")
        file.write(b'{"instruction": "last", "output": "row"}\n')
    code, said, peak = lint(tmp_path, path.name)
    assert (code, said) == (0, "")
    assert peak < MOST_MEMORY
    rows = list(read_rows(path))
    assert [row.number for row in rows if row.value is None] == [302, 303, 304, 305]
    assert len(rows) == 306


def test_rows_that_can_be_read_and_not_used_are_refused_data(tmp_path):
    (tmp_path / "data.jsonl").write_text('{"question": "x", "answer": "y"}\n')
    code, said, _ = lint(tmp_path, "data.jsonl")
    assert (code, len(said.splitlines())) == (4, 1)


@pytest.fixture
def unreadable(tmp_path: Path) -> Path:
    path = tmp_path / "data.jsonl"
    path.write_bytes(ROWS)
    path.chmod(0)
    return path


@pytest.fixture
def nobody() -> Iterator[None]:
    """Without the right to read everything, which root has."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    yield
    os.seteuid(was)


def test_a_file_that_may_not_be_read(unreadable, nobody):
    with pytest.raises(DatasetUnavailable, match="cannot be read: Permission denied"):
        list(read_rows(unreadable))


def test_a_file_that_shrinks_while_it_is_read(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_bytes(ROWS * 100)
    rows = read_rows(path)
    assert next(rows).value == {"instruction": "question 0", "output": "answer 0"}
    os.truncate(path, 100_010)
    with pytest.raises(DatasetUnavailable, match=r"was it cut off\?"):
        list(rows)


@pytest.mark.parametrize("path", sorted(HOSTILE.iterdir()), ids=lambda path: path.name)
def test_what_fuzzing_found_stays_found(tmp_path, path):
    copy = tmp_path / "data.jsonl"
    copy.write_bytes(base64.b64decode(path.read_text()))
    promises_kept(copy)
