"""``ftj lint`` as a person at a terminal meets it."""

import gzip
import importlib.util
import json

import pytest
import typer
from command import refusal
from typer.testing import CliRunner

from finetune_cli.lint import lint
from finetune_core.errors import DatasetRefused, DatasetUnavailable, InvalidSpec

app = typer.Typer()
app.command()(lint)


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def row(question: str, answer: str) -> dict[str, str]:
    return {"instruction": question, "output": answer}


@pytest.fixture
def data(tmp_path):
    """60 rows: the 5th is blank, the 7th a copy of the 6th."""
    rows = [row(f"问题{n}", f"回答{n}") for n in range(1, 61)]
    rows[4]["output"] = ""
    rows[6] = rows[5]
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(value, ensure_ascii=False) + "\n" for value in rows), encoding="utf-8")
    return path


def test_good_data_passes_and_says_what_is_next(tmp_path):
    path = tmp_path / "data.json"
    path.write_text(json.dumps([row(f"问题{n}", f"回答{n}") for n in range(170)]))
    result = run(path, "--task", "style")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "alpaca" in result.stdout
    assert "170 rows read, 170 good, 0 left out" in result.stdout
    assert "style: 50 at least, 200 recommended, 170 here" in result.stdout
    assert "next: train a pilot on 50-100 core rows" in result.stdout


def test_findings_name_rows_and_what_to_do(data):
    result = run(data)
    assert result.exit_code == 0
    assert "60 rows read, 58 good, 2 left out" in result.stdout
    assert "empty-output  left out: row 5" in result.stdout
    assert "exact-duplicate  left out: row 7" in result.stdout
    assert "the same as row 6" in result.stdout
    assert result.stdout.count("fix: ") == 2


def test_json_has_stdout_to_itself(data):
    result = run(data, "-o", "json")
    report = json.loads(result.stdout)
    assert result.stderr == ""
    assert (report["rows"], report["usedRows"]) == (60, 58)
    found = {finding["code"]: finding["rows"] for finding in report["findings"]}
    assert found == {"empty-output": [5], "exact-duplicate": [7]}


def test_an_enforced_check_refuses_after_the_report_is_printed(tmp_path):
    path = tmp_path / "data.json"
    path.write_text('[{"question": "x", "answer": "y"}]')
    for output in ("json", "text"):
        result = run(path, "-o", output)
        assert isinstance(result.exception, DatasetRefused)
        assert "wrong-schema" in result.stdout
    named = run(path, "--format", "messages")
    assert "field 'messages' is missing; there is 'question', 'answer'" in named.stdout


def test_the_encoding_is_told_where_it_was_another(data):
    assert "converted" not in run(data).stdout
    assert json.loads(run(data, "-o", "json").stdout)["encoding"] == "UTF-8"
    data.write_bytes(data.read_text(encoding="utf-8").encode("utf-16"))
    result = run(data)
    assert result.stdout.splitlines()[0].endswith("rows look like it), converted from UTF-16")
    assert json.loads(run(data, "-o", "json").stdout)["encoding"] == "UTF-16"


@pytest.mark.parametrize(
    "content",
    [
        b"\x1f\x8b\x08",
        b"\x28\xb5\x2f\xfd",
        b"PAR1PAR1",
        b"\xff\xfe\0\0[",
        "un café noir".encode("latin-1"),
        gzip.compress(b""),
    ],
)
def test_hostile_files_end_in_one_line(tmp_path, content):
    path = tmp_path / "data.jsonl"
    path.write_bytes(content)
    result = run(path)
    assert isinstance(result.exception, DatasetUnavailable)
    assert len(str(result.exception).splitlines()) == 1
    assert result.stdout == ""


@pytest.mark.parametrize(("content", "message"), [(b"", "is empty"), (b"\0\0\0", "binary"), (None, "No such file")])
def test_what_cannot_be_read_is_bad_input(tmp_path, content, message):
    path = tmp_path / "data.jsonl"
    if content is not None:
        path.write_bytes(content)
    error = run(path).exception
    assert isinstance(error, DatasetUnavailable)
    assert message in str(error)


def test_the_cutoff_decides_what_is_too_long(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(row(f"q{n}", "word " * 100)) + "\n" for n in range(12)))
    assert "over-length" not in run(path).stdout
    found = run(path, "--cutoff-length", "64").stdout
    assert "over-length  kept: 12 rows, 1, 2, 3, 4, 5, 6, 7, 8 and 4 more" in found


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="the trainer is not installed")
@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("", "'' is not a location: write hf://org/name"),
        ("base-model", "'base-model' is not a location: write hf://org/name"),
        ("file:///no/such/model", "nothing lies at /no/such/model: check the path"),
        ("hf://org/name", "hf://org/name is not whole in the cache"),
        ("hf://datasets/org/name", "hf://datasets/org/name is a dataset, where a model is needed: write hf://org/name"),
        ("https://example.com/model", "https://example.com/model can only be a dataset: write hf://org/name"),
    ],
)
def test_a_tokenizer_that_cannot_be_had_ends_it_in_one_line(data, uri, message):
    assert refusal(data.parent, 2, "lint", data, "--tokenizer", uri).startswith(message)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="the trainer is not installed")
def test_a_folder_without_a_tokenizer_is_named(data, tmp_path):
    (tmp_path / "model").mkdir()
    said = refusal(tmp_path, 2, "lint", data, "--tokenizer", (tmp_path / "model").as_uri())
    assert said.startswith(f"{tmp_path}/model: no tokenizer could be read there")


def test_rows_of_the_validation_set_are_found(data, tmp_path):
    validation = tmp_path / "validation.csv"
    validation.write_text("instruction,output\n问题9,回答9\nelse,other\n", encoding="utf-8")
    report = json.loads(run(data, "--validation", validation, "-o", "json").stdout)
    assert [found["rows"] for found in report["findings"] if found["code"] == "validation-leak"] == [[9]]


def test_a_validation_set_that_is_no_good_is_named(data, tmp_path):
    validation = tmp_path / "validation.jsonl"
    validation.write_text('{"content": "x"}\n')
    error = run(data, "--validation", validation).exception
    assert isinstance(error, DatasetRefused)
    assert str(error).startswith(f"validation set {validation}: wrong-schema")


def test_fix_writes_good_rows_as_they_were_and_the_others_with_reasons(data, tmp_path):
    with data.open("a", encoding="utf-8") as file:
        file.write('{"instruction": "with more", "id": 1.5, "output": "😀\\u4f60", "tags": ["甲"]}\nnot json\n')
    clean = tmp_path / "clean.jsonl"
    result = run(data, "--fix", clean)
    assert result.exit_code == 0
    lines = clean.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 59
    assert lines[0] == '{"instruction": "问题1", "output": "回答1"}'
    assert lines[-1] == '{"instruction": "with more", "id": 1.5, "output": "😀你", "tags": ["甲"]}'
    refused = [json.loads(line) for line in (tmp_path / "clean.refused.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(entry["row"], entry["code"]) for entry in refused] == [
        (5, "empty-output"), (7, "exact-duplicate"), (62, "unreadable-row"),
    ]  # fmt: skip
    assert refused[0]["value"] == row("问题5", "")
    assert "not JSON" in refused[2]["message"]
    assert "59 rows to" in result.stderr

    again = run(clean, "-o", "json")
    assert json.loads(again.stdout)["findings"] == []


def test_fix_mends_what_is_safe(tmp_path):
    data, clean = tmp_path / "data.jsonl", tmp_path / "clean.jsonl"
    answers = ["无\u200b形", "\ufeff见", "nothing to mend", "a\u00adb\x07c"]
    rows = [{"instruction": f"问题{n}", "output": answer, "n": n} for n, answer in enumerate(answers)]
    data.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    result = run(data, "--fix", clean)
    assert "4 rows to" in result.stderr
    assert "(3 of them mended)" in result.stderr
    mended = [json.loads(line) for line in clean.read_text(encoding="utf-8").splitlines()]
    assert [each["output"] for each in mended] == ["无形", "见", "nothing to mend", "abc"]
    assert mended[2] == rows[2]
    assert "control-characters" not in run(clean).stdout


def test_fix_never_touches_its_input(data, tmp_path):
    before = data.read_bytes()
    link = tmp_path / "link.jsonl"
    link.symlink_to(data)
    refused = tmp_path / "x.refused.jsonl"
    refused.write_bytes(before)
    for source, target in ((data, data), (data, link), (refused, tmp_path / "x.jsonl")):
        error = run(source, "--fix", target).exception
        assert isinstance(error, InvalidSpec)
        assert "would overwrite" in str(error)
    assert data.read_bytes() == refused.read_bytes() == before


@pytest.mark.parametrize(("target", "message"), [(".", "is a folder"), ("missing/clean.jsonl", "No such file")])
def test_fix_says_when_it_cannot_write(data, tmp_path, target, message):
    error = run(data, "--fix", tmp_path / target).exception
    assert isinstance(error, InvalidSpec)
    assert message in str(error)


def test_a_failed_fix_leaves_nothing_behind(tmp_path):
    source, clean = tmp_path / "data.json", tmp_path / "clean.jsonl"
    source.write_text("[]")
    clean.write_text("precious")
    assert isinstance(run(source, "--fix", clean).exception, DatasetUnavailable)
    assert clean.read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clean.jsonl", "data.json"]


def test_brackets_and_escapes_in_the_data_are_only_text(tmp_path):
    path = tmp_path / "[red]data.jsonl"
    path.write_text(json.dumps({"[bold]x[/nope]": "1", "\x1b[2J": "2"}) + "\n")
    result = run(path)
    assert "'[bold]x[/nope]', '\\x1b[2J'" in result.stdout
    assert "[red]data.jsonl" in result.stdout
    assert "\x1b" not in result.stdout
