"""A base model of any shape with random weights, for programs that measure speed or memory."""

from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedTokenizerFast

from finetune_core.contract import ModelShape

SEED = 1


def config_of(shape: ModelShape, **more: int | None) -> PreTrainedConfig:
    """transformers' configuration of a shape."""
    if shape.num_experts:
        experts = {"num_experts": shape.num_experts, "num_experts_per_tok": shape.experts_per_token}
        more |= experts | {"moe_intermediate_size": shape.intermediate_size}
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
        **more,
    )


def save_random_model(shape: ModelShape, folder: Path, dtype: torch.dtype, device: torch.device) -> None:
    """The model, the same each time, and a tokenizer that is never asked; made on the device: a card is faster."""
    torch.manual_seed(SEED)
    config = config_of(shape, bos_token_id=None, eos_token_id=0, pad_token_id=0)
    with device:
        AutoModelForCausalLM.from_config(config, dtype=dtype).save_pretrained(folder)
    words = Tokenizer(WordLevel({"<end>": 0, "<unknown>": 1}, unk_token="<unknown>"))
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>", pad_token="<end>").save_pretrained(folder)
