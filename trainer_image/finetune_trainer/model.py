"""The base model, loaded for the planned method."""

from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from torch import nn
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel

from finetune_core.api.job import Precision
from finetune_core.api.location import HubUri, parse_uri
from finetune_core.api.plan import ResolvedLora
from finetune_core.contract import TrainerConfig
from finetune_core.errors import ModelUnavailable, first_line
from finetune_trainer.attention import ROW_BY_ROW
from finetune_trainer.merge import refuse_unmergeable

DTYPES: dict[Precision, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def load_model(folder: Path, config: TrainerConfig, device: torch.device) -> PreTrainedModel | PeftModel:
    """The model on its device, ready to train: what is to learn requires gradients, the rest does not.

    full: every weight in fp32, or in bf16 where there are no master weights. lora: base in the compute precision,
    adapters in fp32. qlora: the same on 4-bit weights; embeddings, norms and head stay in the compute precision.

    Raises:
        ModelUnavailable: no weights as safetensors, not all of them, of a model that transformers does not know, or
            under names that a merged model could not be written with.
    """
    base = load_base(folder, config, device, base_dtype(config), quantization_of(config))
    return make_ready(base, folder, config)


def base_dtype(config: TrainerConfig) -> torch.dtype:
    """Number format of the base's weights, of those that are not in 4 bit."""
    settings = config.hyperparameters
    return torch.float32 if settings.master_weights == "fp32" else DTYPES[settings.precision]


def quantization_of(config: TrainerConfig) -> BitsAndBytesConfig | None:
    """How the base's linears are stored in 4 bit, if they are."""
    settings = config.hyperparameters
    if settings.quantization is None:
        return None
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=settings.quantization.type,
        bnb_4bit_use_double_quant=settings.quantization.double_quantization,
        bnb_4bit_compute_dtype=DTYPES[settings.precision],
    )


def load_base(
    folder: Path,
    config: TrainerConfig,
    device: torch.device,
    dtype: torch.dtype,
    quantization: BitsAndBytesConfig | None = None,
) -> PreTrainedModel:
    """The model as its files have it, in that number format; nothing about what is to learn.

    Raises:
        ModelUnavailable: as ``load_model``.
    """
    try:
        model, loading = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            quantization_config=quantization,
            attn_implementation=ROW_BY_ROW,
            device_map={"": device},
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # refused below, with the name
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelUnavailable(f"{config.model.uri}: the model cannot be loaded: {first_line(error)}") from error
    if absent := sorted({*loading["missing_keys"], *(name for name, *_ in loading["mismatched_keys"])}):
        # transformers fills them with random numbers and goes on.
        raise ModelUnavailable(
            f"{config.model.uri}: the weights do not fit config.json: {absent[0]} is missing or of another shape "
            f"({len(absent)} in all); copy the model again"
        )
    return model


def make_ready(model: PreTrainedModel, folder: Path, config: TrainerConfig) -> PreTrainedModel | PeftModel:
    """Ready to train: with its adapters, where there are any, which alone are to learn then.

    Raises:
        ModelUnavailable: as ``load_model``.
    """
    settings = config.hyperparameters
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            # At the first evaluation on such a CPU, bitsandbytes 0.50 would repack a 4-bit layer's weights for a kernel
            # without gradients, and training would go on with wrong ones.
            module.support_avx512bf16_for_cpu = False
    if settings.activation_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if settings.lora is None:
        return model
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    adapted = get_peft_model(
        model,
        LoraConfig(
            r=settings.lora.rank,
            lora_alpha=settings.lora.alpha,
            lora_dropout=settings.lora.dropout,
            target_modules=_targets(config, settings.lora),
            task_type="CAUSAL_LM",
        ),
    )
    about = adapted.peft_config["default"]
    about.target_modules = sorted(about.target_modules)  # PEFT makes a set of them, in another order each time
    about.base_model_name_or_path = base_model_name(config.model.uri)
    where = parse_uri(config.model.uri)
    about.revision = where.revision if isinstance(where, HubUri) else None
    if config.merges:
        refuse_unmergeable(adapted, folder)
    return adapted


def _targets(config: TrainerConfig, lora: ResolvedLora) -> list[str]:
    """Names of linears, also for all of them: what loads an adapter should not have to find out which these are."""
    return list(config.prepare_report.model_shape.linear_shapes) if lora.all_linear else lora.target_modules


def base_model_name(uri: str) -> str:
    """What ``adapter_config.json`` calls the base: a hub id, or a path that transformers can load, or the URI."""
    return uri.removeprefix("hf://").partition("@")[0] if uri.startswith("hf://") else uri.removeprefix("file://")


def trainable_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """What training changes, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
