"""A model that is to be divided: its weights stay in their files until each process takes its part of them.

The files are mapped, all processes of a machine share their pages, and the system takes these back when it needs the
memory: but for a layer at a time, none of them holds the model. A number format that is not the files' own would make a
copy of each weight; so it is given to them on the device, layer by layer. So are 4-bit numbers made, which is slow
besides on a processor: we measured 20 MB of 16-bit weights a second on one thread (bitsandbytes 0.50).
"""

from pathlib import Path

import torch
from accelerate import init_empty_weights
from bitsandbytes.nn import Linear4bit, Params4bit
from peft import PeftModel
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel
from transformers.quantizers import AutoHfQuantizer

from finetune_core.contract import TrainerConfig
from finetune_trainer.model import base_dtype, load_base, make_ready, quantization_of

_STORED = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}
"""What a file of safetensors calls a number format."""

Values = dict[nn.Parameter, Tensor]
"""What parameters will hold; the tensors are views of mapped files."""


def map_model(folder: Path, config: TrainerConfig) -> tuple[PreTrainedModel | PeftModel, Values]:
    """The model that ``load_model`` makes, on the processor and with empty weights, and what ``fill`` puts into them.

    Adapters have their values. Where the files mix number formats, one format is made of them in memory.

    Raises:
        ModelUnavailable: as ``load_model``.
    """
    dtype = base_dtype(config)
    stored = _stored_dtype(folder) or dtype
    model = load_base(folder, config, torch.device("cpu"), stored)
    if stored != dtype:
        _take_buffers(model, dtype)
    quantization = quantization_of(config)
    if quantization is not None:
        _make_four_bit(model, quantization)
    values = {}
    for parameter in model.parameters():
        values[parameter] = parameter.data
        # One number in the place of all: peft makes adapters in the number format of what they are added to.
        kind = torch.uint8 if isinstance(parameter, Params4bit) else dtype
        parameter.data = torch.zeros((), dtype=kind).expand(parameter.shape)
    return make_ready(model, folder, config), values


def fill(part: nn.Module, values: Values, device: torch.device) -> None:
    """Put the values into a part of the model, on that device; they are taken out of what is still to be put."""
    for parameter in part.parameters():
        if parameter not in values:
            continue
        value = values.pop(parameter).to(device)
        if isinstance(parameter, Params4bit):
            parameter.data = value.to(parameter.module.compute_dtype)
            parameter.to(device)  # makes 4-bit numbers of them, in place
        else:
            parameter.data = value.to(parameter.dtype)


def _stored_dtype(folder: Path) -> torch.dtype | None:
    """The number format of all weights in the files, if it is one and known."""
    formats = set()
    for path in folder.glob("*.safetensors"):
        try:
            with safe_open(path, framework="pt") as file:
                formats |= {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
        except SafetensorError:
            return None  # who loads it says what is wrong
    return _STORED.get(formats.pop()) if len(formats) == 1 else None


def _take_buffers(model: PreTrainedModel, dtype: torch.dtype) -> None:
    """What is computed and not stored, such as Gemma's scale of embeddings, as a model in that number format has it."""
    with init_empty_weights(include_buffers=False):
        other = AutoModelForCausalLM.from_config(model.config, dtype=dtype)
    for name, buffer in other.named_non_persistent_buffers():
        owner, _, own = name.rpartition(".")
        setattr(model.get_submodule(owner), own, buffer)


def _make_four_bit(model: PreTrainedModel, quantization: BitsAndBytesConfig) -> None:
    """Put linears of bitsandbytes into the place of the model's own, with the same weights, not yet in 4 bit."""
    linears = dict(model.named_modules())
    quantizer = AutoHfQuantizer.from_config(quantization)
    quantizer.preprocess_model(model, device_map=None)
    for name, module in model.named_modules():
        if isinstance(module, Linear4bit):
            module.weight = Params4bit(linears[name].weight.data, requires_grad=False, **module.weight.__dict__)
            module.bias = linears[name].bias
    quantizer.postprocess_model(model)
