"""Watches the trainer's own ``train()`` for a few steps, and notes what each part and each phase of a step takes.

Nothing of the trainer is copied. Three names in its module are wrapped (the loading of the model, the making of the
optimizer, the model with its loss), and torch's hooks tell when a step passes from one phase to the next:

    layers    forward through the layers, up to the head
    head      head, loss, and the backward pass of both
    backward  backward through the layers, and the clipping of the gradient
    update    the optimizer's step
"""

import contextlib
import io
import signal
import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from accelerate.state import AcceleratorState
from memory_reader import MemoryReader
from torch import Tensor, nn

from finetune_core.contract import TrainerConfig
from finetune_trainer import training
from finetune_trainer.model import trainable_parameters
from finetune_trainer.train import train


@dataclass
class Measured:
    """Bytes and seconds of one case."""

    weights: int = 0
    adapters: int = 0
    gradients: int = 0
    optimizer: int = 0
    activations: int = 0
    """Kept by the forward pass when it reaches the head; with fp32 masters, autocast's copies of the weights too."""
    head: int = 0
    """Most that head, loss and their backward pass take on top of that."""
    other: int = 0
    """Allocated between backward pass and update, and none of the parts above: cuBLAS's workspace, the batch."""
    outside: int = 0
    peaks: dict[str, int] = field(default_factory=dict)
    """Most allocated, by phase."""
    peak_reserved: int = 0
    load_seconds: float = 0.0
    step_seconds: list[float] = field(default_factory=list)

    @property
    def peak_allocated(self) -> int:
        """Most that tensors took at any time of any step."""
        return max(self.peaks.values())

    @property
    def on_card(self) -> int:
        """What the run took of the card at its peak."""
        return self.peak_reserved + self.outside

    @property
    def seconds(self) -> float:
        """Of a step, once warm."""
        return statistics.median(self.step_seconds)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class _Enough(BaseException):
    """As many steps as were wanted are done."""


def measure(config: TrainerConfig, scratch: Path, memory: MemoryReader, steps: int) -> Measured:
    """Train for so many steps and say what it took; the first step warms up and is not timed.

    Raises:
        torch.OutOfMemoryError: the card is too small.
    """
    memory.free()
    memory.reset_peak()
    probe = _Probe(memory, steps)
    AcceleratorState._reset_state()  # the case before may have computed in another precision
    try:
        with probe.installed(), contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(_Enough):
            train(config, scratch)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # train() had its own
    return probe.measured


class _Probe:
    """The wrappers and hooks, and what they have seen."""

    def __init__(self, memory: MemoryReader, steps: int) -> None:
        self.measured = Measured()
        self._memory = memory
        self._steps = steps
        self._at_start = memory.allocated()
        self._before_forward = 0
        self._at_head = 0
        self._parameters: list[nn.Parameter] = []
        self._step_ends: list[float] = []

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """The trainer calls the wrappers as long as this lasts."""
        originals = {name: getattr(training, name) for name in ("load_model", "make_optimizer", "WithLoss")}

        def load_model(*arguments: Any) -> nn.Module:
            started = time.perf_counter()
            model: nn.Module = originals["load_model"](*arguments)
            self._memory.synchronize()
            self.measured.load_seconds = time.perf_counter() - started
            self._loaded(model)
            return model

        def make_optimizer(*arguments: Any) -> torch.optim.Optimizer:
            optimizer: torch.optim.Optimizer = originals["make_optimizer"](*arguments)
            optimizer.register_step_pre_hook(self._before_update)
            optimizer.register_step_post_hook(self._after_update)
            return optimizer

        def with_loss(*arguments: Any) -> nn.Module:
            model: nn.Module = originals["WithLoss"](*arguments)
            model.register_forward_pre_hook(self._before_micro_batch)
            return model

        with mock.patch.multiple(training, load_model=load_model, make_optimizer=make_optimizer, WithLoss=with_loss):
            yield

    def _before_micro_batch(self, *_: Any) -> None:
        self._close("backward")  # of the micro-batch before
        self._before_forward = self._memory.allocated()

    def _close(self, phase: str) -> None:
        """Note the peak of a phase, and begin the next."""
        measured = self.measured
        measured.peaks[phase] = max(measured.peaks.get(phase, 0), self._memory.peak_allocated())
        measured.peak_reserved = max(measured.peak_reserved, self._memory.peak_reserved())
        self._memory.reset_peak()

    def _loaded(self, model: nn.Module) -> None:
        trainable = trainable_parameters(model)
        self._parameters = list(trainable.values())
        adapted = any("lora_" in name for name in trainable)
        self.measured.adapters = _bytes_of(self._parameters) if adapted else 0
        self.measured.weights = self._memory.allocated() - self._at_start - self.measured.adapters
        self._close("load")
        last: nn.Module = model.get_decoder().norm  # type: ignore[operator]
        last.register_forward_hook(self._reaching_head)

    def _reaching_head(self, last: nn.Module, inputs: tuple[Tensor, ...], states: Tensor) -> None:
        if not states.requires_grad:
            return
        self._close("layers")
        self._at_head = self._memory.allocated()
        self.measured.activations = max(self.measured.activations, self._at_head - self._before_forward)
        states.register_hook(self._leaving_head)

    def _leaving_head(self, gradient: Tensor) -> None:
        self.measured.head = max(self.measured.head, self._memory.peak_allocated() - self._at_head)
        self._close("head")

    def _before_update(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        self._close("backward")
        if not self._step_ends:
            gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
            self.measured.gradients = _bytes_of(gradients)
            known = self.measured.weights + self.measured.adapters + self.measured.gradients
            self.measured.other = self._memory.allocated() - self._at_start - known

    def _after_update(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        self._memory.synchronize()
        self._close("update")
        self._step_ends.append(time.perf_counter())
        if len(self._step_ends) == 1:
            tensors = [value for state in optimizer.state.values() for value in state.values()]
            self.measured.optimizer = _bytes_of([value for value in tensors if isinstance(value, Tensor)])
            return
        self.measured.step_seconds.append(self._step_ends[-1] - self._step_ends[-2])
        if len(self._step_ends) == self._steps:
            self.measured.outside = self._memory.outside()
            raise _Enough


def _bytes_of(tensors: list[Tensor] | list[nn.Parameter]) -> int:
    return sum(tensor.nbytes for tensor in tensors)
