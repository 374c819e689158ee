"""How long a run takes and what it costs: against our own table, and as a budget."""

import json
import math
import statistics
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jobs import data_of, plan_of

from finetune_core.api.plan import Estimate, Plan, ResolvedLora
from finetune_core.planning import find_gpu, in_words, shipped_shape
from finetune_core.planning.speed import micro_batch_seconds
from finetune_core.planning.training_shape import TrainingShape

MEASURED = [
    json.loads(line)
    for line in Path("benchmarks/memory/h100.jsonl").read_text(encoding="utf-8").splitlines()
    if '"measured"' in line
]
LORA = ResolvedLora(rank=8, alpha=16, dropout=0.05, target_modules=["all-linear"])


def estimated(answer: Plan) -> Estimate:
    assert answer.estimate is not None
    return answer.estimate


def predicted_over_measured(entry: dict[str, Any]) -> float:
    case = entry["case"]
    shape = shipped_shape(f"hf://{case['model']}")
    assert shape is not None
    training = TrainingShape(
        method=case["method"],
        micro_batch_size=case["micro_batch_size"],
        row_tokens=case["row_tokens"],
        supervised_tokens=case["supervised_tokens"],
        precision="bf16",
        activation_checkpointing=case["activation_checkpointing"],
        master_weights=case["master_weights"],
        lora=None if case["method"] == "full" else LORA,
    )
    seconds = micro_batch_seconds(shape, training, find_gpu("H100-80GB"), training.tokens)
    return seconds / (statistics.median(entry["measured"]["step_seconds"]) / 2)


def test_steps_take_what_they_took_on_an_h100() -> None:
    ratios = [predicted_over_measured(entry) for entry in MEASURED]
    assert len(ratios) == 53
    assert abs(math.log(statistics.median(ratios))) < math.log(1.1)
    assert statistics.median(abs(math.log(ratio)) for ratio in ratios) < math.log(1.2)
    assert all(0.5 < ratio < 2 for ratio in ratios)


def test_cost_is_hours_of_all_cards_at_the_catalogues_price() -> None:
    one, four = (estimated(plan_of("method=lora", f"gpu.perNode={count}")) for count in (1, 4))
    assert one.gpu_hours == pytest.approx(one.seconds / 3600, rel=0.01)
    assert four.gpu_hours == pytest.approx(4 * four.seconds / 3600, rel=0.01)
    assert one.cost == pytest.approx(one.gpu_hours * find_gpu("A10").price_per_hour, rel=0.01)
    assert one.seconds / 4 < four.seconds < one.seconds


@given(st.integers(50, 5_000), st.integers(1, 5_000))
def test_more_rows_never_take_less(rows: int, more: int) -> None:
    settings = ("method=lora", "hyperparameters={epochs: 1, effectiveBatchSize: 8}")
    few, many = (estimated(plan_of(*settings, data=data_of(rows=count))) for count in (rows, rows + more))
    assert few.seconds <= many.seconds


def test_evaluation_counts() -> None:
    without, with_rows = data_of(), data_of().model_copy(update={"validation_rows": 500})
    assert estimated(plan_of(data=without)).seconds < estimated(plan_of(data=with_rows)).seconds


def test_the_courses_card_takes_minutes() -> None:
    """Its part 5: RTX 4090, Qwen2.5-7B, LoRA, 300 rows, 3 epochs: 10-20 minutes, with rows of 512 to 1,024 tokens."""
    changes = ("gpu.type=RTX-4090", "method=lora", "hyperparameters={epochs: 3, effectiveBatchSize: 8}")
    assert 3 * 60 < estimated(plan_of(*changes, data=data_of(300, 1024))).seconds < 20 * 60


class TestBudget:
    def test_beyond_it_a_job_is_infeasible_and_says_what_it_would_take(self) -> None:
        answer = plan_of("budget.maxCost=0.01", "method=lora")
        assert not answer.feasible
        (reason,) = [reason for reason in answer.reasons if reason.field == "budget"]
        assert (reason.value, reason.because[:24]) == ("lora", "training would cost abou")

    def test_of_time_a_faster_card_is_named(self) -> None:
        slow = estimated(plan_of("method=lora"))
        answer = plan_of("method=lora", f"budget.maxDurationSeconds={slow.seconds // 2}")
        assert not answer.feasible
        assert any(found.change.startswith("gpu.type=") for found in answer.alternatives)

    def test_within_it_nothing_changes(self) -> None:
        assert plan_of("budget={maxCost: 1000, maxDurationSeconds: 1000000}") == plan_of()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(40, "40 s"), (99, "99 s"), (720, "12 min"), (3600, "1 h"), (12_000, "3 h 20 min"), (345_600, "4 days")],
)
def test_times_are_said_as_people_say_them(seconds: int, words: str) -> None:
    assert in_words(seconds) == words
