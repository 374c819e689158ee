"""The defaults that do not depend on memory: one test a rule, one line a row of its table."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs import data_of, job, plan_of

from finetune_core.api.job import Task
from finetune_core.contract import LENGTH_EDGES
from finetune_core.planning import hyperparameters as defaults

rows = st.integers(min_value=0, max_value=2**40)


class TestEpochs:
    @pytest.mark.parametrize(
        ("count", "least", "most"),
        [
            (1, 5, 10), (10, 5, 10), (50, 5, 10), (99, 5, 10),
            (100, 3, 5), (316, 3, 5), (999, 3, 5),
            (1_000, 2, 3), (3_162, 2, 3), (9_999, 2, 3),
            (10_000, 1, 2), (50_000, 1, 2), (100_000, 1, 2), (10**9, 1, 2),
        ],
    )  # fmt: skip
    def test_lie_in_the_band_of_the_rows(self, count: int, least: int, most: int) -> None:
        passes, because = defaults.epochs(count)
        assert least <= passes <= most
        assert f"{count:,} rows" in because

    @pytest.mark.parametrize(
        ("count", "passes"), [(1, 10), (10, 10), (99, 5), (100, 5), (999, 3), (1_000, 3), (9_999, 2), (99_999, 1)]
    )
    def test_span_the_whole_band(self, count: int, passes: int) -> None:
        assert defaults.epochs(count)[0] == passes

    @given(rows, rows)
    @settings(deadline=None)
    def test_never_grow_with_the_rows(self, one: int, other: int) -> None:
        fewer, more = sorted((one, other))
        assert defaults.epochs(fewer)[0] >= defaults.epochs(more)[0] >= 1


class TestLoraRank:
    @pytest.mark.parametrize(
        ("task", "rank"), [(None, 8), ("classification", 4), ("style", 8), ("knowledge", 16), ("reasoning", 16)]
    )
    def test_follows_the_task(self, task: Task | None, rank: int) -> None:
        assert defaults.lora_rank(task, 1_000)[0] == rank
        assert defaults.lora_rank(task, 100)[0] == rank

    @pytest.mark.parametrize("task", [None, "classification", "style", "knowledge", "reasoning"])
    def test_is_small_where_data_is_little(self, task: Task | None) -> None:
        assert defaults.lora_rank(task, 99) == (4, "fewer than 100 rows: a small rank overfits less")

    def test_of_32_and_more_is_for_those_who_ask(self) -> None:
        settled = plan_of("hyperparameters.lora.rank=32").hyperparameters
        assert settled is not None
        assert settled.lora is not None
        assert (settled.lora.rank, settled.lora.alpha) == (32, 64)


class TestCutoffLength:
    @pytest.mark.parametrize(
        ("p99", "cutoff"),
        [
            (1, 512), (512, 512), (513, 1024), (1024, 1024), (1025, 2048), (2048, 2048), (2049, 4096), (4096, 4096),
            (4097, 4096), (100_000, 4096),
        ],
    )  # fmt: skip
    def test_is_the_shortest_that_holds_99_of_100_rows(self, p99: int, cutoff: int) -> None:
        length, because = defaults.cutoff_length(data_of(tokens=min(p99, 400), p99=p99), 32_768)
        assert length == cutoff
        assert str(p99) in because

    @pytest.mark.parametrize(("p99", "longest", "cutoff"), [(3_000, 2_048, 2_048), (100, 256, 256), (500, 512, 512)])
    def test_is_never_more_than_the_model_reads(self, p99: int, longest: int, cutoff: int) -> None:
        assert defaults.cutoff_length(data_of(tokens=p99), longest)[0] == cutoff

    def test_one_long_row_does_not_count(self) -> None:
        assert defaults.cutoff_length(data_of(tokens=200, p99=300, longest=30_000), 32_768)[0] == 512


class TestEffectiveBatchSize:
    @pytest.mark.parametrize(
        ("count", "passes", "batch"),
        [
            # 16 is enough for 50 steps
            (1_000, 3, 16), (500, 2, 16), (10_000, 2, 16),
            # 32 for large sets
            (10_001, 2, 32), (1_000_000, 1, 32),
            # halved while there are fewer than 50 steps, but not below 4
            (200, 3, 8), (100, 5, 8), (60, 5, 4), (10, 10, 4), (1, 10, 4), (0, 1, 4),
        ],
    )  # fmt: skip
    def test_is_16_to_32_and_less_for_few_rows(self, count: int, passes: int, batch: int) -> None:
        assert defaults.effective_batch_size(count, passes)[0] == batch

    @given(rows, st.integers(min_value=1, max_value=10))
    @settings(deadline=None)
    def test_leaves_50_steps_or_is_the_least(self, count: int, passes: int) -> None:
        batch, _ = defaults.effective_batch_size(count, passes)
        assert 4 <= batch <= 32
        if batch > 4:
            assert defaults.total_steps(count, passes, batch) >= 50


class TestSteps:
    @pytest.mark.parametrize(
        ("count", "passes", "batch", "steps"),
        [
            (1_000, 3, 16, 189),  # 62.5 batches are 63 steps
            (16, 1, 16, 1), (17, 1, 16, 2), (1, 1, 16, 1), (0, 3, 16, 1),
            (100, 0.5, 10, 5), (100, 0.01, 10, 1), (100, 2.25, 10, 23),
        ],
    )  # fmt: skip
    def test_count_a_last_smaller_batch(self, count: int, passes: float, batch: int, steps: int) -> None:
        assert defaults.total_steps(count, passes, batch) == steps

    @pytest.mark.parametrize(("steps", "share"), [(1, 0.1), (199, 0.1), (200, 0.05), (40_000, 0.05)])
    def test_warm_up_takes_5_to_10_percent(self, steps: int, share: float) -> None:
        assert defaults.warmup_ratio(steps)[0] == share

    @pytest.mark.parametrize("steps", [40_001, 312_500, 10**6, 2**31 - 1])
    def test_warm_up_takes_about_2000_steps_at_the_most(self, steps: int) -> None:
        share, because = defaults.warmup_ratio(steps)
        assert round(share * steps) == pytest.approx(2_000, rel=0.005)
        assert "2,000 steps" in because

    @pytest.mark.parametrize(("steps", "every"), [(1, 1), (9, 1), (10, 1), (189, 18), (5_000, 500)])
    def test_a_run_is_evaluated_about_ten_times(self, steps: int, every: int) -> None:
        assert defaults.evaluation_steps(steps)[0] == every

    @pytest.mark.parametrize(("steps", "every"), [(1, 1), (39, 1), (40, 2), (189, 9), (200, 10), (100_000, 10)])
    def test_progress_comes_every_10_steps_or_oftener(self, steps: int, every: int) -> None:
        assert defaults.logging_steps(steps)[0] == every


class TestFromThirtyRowsToTenMillion:
    """The numbers of a run, by its rows."""

    @pytest.mark.parametrize(
        ("rows", "steps", "warmup", "evaluation", "logging"),
        [
            (30, 64, 6, 6, 3),  # 8 passes, 4 rows a step
            (300, 76, 8, 7, 3),  # 4 passes, 16 rows a step
            (3_000, 564, 28, 56, 10),  # 3 passes
            (100_000, 3_125, 156, 312, 10),  # one pass, 32 rows a step
            (10_000_000, 312_500, 2_000, 31_250, 10),
        ],
    )
    def test_make_sense(self, rows: int, steps: int, warmup: int, evaluation: int, logging: int) -> None:
        settled = plan_of(data=data_of(rows=rows)).hyperparameters
        assert settled is not None
        assert (settled.total_steps, settled.warmup_steps) == (steps, warmup)
        assert (settled.evaluation_steps, settled.logging_steps) == (evaluation, logging)

    def test_a_checkpoint_comes_every_100_steps_and_every_half_hour_however_slow_they_are(self) -> None:
        checkpoints = job().spec.checkpoints
        assert (checkpoints.every_steps, checkpoints.every_seconds, checkpoints.keep) == (100, 1_800, 3)


class TestMicroBatchSizes:
    @pytest.mark.parametrize(
        ("batch", "sizes"), [(1, [1]), (16, [1, 2, 4, 8, 16]), (30, [1, 2, 3, 5, 6, 10, 15, 30]), (13, [1, 13])]
    )
    def test_divide_the_effective_batch(self, batch: int, sizes: list[int]) -> None:
        assert defaults.micro_batch_sizes(batch) == sizes

    def test_of_a_huge_batch_are_few(self) -> None:
        sizes = defaults.micro_batch_sizes(2**31 - 1)  # a prime
        assert sizes == [1]
        assert max(defaults.micro_batch_sizes(2**30)) == 1024


class TestTruncatedRows:
    @pytest.mark.parametrize(("cutoff", "rows"), [(512, 7), (1024, 4), (32768, 1), (40_000, 0)])
    def test_are_counted_from_the_histogram(self, cutoff: int, rows: int) -> None:
        counts = {512: 10, 768: 3, 2048: 2, 32768: 1, math.inf: 1}
        data = data_of(tokens=500, longest=40_000).model_copy(
            update={"histogram": [counts.get(edge, 0) for edge in (*LENGTH_EDGES, math.inf)]}
        )
        assert defaults.truncated_rows(data, cutoff) == rows

    def test_there_are_none_where_the_longest_row_fits(self) -> None:
        data = data_of(tokens=500).model_copy(update={"histogram": [0] * 7 + [1_000] + [0] * 10})
        assert defaults.truncated_rows(data, 500) == 0
