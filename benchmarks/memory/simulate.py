"""What a step of the trainer takes, counted tensor by tensor on a processor, for models of any size.

    python benchmarks/memory/simulate.py        # prints the table of predicted and counted bytes in Markdown

The trainer's own model, adapters, loss and attention run forward and backward on tensors that have a shape and no
content (torch's FakeTensorMode), and every storage is counted from its making to its end. That is what torch's
allocator would be asked for on a card; it takes a few seconds a case and no memory. Three things are as on a card and
not as on a processor: dropout's mask is one byte an element, attention is one kernel, and a linear of 4-bit weights
makes 16-bit ones of them first (what bitsandbytes 0.50 does with more than 1,536 tokens).

Not counted: what kernels take within themselves, the allocator's slack, and the CUDA context. ``bench_memory.py``
measures those on a card.
"""

import statistics
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.append(str(Path(__file__).resolve().parents[1]))

import bitsandbytes as bnb
import torch
from bitsandbytes.functional import QuantState
from cases import experts, grid
from random_model import model_to_train, with_adapters
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from transformers import PreTrainedModel

from finetune_core.api.plan import ResolvedLora, ResolvedQuantization
from finetune_core.contract import ModelShape
from finetune_core.planning.memory import predict
from finetune_core.planning.training_shape import TrainingShape
from finetune_trainer import attention
from finetune_trainer.loss import WithLoss
from finetune_trainer.model import DTYPES
from finetune_trainer.rows import MicroBatch

LORA = ResolvedLora(rank=8, alpha=16, dropout=0.05, target_modules=["all-linear"])
NF4 = ResolvedQuantization(type="nf4", double_quantization=True)


def count(shape: ModelShape, training: TrainingShape) -> int:
    """Most bytes that there are in a forward and backward pass, weights and gradients among them; no optimizer's."""
    live = _Live()
    model = _without_content(shape, training)
    compute = DTYPES[training.precision]
    autocast = training.precision != "fp32" and training.master_weights != "none"
    with FakeTensorMode(allow_non_fake_inputs=True), _as_on_a_card(), live:
        _fill(model)
        with_loss = WithLoss(model)
        batch = _batch(training)
        for _ in range(2):  # the second meets gradients that are there
            live.peak = live.bytes
            with torch.autocast("cpu", compute) if autocast else nullcontext():
                loss = with_loss(batch)
            loss.backward()
            del loss
    return live.peak


class _Live(TorchDispatchMode):
    """Bytes of the storages that exist, and the most there were."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_iter(made):
            if isinstance(tensor, Tensor):
                self._see(tensor.untyped_storage())
        return made

    def _see(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self.bytes += size
        self.peak = max(self.peak, self.bytes)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.bytes -= size


def _without_content(shape: ModelShape, training: TrainingShape) -> nn.Module:
    """The model as ``finetune_trainer.model`` makes it, on no device."""
    with torch.device("meta"):
        model = model_to_train(shape, training)
    if training.quantization is not None:
        _make_linears_4_bit(model, training)
    return with_adapters(model, shape, training)


def _make_linears_4_bit(model: PreTrainedModel, training: TrainingShape) -> None:
    """What transformers does when it loads them; embeddings, norms and head stay as they are."""
    for layer in model.get_decoder().layers:
        for module in list(layer.modules()):
            for name, linear in list(module.named_children()):
                if isinstance(linear, nn.Linear):
                    bias = linear.bias is not None
                    compute = DTYPES[training.precision]
                    made = bnb.nn.Linear4bit(linear.in_features, linear.out_features, bias, compute, device="meta")
                    setattr(module, name, made.to(compute))
    model.is_loaded_in_4bit = True


def _packed(linear: bnb.nn.Linear4bit) -> nn.Parameter:
    """Its weight as NF4 with double quantisation: two in a byte, a byte for 64, and four for 256 of these."""
    size = linear.in_features * linear.out_features

    def state(count: int, kind: torch.dtype, block: int, **more: Any) -> QuantState:
        return QuantState(torch.empty(-(-count // block), dtype=kind), blocksize=block, dtype=torch.float32, **more)

    scales = state(-(-size // 64), torch.float32, 256, code=torch.empty(256))
    weight = state(size, torch.uint8, 64, code=torch.empty(16), quant_type="nf4", offset=torch.empty(()), state2=scales)
    weight.dtype, weight.shape = linear.compute_dtype, torch.Size((linear.out_features, linear.in_features))
    packed = nn.Parameter(torch.empty(-(-size // 2), 1, dtype=torch.uint8), requires_grad=False)
    packed.quant_state = weight  # type: ignore[attr-defined]
    return packed


def _fill(model: nn.Module) -> None:
    """Tensors without content in place of those without a device."""
    made: dict[nn.Parameter, nn.Parameter] = {}
    for module in model.modules():
        if isinstance(module, bnb.nn.Linear4bit):
            module.weight = _packed(module)
            made[module.weight] = module.weight
        for name, parameter in module.named_parameters(recurse=False):
            if parameter not in made:
                tensor = torch.empty(parameter.shape, dtype=parameter.dtype)
                made[parameter] = nn.Parameter(tensor, requires_grad=parameter.requires_grad)
            setattr(module, name, made[parameter])
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, torch.empty(buffer.shape, dtype=buffer.dtype))


def _batch(training: TrainingShape) -> MicroBatch:
    rows, length = training.micro_batch_size, training.row_tokens
    supervised = rows * training.supervised_tokens
    return MicroBatch(
        input_ids=torch.zeros(1, rows * length, dtype=torch.long),
        position_ids=torch.zeros(1, rows * length, dtype=torch.long),
        starts=torch.zeros(rows + 1, dtype=torch.int32),
        lengths=[length] * rows,
        predicting=torch.zeros(supervised, dtype=torch.long),
        targets=torch.zeros(supervised, dtype=torch.long),
    )


@contextmanager
def _as_on_a_card() -> Iterator[None]:
    """Dropout and attention as they are there."""

    def dropout(states: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        return torch.native_dropout(states, p, training)[0] if training and p else states

    def linear(
        states: Tensor,
        packed: Tensor,
        shape: torch.Size,
        scales: Tensor,
        block: int,
        kind: str,
        *,
        bias: Tensor | None,
        absmax_8bit: Tensor,
        absmax_code: Tensor,
        absmax_offset: Tensor,
    ) -> Tensor:
        of_scales = torch.empty_like(absmax_8bit, dtype=torch.float32) + absmax_offset
        dequantise = torch.ops.bitsandbytes.dequantize_4bit.default
        return nn.functional.linear(states, dequantise(packed, of_scales, block, kind, shape, states.dtype), bias)

    kernel: Callable[[Tensor], bool] = lambda query: query.dtype != torch.float32  # noqa: E731
    with (
        mock.patch("torch.nn.functional.dropout", dropout),
        mock.patch.object(attention, "_has_flash_kernel", kernel),
        mock.patch.object(torch.ops.bitsandbytes.gemm_4bit, "default", linear),
    ):
        yield


def main() -> None:
    """Print the table."""
    print("| model | method | rows x tokens | supervised | activations | predicted | counted | error |")
    print("|---|---|---|--:|---|--:|--:|--:|")
    errors = []
    for case in [*grid(), *experts()]:
        training = TrainingShape(
            method=case.method,
            micro_batch_size=case.micro_batch_size,
            row_tokens=case.row_tokens,
            supervised_tokens=case.supervised_tokens,
            precision="bf16",
            activation_checkpointing=case.activation_checkpointing,
            master_weights=case.master_weights,
            lora=None if case.method == "full" else LORA,
            quantization=NF4 if case.method == "qlora" else None,
        )
        parts = predict(case.shape, training)
        counted = count(case.shape, training) + parts.optimizer
        predicted = parts.total() - parts.runtime
        errors.append(predicted / counted - 1)
        print(
            f"| {case.model.rpartition('/')[2].removesuffix('-Instruct')} | {case.label} "
            f"| {case.micro_batch_size} x {case.row_tokens} | {case.supervised_tokens} "
            f"| {'recomputed' if case.activation_checkpointing else 'kept'} | {predicted / 2**30:.2f} "
            f"| {counted / 2**30:.2f} | {errors[-1]:+.1%} |",
            flush=True,
        )
    sizes = [abs(error) for error in errors]
    print(f"\n{len(errors)} cases: median error {statistics.median(sizes):.1%}, largest {max(sizes):.1%}")


if __name__ == "__main__":
    main()
