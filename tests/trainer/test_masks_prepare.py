"""The prepare step on data that is more than questions and answers."""

import json
from pathlib import Path
from typing import Any

from trainer_families import TEMPLATES
from trainer_model import make_tokenizer
from trainer_steps import Bench, folder_of, prepare_config

from finetune_core.contract import PrepareReport
from finetune_trainer.rows import read_tokens


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_answers_that_the_template_robs_of_their_thoughts_are_counted_aloud(bench: Bench, tmp_path: Path) -> None:
    model = bench.model_copy(tmp_path / "model", "chat_template.jinja")
    (model / "chat_template.jinja").write_text(
        (TEMPLATES / "qwen3.jinja").read_text(encoding="utf-8"), encoding="utf-8"
    )
    turns = [
        {"role": "user", "content": "灯是什么颜色？"},
        {"role": "assistant", "content": "红色。", "reasoning_content": "看过。"},
        {"role": "user", "content": "Sure?"},
        {"role": "assistant", "content": "Yes.", "reasoning_content": "I saw it."},
    ]
    rows = [{"messages": [{**turns[0], "content": f"{number}号灯是什么颜色？"}, *turns[1:]]} for number in range(5)]
    job = bench.job(tmp_path / "output", model=model, data=write(tmp_path / "data.jsonl", rows), validation=0.2)
    ended = bench.prepare(job)
    assert "5 answers are not trained on: the chat template drops or rewrites them" in ended.stdout
    tokenizer = make_tokenizer()
    for tokens in read_tokens(folder_of(prepare_config(job).prepared.uri) / "train.arrow"):
        learned = [token for token, on in zip(tokens.input_ids, tokens.mask, strict=True) if on]
        assert tokenizer.decode(learned) == "<think>\nI saw it.\n</think>\n\nYes.<|im_end|>"


def test_plain_texts_are_prepared_without_template_and_make_no_prompts(bench: Bench, tmp_path: Path) -> None:
    texts = [f"那年港口很早就结冰了，第{number}个冬天。" for number in range(5)]
    data = write(tmp_path / "data.jsonl", [{"text": text} for text in texts])
    job = bench.job(tmp_path / "output", data=data, validation=0.2)
    assert PrepareReport.model_validate_json(bench.prepare(job).good_answer).used_rows == 5
    folder = folder_of(prepare_config(job).prepared.uri)
    stored = [row for name in ("train.arrow", "validation.arrow") for row in read_tokens(folder / name)]
    assert sorted(make_tokenizer().decode(row.input_ids) for row in stored) == [
        text + "<|endoftext|>" for text in texts
    ]
    assert all(all(row.mask) for row in stored)
    assert json.loads((folder / "sample-prompts.json").read_text(encoding="utf-8")) == []
