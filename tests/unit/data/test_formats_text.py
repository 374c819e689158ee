"""Plain texts, and ``ftj lint`` on them and on calls of tools: the rows that are no question with its answer."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from finetune_cli.lint import lint
from finetune_core.data import Message
from finetune_core.data.estimate import TokenCount, estimate, estimate_tokens
from finetune_core.data.example import Example
from finetune_core.data.formats import detect, named, to_example

OF_QUESTIONS = {
    "role-order", "repeated-opening", "conflicting-output", "empty-instruction", "echo", "terse-output",
    "unrelated-output", "language-mismatch",
}  # fmt: skip
"""Findings that a text without a question cannot have."""

STORY = ["春天来了，河边的柳树发了芽。", "The river froze early that year, and nobody could cross it."]


def linted(path: Path, rows: list[dict[str, object]], *options: str) -> dict[str, object]:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    app = typer.Typer()
    app.command()(lint)
    result = CliRunner().invoke(app, [str(path), "-o", "json", *options])
    assert result.exception is None, result.exception
    return json.loads(result.stdout)


def found(report: dict[str, object]) -> dict[str, list[int]]:
    return {finding["code"]: finding["rows"] for finding in report["findings"]}


@pytest.mark.parametrize("text", STORY)
def test_a_text_is_learned_whole(text):
    example = to_example(7, {"text": text, "url": "x"}, named("text"), {})
    assert example == Example(7, (Message("assistant", text),), plain=True)
    everything = estimate_tokens(text) + 1
    assert estimate(example) == TokenCount(everything, everything)


def test_a_text_is_what_no_other_format_claims():
    assert detect([{"text": text, "id": 1} for text in STORY], {})[0].name == "text"
    assert detect([{"正文": text} for text in STORY], {"text": "正文"})[0].name == "text"
    # Alpaca's own set has the rendered prompt beside its parts.
    assert detect([{"instruction": "x", "output": "y", "text": "x y"}], {})[0].name == "alpaca"


@pytest.mark.parametrize("label", ["label", "labels"])
def test_a_text_with_a_label_is_to_be_classified_and_not_continued(label):
    format, reason = detect([{"text": text, label: 1} for text in STORY], {})
    assert (format.name, reason) == ("alpaca", "no row looks like a known format")


@pytest.mark.parametrize("text", STORY)
def test_texts_are_linted(tmp_path, text):
    rows = [{"text": f"{text} {n * 37}"} for n in range(80)]
    rows[4] = {"text": " "}
    rows[6] = rows[5]
    rows[8] = {"text": f"<p>{text}</p>"}
    report = linted(tmp_path / "data.jsonl", rows)
    assert (report["format"], report["usedRows"]) == ("text", 78)
    findings = found(report)
    assert not findings.keys() & OF_QUESTIONS
    assert findings.items() >= {"empty-output": [5], "exact-duplicate": [7], "html-markup": [9]}.items()
    assert report["statistics"]["supervisedTokens"] == report["statistics"]["tokens"]


@pytest.mark.parametrize(("question", "city"), [("{}天气怎么样？", "北京"), ("What is the weather in {}?", "Oslo")])
def test_calls_are_linted(tmp_path, question, city):
    def row(n: int) -> dict[str, object]:
        place = f"{city}{n * 37}"
        called = {"function": {"name": "get_weather", "arguments": json.dumps({"city": place}, ensure_ascii=False)}}
        return {
            "messages": [
                {"role": "user", "content": question.format(place)},
                {"role": "assistant", "content": None, "tool_calls": [called, called]},
                {"role": "tool", "content": f"{n} °C"},
                {"role": "tool", "content": "晴 / clear"},
                {"role": "assistant", "content": f"{place}: {n} °C, 晴 / clear."},
            ],
            "tools": [{"type": "function", "function": {"name": "get_weather"}}],
        }

    report = linted(tmp_path / "data.jsonl", [row(n) for n in range(60)], "--task", "style")
    assert (report["format"], report["usedRows"]) == ("messages", 60)
    assert not found(report).keys() & {"empty-output", "role-order", "conflicting-output", "echo", "terse-output"}
