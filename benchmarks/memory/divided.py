"""What each of two processes has that divide a model, counted in the trainer's own forward and backward pass.

    python benchmarks/memory/divided.py        # prints the table of predicted and counted bytes in Markdown

On a processor and with real numbers, so the model is small; what is counted are the storages of its tensors, as they
are made, freed and given back (FSDP2 keeps the storage of a gathered layer and frees what is in it). NCCL's buffers and
the slack of a card's allocator are not seen.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import weakref
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))

import torch
from random_model import model_to_train, with_adapters
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from finetune_core.api.plan import ResolvedLora
from finetune_core.contract import ModelShape
from finetune_core.planning.memory import predict
from finetune_core.planning.training_shape import TrainingShape
from finetune_trainer.group import Group
from finetune_trainer.loss import WithLoss
from finetune_trainer.model import DTYPES
from finetune_trainer.rows import MicroBatch
from finetune_trainer.sharding import shard

PROCESSES = 2
SHAPE = ModelShape(
    model_type="qwen2",
    hidden_size=256,
    intermediate_size=1024,
    num_layers=8,
    num_heads=8,
    num_kv_heads=8,
    head_dim=32,
    vocab_size=4000,
    max_position_embeddings=4096,
    tied_embeddings=False,
    qkv_bias=True,
)
FULL = TrainingShape(
    method="full",
    shards=PROCESSES,
    micro_batch_size=1,
    row_tokens=64,
    supervised_tokens=16,
    precision="bf16",
    activation_checkpointing=True,
    master_weights="fp32",
    varlen_attention=False,
)
LORA = replace(
    FULL,
    method="lora",
    master_weights=None,
    lora=ResolvedLora(rank=8, alpha=16, dropout=0.0, target_modules=["all-linear"]),
)


def cases() -> dict[str, TrainingShape]:
    """Few tokens, where what is gathered makes the peak, and many."""
    found = {}
    for base in (FULL, LORA, replace(FULL, precision="fp32")):
        for tokens, supervised in ((8, 8), (512, 128), (512, 512)):
            for recompute in (True, False):
                kept = "recomputed" if recompute else "kept"
                found[f"{base.method}, {base.precision} | {tokens} | {supervised} | {kept}"] = replace(
                    base, row_tokens=tokens, supervised_tokens=supervised, activation_checkpointing=recompute
                )
    return found


def predicted(training: TrainingShape) -> int:
    """Bytes of one process, as the plan counts them, without the runtime and the optimizer's states."""
    parts = predict(SHAPE, training)
    return parts.total() - parts.runtime - parts.optimizer


def counted(names: Iterable[str]) -> dict[str, int]:
    """Bytes of one process in the cases of these names; both processes are started and ended here."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = os.environ | {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "WORLD_SIZE": str(PROCESSES),
        "LOCAL_WORLD_SIZE": str(PROCESSES),
        "OMP_NUM_THREADS": "1",
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, *names],
            env=common | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(PROCESSES)
    ]
    answers = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise RuntimeError(f"counting ended with {[process.returncode for process in started]}")
    found: dict[str, int] = json.loads(answers[0].splitlines()[-1])
    return found


class _Live(TorchDispatchMode):
    """The storages that were seen, and the most bytes that they held together."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._storages: dict[int, weakref.ref[torch.UntypedStorage]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_iter((args, kwargs, made)):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                self._storages.setdefault(storage._cdata, weakref.ref(storage))
        self._add_up()
        return made

    def _add_up(self) -> None:
        size = 0
        for key, seen in list(self._storages.items()):
            storage = seen()
            if storage is None:
                del self._storages[key]
            else:
                size += storage.nbytes()
        self.peak = max(self.peak, size)


def _count_here(names: list[str]) -> None:
    """In one of the processes."""
    group = Group.join(torch.device("cpu"))
    found = {}
    for name in names:
        training = cases()[name]
        torch.manual_seed(1)
        model = WithLoss(with_adapters(model_to_train(SHAPE, training), SHAPE, training))
        shard(model, {}, group, torch.device("cpu"), DTYPES[training.precision])
        live, batch = _Live(), _batch(training)
        autocast = training.precision != "fp32"
        with live:
            for _ in range(2):  # the second meets gradients that are there
                live.peak = 0
                with torch.autocast("cpu", DTYPES[training.precision]) if autocast else nullcontext():
                    loss = model(batch)
                loss.backward()
                del loss
        found[name] = live.peak
    group.leave()
    print(json.dumps(found))


def _batch(training: TrainingShape) -> MicroBatch:
    """A row, supervised at its end."""
    tokens, supervised = training.row_tokens, training.supervised_tokens
    return MicroBatch(
        input_ids=torch.ones(1, tokens, dtype=torch.long),
        position_ids=torch.arange(tokens)[None],
        starts=torch.tensor([0, tokens], dtype=torch.int32),
        lengths=[tokens],
        predicting=torch.arange(tokens - supervised, tokens),
        targets=torch.ones(supervised, dtype=torch.long),
    )


def main() -> None:
    """Print the table."""
    print("| method | tokens | supervised | activations | predicted, MB | counted, MB | error |")
    print("|---|--:|--:|---|--:|--:|--:|")
    errors = []
    for name, size in counted(cases()).items():
        expected = predicted(cases()[name])
        errors.append(expected / size - 1)
        print(f"| {name} | {expected / 1e6:.1f} | {size / 1e6:.1f} | {errors[-1]:+.1%} |")
    sizes = [abs(error) for error in errors]
    print(f"\n{len(errors)} cases: median error {statistics.median(sizes):.1%}, largest {max(sizes):.1%}")


if __name__ == "__main__":
    if sys.argv[1:]:
        _count_here(sys.argv[1:])
    else:
        main()
