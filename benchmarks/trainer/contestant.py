"""One training run, in a process of its own: ``python contestant.py NAME WORKLOAD.json`` prints one line of JSON.

The clock runs over the optimizer steps alone: not over imports, loading and storing. The final validation loss is
measured by plain transformers and peft on what was stored, in the same way for all.
"""

import contextlib
import json
import os
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false"}

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook
from workload import Row, read_rows

from finetune_core.contract import DataStatistics, LengthPercentiles, ModelShape
from finetune_core.planning import flops_per_token

WARMUP_STEPS = 2
"""Not timed: caches fill and memory is first touched."""


def main() -> None:
    """Train as ``NAME`` does, and say how it went."""
    name, path = sys.argv[1:]
    workload = json.loads(Path(path).read_text(encoding="utf-8"))
    folder = Path(path).parent
    train, held_out = (read_rows(folder / f"{part}.jsonl") for part in ("train", "validation"))
    with contextlib.redirect_stdout(sys.stderr):
        clock = _ours(workload, folder, train) if name == "ours" else _trl(name, workload, folder, train)
        loss = _validation_loss(folder / name, workload, held_out)
    speed = clock["supervised_tokens"] / clock["seconds"]
    supervised = sum(row.supervised for row in train)
    mean = sum(len(row.tokens) for row in train) / len(train)
    flops = flops_per_token(ModelShape.model_validate(workload["shape"]), workload["method"], mean)
    print(
        json.dumps(
            {
                "supervised_tokens_per_second": speed,
                "flops_per_second": flops * sum(len(row.tokens) for row in train) / supervised * speed,
                "peak_bytes": clock["peak_bytes"],
                "validation_loss": loss,
            }
        )
    )


def _peak_bytes() -> int:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_reserved()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _step_ends() -> list[float]:
    """Grows by the time of each optimizer step's end."""
    ends: list[float] = []

    def note(*_: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        ends.append(time.monotonic())

    register_optimizer_step_post_hook(note)
    return ends


# --- ours -------------------------------------------------------------------------------------------------------------


def _ours(workload: dict[str, Any], folder: Path, rows: list[Row]) -> dict[str, Any]:
    """Everything that the job leaves open is the plan's, as for any user."""
    from finetune_core.api.job import FineTuneJobSpec
    from finetune_core.contract import Place, PrepareReport
    from finetune_core.contract.build import prepare_config, trainer_config
    from finetune_core.planning import find_gpu, plan
    from finetune_trainer import result
    from finetune_trainer.prepare import SAMPLE_PROMPTS, TRAIN_ROWS, VALIDATION_ROWS
    from finetune_trainer.rows import Order, RowWriter
    from finetune_trainer.template import Tokens
    from finetune_trainer.train import train

    settings = {"lora": {"dropout": 0.0}} if workload["method"] != "full" else {}
    spec = FineTuneJobSpec.model_validate(
        {
            "model": {"uri": f"file://{folder / 'base'}"},
            "dataset": {"uri": f"file://{folder / 'train.jsonl'}"},
            "gpu": {"type": workload["gpu"]},
            "output": {"uri": f"file://{folder / 'output'}"},
            "method": workload["method"],
            "hyperparameters": settings
            | {
                "effectiveBatchSize": workload["batch"],
                "epochs": 1,
                "learningRate": workload["learning_rate"],
                "lrScheduler": "constant",
                "warmupRatio": 0.0,
                "loggingSteps": 10,
                "cutoffLength": workload["cutoff"],
            },
            "evaluation": {"samples": {"count": 0}, "earlyStoppingPatience": 0},
            "checkpoints": {"everySteps": 1_000_000},
        }
    )
    shape = ModelShape.model_validate(workload["shape"])
    report = PrepareReport(
        fingerprint="0" * 64,
        model_shape=shape,
        statistics=_statistics(rows),
        rows=len(rows),
        used_rows=len(rows),
        rejected_rows=0,
        findings=[],
    )
    gpu = find_gpu(workload["gpu"])
    planned = plan(spec, shape, report.statistics, replace(gpu, memory_bytes=gpu.memory_bytes or 16 * 2**30))
    prepared = prepare_config("ours", "ours", spec, lambda location, role: Place(uri=location.uri))
    config = trainer_config(prepared, spec, report, planned, "cpu" if workload["gpu"] == "cpu" else "cuda")
    at = Path(config.prepared.uri.removeprefix("file://"))
    at.mkdir(parents=True)
    with RowWriter(at / TRAIN_ROWS) as writer:
        for row in rows:
            writer.write(Tokens(row.tokens, [place >= row.answer for place in range(len(row.tokens))]))
    RowWriter(at / VALIDATION_ROWS).close()
    (at / SAMPLE_PROMPTS).write_text("[]", encoding="utf-8")

    def export(model: Any, weights: Any, encoder: Any, config: Any, report: Any, *_: Any, **__: Any) -> Any:
        model.save_pretrained(folder / "ours")
        return report

    result.export = export  # nothing but the weights is asked for
    ends = _step_ends()
    train(config, folder / "scratch")
    order = Order(len(rows), workload["batch"], config.hyperparameters.seed)
    timed = [number for step in range(WARMUP_STEPS, len(ends)) for number in order.step(step)]
    return {
        "seconds": ends[-1] - ends[WARMUP_STEPS - 1],
        "supervised_tokens": sum(rows[number].supervised for number in timed),
        "peak_bytes": _peak_bytes(),
    }


def _statistics(rows: list[Row]) -> DataStatistics:
    lengths = sorted(len(row.tokens) for row in rows)
    p50, p95, p99 = (lengths[len(lengths) * percent // 100] for percent in (50, 95, 99))
    return DataStatistics(
        rows=len(rows),
        tokens=sum(lengths),
        supervised_tokens=sum(row.supervised for row in rows),
        lengths=LengthPercentiles(p50=p50, p95=p95, p99=p99, max=lengths[-1]),
        supervised_max=max(row.supervised for row in rows),
    )


# --- TRL --------------------------------------------------------------------------------------------------------------

TRL_BEST: dict[str, dict[str, Any]] = {
    "trl-defaults": {},
    "trl-grouped": {"train_sampling_strategy": "group_by_length", "gradient_checkpointing": False},
    "trl-packed": {"packing": True, "gradient_checkpointing": False},
}
"""What differs from its defaults. On a processor all compute in fp32: bf16, its default, is many times slower there."""


def _trl(name: str, workload: dict[str, Any], folder: Path, rows: list[Row]) -> dict[str, Any]:
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    on_cpu = workload["gpu"] == "cpu"
    settings = TRL_BEST[name]
    if on_cpu:
        settings = settings | {"bf16": False}
    if settings and not on_cpu:
        settings = settings | {"use_liger_kernel": True, "model_init_kwargs": {"attn_implementation": "sdpa"}}
    size, accumulation = 8, workload["batch"] // 8
    if settings.get("packing"):
        # Sequences are of the cutoff's length: as many as hold the rows of a batch on average.
        mean = sum(len(row.tokens) for row in rows) / len(rows)
        size, accumulation = 1, max(1, round(workload["batch"] * mean / workload["cutoff"]))
    dataset = Dataset.from_list(
        [{"input_ids": row.tokens, "labels": [-100] * row.answer + row.tokens[row.answer :]} for row in rows]
    )
    arguments = SFTConfig(
        output_dir=str(folder / "trl-scratch"),
        num_train_epochs=1,
        per_device_train_batch_size=size,
        gradient_accumulation_steps=accumulation,
        learning_rate=workload["learning_rate"],
        lr_scheduler_type="constant",
        warmup_steps=0,
        max_length=workload["cutoff"],
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=on_cpu,
        seed=1,
        **settings,
    )
    model: Any = str(folder / "base")
    if on_cpu:
        model = AutoModelForCausalLM.from_pretrained(folder / "base", dtype=torch.float32)
        settings.pop("model_init_kwargs", None)
    trainer = SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=dataset,
        processing_class=AutoTokenizer.from_pretrained(folder / "base"),
        peft_config=LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
        if workload["method"] == "lora"
        else None,
    )
    ends = _step_ends()
    counted: list[tuple[int, int]] = []  # steps done before a micro-batch, and its supervised tokens
    losses = trainer.compute_loss

    def compute_loss(model: Any, inputs: dict[str, Any], *rest: Any, **named: Any) -> Any:
        counted.append((len(ends), int((inputs["labels"][:, 1:] != -100).sum())))
        return losses(model, inputs, *rest, **named)

    trainer.compute_loss = compute_loss
    trainer.train()
    trainer.save_model(str(folder / name))
    return {
        "seconds": ends[-1] - ends[WARMUP_STEPS - 1],
        "supervised_tokens": sum(tokens for step, tokens in counted if step >= WARMUP_STEPS),
        "peak_bytes": _peak_bytes(),
    }


# --- the result -------------------------------------------------------------------------------------------------------


@torch.no_grad()
def _validation_loss(tuned: Path, workload: dict[str, Any], rows: list[Row]) -> float:
    """Mean cross-entropy of the answers, row by row."""
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoModelForCausalLM

    kind = AutoModelForCausalLM if workload["method"] == "full" else AutoPeftModelForCausalLM
    model = kind.from_pretrained(tuned, dtype=torch.float32).eval()
    total = 0.0
    for row in rows:
        logits = model(input_ids=torch.tensor([row.tokens])).logits[0]
        answer = torch.tensor(row.tokens[row.answer :])
        total += float(torch.nn.functional.cross_entropy(logits[row.answer - 1 : -1], answer, reduction="sum"))
    return total / sum(row.supervised for row in rows)


if __name__ == "__main__":
    main()
