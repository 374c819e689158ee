"""The learning-rate table: its rows, what lies between and beyond them, and the recent preset."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs import plan_of

from finetune_core.api.job import Method
from finetune_core.planning.learning_rate import learning_rate

TABLE: list[tuple[float, Method, float]] = [
    # billions of parameters, method, rate
    (7, "full", 1e-5), (7, "lora", 5e-5), (7, "qlora", 1e-4),
    (13, "full", 5e-6), (13, "lora", 3e-5), (13, "qlora", 5e-5),
    (70, "full", 1e-6), (70, "lora", 1e-5), (70, "qlora", 3e-5),
]  # fmt: skip
METHODS: list[Method] = ["full", "lora", "qlora"]
sizes = st.integers(min_value=1, max_value=10**13)


def rate_of(method: Method, billions: float, preset: str = "conservative") -> float:
    rate, _ = learning_rate(method, round(billions * 1e9), "recent" if preset == "recent" else "conservative")
    return rate


@pytest.mark.parametrize(("billions", "method", "rate"), TABLE)
def test_the_table(billions: float, method: Method, rate: float) -> None:
    assert rate_of(method, billions) == pytest.approx(rate, rel=1e-9)


@pytest.mark.parametrize(
    ("low", "high", "between", "method", "rate"),
    [
        # half way in the logarithm of the size is half way in the logarithm of the rate
        (7, 13, (7 * 13) ** 0.5, "full", (1e-5 * 5e-6) ** 0.5),
        (7, 13, (7 * 13) ** 0.5, "lora", (5e-5 * 3e-5) ** 0.5),
        (13, 70, (13 * 70) ** 0.5, "lora", (3e-5 * 1e-5) ** 0.5),
        (13, 70, (13 * 70) ** 0.5, "qlora", (5e-5 * 3e-5) ** 0.5),
        # 32B, a third of the way and a little more
        (13, 70, 32, "lora", 3e-5 * (1e-5 / 3e-5) ** 0.53505),
    ],
)
def test_between_two_sizes_it_is_interpolated_in_log_log(
    low: float, high: float, between: float, method: Method, rate: float
) -> None:
    assert rate_of(method, between) == pytest.approx(rate, rel=5e-3)
    assert rate_of(method, high) < rate_of(method, between) < rate_of(method, low)


@pytest.mark.parametrize("method", METHODS)
def test_below_and_above_the_table_it_is_that_of_the_nearest_size(method: Method) -> None:
    assert rate_of(method, 0.1) == rate_of(method, 6.99) == rate_of(method, 7)
    assert rate_of(method, 10_000) == rate_of(method, 70.1) == rate_of(method, 70)


@given(sizes, sizes, st.sampled_from(METHODS), st.sampled_from(["conservative", "recent"]))
@settings(deadline=None)
def test_a_larger_model_never_learns_faster(one: int, other: int, method: Method, preset: str) -> None:
    small, large = sorted((one, other))
    assert rate_of(method, small / 1e9, preset) >= rate_of(method, large / 1e9, preset)


@pytest.mark.parametrize("billions", [0.5, 7, 10, 13, 32, 70, 400])
def test_recent_gives_adapters_ten_times_the_rate_of_full(billions: float) -> None:
    full = rate_of("full", billions, "recent")
    assert full == rate_of("full", billions)
    assert rate_of("lora", billions, "recent") == rate_of("qlora", billions, "recent") == pytest.approx(10 * full)


@pytest.mark.parametrize("preset", ["conservative", "recent"])
@pytest.mark.parametrize(
    ("model", "method", "rates"),
    [
        # to the table both are 7B models, though with embeddings they count 7.6B and 8.0B
        ("hf://Qwen/Qwen2.5-7B-Instruct", "lora", {"conservative": 5e-5, "recent": 1e-4}),
        ("hf://meta-llama/Llama-3.1-8B-Instruct", "lora", {"conservative": 5e-5, "recent": 1e-4}),
        ("hf://Qwen/Qwen2.5-0.5B-Instruct", "qlora", {"conservative": 1e-4, "recent": 1e-4}),
        ("hf://Qwen/Qwen2.5-0.5B-Instruct", "full", {"conservative": 1e-5, "recent": 1e-5}),
    ],
)
def test_a_plan_takes_it_and_says_so(model: str, method: str, preset: str, rates: dict[str, float]) -> None:
    plan = plan_of(
        f"model.uri={model}", f"method={method}", f"hyperparameters.preset={preset}", "gpu.type=B200"
    )  # fmt: skip
    assert plan.hyperparameters is not None
    assert plan.hyperparameters.learning_rate == pytest.approx(rates[preset], rel=0.01)
    assert method in plan.why("learningRate") or "preset recent" in plan.why("learningRate")
