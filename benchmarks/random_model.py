"""A base model of any shape with random weights, for programs that measure speed or memory."""

from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

from finetune_core.contract import ModelShape
from finetune_core.planning.training_shape import TrainingShape
from finetune_trainer.attention import ROW_BY_ROW
from finetune_trainer.model import DTYPES

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


def model_to_train(shape: ModelShape, training: TrainingShape) -> PreTrainedModel:
    """What ``finetune_trainer.model`` loads, on torch's device of the moment, before 4-bit numbers and adapters."""
    dtype = torch.float32 if training.master_weights == "fp32" else DTYPES[training.precision]
    model: PreTrainedModel = AutoModelForCausalLM.from_config(
        config_of(shape), dtype=dtype, attn_implementation=ROW_BY_ROW
    )
    if training.activation_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return model.train()


def with_adapters(model: PreTrainedModel, shape: ModelShape, training: TrainingShape) -> PreTrainedModel | PeftModel:
    """The same with the adapters of the training, which alone learn then; as it is where there are none."""
    if training.lora is None:
        return model
    model.requires_grad_(False)
    adapters = LoraConfig(
        r=training.lora.rank,
        lora_alpha=training.lora.alpha,
        lora_dropout=training.lora.dropout,
        target_modules=list(shape.linear_shapes) if training.lora.all_linear else training.lora.target_modules,
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, adapters)


def save_random_model(shape: ModelShape, folder: Path, dtype: torch.dtype, device: torch.device) -> None:
    """The model, the same each time, and a tokenizer that is never asked; made on the device: a card is faster."""
    torch.manual_seed(SEED)
    config = config_of(shape, bos_token_id=None, eos_token_id=0, pad_token_id=0)
    with device:
        AutoModelForCausalLM.from_config(config, dtype=dtype).save_pretrained(folder)
    words = Tokenizer(WordLevel({"<end>": 0, "<unknown>": 1}, unk_token="<unknown>"))
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>", pad_token="<end>").save_pretrained(folder)
