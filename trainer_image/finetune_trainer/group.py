"""The processes that train one model together, one for each card; usually it is one alone."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

Value = TypeVar("Value")

WAITING = timedelta(minutes=30)
"""For a process that has to come: pods of one job are not started at one moment."""
STORING = timedelta(hours=24)
"""For the one that stores the result, which may be hundreds of gigabytes; one that dies is noticed at once."""


@dataclass(frozen=True)
class Group:
    """Which of the processes this is. Every method but the properties is called by all of them, in the same order."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    """Which of the processes of this node."""
    per_node: int = 1
    _control: Any = None
    """Of a backend that passes what processors hold: with it no card is waited for."""

    @classmethod
    def join(cls, device: torch.device) -> "Group":
        """Meet the others that the environment names (``finetune_trainer.processes``); alone where it names none."""
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            return cls()
        local_rank = int(os.environ["LOCAL_RANK"])
        if device.type == "cuda":
            torch.cuda.set_device(local_rank)
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=WAITING)
        control = dist.new_group(backend="gloo", timeout=STORING)
        return cls(dist.get_rank(), size, local_rank, int(os.environ["LOCAL_WORLD_SIZE"]), control)

    def leave(self) -> None:
        """At the end."""
        if self.size > 1:
            dist.destroy_process_group()

    @property
    def leads(self) -> bool:
        """Whether it is this one that says, stores and answers for all."""
        return self.rank == 0

    def on_each_node(self, work: Callable[[], Value]) -> Value:
        """What one process of the node did for all of it, such as fetching files."""
        done = self.gather(work() if self.local_rank == 0 else None)
        value: Value = done[self.rank - self.local_rank]
        return value

    def on_leader(self, work: Callable[[], Value]) -> Value:
        """What the leader did for all."""
        value: Value = self.gather(work() if self.leads else None)[0]
        return value

    def gather(self, value: Any) -> list[Any]:
        """The values of all, by rank."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value, group=self._control)
        return values

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """What is true for any of them is true for all."""
        if self.size == 1:
            return flags
        told = torch.tensor(flags, dtype=torch.int32)
        dist.all_reduce(told, dist.ReduceOp.MAX, group=self._control)
        return tuple(map(bool, told.tolist()))

    def total(self, count: int) -> int:
        """The sum of their counts."""
        if self.size == 1:
            return count
        told = torch.tensor(count)
        dist.all_reduce(told, group=self._control)
        return int(told)

    def sum(self, value: Tensor) -> Tensor:
        """The sum over all, in place."""
        if self.size > 1:
            dist.all_reduce(value)
        return value

    def sum_gradients(self, weights: Iterable[nn.Parameter]) -> None:
        """Each process has the gradients of its own rows; afterwards all have those of the whole step."""
        if self.size == 1:
            return
        under_way = []
        for weight in weights:
            if weight.grad is None:  # it had no rows
                weight.grad = torch.zeros_like(weight)
            under_way.append(dist.all_reduce(weight.grad, async_op=True))
        for work in under_way:
            work.wait()

    def share(self, lengths: Sequence[int]) -> list[list[int]]:
        """Numbers of the rows that each process takes: longest first, each to the one with the least tokens so far."""
        shares: list[list[int]] = [[] for _ in range(self.size)]
        tokens = [0] * self.size
        for number in sorted(range(len(lengths)), key=lambda number: (-lengths[number], number)):
            least = min(range(self.size), key=lambda rank: (tokens[rank], rank))
            shares[least].append(number)
            tokens[least] += lengths[number]
        return shares
