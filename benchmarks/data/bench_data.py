"""`ftj lint` on a large dataset: seconds, memory of all its processes, and whether cost grows with the rows alone.

    python benchmarks/data/bench_data.py [ROWS ...]

Without ROWS: 10,000, 100,000 and 1,000,000, in English and Chinese by halves, about 600 bytes a row; one row in fifty
is nearly an earlier one. The table goes to stdout.
"""

import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

SIZES = (10_000, 100_000, 1_000_000)
NEAR_DUPLICATES = 50
"""Every row of so many is nearly the one before it."""

ENGLISH = Path(__file__).with_name("english.txt").read_text(encoding="utf-8").split()
CHINESE = Path(__file__).with_name("chinese.txt").read_text(encoding="utf-8").split()


def write(path: Path, rows: int, seed: int = 7) -> None:
    """A dataset of Alpaca rows."""
    random_of = random.Random(seed)
    before: dict[str, str] = {}
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            if before and number % NEAR_DUPLICATES == 0:
                row = {**before, "output": before["output"] + ("。" if number % 2 else " Thank you.")}
            else:
                row = before = chinese(random_of, number) if number % 2 else english(random_of, number)
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def english(random_of: random.Random, number: int) -> dict[str, str]:
    """Random words in sentences: long enough for a support answer."""
    words = random_of.choices(ENGLISH, k=82)
    sentences = [" ".join(words[start : start + 12]).capitalize() + "." for start in range(10, len(words), 12)]
    return {"instruction": f"{' '.join(words[:10]).capitalize()} {number}?", "output": " ".join(sentences)}


def chinese(random_of: random.Random, number: int) -> dict[str, str]:
    """The same of Chinese words."""
    words = random_of.choices(CHINESE, k=88)
    sentences = ["".join(words[start : start + 10]) + "。" for start in range(10, len(words), 10)]
    return {"instruction": f"{''.join(words[:10])}{number}？", "output": "".join(sentences)}


def measure(path: Path) -> tuple[float, float, dict[str, int]]:
    """Seconds, the largest sum of resident memory in MiB, and the findings' counts."""
    started = time.monotonic()
    command = [str(Path(sys.executable).with_name("ftj")), "lint", str(path), "-o", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        peak = [0.0]
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.2):
                peak[0] = max(peak[0], sum(map(resident, family(process.pid))))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        assert process.stdout is not None
        report = json.load(process.stdout)
        process.wait()
        seconds = time.monotonic() - started
        done.set()
        watcher.join()
    return seconds, peak[0], {finding["code"]: finding["count"] for finding in report["findings"]}


def family(pid: int) -> list[int]:
    """The process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        below = [
            int(child) for task in children.parent.parent.iterdir() for child in (task / "children").read_text().split()
        ]
    except OSError:
        below = []
    return [pid, *(descendant for child in below for descendant in family(child))]


def resident(pid: int) -> float:
    """Resident memory in MiB; pages that processes share are counted in each."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Print the table."""
    sizes = [int(argument) for argument in sys.argv[1:]] or SIZES
    print("| rows | MB | seconds | microseconds a row | memory, MiB | near-duplicates |\n|--:|--:|--:|--:|--:|--:|")
    with TemporaryDirectory() as folder:
        for rows in sizes:
            path = Path(folder) / f"{rows}.jsonl"
            write(path, rows)
            seconds, memory, found = measure(path)
            print(
                f"| {rows:,} | {path.stat().st_size / 1e6:,.0f} | {seconds:.1f} | {seconds / rows * 1e6:.0f} "
                f"| {memory:,.0f} | {found.get('near-duplicate', 0):,} |",
                flush=True,
            )
            path.unlink()


if __name__ == "__main__":
    main()
