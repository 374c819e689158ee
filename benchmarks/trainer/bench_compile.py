"""torch.compile beside the trainer as it is: seconds a step and of compilation, and whether a run resumes bit for bit.

    export PYTHONPATH=operator:trainer_image
    python benchmarks/trainer/bench_compile.py --method lora --variant layer-but-attention
    python benchmarks/trainer/bench_compile.py --method lora --variant layer-but-attention --steps 12 --resume

The first trains the same random model twice in one process, as it is and compiled, on the same micro-batches of the
trainer's own, in turn; what counts is the median of the ratios within a step. With ``--resume`` a run of the compiled
model stops half way and goes on in another process, which compiles at another length first; its losses are compared
with those of the run that went on, bit by bit, and the peak memory with that of the model as it is. Every process
begins without compiled code. Each takes minutes and needs a C++ compiler.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false"}

import torch
from torch._dynamo.utils import counters, get_compilation_metrics, set_compilation_metrics_limit
from transformers import AttentionInterface

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench_trainer import LEARNING_RATE, TINY
from random_model import save_random_model
from workload import Row, rows

from finetune_core.api.job import FineTuneJobSpec
from finetune_core.contract import DataStatistics, LengthPercentiles, Place, PrepareReport, TrainerConfig
from finetune_core.contract.build import prepare_config, trainer_config
from finetune_core.planning import find_gpu, plan
from finetune_trainer.attention import ROW_BY_ROW, attend
from finetune_trainer.group import Group
from finetune_trainer.loss import WithLoss
from finetune_trainer.model import load_model, trainable_parameters
from finetune_trainer.optimizer import make_optimizer
from finetune_trainer.rows import MicroBatch, Order, Rows, RowWriter
from finetune_trainer.template import Tokens

CUTOFF = 1024
WIDE = TINY.model_copy(
    update={"hidden_size": 1024, "intermediate_size": 3072, "num_layers": 4, "num_heads": 16, "num_kv_heads": 8}
)
"""54 million parameters: its time is in matrix products."""
MODELS = {"tiny": (TINY, 8), "wide": (WIDE, 4)}
"""Shape, and rows a step."""


# --- what is compiled -------------------------------------------------------------------------------------------------


Around = Callable[[], AbstractContextManager[Any]]
"""What a step of the model happens within."""


def _nothing(_: WithLoss) -> Around:
    """As it is."""
    return contextlib.nullcontext


def _layer(model: WithLoss) -> Around:
    """Every decoder layer, attention by rows included."""
    for layer in model.causal.get_decoder().layers:
        layer.compile(dynamic=True)
    return contextlib.nullcontext


def _layer_but_attention(model: WithLoss) -> Around:
    """Every decoder layer; attention stays as it is, between two graphs."""
    AttentionInterface.register(ROW_BY_ROW, torch.compiler.disable(attend))
    return _layer(model)


def _parts(model: WithLoss) -> Around:
    """The multilayer perceptrons, the norms and the rotation of positions, each for itself."""
    decoder = model.causal.get_decoder()
    for layer in decoder.layers:
        for part in (layer.input_layernorm, layer.post_attention_layernorm, layer.mlp):
            part.compile(dynamic=True)
    decoder.norm.compile(dynamic=True)
    modeling = sys.modules[type(decoder).__module__]
    compiled = torch.compile(modeling.apply_rotary_pos_emb, dynamic=True)
    return lambda: patch.object(modeling, "apply_rotary_pos_emb", compiled)


def _whole(model: WithLoss) -> Around:
    """All layers, with embeddings and last norm; head and loss stay as they are. Attention is between graphs."""
    AttentionInterface.register(ROW_BY_ROW, torch.compiler.disable(attend))
    model.causal.get_decoder().compile(dynamic=True)
    return contextlib.nullcontext


VARIANTS: dict[str, Callable[[WithLoss], Around]] = {
    "eager": _nothing,
    "layer": _layer,
    "layer-but-attention": _layer_but_attention,
    "parts": _parts,
    "whole": _whole,
}


# --- a run ------------------------------------------------------------------------------------------------------------


class Run:
    """A model, its optimizer, and what a step of the trainer does with them."""

    def __init__(self, folder: Path, config: TrainerConfig, variant: str) -> None:
        self._config = config
        torch.manual_seed(config.hyperparameters.seed)
        loaded = load_model(folder / "base", config, torch.device("cpu"))
        self.model = WithLoss(loaded).train()
        self.weights = trainable_parameters(loaded)
        self.optimizer = make_optimizer(list(self.weights.values()), config.hyperparameters)
        self._around = VARIANTS[variant](self.model)

    def step(self, batches: list[MicroBatch]) -> float:
        """One optimizer step; the mean loss before it."""
        supervised = sum(batch.supervised_tokens for batch in batches)
        total = 0.0
        with self._around():
            for batch in batches:
                loss = self.model(batch)
                (loss / supervised).backward()
                total += loss.item()
        torch.nn.utils.clip_grad_norm_(list(self.weights.values()), self._config.hyperparameters.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return total / supervised


def _pair(folder: Path, config: TrainerConfig, asked: argparse.Namespace) -> dict[str, Any]:
    """Both kinds in turn, the first of a step being the second of the next."""
    runs = [Run(folder, config, variant) for variant in ("eager", asked.variant)]
    seconds: list[list[float]] = [[], []]
    work: list[list[float]] = [[], []]  # of the processor: other programs take none of it
    losses: list[list[float]] = [[], []]
    compiles: list[int] = []
    steps = _steps(folder, config, asked)
    for number, batches in enumerate(steps):
        for kind in (0, 1) if number % 2 else (1, 0):
            torch.manual_seed(number)  # the same dropout
            began, worked = time.monotonic(), time.process_time()
            losses[kind].append(runs[kind].step(batches))
            seconds[kind].append(time.monotonic() - began)
            work[kind].append(time.process_time() - worked)
        compiles.append(len(get_compilation_metrics()))
    eager, compiled = seconds
    fresh = [now > before for before, now in zip([0, *compiles], compiles, strict=False)]
    calm = [number for number, was in enumerate(fresh) if not was and number >= 2]
    ratios = [eager[number] / compiled[number] for number in calm]
    factor = statistics.median(ratios)
    gaps = _gaps(*losses)
    reasons = [first for metric in get_compilation_metrics() if (first := _reason(metric))]
    return {
        "calm_steps": len(calm),
        "eager_seconds": statistics.median(eager[number] for number in calm),
        "compiled_seconds": statistics.median(compiled[number] for number in calm),
        "faster_by": factor,
        "faster_by_work": statistics.median(work[0][number] / work[1][number] for number in calm),
        "quartiles": statistics.quantiles(ratios, n=4)[::2],
        "compile_seconds": sum(compiled[number] - eager[number] / factor for number, was in enumerate(fresh) if was),
        "compiling_steps": [number for number, was in enumerate(fresh) if was],
        "compilations": compiles[-1],
        "recompilations": len(reasons),
        "reasons": sorted(set(reasons)),
        "graphs": counters["stats"]["unique_graphs"],
        "graph_breaks": {reason.splitlines()[0][:100]: count for reason, count in counters["graph_break"].items()},
        "tokens_a_step": statistics.mean(sum(batch.tokens for batch in batches) for batches in steps),
        "micro_batches_a_step": statistics.mean(map(len, steps)),
        "loss_gap_first": gaps[0],
        "loss_gap_most": max(gaps),
        "equal_losses": sum(gap == 0 for gap in gaps),
    }


def _reason(metric: Any) -> str | None:
    """Why code was compiled once more, or not any more."""
    failed = getattr(metric, "fail_type", None)
    reason = getattr(metric, "recompile_reason", None)
    return f"{failed}: {metric.fail_reason}"[:200] if failed else reason and reason.splitlines()[0][:200]


def _alone(folder: Path, config: TrainerConfig, asked: argparse.Namespace) -> dict[str, Any]:
    """One kind from the beginning, or from the state that such a run stored half way; losses as bits, and memory."""
    run = Run(folder, config, asked.variant)
    steps = list(_steps(folder, config, asked))
    half = len(steps) // 2
    stored = folder / "state.pt"
    losses = []
    first = peak = 0
    if asked.process == "half":
        state = torch.load(stored)
        with torch.no_grad():
            for name, weight in run.weights.items():
                weight.copy_(state["weights"][name])
        run.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng"])
        first = half
    for number in range(first, len(steps)):
        if number == half and asked.process == "beginning":
            weights = {name: weight.detach() for name, weight in run.weights.items()}
            state = {"weights": weights, "optimizer": run.optimizer.state_dict(), "rng": torch.get_rng_state()}
            torch.save(state, stored)
            peak = _peak_bytes()
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
        losses.append(run.step(steps[number]))
    return {
        "losses": losses[half - first :],
        "peak_bytes": max(peak, _peak_bytes()),
        "steps_peak_bytes": _peak_bytes(),
        "recompilations": sum(_reason(metric) is not None for metric in get_compilation_metrics()),
    }


def _peak_bytes() -> int:
    """Of this process, since the peak was last begun anew."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def _steps(folder: Path, config: TrainerConfig, asked: argparse.Namespace) -> list[list[MicroBatch]]:
    settings = config.hyperparameters
    train = Rows(folder / "train.arrow", settings.cutoff_length, settings.packing)
    order = Order(len(train), settings.effective_batch_size, settings.seed)
    alone = Group.join(torch.device("cpu"))
    return [train.micro_batches(order.step(number), settings.micro_batch_size, alone) for number in range(asked.steps)]


# --- the workload -----------------------------------------------------------------------------------------------------


def _prepare(folder: Path, asked: argparse.Namespace) -> TrainerConfig:
    """Model and rows in a folder, and the configuration of a job that trains on them."""
    shape, batch = MODELS[asked.model]
    # Also for qlora: bitsandbytes quantizes what it loads.
    save_random_model(shape, folder / "base", torch.float32, torch.device("cpu"))
    data = list(rows(batch * asked.steps, shape.vocab_size, seed=2))
    with RowWriter(folder / "train.arrow") as writer:
        for row in data:
            writer.write(Tokens(row.tokens, [place >= row.answer for place in range(len(row.tokens))]))
    spec = FineTuneJobSpec.model_validate(
        {
            "model": {"uri": f"file://{folder / 'base'}"},
            "dataset": {"uri": f"file://{folder / 'train.jsonl'}"},
            "gpu": {"type": "cpu"},
            "output": {"uri": f"file://{folder / 'output'}"},
            "method": asked.method,
            "hyperparameters": {
                "effectiveBatchSize": batch,
                "microBatchSize": asked.micro_batch,
                "packing": True,
                "learningRate": LEARNING_RATE / 10,
                "cutoffLength": CUTOFF,
                "precision": "fp32",
                "activationCheckpointing": asked.checkpointing,
            }
            | ({} if asked.method == "full" else {"lora": {"dropout": asked.dropout}}),
        }
    )
    report = PrepareReport(
        fingerprint="0" * 64,
        model_shape=shape,
        statistics=_statistics(data),
        rows=len(data),
        used_rows=len(data),
        rejected_rows=0,
        findings=[],
    )
    planned = plan(spec, shape, report.statistics, replace(find_gpu("cpu"), memory_bytes=16 * 2**30))
    prepared = prepare_config("compiled", "compiled", spec, lambda location, role: Place(uri=location.uri))
    return trainer_config(prepared, spec, report, planned, "cpu")


def _statistics(data: list[Row]) -> DataStatistics:
    lengths = sorted(len(row.tokens) for row in data)
    p50, p95, p99 = (lengths[len(lengths) * percent // 100] for percent in (50, 95, 99))
    return DataStatistics(
        rows=len(data),
        tokens=sum(lengths),
        supervised_tokens=sum(row.supervised for row in data),
        lengths=LengthPercentiles(p50=p50, p95=p95, p99=p99, max=lengths[-1]),
        supervised_max=max(row.supervised for row in data),
    )


# --- all of it --------------------------------------------------------------------------------------------------------


def main() -> None:
    """Measure one variant and print it as one line of JSON."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--model", choices=MODELS, default="tiny")
    arguments.add_argument("--method", choices=["full", "lora", "qlora"], default="full")
    arguments.add_argument("--variant", choices=VARIANTS, default="layer-but-attention")
    arguments.add_argument("--checkpointing", action="store_true", help="recompute activations")
    arguments.add_argument("--dropout", type=float, default=0.05, help="of the adapters")
    arguments.add_argument("--micro-batch", type=int, default=1, help="longest rows that there is room for")
    arguments.add_argument("--steps", type=int, default=40)
    arguments.add_argument("--resume", action="store_true", help="measure resuming and memory, not speed")
    arguments.add_argument("--process", choices=["pair", "beginning", "half"], help=argparse.SUPPRESS)
    arguments.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    if asked.process:
        set_compilation_metrics_limit(10_000)
        config = TrainerConfig.model_validate_json((asked.folder / "config.json").read_bytes())
        with contextlib.redirect_stdout(sys.stderr):
            answer = (_pair if asked.process == "pair" else _alone)(asked.folder, config, asked)
        print(json.dumps(answer))
        return
    told = {name: getattr(asked, name) for name in ("model", "method", "variant", "checkpointing", "dropout")}
    with tempfile.TemporaryDirectory(prefix="bench-compile-") as scratch:
        folder = Path(scratch)
        (folder / "config.json").write_text(_prepare(folder, asked).model_dump_json(), encoding="utf-8")
        told |= _resume_and_memory(folder) if asked.resume else _child(folder, "--process=pair")
    print(json.dumps(told))


def _resume_and_memory(folder: Path) -> dict[str, Any]:
    """Of a run that went on in another process, and beside it of one that was repeated from the beginning."""
    eager = _child(folder, "--process=beginning", "--variant=eager")
    compiled = _child(folder, "--process=beginning")
    resumed = _child(folder, "--process=half")
    repeated = _child(folder, "--process=beginning")
    kinds = {"eager": eager, "compiled": compiled}
    return {
        "peak_mib": {name: run["peak_bytes"] >> 20 for name, run in kinds.items()},
        "steps_peak_mib": {name: run["steps_peak_bytes"] >> 20 for name, run in kinds.items()},
        "resumed_gaps": _gaps(compiled["losses"], resumed["losses"]),
        "repeated_gaps": _gaps(compiled["losses"], repeated["losses"]),
        "recompilations": [run["recompilations"] for run in (compiled, resumed)],
    }


def _gaps(some: list[float], others: list[float]) -> list[float]:
    """How far apart, as a share; 0 where every bit is the same."""
    return [abs(one - other) / one for one, other in zip(some, others, strict=True)]


def _child(folder: Path, *more: str) -> dict[str, Any]:
    """A process of this program with the same arguments and an empty cache of compiled code."""
    with tempfile.TemporaryDirectory(prefix="bench-compile-cache-") as cache:
        ended = subprocess.run(
            [sys.executable, __file__, *sys.argv[1:], f"--folder={folder}", *more],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"TORCHINDUCTOR_CACHE_DIR": cache},
        )
    if ended.returncode:
        raise SystemExit(f"{' '.join(more)} ended with {ended.returncode}")
    answer: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return answer


if __name__ == "__main__":
    main()
