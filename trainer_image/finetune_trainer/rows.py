"""Prepared rows on disk, and the micro-batches that training takes from them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from finetune_trainer.template import Tokens

IGNORED = -100
"""Label of a token that the loss is not on (torch's cross_entropy default)."""

ROWS_PER_WRITE = 1024
_SCHEMA = pa.schema(
    [
        ("input_ids", pa.large_list(pa.int32())),
        ("mask", pa.large_list(pa.bool_())),
        ("length", pa.int32()),
        ("first_target", pa.int32()),
    ]
)


def first_target(mask: list[bool]) -> int:
    """Position of the first token that the loss is on, or -1. The first token of a row is never predicted."""
    return next((position for position, on in enumerate(mask) if on and position > 0), -1)


class RowWriter:
    """Writes rows to an Arrow file, a thousand at a time, so that memory stays bounded."""

    def __init__(self, path: Path) -> None:
        self._sink = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_file(self._sink, _SCHEMA)
        self._waiting: list[Tokens] = []

    def __enter__(self) -> "RowWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, row: Tokens) -> None:
        """Add one row."""
        self._waiting.append(row)
        if len(self._waiting) == ROWS_PER_WRITE:
            self._flush()

    def close(self) -> None:
        """Finish the file."""
        self._flush()
        self._writer.close()
        self._sink.close()

    def _flush(self) -> None:
        columns = {
            "input_ids": [row.input_ids for row in self._waiting],
            "mask": [row.mask for row in self._waiting],
            "length": [row.length for row in self._waiting],
            "first_target": [first_target(row.mask) for row in self._waiting],
        }
        self._writer.write_batch(pa.RecordBatch.from_pydict(columns, schema=_SCHEMA))
        self._waiting = []


def read_tokens(path: Path) -> Iterator[Tokens]:
    """The rows of an Arrow file in order, one batch in memory at a time."""
    with pa.memory_map(str(path)) as source:
        file = pa.ipc.open_file(source)
        for number in range(file.num_record_batches):
            batch = file.get_batch(number)
            for input_ids, mask in zip(batch.column("input_ids"), batch.column("mask"), strict=True):
                yield Tokens(input_ids.as_py(), mask.as_py())


@dataclass(frozen=True)
class MicroBatch:
    """Rows of one forward pass, padded on the right."""

    input_ids: Tensor  # (rows, tokens)
    labels: Tensor  # (rows, tokens): the token itself where supervised, IGNORED elsewhere
    tokens: int
    """Tokens that are not padding."""
    supervised_tokens: int

    def to(self, device: torch.device) -> "MicroBatch":
        """The same on another device."""
        return MicroBatch(self.input_ids.to(device), self.labels.to(device), self.tokens, self.supervised_tokens)


class Rows:
    """Prepared rows, memory-mapped and truncated to the cutoff.

    Rows that have no supervised token left after truncation teach nothing and are left out; ``truncated`` and
    ``left_out`` count them.
    """

    def __init__(self, path: Path, cutoff_length: int, pad_token_id: int) -> None:
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_file(source).read_all()
        self._input_ids = table.column("input_ids")
        self._masks = table.column("mask")
        self._lengths = table.column("length").to_numpy()
        self._cutoff = cutoff_length
        self._pad = pad_token_id
        first = table.column("first_target").to_numpy()
        self._kept = np.flatnonzero((first > 0) & (first < cutoff_length))
        self.truncated = int((self._lengths > cutoff_length).sum())
        self.left_out = len(first) - len(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def _tokens(self, number: int) -> Tensor:
        values = self._input_ids[int(self._kept[number])].values.slice(0, self._cutoff)
        return torch.from_numpy(values.to_numpy().astype(np.int64))

    def _mask(self, number: int) -> Tensor:
        values = self._masks[int(self._kept[number])].values.slice(0, self._cutoff)
        return torch.from_numpy(values.to_numpy(zero_copy_only=False))

    def micro_batch(self, numbers: list[int]) -> MicroBatch:
        """The rows of those numbers (0 to len - 1), padded to the longest of them."""
        tokens = [self._tokens(number) for number in numbers]
        masks = [self._mask(number) for number in numbers]
        labels = [row.masked_fill(~mask, IGNORED) for row, mask in zip(tokens, masks, strict=True)]
        pad = torch.nn.utils.rnn.pad_sequence
        return MicroBatch(
            input_ids=pad(tokens, batch_first=True, padding_value=self._pad),
            labels=pad(labels, batch_first=True, padding_value=IGNORED),
            tokens=sum(map(len, tokens)),
            supervised_tokens=int(sum(mask[1:].sum() for mask in masks)),
        )

    def by_length(self, numbers: Iterable[int], micro_batch_size: int) -> Iterator[MicroBatch]:
        """Micro-batches of those rows, longest first, so that rows of like length share their padding.

        The order changes nothing in the sum of gradients, and the longest first fails first if memory is short.
        """
        ordered = sorted(numbers, key=lambda number: (-self._lengths[self._kept[number]], number))
        for start in range(0, len(ordered), micro_batch_size):
            yield self.micro_batch(ordered[start : start + micro_batch_size])


@lru_cache(maxsize=2)
def _shuffled(rows: int, seed: int, epoch: int) -> Tensor:
    """Row numbers in the order of an epoch."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(rows, generator=generator)


@dataclass(frozen=True)
class Order:
    """Which rows an optimizer step takes: a pure function of seed and step, so that a resume needs only these."""

    rows: int
    batch_size: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in one pass; the last may be smaller."""
        return -(-self.rows // self.batch_size)

    def step(self, step: int) -> list[int]:
        """Row numbers of a step, counted from 0."""
        epoch, position = divmod(step, self.steps_per_epoch)
        order = _shuffled(self.rows, self.seed, epoch)
        return order[position * self.batch_size : (position + 1) * self.batch_size].tolist()
