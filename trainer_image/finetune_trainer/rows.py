"""Prepared rows on disk, and the micro-batches that training takes from them."""

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from finetune_core.data import TokenCount
from finetune_trainer.group import Group
from finetune_trainer.packing import pack
from finetune_trainer.template import Tokens

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
    """Rows of one forward pass, one after another and without padding: the model's batch size is always 1."""

    input_ids: Tensor  # (1, tokens)
    position_ids: Tensor  # (1, tokens): from 0 in each row
    starts: Tensor  # (rows + 1,), int32: where each row begins, and the end
    predicting: Tensor  # (supervised,): places of the tokens whose next one is supervised
    targets: Tensor  # (supervised,): those next tokens
    lengths: tuple[int, ...]
    """Tokens of each row."""

    @property
    def tokens(self) -> int:
        """Tokens of all rows."""
        return self.input_ids.shape[1]

    @property
    def supervised_tokens(self) -> int:
        """Tokens that the loss is on."""
        return len(self.targets)

    def without_targets(self) -> "MicroBatch":
        """The same, with nothing to learn."""
        return replace(self, predicting=self.predicting[:0], targets=self.targets[:0])

    def to(self, device: torch.device | str | int) -> "MicroBatch":
        """The same on another device, as torch or accelerate name it; a card copies while the program goes on."""
        device = torch.device(device)

        def moved(tensor: Tensor) -> Tensor:
            if tensor.is_cpu and device.type == "cuda":
                return tensor.pin_memory().to(device, non_blocking=True)
            return tensor.to(device)

        return MicroBatch(
            moved(self.input_ids),
            moved(self.position_ids),
            moved(self.starts),
            moved(self.predicting),
            moved(self.targets),
            self.lengths,
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

    def __init__(self, path: Path, cutoff_length: int, packing: bool = False) -> None:
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_file(source).read_all()
        self._input_ids = table.column("input_ids")
        self._masks = table.column("mask")
        self._lengths = table.column("length").to_numpy().copy()
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
        self._longest = int(self._lengths[self._kept].max(initial=0))

    def __len__(self) -> int:
        return len(self._kept)

    def _length(self, number: int) -> int:
        return int(self._lengths[self._kept[number]])

    def _row(self, number: int) -> tuple[Tensor, Tensor]:
        """Tokens of a row, and the places whose next token is supervised."""
        place = int(self._kept[number])
        length = self._length(number)
        tokens = torch.from_numpy(self._input_ids[place].values.slice(0, length).to_numpy().astype(np.int64))
        mask = torch.from_numpy(self._masks[place].values.slice(0, length).to_numpy(zero_copy_only=False))
        return tokens, mask[1:].nonzero().squeeze(1)

    def micro_batch(self, numbers: Sequence[int]) -> MicroBatch:
        """The rows of those numbers (0 to len - 1)."""
        tokens, predicting = zip(*map(self._row, numbers), strict=True)
        lengths = tuple(map(len, tokens))
        starts = [0, *accumulate(lengths)]
        places = torch.cat([places + start for places, start in zip(predicting, starts, strict=False)])
        input_ids = torch.cat(tokens)
        return MicroBatch(
            input_ids=input_ids[None],
            position_ids=torch.cat([torch.arange(length) for length in lengths])[None],
            starts=torch.tensor(starts, dtype=torch.int32),
            predicting=places,
            targets=input_ids[places + 1],
            lengths=lengths,
        )

    def micro_batches(self, numbers: Iterable[int], size: int, group: Group) -> list[MicroBatch]:
        """Of those rows the ones that this process takes, in micro-batches of ``size`` rows.

        Packed, a micro-batch has room for the tokens of ``size`` longest rows. The largest comes first: if memory is
        short, that shows at once. Every process has equally many, perhaps with one at the end that teaches nothing.
        How rows are divided changes nothing in the sum of their gradients.
        """
        chosen = sorted(numbers)
        shares = group.share([self._length(number) for number in chosen])
        divided = [self._divided([chosen[place] for place in sorted(share)], size) for share in shares]
        mine = [self.micro_batch(part) for part in divided[group.rank]]
        most = max(map(len, divided))
        return mine + [self.micro_batch(chosen[:1]).without_targets() for _ in range(most - len(mine))]

    def _divided(self, numbers: Sequence[int], size: int) -> list[list[int]]:
        lengths = [self._length(number) for number in numbers]
        if self._packing:
            parts = pack(lengths, size * self._longest)
        else:
            by_length = sorted(range(len(numbers)), key=lambda place: (-lengths[place], place))
            parts = [by_length[start : start + size] for start in range(0, len(numbers), size)]
        parts.sort(key=lambda part: -sum(lengths[place] for place in part))
        return [[numbers[place] for place in part] for part in parts]


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
