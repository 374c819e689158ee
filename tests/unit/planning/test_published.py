"""The published tables themselves: whole, typed, and each row usable or saying why it is not."""

from collections import Counter
from typing import Any, get_args

import pytest
from published import UNITS, Point, points, shapes_of, sources

from finetune_core.api.job import Method
from finetune_core.planning.gpus import catalogue

POINTS = points()
USABLE = [point for point in POINTS if point.usable]
MEASURED = [point for point in USABLE if not point.out_of_memory]

NEEDED = ("model", "micro_batch", "tokens", "weights", "compute", "optimizer", "checkpointing", "loss", "gpu")


def find(source: str, table: str, number: int) -> Point:
    (point,) = [p for p in POINTS if (p.source, p.table, p.number) == (source, table, number)]
    return point


class TestSources:
    @pytest.mark.parametrize("name", sources())
    def test_say_where_they_are_from_and_how_they_measured(self, name: str) -> None:
        content = sources()[name]
        assert content["source"]["url"].startswith("https://")
        assert all(
            [content["source"]["title"], content["source"]["date"], content["measure"]["how"], content["habits"]]
        )
        assert content["measure"]["unit"] in UNITS

    def test_are_more_than_three_trainers_on_more_than_three_cards(self) -> None:
        assert len({point.trainer for point in MEASURED}) > 3
        assert len({point.row.gpu for point in MEASURED}) > 3

    def test_give_every_table_a_title_of_its_own(self) -> None:
        titles = Counter((name, table["title"]) for name, content in sources().items() for table in content["tables"])
        assert max(titles.values()) == 1


class TestShapes:
    @pytest.mark.parametrize(
        ("name", "entry", "shape"),
        [
            pytest.param(name, content["shapes"][name], shape, id=f"{source}: {name}")
            for source, content in sources().items()
            for name, shape in shapes_of(content).items()
        ],
    )
    def test_have_as_many_parameters_as_the_model(self, name: str, entry: dict[str, Any], shape: Any) -> None:
        assert shape.parameters == entry["parameters"]

    def test_are_there_for_every_row_that_counts(self) -> None:
        assert [str(point) for point in USABLE if point.shape is None] == []


class TestRows:
    @pytest.mark.parametrize("name", sources())
    def test_fill_their_columns(self, name: str) -> None:
        for table in sources()[name]["tables"]:
            for row in table["rows"]:
                assert len(row) - len(table["columns"]) in (0, 1), (table["title"], row)
                assert len(row) == len(table["columns"]) or isinstance(row[-1], dict), (table["title"], row)

    def test_say_what_a_prediction_needs_or_why_they_are_left_out(self) -> None:
        for point in USABLE:
            row = point.row
            assert not [name for name in NEEDED if getattr(row, name) is None], str(point)
            assert row.method in get_args(Method), str(point)
            assert (row.rank is not None and row.targets) or row.method == "full", str(point)
            assert (row.method == "qlora") == str(row.weights).startswith("nf4"), str(point)
            assert point.out_of_memory or point.peak_bytes is not None, str(point)
            assert row.checkpointing in (True, False), str(point)
            assert not (row.sharded and row.gpus == 1), str(point)

    def test_name_linears_as_we_do(self) -> None:
        for point in USABLE:
            assert point.shape is not None
            known = {*point.shape.linear_shapes, "all-linear", "lm_head"}
            assert set(point.row.targets) <= known, str(point)

    def test_stay_within_the_memory_of_their_card(self) -> None:
        """A wrong unit, or a sum taken for one card's, would show here."""
        memory = {gpu.name: gpu.memory_bytes for gpu in catalogue()} | {"RTX-PRO-6000": 96 * 2**30}
        for point in MEASURED:
            assert (point.peak_bytes or 0) <= memory[point.row.gpu or ""], str(point)

    def test_hold_at_least_the_weights(self) -> None:
        """Half a byte for each weight that 4 bits can hold, two for any other: less is a wrong unit or model."""
        for point in MEASURED:
            assert point.shape is not None
            small = point.shape.layer_parameters if point.row.method == "qlora" else 0
            if small and point.trainer == "LitGPT":
                small += point.shape.vocab_size * point.shape.hidden_size  # the head, in 4 bits there
            bound = small / 2 + 2 * max(0, point.shape.parameters - small)
            assert (point.peak_bytes or 0) >= bound / point.shards, str(point)

    def test_grow_with_the_rows_of_a_micro_batch(self) -> None:
        """Of two rows of a table that differ in nothing else, the one with more rows takes no less."""
        for one in MEASURED:
            for other in MEASURED:
                same = (one.source, one.table, _but_batch(one)) == (other.source, other.table, _but_batch(other))
                if same and (one.row.micro_batch or 0) < (other.row.micro_batch or 0):
                    assert (one.peak_bytes or 0) <= (other.peak_bytes or 0), f"{one}; {other}"

    def test_run_out_of_memory_only_beyond_what_fitted(self) -> None:
        """No table says both of the same settings, and more rows never fit where fewer did not."""
        for failed in (point for point in USABLE if point.out_of_memory):
            for fitted in MEASURED:
                if (failed.source, failed.table, _but_batch(failed)) == (
                    fitted.source,
                    fitted.table,
                    _but_batch(fitted),
                ):
                    assert (failed.row.micro_batch or 0) > (fitted.row.micro_batch or 0), f"{failed}; {fitted}"


def _but_batch(point: Point) -> tuple[Any, ...]:
    row = point.row
    return (
        row.model, row.method, row.tokens, row.rank, row.targets, row.weights, row.adapters, row.optimizer,
        row.checkpointing, row.loss, row.gpu, row.gpus,
    )  # fmt: skip


class TestVariety:
    def test_is_enough_to_judge_a_memory_model_by(self) -> None:
        assert len(MEASURED) >= 40

    @pytest.mark.parametrize("method", get_args(Method))
    @pytest.mark.parametrize("checkpointing", [True, False])
    def test_holds_every_method_checkpointed_or_not(self, method: str, checkpointing: bool) -> None:
        assert [p for p in MEASURED if (p.row.method, p.row.checkpointing) == (method, checkpointing)]

    def test_holds_facts_of_running_out_of_memory(self) -> None:
        assert len([point for point in USABLE if point.out_of_memory]) >= 10

    def test_holds_whole_tables(self) -> None:
        """Rows that are left out are counted too, so that none goes missing unseen."""
        assert {name: sum(point.source == name for point in POINTS) for name in sources()} == {
            "fms-acceleration-a100": 60,
            "fms-acceleration-liger": 96,
            "litgpt-config-hub": 47,
            "litgpt-resource-tables": 51,
            "qwen-readme": 86,
            "swift-benchmark": 96,
            "torchtune": 14,
            "universal-llm-trainer": 57,
            "unsloth-context": 18,
        }


class TestUnits:
    @pytest.mark.parametrize(
        ("source", "table", "number", "size"),
        [
            ("litgpt-resource-tables", "Finetuning with LoRA on 1 GPU", 11, 21_300_000_000),  # 21.30 GB
            ("torchtune", "README, memory and training speed", 3, 17_394_617_549),  # 16.2 GiB
            ("fms-acceleration-a100", "LoRA", 1, 26_108_963_328),  # bytes
            ("qwen-readme", "Full-parameter", 7, 72_980_889_600),  # 139,200 MiB of two cards
        ],
    )
    def test_become_bytes_of_one_card(self, source: str, table: str, number: int, size: int) -> None:
        assert find(source, table, number).peak_bytes == size

    def test_of_nvidia_smi_are_mebibytes(self) -> None:
        assert find("fms-acceleration-a100", "LoRA", 1).device_bytes == 29_731 * 2**20

    def test_of_a_run_out_of_memory_are_none(self) -> None:
        point = find("litgpt-resource-tables", "Finetuning with LoRA on 1 GPU", 15)
        assert (point.out_of_memory, point.peak_bytes) == (True, None)
