"""Packing: full sequences, and the same loss and gradients as of the rows each on its own."""

import random
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from trainer_jobs import METHODS
from trainer_steps import Bench
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from finetune_core.api import FineTuneJob
from finetune_core.contract.environment import EXIT_TERMINATED
from finetune_core.planning.shapes import _ARCHITECTURES
from finetune_trainer.loss import summed_loss
from finetune_trainer.packing import best_fit, pack
from finetune_trainer.rows import IGNORED, MicroBatch, Rows, RowWriter
from finetune_trainer.template import Tokens

VOCABULARY = 97
CUTOFF = 40
WINDOW = 7

# --- which rows share a sequence --------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 30)), st.integers(30, 90))
def test_every_row_is_in_one_sequence_and_no_sequence_is_too_long(lengths: list[int], capacity: int) -> None:
    sequences, fullest = pack(lengths, capacity), best_fit(lengths, capacity)
    assert sorted(number for sequence in sequences for number in sequence) == list(range(len(lengths)))
    longest = max((sum(lengths[number] for number in sequence) for sequence in sequences), default=0)
    assert longest <= max((sum(lengths[number] for number in sequence) for sequence in fullest), default=0) <= capacity
    assert len(sequences) <= len(fullest)


@given(st.lists(st.integers(1, 30)), st.integers(30, 90))
def test_no_row_would_fit_into_an_earlier_sequence(lengths: list[int], capacity: int) -> None:
    sequences = best_fit(lengths, capacity)
    for place, sequence in enumerate(sequences):
        for earlier in sequences[:place]:
            assert sum(lengths[number] for number in earlier) + lengths[sequence[0]] > capacity


def test_a_row_goes_where_it_leaves_the_least_room() -> None:
    assert best_fit([6, 4, 5, 3], 10) == [[0, 1], [2, 3]]
    assert best_fit([7, 6, 3, 4], 10) == [[0, 2], [1, 3]]
    assert best_fit([], 10) == []


def test_the_last_sequence_is_not_left_nearly_empty() -> None:
    """16 rows of 100 tokens: two sequences of 8, and not one of 10 with one of 6 that is padded to it."""
    assert [len(sequence) for sequence in best_fit([100] * 16, 1024)] == [10, 6]
    assert [len(sequence) for sequence in pack([100] * 16, 1024)] == [8, 8]


def test_sequences_of_rows_as_they_are_in_data_are_full() -> None:
    generator = random.Random(3)
    lengths = [min(2048, round(generator.lognormvariate(5.5, 0.9)) + 8) for _ in range(20_000)]
    sequences = pack(lengths, 2048)
    assert sum(lengths) / (2048 * len(sequences)) > 0.999


def test_packing_takes_microseconds_a_row() -> None:
    generator = random.Random(5)
    lengths = [generator.randint(10, 4096) for _ in range(200_000)]
    started = time.process_time()
    sequences = best_fit(lengths, 4096)
    assert time.process_time() - started < 5  # under a second on one core of a small machine
    assert sum(lengths) / (4096 * len(sequences)) > 0.99


# --- the same loss and gradients --------------------------------------------------------------------------------------

SHARED: dict[str, Any] = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 128,
    "initializer_range": 0.3, "pad_token_id": 0, "bos_token_id": None, "eos_token_id": 1,
}  # fmt: skip
"""Weights large enough for attention to matter."""
SLIDING = {"sliding_window": WINDOW, "layer_types": ["sliding_attention", "full_attention"]}
MODELS: dict[str, dict[str, Any]] = {
    "llama": {"model_type": "llama"},
    "mistral": {"model_type": "mistral", "sliding_window": None},
    "mistral-sliding": {"model_type": "mistral", "sliding_window": WINDOW},
    "qwen2": {"model_type": "qwen2"},
    "qwen2-sliding": {"model_type": "qwen2", "use_sliding_window": True, **SLIDING},
    "qwen3": {"model_type": "qwen3"},
    "qwen3-sliding": {"model_type": "qwen3", "use_sliding_window": True, **SLIDING},
    "gemma": {"model_type": "gemma"},
    "gemma3_text": {"model_type": "gemma3_text", **SLIDING},
}
SHAPES = [
    (11, [(3, 7), (9, 11)]), (17, [(12, 17)]), (5, [(1, 5)]), (23, [(6, 9), (15, 22)]), (8, [(0, 8)]), (2, [(1, 2)]),
]  # fmt: skip
"""Length and answers of the rows; one begins with a supervised token, and rows are longer than the window."""


def test_every_model_that_can_be_planned_is_packed_here() -> None:
    assert {model["model_type"] for model in MODELS.values()} == set(_ARCHITECTURES)


@pytest.fixture(scope="module", params=["sdpa", "eager"])
def attention(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest, attention: str) -> PreTrainedModel:
    """A tiny model with random weights, in training mode."""
    torch.manual_seed(1)
    config = AutoConfig.for_model(**SHARED | MODELS[request.param])
    made = AutoModelForCausalLM.from_config(config, attn_implementation=attention, dtype=torch.float32)
    trained: PreTrainedModel = made.train()
    return trained


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rows as prepare stores them."""
    generator = torch.Generator().manual_seed(2)
    path = tmp_path_factory.mktemp("packing") / "rows.arrow"
    with RowWriter(path) as writer:
        for length, answers in SHAPES:
            tokens = torch.randint(2, VOCABULARY, (length,), generator=generator).tolist()
            writer.write(Tokens(tokens, [any(a <= place < b for a, b in answers) for place in range(length)]))
    return path


def batches(prepared: Path, micro_batch_size: int, *, packing: bool) -> list[MicroBatch]:
    rows = Rows(prepared, CUTOFF, pad_token_id=0, packing=packing)
    return list(rows.by_length(range(len(rows)), micro_batch_size))


def mean_and_gradients(model: PreTrainedModel, parts: list[MicroBatch]) -> tuple[float, dict[str, Tensor]]:
    """Mean loss of a step and its gradients, accumulated as training does."""
    model.zero_grad()
    supervised = sum(part.supervised_tokens for part in parts)
    total = 0.0
    for part in parts:
        loss = summed_loss(model, part) / supervised
        loss.backward()
        total += float(loss.detach())
    return total, {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}


def largest_difference(left: dict[str, Tensor], right: dict[str, Tensor]) -> float:
    assert left.keys() == right.keys()
    return max(float((left[name] - right[name]).abs().max()) for name in left)


@pytest.mark.parametrize("micro_batch_size", [1, 2])
def test_packed_rows_have_the_loss_and_gradients_of_each_alone(
    model: PreTrainedModel, prepared: Path, micro_batch_size: int
) -> None:
    alone = batches(prepared, 1, packing=False)
    packed = batches(prepared, micro_batch_size, packing=True)
    assert sum(len(part.input_ids) for part in packed) == 2 < len(alone) == len(SHAPES)
    assert [sum(part.tokens for part in parts) for parts in (alone, packed)] == [sum(n for n, _ in SHAPES)] * 2

    expected, gradients = mean_and_gradients(model, alone)
    loss, packed_gradients = mean_and_gradients(model, packed)
    assert loss == pytest.approx(expected, abs=1e-5)
    assert max(float(gradient.abs().max()) for gradient in gradients.values()) > 0.01
    assert largest_difference(packed_gradients, gradients) < 1e-5


def test_rows_that_saw_each_other_would_have_another_loss(model: PreTrainedModel, prepared: Path) -> None:
    """So that the test above is known to see a leak."""
    expected, gradients = mean_and_gradients(model, batches(prepared, 1, packing=False))
    leaking = [replace(part, position_ids=None) for part in batches(prepared, 1, packing=True)]
    loss, leaked = mean_and_gradients(model, leaking)
    assert abs(loss - expected) > 1e-3
    assert largest_difference(leaked, gradients) > 1e-3


def test_a_row_is_not_touched_by_the_row_before_it(model: PreTrainedModel) -> None:
    """Other tokens there: the loss on the second row stays what it was, to the bit."""
    generator = torch.Generator().manual_seed(4)
    first, other, second = (torch.randint(2, VOCABULARY, (length,), generator=generator) for length in (9, 9, 11))
    labels = torch.cat([torch.full((10,), IGNORED), second[1:]])[None]
    positions = torch.cat([torch.arange(9), torch.arange(11)])[None]

    def loss_on_second(before: Tensor, position_ids: Tensor | None) -> float:
        batch = MicroBatch(torch.cat([before, second])[None], labels, 20, 10, position_ids)
        return float(summed_loss(model, batch).detach())

    assert loss_on_second(first, positions) == loss_on_second(other, positions) > 0
    assert abs(loss_on_second(first, None) - loss_on_second(other, None)) > 1e-3


# --- whole runs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["full", "lora"])
def test_a_packed_run_has_the_loss_curve_of_a_padded_one(bench: Bench, tmp_path: Path, label: str) -> None:
    padded = bench.train(job(bench, tmp_path / "padded", label))
    packed = bench.train(job(bench, tmp_path / "packed", label, packing=True))
    assert packed.report.truncated_rows == 0
    assert packed.losses == pytest.approx(padded.losses, abs=1e-4)
    for evaluated in ("eval_loss_before", "eval_loss"):
        assert getattr(packed.report, evaluated) == pytest.approx(getattr(padded.report, evaluated), abs=1e-4)
    assert packed.report.supervised_tokens == padded.report.supervised_tokens


def test_a_packed_run_that_was_stopped_goes_on_bit_for_bit(bench: Bench, tmp_path: Path) -> None:
    whole = bench.train(job(bench, tmp_path / "whole", "full", packing=True))
    config = bench.trainer_config(job(bench, tmp_path / "stopped", "full", packing=True))
    step = bench.start(config)
    assert step.signal_when(lambda: '"step":3' in step.printed, signal.SIGTERM).code == EXIT_TERMINATED
    resumed = bench.train_again(config)
    assert resumed.report.resumed_from_step is not None
    assert resumed.metrics == whole.metrics
    assert resumed.weights_digest == whole.weights_digest


def job(bench: Bench, output: Path, label: str, **hyperparameters: Any) -> FineTuneJob:
    """Several rows fit into the cutoff, and several sequences make a step; activations are computed again.

    Without dropout, whose random numbers go by the shape, and at a learning rate that lets no rounding grow: at the
    0.02 of the other tests, runs with micro-batches of 2 and of 4 rows are 1e-3 apart.
    """
    settings = METHODS[label]["hyperparameters"] | {
        "cutoffLength": 128, "microBatchSize": 2, "activationCheckpointing": True, "learningRate": 0.003,
        "lora": {"dropout": 0.0},
    }  # fmt: skip
    return bench.job(output, **METHODS[label] | {"hyperparameters": settings | hyperparameters})
