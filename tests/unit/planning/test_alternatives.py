"""What would fit instead: every change that is named makes the job feasible when it is followed."""

import pytest
from jobs import data_of, job, plan_of

from finetune_core.api.plan import Plan
from finetune_core.contract import DataStatistics
from finetune_core.planning import find_gpu

INFEASIBLE: dict[str, tuple[list[str], DataStatistics]] = {
    "the card is too small": (["gpu.type=RTX-3070"], data_of()),
    "the card is too small for long rows": (["gpu.type=RTX-3070"], data_of(tokens=4_096)),
    "a method by name is too much": (["method=full"], data_of()),
    "lora by name is too much": (["method=lora", "gpu.type=T4"], data_of()),
    "qlora by name is too much": (["method=qlora", "gpu.type=RTX-3070"], data_of(tokens=2_048)),
    "a large model": (["model.uri=hf://Qwen/Qwen2.5-72B-Instruct"], data_of()),
    "a base model": (["model.uri=hf://Qwen/Qwen2.5-7B", "gpu.type=RTX-3070"], data_of()),
    "a micro-batch by hand": (["hyperparameters.microBatchSize=64"], data_of(tokens=1_024)),
    "a cutoff by hand": (["hyperparameters.cutoffLength=32768"], data_of(tokens=512, longest=32_768)),
    "a precision the card has not": (["hyperparameters.precision=bf16", "gpu.type=T4"], data_of()),
    "a precision for cards alone": (["hyperparameters.precision=fp16", "gpu.type=cpu"], data_of()),
}
EACH = pytest.mark.parametrize(("changes", "data"), INFEASIBLE.values(), ids=INFEASIBLE)


def changes_of(plan: Plan) -> list[str]:
    return [alternative.change for alternative in plan.alternatives]


def price_of(*changes: str) -> float:
    """Of an hour on all cards of the job."""
    asked = job(*reversed(changes)).spec.gpu
    return find_gpu(asked.type).price_per_hour * asked.count


@EACH
def test_each_alternative_fits_when_it_is_followed(changes: list[str], data: DataStatistics) -> None:
    plan = plan_of(*changes, data=data)
    assert not plan.feasible
    assert plan.alternatives
    for alternative in plan.alternatives:
        followed = plan_of(*changes, *alternative.change.split(), data=data)
        assert followed.feasible, alternative.change
        assert followed.memory is not None
        assert (followed.method, followed.memory.peak_bytes) == (alternative.method, alternative.peak_bytes)
        assert alternative.because


@EACH
def test_alternatives_differ_and_cards_come_cheapest_first(changes: list[str], data: DataStatistics) -> None:
    named = changes_of(plan_of(*changes, data=data))
    assert len(set(named)) == len(named)
    cards = [change for change in named if change.startswith("gpu.")]
    prices = [price_of(change, *changes) for change in cards]
    assert prices == sorted(prices)
    assert len([change for change in cards if change.startswith("gpu.type=")]) <= 3
    assert len([change for change in cards if change.startswith("gpu.perNode=")]) <= 1
    assert named[len(named) - len(cards) :] == cards


def test_a_3070_is_told_of_qlora_by_name_of_smaller_models_of_the_same_kind_and_of_the_cheapest_cards() -> None:
    assert changes_of(plan_of("gpu.type=RTX-3070")) == [
        "method=qlora",
        "model.uri=hf://Qwen/Qwen2.5-3B-Instruct",
        "model.uri=hf://Qwen/Qwen2.5-1.5B-Instruct",
        "gpu.type=RTX-3060",
        "gpu.type=RTX-2080-Ti",
        "gpu.type=RTX-A2000-12GB",
        "gpu.perNode=4",
    ]


def test_a_base_model_is_not_replaced_by_a_chat_model() -> None:
    named = changes_of(plan_of("model.uri=hf://Qwen/Qwen2.5-7B", "gpu.type=RTX-3070"))
    assert "model.uri=hf://Qwen/Qwen2.5-3B" in named
    assert not [change for change in named if "Instruct" in change]


class TestMethods:
    def test_qlora_by_name_is_named_where_only_the_rule_of_thumb_is_against_it(self) -> None:
        plan = plan_of("gpu.type=RTX-3070", data=data_of(tokens=100))
        first = plan.alternatives[0]
        assert (first.change, first.method) == ("method=qlora", "qlora")
        assert "below the rule of thumb" in first.because

    def test_qlora_with_a_shorter_cutoff_is_named_where_that_helps(self) -> None:
        first = plan_of("gpu.type=RTX-3070", data=data_of(tokens=1_500)).alternatives[0]
        assert first.change == "method=qlora hyperparameters.cutoffLength=1024"
        assert first.because == "rows longer than that lose their end"

    @pytest.mark.parametrize(
        ("method", "gpu", "lighter"), [("full", "A10", "lora"), ("full", "RTX-3060", "qlora"), ("lora", "T4", "qlora")]
    )
    def test_a_lighter_method_comes_first_where_one_was_asked_for_by_name(
        self, method: str, gpu: str, lighter: str
    ) -> None:
        plan = plan_of(f"method={method}", f"gpu.type={gpu}")
        assert plan.alternatives[0].change == f"method={lighter}"
        assert not [change for change in changes_of(plan) if "cutoffLength" in change]


def test_a_feasible_plan_has_none() -> None:
    assert plan_of().alternatives == []


def test_where_nothing_helps_there_are_none() -> None:
    plan = plan_of("hyperparameters.microBatchSize=1_000_000")
    assert not plan.feasible
    assert plan.alternatives == []
