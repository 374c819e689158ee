"""Supervised tokens a second, peak memory and final validation loss: this trainer beside TRL's SFTTrainer.

Run it with ``make bench-trainer``. Every contestant trains the same model on the same rows with the same effective
batch and learning rate, in a process of its own; rounds alternate, and what counts are ratios within a round.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from random_model import save_random_model
from workload import rows, save_rows

from finetune_core.contract import ModelShape
from finetune_core.planning import find_gpu, shipped_shape

HERE = Path(__file__).resolve().parent
CONTESTANTS = ("ours", "trl-defaults", "trl-grouped", "trl-packed")
ROUNDS = 3
BATCH = 16
CUTOFF = 1024
LEARNING_RATE = 1e-3

TINY = ModelShape(
    model_type="qwen2",
    hidden_size=256,
    intermediate_size=768,
    num_layers=6,
    num_heads=4,
    num_kv_heads=2,
    head_dim=64,
    vocab_size=4096,
    max_position_embeddings=2048,
    tied_embeddings=True,
    qkv_bias=True,
)
"""For a processor: 5 million parameters."""


def main() -> None:
    """Run all contestants so many times, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--model", default="tiny", help="tiny, or a hub id whose shape is shipped")
    arguments.add_argument("--gpu", default="cpu", help="name in the catalogue")
    arguments.add_argument("--method", choices=["full", "lora"], default="full")
    arguments.add_argument("--rows", type=int, default=640)
    arguments.add_argument("--rounds", type=int, default=ROUNDS)
    arguments.add_argument("--contestants", nargs="*", default=CONTESTANTS)
    asked = arguments.parse_args()
    measured: dict[str, list[dict[str, Any]]] = {name: [] for name in asked.contestants}
    for number in range(asked.rounds):
        for name in asked.contestants:
            measured[name].append(_run(name, asked))
            told = measured[name][-1]
            print(
                f"round {number + 1}: {name:12} {told['supervised_tokens_per_second']:9,.0f} supervised tokens/s, "
                f"{told['peak_bytes'] / 2**20:6,.0f} MiB, validation loss {told['validation_loss']:.4f}",
                file=sys.stderr,
            )
    _print_table(measured, asked)


def _run(name: str, asked: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-trainer-") as scratch:
        folder = Path(scratch)
        shape = _shape(asked.model)
        on_card = asked.gpu != "cpu"
        device = torch.device("cuda" if on_card else "cpu")
        save_random_model(shape, folder / "base", torch.bfloat16 if on_card else torch.float32, device)
        save_rows(list(rows(asked.rows, shape.vocab_size, seed=2)), folder / "train.jsonl")
        save_rows(list(rows(64, shape.vocab_size, seed=3)), folder / "validation.jsonl")
        workload = {
            "gpu": asked.gpu,
            "method": asked.method,
            "batch": BATCH,
            "cutoff": CUTOFF,
            "learning_rate": LEARNING_RATE if asked.model == "tiny" else LEARNING_RATE / 10,
            "shape": shape.model_dump(mode="json"),
        }
        (folder / "workload.json").write_text(json.dumps(workload), encoding="utf-8")
        ended = subprocess.run(
            [sys.executable, HERE / "contestant.py", name, folder / "workload.json"],
            capture_output=True,
            text=True,
        )
        if ended.returncode:
            raise SystemExit(f"{name} failed:\n{ended.stderr[-2000:]}")
        answer: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
        return answer


def _shape(model: str) -> ModelShape:
    shape = TINY if model == "tiny" else shipped_shape(f"hf://{model}")
    if shape is None:
        raise SystemExit(f"no shape of {model} is shipped")
    return shape


def _print_table(measured: dict[str, list[dict[str, Any]]], asked: argparse.Namespace) -> None:
    names = ("torch", "transformers", "peft", "trl", "accelerate")
    machine = f"{os.cpu_count()} CPUs" if asked.gpu == "cpu" else torch.cuda.get_device_name()
    print(f"{asked.model}, {asked.method}: {machine}; " + ", ".join(f"{name} {version(name)}" for name in names))
    print("| | supervised tokens/s | ours is faster by | share of the FLOPS | peak memory | validation loss |")
    print("|---|---|---|---|---|---|")
    ours = measured["ours"]
    for name, runs in measured.items():
        speed = statistics.median(run["supervised_tokens_per_second"] for run in runs)
        ratio = statistics.median(
            mine["supervised_tokens_per_second"] / run["supervised_tokens_per_second"]
            for mine, run in zip(ours, runs, strict=True)
        )
        peak = statistics.median(run["peak_bytes"] for run in runs) / 2**20
        loss = statistics.median(run["validation_loss"] for run in runs)
        share = statistics.median(run["flops_per_second"] for run in runs) / (find_gpu(asked.gpu).tflops * 1e12)
        shown = "" if asked.gpu == "cpu" else f"{share:.1%}"
        print(f"| {name} | {speed:,.0f} | {ratio:.2f} | {shown} | {peak:,.0f} MiB | {loss:.4f} |")


if __name__ == "__main__":
    main()
