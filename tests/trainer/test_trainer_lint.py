"""``ftj lint --tokenizer``: tokens counted as the prepare step counts them; and tokenizing in several processes."""

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from click.testing import Result
from trainer_families import make_family_tokenizer
from trainer_model import TRAIN_ROWS, make_tokenizer, write_rows
from trainer_steps import Bench
from typer.testing import CliRunner

from finetune_cli.lint import lint
from finetune_core.contract import PrepareReport
from finetune_core.data import DatasetReport, Example, Message, RawRow, examine, read_rows
from finetune_core.data.workers import Workers
from finetune_trainer.kept_rows import KeptRows
from finetune_trainer.template import ChatEncoder

app = typer.Typer()
app.command()(lint)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def report_of(data: Path, model: Path, *options: object) -> dict[str, Any]:
    """What it prints as JSON."""
    result = run(data, "--tokenizer", model.as_uri(), "-o", "json", *options)
    assert (result.exit_code, result.stderr) == (0, ""), result.exception
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def saved(name: str, folder: Path) -> Path:
    """A family's tokenizer in a folder, as a model has it."""
    make_family_tokenizer(name).save_pretrained(folder)
    return folder


def messages_file(path: Path, *conversations: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps({"messages": each}) + "\n" for each in conversations), encoding="utf-8")
    return path


def conversation(number: int, answer: str = "It is red.", **more: Any) -> list[dict[str, Any]]:
    return [
        {"role": "user", "content": f"What colour is lamp {number}?"},
        {"role": "assistant", "content": answer, **more},
    ]


def test_lengths_are_those_that_the_prepare_step_counts(bench: Bench, tmp_path: Path) -> None:
    prepared = PrepareReport.model_validate_json(
        bench.prepare(bench.job(tmp_path / "output", validation=0.0)).good_answer
    )
    report = report_of(bench.data, bench.model)
    assert report["statistics"] == json.loads(prepared.statistics.to_json())
    assert report["statistics"]["exact"]
    estimated = json.loads(run(bench.data, "-o", "json").stdout)["statistics"]
    assert not estimated["exact"]
    assert estimated["tokens"] != report["statistics"]["tokens"]


def test_the_cutoff_is_compared_with_real_tokens(bench: Bench) -> None:
    lengths = [ChatEncoder(make_tokenizer()).encode(example(row)).length for row in TRAIN_ROWS]
    cutoff = sorted(lengths)[-3] - 1
    longer = [number for number, length in enumerate(lengths, start=1) if length > cutoff]
    [found] = [
        finding
        for finding in report_of(bench.data, bench.model, "--cutoff-length", cutoff)["findings"]
        if finding["code"] == "over-length"
    ]
    assert found["rows"] == longer
    assert f"row {longer[0]}: {lengths[longer[0] - 1]} tokens, over {cutoff}" in found["message"]


def example(row: dict[str, str]) -> Example:
    return Example(1, (Message("user", row["instruction"]), Message("assistant", row["output"])))


def test_rows_without_a_token_to_learn_and_rows_that_the_template_refuses_are_left_out(tmp_path: Path) -> None:
    system = {"role": "system", "content": "Be brief."}
    data = messages_file(
        tmp_path / "data.jsonl",
        *map(conversation, range(60)),
        conversation(60, weight=0),
        [system, *conversation(61)],
    )
    findings = report_of(data, saved("Gemma", tmp_path / "gemma"))["findings"]
    assert {found["code"]: found["rows"] for found in findings} == {"no-supervised-tokens": [61], "wrong-schema": [62]}
    assert json.loads(run(data, "-o", "json").stdout)["findings"] == []


def test_the_text_says_that_tokens_are_counted_and_which_answers_are_lost(tmp_path: Path) -> None:
    model = saved("Qwen3", tmp_path / "qwen3")
    data = messages_file(
        tmp_path / "data.jsonl",
        *([*conversation(n, reasoning_content="I saw it."), *conversation(n + 100)] for n in range(50)),
    )
    counted, estimated = run(data, "--tokenizer", model.as_uri()).stdout, run(data).stdout
    assert "50 answers are not trained on: the chat template drops or rewrites them" in counted
    assert "\ntokens: " in counted
    assert "not trained on" not in estimated
    assert "\ntokens, estimated: " in estimated


MANY = [
    RawRow(number, {**row, "instruction": f"{number}: {row['instruction']}"})
    for number, row in enumerate(TRAIN_ROWS * 110, start=1)
]
"""So many that other processes are worth starting."""


def test_what_is_prepared_is_the_same_to_the_byte_however_many_processes_tokenize(tmp_path: Path) -> None:
    encoder = ChatEncoder(make_tokenizer())

    def prepared(processes: int) -> tuple[DatasetReport, bytes, list[Any]]:
        with KeptRows(tmp_path, str(processes)) as kept:
            report = examine(MANY, encode=encoder.encode, keep=kept.keep, processes=processes)
        return report, kept.tokens_path.read_bytes(), list(kept.sample_prompts(range(0, 3000, 100)))

    alone, together = prepared(1), prepared(2)
    assert alone[0].used_rows == len(MANY)
    assert together == alone


def test_lint_counts_alike_in_this_process_and_in_others(bench: Bench, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "data.jsonl", [row.value for row in MANY if row.value])
    encoder = ChatEncoder(make_tokenizer())
    assert report_of(data, bench.model) == json.loads(examine(read_rows(data), encode=encoder.count).to_json())


def test_the_processes_that_tokenize_do_without_torch() -> None:
    row = example(TRAIN_ROWS[0])
    code = (
        "import pickle, sys\n"
        "count, row = pickle.load(sys.stdin.buffer)\n"
        "print(count(row).length, 'torch' in sys.modules)"
    )
    encoder = ChatEncoder(make_tokenizer())
    ended = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps((encoder.count, row)), capture_output=True, check=True
    )
    assert ended.stdout.decode().split() == [str(encoder.encode(row).length), "False"]


@pytest.mark.parametrize("name", ["Qwen3", "Llama-3", "Gemma", "GLM-4"])
def test_an_encoder_that_has_travelled_encodes_as_before(name: str) -> None:
    encoder = ChatEncoder(make_family_tokenizer(name))
    rows = [example(row) for row in TRAIN_ROWS[:4]]
    rows.append(Example(5, (Message("user", "End with <|im_end|> or <eos>."), Message("assistant", "好的 👍"))))
    with Workers(1, encoder.encode) as workers:
        assert list(workers.map(rows)) == list(map(encoder.encode, rows))
