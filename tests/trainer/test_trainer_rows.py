"""Prepared rows on disk and back, micro-batches, and the order of a run."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_trainer.group import Group
from finetune_trainer.rows import ROWS_PER_WRITE, Order, Rows, RowWriter, read_tokens
from finetune_trainer.template import Tokens


def row(length: int, *supervised: int, start: int = 1) -> Tokens:
    """Tokens ``start, start + 1, ...`` with the loss on those positions."""
    return Tokens(list(range(start, start + length)), [position in supervised for position in range(length)])


def write(folder: Path, rows: Sequence[Tokens]) -> Path:
    path = folder / "rows.arrow"
    with RowWriter(path) as writer:
        for tokens in rows:
            writer.write(tokens)
    return path


def test_rows_come_back_as_they_were_written_over_many_batches(tmp_path: Path) -> None:
    written = [row(2 + number % 3, 1, start=number) for number in range(ROWS_PER_WRITE + 3)]
    path = write(tmp_path, written)
    assert list(read_tokens(path)) == written
    rows = Rows(path, cutoff_length=16)
    assert len(rows) == len(written)
    last = rows.micro_batch([len(written) - 1])
    assert last.input_ids.tolist() == [written[-1].input_ids]


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    rows = Rows(write(tmp_path, []), cutoff_length=16)
    assert (len(rows), rows.truncated, rows.left_out) == (0, 0, 0)


def cut(folder: Path, tokens: Tokens, cutoff: int) -> tuple[int, int, int, int, int]:
    """Length that a row is cut to (0: left out), and the counts: truncated, ended early, unfinished, left out."""
    rows = Rows(write(folder, [tokens]), cutoff_length=cutoff)
    length = rows.micro_batch([0]).tokens if len(rows) else 0
    return length, rows.truncated, rows.ended_early, rows.unfinished, rows.left_out


CONVERSATION = row(30, 4, 5, 6, 12, 13, 14, 24, 25, 26, 27)
"""Three answers, their ends-of-turn at 6, 14 and 27; after each something that is not learned."""


@pytest.mark.parametrize(
    ("cutoff", "expected"),
    [
        (30, (30, 0, 0, 0, 0)),  # all of it
        (29, (28, 1, 0, 0, 0)),  # no answer is lost
        (28, (28, 1, 0, 0, 0)),
        (27, (15, 1, 1, 0, 0)),  # the third answer lacks its end-of-turn, and goes
        (20, (15, 1, 1, 0, 0)),  # the third question alone would teach nothing
        (15, (15, 1, 1, 0, 0)),
        (14, (7, 1, 1, 0, 0)),
        (7, (7, 1, 1, 0, 0)),
        (6, (6, 1, 0, 1, 0)),  # not even the first answer fits
        (5, (5, 1, 0, 1, 0)),
        (4, (0, 1, 0, 0, 1)),  # nothing but the prompt does
    ],
)
def test_a_conversation_that_is_too_long_ends_with_the_last_whole_answer(
    tmp_path: Path, cutoff: int, expected: tuple[int, ...]
) -> None:
    assert cut(tmp_path, CONVERSATION, cutoff) == expected


def test_a_text_that_is_learned_as_a_whole_is_cut_at_the_cutoff(tmp_path: Path) -> None:
    for begins in (0, 1):
        assert cut(tmp_path, row(20, *range(begins, 20)), 12) == (12, 1, 0, 1, 0)


def test_a_first_token_that_is_supervised_alone_is_no_answer(tmp_path: Path) -> None:
    """Nothing predicts it."""
    assert cut(tmp_path, row(20, 0, *range(8, 15)), 12) == (12, 1, 0, 1, 0)
    assert cut(tmp_path, row(20, 0, *range(8, 15)), 8) == (0, 1, 0, 0, 1)


TOO_LONG = st.integers(2, 20).flatmap(
    lambda cutoff: st.tuples(st.just(cutoff), st.lists(st.booleans(), min_size=cutoff + 1, max_size=40))
)
"""A cutoff, and the mask of a row that is longer."""


@given(TOO_LONG)
def test_a_row_is_never_cut_within_an_answer_if_a_whole_one_fits(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[int, list[bool]]
) -> None:
    """Against the plain way: every place where an answer ends."""
    cutoff, mask = case
    found = cut(tmp_path_factory.mktemp("cut"), Tokens(list(range(len(mask))), mask), cutoff)
    ends = [end for end in range(2, cutoff + 1) if mask[end - 1] and not mask[end]]
    if ends:
        assert found == (ends[-1], 1, int(any(mask[ends[-1] :])), 0, 0)
    else:
        assert found == ((cutoff, 1, 0, 1, 0) if any(mask[1:cutoff]) else (0, 1, 0, 0, 1))


def test_counts_are_of_all_rows(tmp_path: Path) -> None:
    written = [row(8, 1, 2), row(9, 1, 8), row(20, 3, 7), row(20, 7, 8), row(20, 12)]
    rows = Rows(write(tmp_path, written), cutoff_length=8)
    assert (len(rows), rows.truncated, rows.ended_early, rows.unfinished, rows.left_out) == (4, 4, 1, 1, 1)


def test_rows_without_a_supervised_token_are_left_out_and_counted(tmp_path: Path) -> None:
    unsupervised = [row(5), row(5, 0), row(12, 8, 9), row(12, 11)]  # none; the first only; past the cutoff
    rows = Rows(write(tmp_path, [*unsupervised, row(5, 4, start=50)]), cutoff_length=8)
    assert (len(rows), rows.truncated, rows.left_out) == (1, 2, 4)
    assert rows.micro_batch([0]).input_ids.tolist() == [[50, 51, 52, 53, 54]]


def test_a_supervised_token_at_the_last_place_before_the_cutoff_counts(tmp_path: Path) -> None:
    path = write(tmp_path, [row(12, 7)])
    assert len(Rows(path, cutoff_length=8)) == 1
    assert len(Rows(path, cutoff_length=7)) == 0


def test_rows_of_a_micro_batch_lie_one_after_another(tmp_path: Path) -> None:
    written = [row(3, 0, 2), row(2, 0, 1, start=10), row(4, 0, 2, 3, start=20)]
    batch = Rows(write(tmp_path, written), cutoff_length=8).micro_batch([2, 0, 1])
    assert batch.input_ids.tolist() == [[20, 21, 22, 23, 1, 2, 3, 10, 11]]
    assert batch.position_ids.tolist() == [[0, 1, 2, 3, 0, 1, 2, 0, 1]]
    assert batch.starts.tolist() == [0, 4, 7, 9]
    assert batch.lengths == (4, 3, 2)
    assert batch.targets.tolist() == [22, 23, 3, 11]  # the first token of a row is never predicted
    assert [batch.input_ids[0, place] for place in batch.predicting] == [21, 22, 2, 10]
    assert (batch.tokens, batch.supervised_tokens) == (9, 4)
    assert batch.input_ids.dtype == batch.position_ids.dtype == torch.int64


SHAPES = st.lists(st.tuples(st.integers(2, 20), st.integers(1, 19)), min_size=1, max_size=24)


@settings(deadline=None)
@given(shapes=SHAPES, cutoff=st.integers(4, 24), size=st.integers(1, 5), packing=st.booleans())
def test_micro_batches_hold_each_row_once_largest_first(
    tmp_path_factory: pytest.TempPathFactory, shapes: list[tuple[int, int]], cutoff: int, size: int, packing: bool
) -> None:
    """Every row begins with a token of its own, so that it can be told which rows a batch holds."""
    written = [row(length, target, start=100 * number) for number, (length, target) in enumerate(shapes, start=1)]
    rows = Rows(write(tmp_path_factory.mktemp("rows"), written), cutoff, packing)
    usable = [tokens for tokens in written if any(tokens.mask[1:cutoff])]
    assert len(rows) == len(usable)
    assert rows.left_out == len(written) - len(usable)

    batches = rows.micro_batches(range(len(rows)), size, Group())
    firsts = [int(token) for batch in batches for token in batch.input_ids.flatten() if token % 100 == 0]
    assert sorted(firsts) == [tokens.input_ids[0] for tokens in usable]
    kept = [tokens.length if tokens.length <= cutoff else tokens.mask.index(True) + 1 for tokens in usable]
    assert sorted(length for batch in batches for length in batch.lengths) == sorted(kept)
    assert sum(batch.supervised_tokens for batch in batches) == len(usable)
    sizes = [batch.tokens for batch in batches]
    assert sizes == sorted(sizes, reverse=True)
    assert max(sizes, default=0) <= size * max(kept, default=0)  # what the plan has room for
    if packing:
        assert len(batches) <= -(-len(usable) // size)
    else:
        assert all(len(batch.lengths) <= size for batch in batches)


def test_packed_rows_fill_the_room_of_the_longest(tmp_path: Path) -> None:
    """One row of 8 and eight of 2: two rows a micro-batch are room for 16 tokens."""
    written = [row(8, 1), *[row(2, 1)] * 8]
    path = write(tmp_path, written)
    counts = {
        packing: [batch.lengths for batch in Rows(path, 100, packing).micro_batches(range(9), 2, Group())]
        for packing in (False, True)
    }
    assert counts == {False: [(8, 2), (2, 2), (2, 2), (2, 2), (2,)], True: [(8, 2, 2), (2,) * 6]}


ORDERS = st.builds(Order, rows=st.integers(1, 60), batch_size=st.integers(1, 20), seed=st.integers(0, 2**31 - 1))


@given(ORDERS, st.integers(0, 5))
def test_every_epoch_takes_each_row_exactly_once(order: Order, epoch: int) -> None:
    first = epoch * order.steps_per_epoch
    steps = [order.step(step) for step in range(first, first + order.steps_per_epoch)]
    assert sorted(number for step in steps for number in step) == list(range(order.rows))
    assert all(len(step) == order.batch_size for step in steps[:-1])
    assert 0 < len(steps[-1]) <= order.batch_size


@given(ORDERS, st.integers(0, 100))
def test_a_step_depends_on_nothing_but_seed_and_number(order: Order, step: int) -> None:
    torch.manual_seed(step)
    once = order.step(step)
    torch.rand(3)
    assert Order(order.rows, order.batch_size, order.seed).step(step) == once


def test_another_seed_or_epoch_is_another_order() -> None:
    whole_epochs = [
        tuple(Order(rows=50, batch_size=50, seed=seed).step(epoch)) for seed in range(20) for epoch in range(3)
    ]
    assert len(set(whole_epochs)) == len(whole_epochs)
