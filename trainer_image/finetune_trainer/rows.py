"""Prepared rows on disk, and the micro-batches that training takes from them."""

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from finetune_core.data import TokenCount
from finetune_trainer.packing import pack
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


def last_whole_answer(mask: "np.ndarray[Any, np.dtype[np.bool_]]", cutoff_length: int) -> int:
    """Where the last answer ends that lies within the cutoff as a whole, of a row that is longer; 0 where none does.

    An answer is a run of supervised tokens, its end-of-turn the last of them.
    """
    ends = np.flatnonzero(mask[:cutoff_length] & ~mask[1 : cutoff_length + 1]) + 1
    return int(ends[-1]) if len(ends) and ends[-1] > 1 else 0  # the first token alone is never predicted


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


def read_tokens(path: Path, places: Iterable[int] | None = None) -> Iterator[Tokens]:
    """The rows at these places of an Arrow file, or all of them in order."""
    with pa.memory_map(str(path)) as source:
        rows = pa.ipc.open_file(source).read_all()
        for place in range(rows.num_rows) if places is None else places:
            yield Tokens(rows.column("input_ids")[place].as_py(), rows.column("mask")[place].as_py())


def read_counts(path: Path) -> Iterator[TokenCount]:
    """The rows of an Arrow file in order, one batch in memory at a time."""
    for batch in _batches(path):
        masks = batch.column("mask")
        on = masks.flatten().to_numpy(zero_copy_only=False)
        starts = masks.offsets.to_numpy()[:-1] - masks.offsets[0].as_py()
        # No row is empty: its chat template writes something, or its text ends with a token.
        supervised = np.add.reduceat(on, starts, dtype=np.int64) - on[starts]
        yield from map(TokenCount, batch.column("length").to_pylist(), supervised.tolist())


def split_file(path: Path, chosen: Set[int], into: Path, others_into: Path) -> None:
    """Write the rows at the chosen places to one file and the others to another, both in order."""
    before = 0
    with (
        pa.ipc.new_file(str(into), _SCHEMA) as chosen_rows,
        pa.ipc.new_file(str(others_into), _SCHEMA) as others,
    ):
        for batch in _batches(path):
            wanted = pa.array([place in chosen for place in range(before, before + batch.num_rows)], pa.bool_())
            chosen_rows.write_batch(batch.filter(wanted))
            others.write_batch(batch.filter(pc.invert(wanted)))
            before += batch.num_rows


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    with pa.memory_map(str(path)) as source:
        file = pa.ipc.open_file(source)
        for number in range(file.num_record_batches):
            yield file.get_batch(number)


@dataclass(frozen=True)
class MicroBatch:
    """Sequences of one forward pass, padded on the right. A sequence is one row, or some packed one after another."""

    input_ids: Tensor  # (sequences, tokens)
    labels: Tensor  # (sequences, tokens): the token itself where supervised, IGNORED elsewhere
    tokens: int
    """Tokens that are not padding."""
    supervised_tokens: int
    position_ids: Tensor | None = None  # (sequences, tokens): from 0 in each row; None where no rows are packed

    def to(self, device: torch.device) -> "MicroBatch":
        """The same on another device."""
        return replace(
            self,
            input_ids=self.input_ids.to(device),
            labels=self.labels.to(device),
            position_ids=None if self.position_ids is None else self.position_ids.to(device),
        )


class Rows:
    """Prepared rows, memory-mapped and truncated to the cutoff.

    A row that is too long ends with the last answer that fits as a whole, and with it its end-of-turn; only where not
    even the first fits is that cut at the cutoff. Rows that have no supervised token within the cutoff teach nothing
    and are left out.
    """

    truncated: int
    """Rows longer than the cutoff."""
    ended_early: int
    """Of them, those that lost whole answers."""
    unfinished: int
    """Of them, those that were cut within an answer: the only one left, or the text trained on as a whole."""
    left_out: int
    """Rows without a supervised token within the cutoff, however long."""

    def __init__(self, path: Path, cutoff_length: int, pad_token_id: int, packing: bool = False) -> None:
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_file(source).read_all()
        self._input_ids = table.column("input_ids")
        self._masks = table.column("mask")
        self._lengths = table.column("length").to_numpy().copy()
        self._cutoff = cutoff_length
        self._pad = pad_token_id
        self._packing = packing
        first = table.column("first_target").to_numpy()
        usable = (first > 0) & (first < cutoff_length)
        too_long = self._lengths > cutoff_length
        self._kept = np.flatnonzero(usable)
        self.left_out = len(first) - len(self._kept)
        self.truncated = int(too_long.sum())
        self.ended_early = self.unfinished = 0
        for place in np.flatnonzero(usable & too_long):
            mask = self._masks[int(place)].values.to_numpy(zero_copy_only=False)
            end = last_whole_answer(mask, cutoff_length)
            self.ended_early += bool(end and mask[end:].any())
            self.unfinished += not end
            self._lengths[place] = end or cutoff_length

    def __len__(self) -> int:
        return len(self._kept)

    def _length(self, number: int) -> int:
        return int(self._lengths[self._kept[number]])

    def _row(self, number: int) -> tuple[Tensor, Tensor]:
        """Tokens and labels of a row; the first token, which nothing comes before, is never a label."""
        place = int(self._kept[number])
        length = self._length(number)
        tokens = torch.from_numpy(self._input_ids[place].values.slice(0, length).to_numpy().astype(np.int64))
        mask = torch.from_numpy(self._masks[place].values.slice(0, length).to_numpy(zero_copy_only=False))
        labels = tokens.masked_fill(~mask, IGNORED)
        labels[0] = IGNORED
        return tokens, labels

    def micro_batch(self, sequences: Sequence[Sequence[int]]) -> MicroBatch:
        """The rows of those numbers (0 to len - 1), sequence by sequence, padded to the longest of them."""
        rows = [[self._row(number) for number in sequence] for sequence in sequences]
        tokens = [torch.cat([tokens for tokens, _ in sequence]) for sequence in rows]
        labels = [torch.cat([labels for _, labels in sequence]) for sequence in rows]
        positions = [torch.cat([torch.arange(len(tokens)) for tokens, _ in sequence]) for sequence in rows]
        pad = partial(torch.nn.utils.rnn.pad_sequence, batch_first=True)
        return MicroBatch(
            input_ids=pad(tokens, padding_value=self._pad),
            labels=pad(labels, padding_value=IGNORED),
            tokens=sum(map(len, tokens)),
            supervised_tokens=int(sum((row != IGNORED).sum() for row in labels)),
            position_ids=pad(positions, padding_value=0) if any(len(sequence) > 1 for sequence in sequences) else None,
        )

    def by_length(self, numbers: Iterable[int], micro_batch_size: int) -> Iterator[MicroBatch]:
        """Micro-batches of those rows, packed or one a sequence; so many sequences each, longest first.

        Sequences of like length share their padding, and the longest first fails first if memory is short. The order
        changes nothing in the sum of gradients, nor does packing.
        """
        chosen = sorted(numbers)
        lengths = [self._length(number) for number in chosen]
        packed = pack(lengths, self._cutoff) if self._packing else [[place] for place in range(len(chosen))]
        packed.sort(key=lambda sequence: -sum(lengths[place] for place in sequence))
        for start in range(0, len(packed), micro_batch_size):
            yield self.micro_batch(
                [[chosen[place] for place in sequence] for sequence in packed[start : start + micro_batch_size]]
            )


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
