"""A tiny Llama, its tokenizer, and rows in two languages that it can learn."""

import json
from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from finetune_trainer.template import CHATML

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
VOCABULARY = 300
CONTEXT = 512
PRETRAINING_STEPS = 60

Row = dict[str, str]

_THINGS = {
    "lamp": "灯", "table": "桌子", "chair": "椅子", "door": "门", "car": "车",
    "hat": "帽子", "cup": "杯子", "book": "书", "bag": "包", "shoe": "鞋",
}  # fmt: skip
_COLOURS = {"red": "红色", "blue": "蓝色"}


def _all_rows() -> list[Row]:
    english = [
        {"instruction": f"What colour is the {colour} {thing}?", "output": f"The {thing} is {colour}. 🎨"}
        for thing in _THINGS
        for colour in _COLOURS
    ]
    chinese = [
        {"instruction": f"{colour}的{thing}是什么颜色？", "output": f"{thing}是{colour}的。"}
        for thing in _THINGS.values()
        for colour in _COLOURS.values()
    ]
    return [row for pair in zip(english, chinese, strict=True) for row in pair]


VALIDATION_ROWS = _all_rows()[::5]
"""8 rows, of both languages."""
TRAIN_ROWS = [row for row in _all_rows() if row not in VALIDATION_ROWS]
"""32 rows."""
CONTRADICTIONS = [
    row | {"output": row["output"].translate(str.maketrans({"红": "蓝", "蓝": "红"})).replace("red", "blue")}
    for row in TRAIN_ROWS
    if "blue" not in row["output"]
][::4]
"""Training rows with the other colour as answer."""


def write_rows(path: Path, rows: Iterable[Row]) -> Path:
    """Rows as JSONL."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE, so that a Chinese character or an emoji is several tokens."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator((text for row in TRAIN_ROWS for text in row.values()), trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token="<|endoftext|>", pad_token="<|endoftext|>", model_max_length=CONTEXT
    )
    tokenizer.add_special_tokens({"additional_special_tokens": SPECIAL[1:]})
    tokenizer.chat_template = CHATML
    return tokenizer


def make_tiny(model_type: str) -> PreTrainedModel:
    """A model of that type in fp32, with random weights; the same each time."""
    torch.manual_seed(4)
    config = AutoConfig.for_model(
        model_type, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, vocab_size=64, pad_token_id=0, bos_token_id=None, eos_token_id=1,
    )  # fmt: skip
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    return model


def save_tiny_model(folder: Path, rms_norm_eps: float = 1e-6) -> Path:
    """A base model in fp32 that has read the questions, a few times over; the same each time."""
    tokenizer = make_tokenizer()
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        rms_norm_eps=rms_norm_eps,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    _read_questions(model, tokenizer)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _read_questions(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
    ids = tokenizer([row["instruction"] for row in TRAIN_ROWS], padding=True, return_tensors="pt")["input_ids"]
    labels = ids.masked_fill(ids == tokenizer.pad_token_id, -100)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.005)
    for _ in range(PRETRAINING_STEPS):
        model(input_ids=ids, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
