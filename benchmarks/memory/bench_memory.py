"""What the trainer really takes of a card, against what the plan predicts, part by part.

    python benchmarks/memory/bench_memory.py run results.jsonl      # measures: about 10 minutes on an H100
    python benchmarks/memory/bench_memory.py table results.jsonl    # prints the tables in Markdown

It needs a card of 80 GB that nothing else runs on, and room for base models of 45 GB (``--models`` in a tmpfs is
fastest). Each case is a real training of random weights on random rows: the plan is made by ``finetune_core.planning``,
and the trainer's own ``train()`` loads, adapts and steps (``probe.py`` watches). Results are written case by case; run
again with the same file, it goes on with the cases that are not in it.
``--device cpu`` tries the program out on a tiny model; its figures are those of the whole process and mean little.
"""

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cases import Case, Device, config_of, grid, tiny_grid
from table import markdown
from transformers.utils.logging import disable_progress_bar

LIBRARIES = ("torch", "transformers", "peft", "accelerate", "bitsandbytes", "torch-optimi")


def main() -> None:
    """Measure, or print the tables of what was measured."""
    arguments = _parser().parse_args()
    if arguments.command == "table":
        lines = arguments.results.read_text(encoding="utf-8").splitlines()
        print(markdown([json.loads(line) for line in lines]))
        return
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as folder:
        _run(arguments, arguments.models or Path(folder) / "models")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="measure")
    run.add_argument("results", type=Path, help="JSON lines; what is in it already is not measured again")
    run.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    run.add_argument("--models", type=Path, help="keep the random base models here (default: a temporary folder)")
    run.add_argument("--steps", type=int, default=4, help="optimizer steps of a case, the first of them to warm up")
    run.add_argument("--only", default="", help="measure the cases whose line contains this")
    run.add_argument("--seconds", type=float, default=float("inf"), help="begin no case after so long")
    table = commands.add_parser("table", help="print Markdown")
    table.add_argument("results", type=Path)
    return parser


def _run(arguments: argparse.Namespace, models: Path) -> None:
    """Measure every case that is not in the results yet."""
    disable_progress_bar()
    started = time.monotonic()
    device: Device = arguments.device
    cases = [case for case in (grid() if device == "cuda" else tiny_grid()) if arguments.only in str(case)]
    done = _done(arguments.results)
    with arguments.results.open("a", encoding="utf-8") as results:
        if not done:
            _write(results, {"machine": _machine(device)})
        for number, case in enumerate(cases, start=1):
            if asdict(case) in done:
                continue
            elapsed = time.monotonic() - started
            if elapsed > arguments.seconds:
                print(f"{elapsed:.0f} s: time is up, {len(cases) - number + 1} cases are left", flush=True)
                return
            result = _measure(case, models, device, arguments.steps)
            _write(results, {"case": asdict(case)} | result)
            print(f"[{number}/{len(cases)}, {elapsed:.0f} s] {case}: {_in_short(result)}", flush=True)


def _measure(case: Case, models: Path, device: Device, steps: int) -> dict[str, Any]:
    """Predict and measure one case; running out of memory is a result too."""
    import torch
    from inputs import save_rows

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from memory_reader import CudaMemory, ProcessMemory
    from probe import measure

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from random_model import save_random_model

    model = models / case.model.rpartition("/")[2]
    if not (model / "config.json").exists():
        save_random_model(case.shape, model, torch.bfloat16, torch.device(device))
    with tempfile.TemporaryDirectory(prefix="case-") as folder:
        output = Path(folder) / "output"
        config = config_of(case, model, output, device)
        save_rows(case, Path(config.prepared.uri.removeprefix("file://")))
        assert config.plan.memory is not None
        result: dict[str, Any] = {"predicted": config.plan.memory.parts.model_dump()}
        memory = CudaMemory() if device == "cuda" else ProcessMemory()
        try:
            measured = measure(config, Path(folder) / "scratch", memory, steps)
        except torch.OutOfMemoryError as error:
            return result | {"failed": str(error).partition("\n")[0][:200]}
    return result | {"measured": measured.to_dict()}


def _in_short(result: dict[str, Any]) -> str:
    predicted = sum(result["predicted"].values()) / 2**30
    if "failed" in result:
        return f"predicted {predicted:.1f} GiB, out of memory"
    measured = result["measured"]
    on_card = (measured["peak_reserved"] + measured["outside"]) / 2**30
    peak = max(measured["peaks"].values()) / 2**30
    return (
        f"predicted {predicted:.1f} GiB, took {on_card:.1f} ({peak:.1f} in tensors), "
        f"loaded in {measured['load_seconds']:.1f} s, steps {' '.join(f'{s:.2f}' for s in measured['step_seconds'])} s"
    )


def _done(results: Path) -> list[dict[str, Any]]:
    """Cases that the file holds already."""
    if not results.exists():
        return []
    entries = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    return [entry["case"] for entry in entries if "case" in entry]


def _write(results: Any, entry: dict[str, Any]) -> None:
    results.write(json.dumps(entry) + "\n")
    results.flush()


def _machine(device: Device) -> dict[str, str]:
    """What the figures are of."""
    machine = {"date": datetime.date.today().isoformat(), "card": "none", "driver": "none"}
    if device == "cuda":
        query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
        card, driver, total = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split(", ")
        machine |= {"card": f"{card}, {total.strip()}", "driver": driver}
    return machine | {name: version(name) for name in LIBRARIES}


if __name__ == "__main__":
    main()
