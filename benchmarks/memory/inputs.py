"""Random weights and random rows, in the files that the trainer reads."""

import json
import random
from pathlib import Path

import torch
from cases import Case, rows_of
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig, PreTrainedTokenizerFast

from finetune_core.contract import ModelShape
from finetune_trainer.prepare import SAMPLE_PROMPTS, TRAIN_ROWS, VALIDATION_ROWS
from finetune_trainer.rows import RowWriter
from finetune_trainer.template import Tokens

SEED = 1


def save_model(shape: ModelShape, folder: Path, device: torch.device) -> None:
    """A base model of that shape in bf16, as the hub has them; made on the card, which is faster."""
    torch.manual_seed(SEED)
    with device:
        model = AutoModelForCausalLM.from_config(_model_config(shape), dtype=torch.bfloat16)
    model.save_pretrained(folder)
    words = Tokenizer(WordLevel({"<end>": 0, "<unknown>": 1}, unk_token="<unknown>"))
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>", pad_token="<end>").save_pretrained(folder)


def save_rows(case: Case, folder: Path) -> None:
    """What the prepare step would leave: just the rows of one optimizer step, all of one length, none held out."""
    folder.mkdir(parents=True)
    draw = random.Random(SEED)
    with RowWriter(folder / TRAIN_ROWS) as writer:
        for number in range(rows_of(case)):
            tokens = [draw.randrange(case.shape.vocab_size) for _ in range(case.row_tokens)]
            writer.write(Tokens(tokens, _mask(case, number % case.micro_batch_size)))
    RowWriter(folder / VALIDATION_ROWS).close()
    (folder / SAMPLE_PROMPTS).write_text(json.dumps([]), encoding="utf-8")


def _mask(case: Case, place: int) -> list[bool]:
    """Which tokens of a row are supervised: the rows of a micro-batch have theirs apart, if there is room."""
    end = case.row_tokens - place * case.supervised_tokens % case.row_tokens
    return [end - case.supervised_tokens <= position < end for position in range(case.row_tokens)]


def _model_config(shape: ModelShape) -> PretrainedConfig:
    return AutoConfig.for_model(
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
