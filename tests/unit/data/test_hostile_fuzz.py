"""Valid files with damage done to them, at random and for as long as is wanted.

As a test: a few seconds with one seed. By hand, ``python tests/unit/data/test_hostile_fuzz.py SECONDS SEED`` goes on,
and writes what breaks a promise into the folder ``hostile``, to be replayed by ``test_hostile_files`` from then on.
"""

import base64
import gzip
import hashlib
import json
import random
import re
import resource
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from finetune_core.data import read_rows
from finetune_core.errors import DatasetUnavailable

HOSTILE = Path(__file__).with_name("hostile")

ROWS = [
    {"instruction": "How do I return an order?", "input": "", "output": 'Write to "returns", within 14 days.\nThanks.'},
    {"instruction": "订单可以退货吗？", "input": "订单 17", "output": "可以，请在十四天之内申请。"},
    {"instruction": "Say hello 😀", "input": "a,b;c", "output": "你好", "score": 0.5, "id": 12345678901234567890},
    {"messages": [{"role": "user", "content": "在吗"}, {"role": "assistant", "content": "在 {的} [1]"}], "ok": None},
]

TOKENS = [
    b'"', b'""', b"\\", b"\n", b"\r\n", b"\r", b"{", b"}", b"[", b"]", b",", b";", b"\t", b":", b"\0", b"\xff",
    b"\xfe\xff", b"\xef\xbb\xbf", b"\xed\xa0\xbd", b"\\ud83d", b"\\u0000", b"NaN", b"1e999", b"-0", b"9" * 400,
    b"[" * 150, b'{"a":' * 150, b'"id": 1, "id": 2', b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1", b"\x00\x00\x00\x80",
    b"\xff\xff\xff\x7f", b"\x85", b"\x1c", "\u2028".encode(), "中".encode(), "中".encode("gbk"),
    "中".encode("utf-16-le"),
]  # fmt: skip


def as_csv(delimiter: str) -> bytes:
    table = [["instruction", "output"], *([str(row.get("instruction", "x")), str(row.get("output"))] for row in ROWS)]
    lines = [delimiter.join('"' + cell.replace('"', '""') + '"' for cell in cells) for cells in table]
    return "\n".join([*lines, delimiter.join("ab")]).encode()


def as_parquet(compression: str) -> bytes:
    columns = {
        "instruction": ["问题", "a question", None] * 20, "messages": [ROWS[3]["messages"]] * 60, "n": range(60),
        "day": pa.array([19000] * 60, pa.date32()), "x": [0.5] * 60,
    }  # fmt: skip
    file = BytesIO()
    parquet.write_table(pa.table(columns), file, compression=compression, row_group_size=25)
    return file.getvalue()


JSON_LINES = [json.dumps(row, ensure_ascii=False) for row in ROWS]
TEXTS = [
    "\n".join(JSON_LINES).encode() + b"\n",
    ("[" + ",\n".join(JSON_LINES) + "]").encode(),
    as_csv(","),
    as_csv("\t"),
]
PARQUET = [as_parquet(compression) for compression in ("none", "snappy", "zstd")]
ENCODE: list[Callable[[bytes], bytes]] = [
    bytes, bytes, bytes, b"\xef\xbb\xbf".__add__, lambda text: text.decode(errors="replace").encode("utf-16"),
    lambda text: text.decode(errors="replace").encode("gb18030"),
]  # fmt: skip
PACK: list[Callable[[bytes], bytes]] = [
    bytes, bytes, bytes, lambda data: gzip.compress(data, mtime=0),
    lambda data: pa.compress(data, "zstd", asbytes=True),
]  # fmt: skip


def damaged(data: bytes, dice: random.Random) -> bytes:
    """One to four changes."""
    content = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        start = dice.randrange(len(content) + 1)
        part = slice(start, start + dice.choice((1, 2, 8, 64, 500)))
        match dice.randrange(7):
            case 0:
                content[start:start] = dice.choice(TOKENS)
            case 1:
                content[part] = dice.choice(TOKENS)
            case 2:
                content[start : start + 1] = bytes([dice.randrange(256)])
            case 3:
                del content[part]
            case 4:
                content[start:start] = content[part]
            case 5:
                content[part] = dice.choice(TEXTS + PARQUET)[part]
            case _:
                del content[start if dice.random() < 0.3 else len(content) :]
    return bytes(content)


def made(dice: random.Random) -> bytes:
    if dice.random() < 0.3:
        return damaged(dice.choice(PARQUET), dice)
    text = dice.choice(ENCODE)(damaged(dice.choice(TEXTS), dice))
    packed = dice.choice(PACK)(text)
    return damaged(packed, dice) if dice.random() < 0.5 else packed


def promises_kept(path: Path) -> None:
    """Read the file, and fail where a reader does anything but what it promises."""
    refusal = ""
    try:
        rows = list(read_rows(path))
    except DatasetUnavailable as error:
        refusal = str(error)
        rows = []
    if not rows:
        assert refusal.startswith(f"{path}: "), refusal
        assert refusal.isprintable(), refusal
        return
    numbers = [row.number for row in rows]
    assert numbers == sorted(set(numbers))
    for row in rows:
        assert (row.value is None) == (row.problem is not None)
        assert row.problem is None or len(row.problem) < 400
        json.dumps(row.value, ensure_ascii=False, allow_nan=False).encode()
    content = path.read_bytes()
    if content.startswith(b'{"') and rows[0].encoding == "UTF-8":
        lines = content.split(b"\n")
        assert numbers == [number for number, line in enumerate(lines, 1) if line.replace(b"\xef\xbb\xbf", b"").strip()]


def peak_bytes() -> int:
    status = Path("/proc/self/status")
    if status.exists():  # what a process was forked from does not count here
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        assert found
        return int(found[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_damaged_files_are_read_or_refused(tmp_path):
    dice = random.Random(20261126)
    path = tmp_path / "data.jsonl"
    before, cpu = peak_bytes(), time.process_time()
    for _ in range(3000):
        path.write_bytes(made(dice))
        promises_kept(path)
    assert time.process_time() - cpu < 100  # 3 on the machine that it was written on
    assert peak_bytes() - before < 200 * 2**20


def main(seconds: float, seed: int) -> None:
    dice = random.Random(seed)
    path = Path(f"/dev/shm/fuzz-{seed}/data.jsonl")
    path.parent.mkdir(exist_ok=True)
    resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30,) * 2)
    tried, peak, known = 0, peak_bytes(), set[str]()
    while time.process_time() < seconds:
        path.write_bytes(content := made(dice))
        began = time.process_time()
        problem = None
        try:
            promises_kept(path)
        except BaseException as error:
            problem = repr(error)
        if (took := time.process_time() - began) > 2:
            problem = f"{took:.1f} s"
        if (now := peak_bytes()) > peak + 50 * 2**20:
            problem, peak = f"{now / 2**20:.0f} MiB", now
        if problem and (kind := re.sub("[^A-Za-z]+", " ", problem)[:80]) not in known:
            known.add(kind)
            name = hashlib.sha256(content).hexdigest()[:12]
            (HOSTILE / f"{name}.b64").write_bytes(base64.encodebytes(content))
            print(name, problem[:300], flush=True)
        tried += 1
    print(f"{tried:,} files, {peak / 2**20:.0f} MiB at most")


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
