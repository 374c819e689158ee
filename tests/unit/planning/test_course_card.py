"""The course's quick-reference card as a job: ``examples/course-card``."""

from pathlib import Path

import pytest
from jobs import data_of, shape_of

from finetune_core.api import Plan, read_job
from finetune_core.planning import find_gpu, plan

CARD = (Path(__file__).parents[3] / "examples" / "course-card" / "finetunejob.yaml").read_text(encoding="utf-8")
GB = 10**9


def card_plan(*changes: str, tokens: int = 1_024) -> Plan:
    spec = read_job(CARD, list(changes), base="/").spec
    return plan(spec, shape_of(spec.model.uri), data_of(rows=300, tokens=tokens), find_gpu(spec.gpu.type))


@pytest.mark.parametrize("tokens", [100, 1_024, 4_000])
def test_fits_its_card_whatever_the_rows_lengths(tokens: int) -> None:
    answer = card_plan(tokens=tokens)
    assert (answer.feasible, answer.method, answer.gpu.type) == (True, "lora", "RTX-4090")
    assert answer.memory is not None
    assert answer.memory.peak_bytes < 24 * GB
    assert answer.memory.peak_bytes <= answer.memory.budget_bytes


def test_has_the_cards_settings() -> None:
    settled = card_plan().hyperparameters
    assert settled is not None
    assert settled.lora is not None
    assert (settled.lora.rank, settled.lora.alpha, settled.lora.dropout) == (8, 16, 0.05)
    assert (settled.learning_rate, settled.epochs, settled.cutoff_length) == (5e-5, 3, 1_024)
    assert (settled.micro_batch_size, settled.gradient_accumulation_steps) == (2, 4)
    assert (settled.effective_batch_size, settled.total_steps) == (8, 3 * 38)


def test_has_rows_enough_and_no_warning() -> None:
    assert card_plan().warnings == []


def test_trains_an_adapter_of_less_than_50_mb_in_16_bits() -> None:
    (parameters,) = (reason.value for reason in card_plan().reasons if reason.field == "adapterParameters")
    assert int(parameters) * 2 < 50e6


def test_left_to_the_plan_method_adapter_and_learning_rate_are_the_cards() -> None:
    answer = card_plan("method=auto", "hyperparameters={}")
    settled = answer.hyperparameters
    assert settled is not None
    assert settled.lora is not None
    assert (answer.method, settled.learning_rate, settled.cutoff_length) == ("lora", 5e-5, 1_024)
    assert (settled.lora.rank, settled.lora.alpha, settled.lora.dropout) == (8, 16, 0.05)
