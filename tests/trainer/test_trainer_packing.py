"""Packing: full sequences, and the same loss and gradients as of the rows each on its own."""

import random
import signal
import time
from collections.abc import Iterator
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
from finetune_trainer.attention import ROW_BY_ROW
from finetune_trainer.group import Group
from finetune_trainer.loss import WithLoss
from finetune_trainer.packing import best_fit, pack
from finetune_trainer.rows import MicroBatch, Rows, RowWriter
from finetune_trainer.template import Tokens

VOCABULARY = 97
CUTOFF = 40
WINDOW = 7

# --- which rows share a micro-batch -----------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 30)), st.integers(30, 90))
def test_every_row_is_in_one_group_and_no_group_is_too_long(lengths: list[int], capacity: int) -> None:
    groups, fullest = pack(lengths, capacity), best_fit(lengths, capacity)
    assert sorted(number for group in groups for number in group) == list(range(len(lengths)))
    longest = max((sum(lengths[number] for number in group) for group in groups), default=0)
    assert longest <= max((sum(lengths[number] for number in group) for group in fullest), default=0) <= capacity
    assert len(groups) <= len(fullest)


@given(st.lists(st.integers(1, 30)), st.integers(30, 90))
def test_no_row_would_fit_into_an_earlier_group(lengths: list[int], capacity: int) -> None:
    groups = best_fit(lengths, capacity)
    for place, group in enumerate(groups):
        for earlier in groups[:place]:
            assert sum(lengths[number] for number in earlier) + lengths[group[0]] > capacity


def test_a_row_goes_where_it_leaves_the_least_room() -> None:
    assert best_fit([6, 4, 5, 3], 10) == [[0, 1], [2, 3]]
    assert best_fit([7, 6, 3, 4], 10) == [[0, 2], [1, 3]]
    assert best_fit([], 10) == []


def test_the_last_group_is_not_left_nearly_empty() -> None:
    """16 rows of 100 tokens: two groups of 8, and not one of 10 with one of 6."""
    assert [len(group) for group in best_fit([100] * 16, 1024)] == [10, 6]
    assert [len(group) for group in pack([100] * 16, 1024)] == [8, 8]


def test_groups_of_rows_as_they_are_in_data_are_full() -> None:
    generator = random.Random(3)
    lengths = [min(2048, round(generator.lognormvariate(5.5, 0.9)) + 8) for _ in range(20_000)]
    groups = pack(lengths, 2048)
    assert sum(lengths) / (2048 * len(groups)) > 0.999


def test_packing_takes_microseconds_a_row() -> None:
    generator = random.Random(5)
    lengths = [generator.randint(10, 4096) for _ in range(200_000)]
    started = time.process_time()
    groups = best_fit(lengths, 4096)
    assert time.process_time() - started < 5  # under a second on one core of a small machine
    assert sum(lengths) / (4096 * len(groups)) > 0.99


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
    "phi3": {"model_type": "phi3"},
    "phi3-sliding": {"model_type": "phi3", "sliding_window": WINDOW},
    "phi3-longrope": {
        "model_type": "phi3", "partial_rotary_factor": 0.5, "original_max_position_embeddings": 12,
        "rope_scaling": {
            "type": "longrope", "short_factor": [1.0, 1.5], "long_factor": [4.0, 9.0],
            "original_max_position_embeddings": 12,
        },
    },
    "glm4": {"model_type": "glm4"},
    "mixtral": {"model_type": "mixtral", "num_local_experts": 4},
    "qwen3_moe": {"model_type": "qwen3_moe", "moe_intermediate_size": 16, "num_experts": 8, "num_experts_per_tok": 3},
}  # fmt: skip
SHAPES = [
    (11, [(3, 7), (9, 11)]), (17, [(12, 17)]), (5, [(1, 5)]), (23, [(6, 9), (15, 22)]), (8, [(0, 8)]), (2, [(1, 2)]),
]  # fmt: skip
"""Length and answers of the rows; one begins with a supervised token, and rows are longer than the window."""


def test_every_model_that_can_be_planned_is_packed_here() -> None:
    assert {model["model_type"] for model in MODELS.values()} == set(_ARCHITECTURES)


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    """A tiny model with random weights, in training mode."""
    torch.manual_seed(1)
    config = AutoConfig.for_model(**SHARED | MODELS[request.param])
    made = AutoModelForCausalLM.from_config(config, attn_implementation=ROW_BY_ROW, dtype=torch.float32)
    trained: PreTrainedModel = made.train()
    return trained


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rows as prepare stores them."""
    path = tmp_path_factory.mktemp("packing") / "rows.arrow"
    with RowWriter(path) as writer:
        for tokens in ROWS:
            writer.write(tokens)
    return path


def _rows() -> Iterator[Tokens]:
    generator = torch.Generator().manual_seed(2)
    for length, answers in SHAPES:
        tokens = torch.randint(2, VOCABULARY, (length,), generator=generator).tolist()
        yield Tokens(tokens, [any(a <= place < b for a, b in answers) for place in range(length)])


ROWS = list(_rows())


def mean_and_gradients(model: PreTrainedModel, parts: list[MicroBatch]) -> tuple[float, dict[str, Tensor]]:
    """Mean loss of a step and its gradients, accumulated as training does."""
    return _accumulated(model, [WithLoss(model)(part) for part in parts], sum(part.supervised_tokens for part in parts))


def transformers_own(model: PreTrainedModel, attention: str) -> tuple[float, dict[str, Tensor]]:
    """The same as transformers computes it: one row at a time, with its own attention, mask and loss."""
    model.set_attn_implementation(attention)
    losses, supervised = [], 0
    for row in ROWS:
        tokens = torch.tensor([row.input_ids])
        labels = tokens.masked_fill(~torch.tensor([row.mask]), -100)
        on = int((labels[:, 1:] != -100).sum())
        losses.append(model(input_ids=tokens, labels=labels).loss * on)
        supervised += on
    model.set_attn_implementation(ROW_BY_ROW)
    return _accumulated(model, losses, supervised)


def _accumulated(model: PreTrainedModel, losses: list[Tensor], supervised: int) -> tuple[float, dict[str, Tensor]]:
    model.zero_grad()
    for loss in losses:
        (loss / supervised).backward()
    gradients = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
    return sum(float(loss.detach()) for loss in losses) / supervised, gradients


def largest_difference(left: dict[str, Tensor], right: dict[str, Tensor]) -> float:
    assert left.keys() == right.keys()
    return max(float((left[name] - right[name]).abs().max()) for name in left)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("packing", [False, True])
def test_rows_together_have_the_loss_and_gradients_of_each_alone(
    model: PreTrainedModel, prepared: Path, packing: bool, attention: str
) -> None:
    rows = Rows(prepared, CUTOFF, packing)
    together = rows.micro_batches(range(len(rows)), 2, Group())
    assert len(together) == (2 if packing else 3)
    assert max(len(part.lengths) for part in together) >= 2

    expected, gradients = transformers_own(model, attention)
    loss, ours = mean_and_gradients(model, together)
    assert loss == pytest.approx(expected, abs=1e-5)
    assert max(float(gradient.abs().max()) for gradient in gradients.values()) > 0.01
    assert largest_difference(ours, gradients) < 1e-5


def test_rows_that_saw_each_other_would_have_another_loss(model: PreTrainedModel, prepared: Path) -> None:
    """So that the test above is known to see a leak."""
    part = Rows(prepared, CUTOFF).micro_batch([0, 1, 3])
    expected, gradients = mean_and_gradients(model, [part])
    leaking = replace(part, starts=part.starts[[0, -1]], lengths=(part.tokens,))
    loss, leaked = mean_and_gradients(model, [leaking])
    assert abs(loss - expected) > 1e-3
    assert largest_difference(leaked, gradients) > 1e-3


def test_a_row_is_not_touched_by_the_row_before_it(model: PreTrainedModel, prepared: Path) -> None:
    """Other tokens there: the loss on the second row stays what it was, to the bit."""
    part = Rows(prepared, CUTOFF).micro_batch([0, 3])
    first = part.lengths[0]
    on_second = part.predicting >= first
    second = replace(part, predicting=part.predicting[on_second], targets=part.targets[on_second])
    others = part.input_ids.clone()
    others[0, :first] = others[0, :first].flip(0)
    losses = [float(WithLoss(model)(replace(second, input_ids=ids)).detach()) for ids in (part.input_ids, others)]
    assert losses[0] == losses[1] > 0


# --- whole runs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["full", "lora"])
def test_a_packed_run_has_the_loss_curve_of_another(bench: Bench, tmp_path: Path, label: str) -> None:
    loose = bench.train(job(bench, tmp_path / "loose", label, packing=False))
    packed = bench.train(job(bench, tmp_path / "packed", label, packing=True))
    assert packed.report.truncated_rows == 0
    assert packed.losses == pytest.approx(loose.losses, abs=1e-4)
    for evaluated in ("eval_loss_before", "eval_loss"):
        assert getattr(packed.report, evaluated) == pytest.approx(getattr(loose.report, evaluated), abs=1e-4)
    assert packed.report.supervised_tokens == loose.report.supervised_tokens


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
    """Several micro-batches make a step; activations are computed again.

    Without dropout, whose random numbers go by the shape, and at a learning rate that lets no rounding grow: at the
    0.02 of the other tests, runs with micro-batches of 2 and of 4 rows are 1e-3 apart.
    """
    settings = METHODS[label]["hyperparameters"] | {
        "cutoffLength": 128, "microBatchSize": 2, "activationCheckpointing": True, "learningRate": 0.003,
        "lora": {"dropout": 0.0},
    }  # fmt: skip
    return bench.job(output, **METHODS[label] | {"hyperparameters": settings | hyperparameters})
