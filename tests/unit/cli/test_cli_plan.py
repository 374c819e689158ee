"""``ftj plan`` as a person runs it: the answer on standard output, one clear line where there is none."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from command import ftj, refusal, write_job
from jobs import JOB, plan_of

from finetune_core.api import Plan

GIVEN_ROWS = ("--rows", "1000", "--tokens-per-row", "512")
LLAMA = {
    "model_type": "llama",
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "tie_word_embeddings": True,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with job.yaml in it."""
    write_job(tmp_path)
    return tmp_path


def planned(folder: Path, *arguments: object) -> Plan:
    """The plan that it prints as JSON, alone on standard output."""
    ended = ftj(folder, "plan", "-f", "job.yaml", "-o", "json", *arguments)
    assert ended.returncode == 0, ended.stderr
    return Plan.model_validate_json(ended.stdout)


def write_rows(path: Path, count: int, answer: str = "回答") -> Path:
    rows = [{"instruction": f"问题{n}", "output": f"{answer}{n}"} for n in range(count)]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


class TestTheAnswer:
    def test_is_text_for_people(self, folder: Path) -> None:
        ended = ftj(folder, "plan", "-f", "job.yaml", *GIVEN_ROWS)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert "support-bot: lora on A10" in ended.stdout
        assert "19.5 of 20.9 GiB usable" in ended.stdout
        assert "pod: 3 CPUs, 7.9 GiB of memory, 16.4 GiB of disk" in ended.stdout
        for reason in plan_of().reasons:
            assert reason.field in ended.stdout
        assert "table for lora, layers of 6.5B parameters" in ended.stdout
        assert "not full" in ended.stdout

    def test_as_json_is_the_plan_of_the_contract(self, folder: Path) -> None:
        answer = planned(folder, *GIVEN_ROWS)
        expected = plan_of()
        assert (answer.method, answer.memory, answer.hyperparameters) == (
            expected.method, expected.memory, expected.hyperparameters,
        )  # fmt: skip

    @pytest.mark.parametrize(("gpu", "code"), [("A10", 0), ("RTX-3070", 3)])
    def test_as_yaml_is_the_same_as_json(self, folder: Path, gpu: str, code: int) -> None:
        arguments = ("plan", "-f", "job.yaml", "--set", f"gpu.type={gpu}", *GIVEN_ROWS, "-o")
        as_json, as_yaml = ftj(folder, *arguments, "json"), ftj(folder, *arguments, "yaml")
        assert as_json.returncode == as_yaml.returncode == code
        assert yaml.safe_load(as_yaml.stdout) == json.loads(as_json.stdout)
        assert as_json.stderr == as_yaml.stderr

    def test_without_rows_says_on_standard_error_what_it_assumed(self, folder: Path) -> None:
        ended = ftj(folder, "plan", "-f", "job.yaml", "-o", "json")
        assert json.loads(ended.stdout)["feasible"] is True
        assert ended.stderr == (
            "assuming 1,000 rows of 512 tokens: give --dataset FILE, or --rows and --tokens-per-row\n"
        )

    def test_is_the_same_every_time(self, folder: Path) -> None:
        assert planned(folder, *GIVEN_ROWS) == planned(folder, *GIVEN_ROWS)

    def test_of_places_in_a_cluster_needs_none_of_them(self, folder: Path) -> None:
        places = ("dataset.uri=pvc://data/rows.jsonl", "output.uri=pvc://models/support-bot", "output.secretName=keys")
        changes = [argument for place in places for argument in ("--set", place)]
        assert planned(folder, *GIVEN_ROWS, *changes) == planned(folder, *GIVEN_ROWS)


class TestInfeasible:
    def test_ends_with_3_and_one_line_that_names_what_would_fit(self, folder: Path) -> None:
        ended = ftj(folder, "plan", "-f", "job.yaml", "--set", "gpu.type=RTX-3070", *GIVEN_ROWS)
        assert ended.returncode == 3
        assert ended.stderr == (
            "ftj: hf://Qwen/Qwen2.5-7B-Instruct does not fit RTX-3070; it would with "
            "method=qlora, or model.uri=hf://Qwen/Qwen2.5-3B-Instruct, or model.uri=hf://Qwen/Qwen2.5-1.5B-Instruct\n"
        )
        assert "does not fit" in ended.stdout
        assert "gpu.type=RTX-3060" in ended.stdout

    def test_with_nothing_that_helps_gives_the_reason(self, folder: Path) -> None:
        changes = ("--set", "method=lora", "--set", "hyperparameters.microBatchSize=1_000_000")
        ended = ftj(folder, "plan", "-f", "job.yaml", *changes, *GIVEN_ROWS, "-o", "json")
        assert ended.returncode == 3
        assert json.loads(ended.stdout)["feasible"] is False
        assert ended.stderr.startswith(
            "ftj: hf://Qwen/Qwen2.5-7B-Instruct does not fit A10 with method lora: lora needs "
        )


class TestOverrides:
    def test_change_the_job(self, folder: Path) -> None:
        answer = planned(
            folder, *GIVEN_ROWS, "--set", "gpu.type=nvidia a100 80gb", "--set", "spec.hyperparameters.learningRate=2e-5"
        )
        assert (answer.gpu.type, answer.method) == ("A100-80GB", "full")
        assert answer.hyperparameters is not None
        assert answer.hyperparameters.learning_rate == 2e-5

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ("gpu.type", "job.yaml: --set 'gpu.type': write path=value, as in gpu.type=A10"),
            ("gpu.type=[", "job.yaml: --set 'gpu.type=[': line 2: not YAML"),
            ("gpu.typ=A10", "job.yaml: spec.gpu.typ: unknown field; did you mean type?"),
            ("gpu.type=off", "job.yaml: spec.gpu.type: false is a boolean"),
            ("gpu.type=A1000", "unknown GPU 'A1000'"),
            (
                "model.uri=hf://nobody/nothing",
                "hf://nobody/nothing: the shape of this model does not ship; give --model-c",
            ),
        ],
    )
    def test_that_are_wrong_end_with_2(self, folder: Path, change: str, message: str) -> None:
        assert refusal(folder, 2, "plan", "-f", "job.yaml", "--set", change).startswith(message)


class TestJobFiles:
    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("missing.yaml", None, "No such file or directory"),
            ("binary.yaml", b"\x89PNG\r\n\x1a\n\x00\xff", "not a text file in UTF-8"),
            ("empty.yaml", b"", "not a FineTuneJob: expected apiVersion, kind, metadata and spec"),
            ("list.yaml", b"- a\n- b\n", "not a FineTuneJob"),
            ("broken.yaml", b"a: [1,\n", "line 2: not YAML"),
            (
                "bomb.yaml",
                b"a: &a [" + b"x," * 9 + b"]\nb: [" + b"*a," * 99 + b"]\n",
                "line 2: not a job file: more than 10 aliases",
            ),
            ("deep.yaml", b"[" * 100_000, "line 1: not a job file: nested deeper than 100 levels"),
            ("field.yaml", JOB.encode() + b"  gpus: 2\n", "spec.gpus: unknown field; did you mean gpu?"),
        ],
    )
    def test_that_are_none_end_with_2(self, tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        assert refusal(tmp_path, 2, "plan", "-f", name).startswith(f"{name}: {message}")

    def test_of_another_kind_end_with_2_and_a_line_for_each_problem(self, tmp_path: Path) -> None:
        write_job(tmp_path, "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {}\n")
        ended = ftj(tmp_path, "plan", "-f", "job.yaml")
        assert (ended.returncode, ended.stdout) == (2, "")
        lines = ended.stderr.splitlines()
        assert lines[0] == "ftj: job.yaml: apiVersion: 'v1': input should be 'finetune.dev/v1alpha1'"
        assert "job.yaml: kind: 'Pod': input should be 'FineTuneJob'" in lines

    def test_a_folder_ends_with_2(self, tmp_path: Path) -> None:
        assert refusal(tmp_path, 2, "plan", "-f", ".") == ".: Is a directory"


class TestModelConfig:
    def write(self, folder: Path, content: Any) -> None:
        (folder / "config.json").write_text(
            content if isinstance(content, str) else json.dumps(content), encoding="utf-8", errors="surrogateescape"
        )

    def test_gives_the_shape_of_a_model_that_does_not_ship(self, folder: Path) -> None:
        self.write(folder, LLAMA)
        answer = planned(folder, *GIVEN_ROWS, "--set", "model.uri=hf://nobody/nothing", "--model-config", "config.json")
        # Llama 3.2 1B under another name
        assert answer.memory == planned(folder, *GIVEN_ROWS, "--set", "model.uri=hf://meta-llama/Llama-3.2-1B").memory

    def test_of_a_model_in_a_folder_is_found_there(self, folder: Path) -> None:
        (folder / "base model").mkdir()
        self.write(folder / "base model", LLAMA)
        assert planned(folder, *GIVEN_ROWS, "--set", "model.uri=file:base model").method == "full"

    def test_of_a_model_folder_without_one_is_named(self, folder: Path) -> None:
        line = refusal(folder, 2, "plan", "-f", "job.yaml", "--set", "model.uri=file:nowhere")
        assert line == f"{folder}/nowhere/config.json: No such file or directory"

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "not JSON"),
            ('{"model_type":', "not JSON"),
            ("\udcff\udcfe", "not JSON"),
            ("[" * 200_000, "not JSON"),
            ([], "not a config.json"),
            ({"model_type": "bert"}, "model type 'bert' is not known yet"),
            (LLAMA | {"hidden_size": -1}, "hidden_size is -1"),
        ],
        ids=["empty", "cut short", "binary", "deep", "list", "another type", "mischief"],
    )
    def test_that_is_none_ends_with_2(self, folder: Path, content: Any, message: str) -> None:
        self.write(folder, content)
        line = refusal(folder, 2, "plan", "-f", "job.yaml", "--model-config", "config.json")
        assert line.startswith(f"config.json: {message}")


class TestData:
    def test_of_a_file_are_counted(self, folder: Path) -> None:
        write_rows(folder / "rows.jsonl", 90)
        answer = planned(folder, "--dataset", "rows.jsonl")
        assert "90 rows are in the band that takes 5-10 epochs" in answer.why("epochs")
        assert [warning.code for warning in answer.warnings] == ["data-assumed"]

    def test_of_the_job_are_counted_where_they_lie_on_this_machine(self, folder: Path) -> None:
        write_rows(folder / "rows.jsonl", 90)
        counted = planned(folder, "--set", "dataset.uri=file:rows.jsonl")
        assert counted == planned(folder, "--dataset", "rows.jsonl")
        assumed = planned(folder, "--set", "dataset.uri=file:rows.jsonl", "--rows", "5000")
        assert "5,000 rows" in assumed.why("epochs")

    def test_given_by_hand_are_taken(self, folder: Path) -> None:
        answer = planned(folder, "--rows", "5000", "--tokens-per-row", "1500")
        assert "5,000 rows" in answer.why("epochs")
        assert answer.hyperparameters is not None
        assert answer.hyperparameters.cutoff_length == 2048

    def test_both_counted_and_given_by_hand_are_refused(self, folder: Path) -> None:
        line = refusal(folder, 2, "plan", "-f", "job.yaml", "--dataset", "rows.jsonl", "--rows", "5")
        assert line == "--dataset counts rows and tokens itself: leave out --rows and --tokens-per-row"

    @pytest.mark.parametrize("name", ["missing.jsonl", ".", "job.yaml"])
    def test_that_cannot_be_read_end_with_2(self, folder: Path, name: str) -> None:
        assert refusal(folder, 2, "plan", "-f", "job.yaml", "--dataset", name).startswith(f"{name}: ")

    def test_that_are_refused_end_with_4(self, folder: Path) -> None:
        (folder / "rows.jsonl").write_text('{"question": "a", "answer": "b"}\n', encoding="utf-8")
        line = refusal(folder, 4, "plan", "-f", "job.yaml", "--dataset", "rows.jsonl", "-o", "json")
        assert line.startswith("wrong-schema, 1 of 1 rows")

    def test_are_judged_by_the_rules_of_the_job(self, folder: Path) -> None:
        write_rows(folder / "rows.jsonl", 30)
        strict = ("--set", "dataset.quality={too-few-samples: enforce}", "--dataset", "rows.jsonl")
        assert refusal(folder, 4, "plan", "-f", "job.yaml", *strict).startswith("too-few-samples")


class TestAllGpus:
    def test_compares_the_cards_the_cheapest_first(self, folder: Path) -> None:
        ended = ftj(folder, "plan", "-f", "job.yaml", *GIVEN_ROWS, "--all-gpus", "-o", "json")
        assert (ended.returncode, ended.stderr) == (0, "")
        plans = [Plan.model_validate(entry) for entry in json.loads(ended.stdout)]
        costs = [plan.estimate.cost for plan in plans if plan.estimate is not None]
        assert len(costs) > 40
        assert costs == sorted(costs)
        assert [plan.feasible for plan in plans] == sorted((plan.feasible for plan in plans), reverse=True)
        assert {plan.method for plan in plans} == {"full", "lora", "qlora", None}

    def test_names_those_that_cannot(self, folder: Path) -> None:
        shown = ftj(folder, "plan", "-f", "job.yaml", *GIVEN_ROWS, "--all-gpus").stdout
        assert "support-bot on " in shown
        assert "RTX-3070" in shown[shown.index("not on:") :]

    def test_ends_as_infeasible_where_no_card_is_enough(self, folder: Path) -> None:
        ended = ftj(folder, "plan", "-f", "job.yaml", *GIVEN_ROWS, "--all-gpus", "--set", "budget.maxCost=0.001")
        assert ended.returncode == 3
        assert "any card of the catalogue" in ended.stderr


def test_a_plan_over_budget_says_so(folder: Path) -> None:
    ended = ftj(folder, "plan", "-f", "job.yaml", *GIVEN_ROWS, "--set", "budget.maxDurationSeconds=30")
    assert ended.returncode == 3
    assert "over the budget on A10" in ended.stderr
    assert "Traceback" not in ended.stderr
