"""What all contestants train on: a small model with random weights, and rows of ragged length that it can learn."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from finetune_core.contract import ModelShape

SEED = 1
MEDIAN_TOKENS, SIGMA, LONGEST, SHORTEST = 100, 0.8, 1_000, 8
"""Lengths are log-normal: most rows are short, and a few are ten times as long."""
PROMPT_SHARE = 0.4
_SUCCESSORS = 4
"""Each token is followed by one of so many: what there is to learn."""


@dataclass(frozen=True)
class Row:
    """Tokens, and where the answer begins."""

    tokens: list[int]
    answer: int

    @property
    def supervised(self) -> int:
        """Tokens that the loss is on."""
        return len(self.tokens) - self.answer


def rows(count: int, vocabulary: int, seed: int) -> Iterator[Row]:
    """So many rows of the same language, other ones for another seed."""
    grammar = random.Random(SEED)
    follows = [[grammar.randrange(2, vocabulary) for _ in range(_SUCCESSORS)] for _ in range(vocabulary)]
    draw = random.Random(seed)
    for _ in range(count):
        length = min(LONGEST, max(SHORTEST, round(MEDIAN_TOKENS * draw.lognormvariate(0, SIGMA))))
        tokens = [draw.randrange(2, vocabulary)]
        while len(tokens) < length:
            tokens.append(draw.choice(follows[tokens[-1]]))
        yield Row(tokens, max(1, round(PROMPT_SHARE * length)))


def save_model(shape: ModelShape, folder: Path, dtype: torch.dtype, device: torch.device) -> None:
    """A base model of that shape with random weights, and a tokenizer that is never asked."""
    torch.manual_seed(SEED)
    config = AutoConfig.for_model(
        shape.model_type,
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        num_hidden_layers=shape.num_layers,
        num_attention_heads=shape.num_heads,
        num_key_value_heads=shape.num_kv_heads,
        head_dim=shape.head_dim,
        vocab_size=shape.vocab_size,
        max_position_embeddings=shape.max_position_embeddings,
        tie_word_embeddings=shape.tied_embeddings,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=0,
    )
    with device:
        AutoModelForCausalLM.from_config(config, dtype=dtype).save_pretrained(folder)
    words = Tokenizer(WordLevel({"<end>": 0, "<unknown>": 1}, unk_token="<unknown>"))
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>", pad_token="<end>").save_pretrained(folder)


def save_rows(kept: list[Row], path: Path) -> None:
    """One row a line."""
    path.write_text("".join(json.dumps([row.tokens, row.answer]) + "\n" for row in kept), encoding="utf-8")


def read_rows(path: Path) -> list[Row]:
    """As they were saved."""
    return [Row(*json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
