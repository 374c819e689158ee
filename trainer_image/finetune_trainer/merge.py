"""An adapter merged into the base as it is published, in 16 bit: for qlora too, whose own base is 4-bit numbers.

Weight by weight, from the base's files into new ones, so that neither model has to fit into memory: the 16-bit base
of a model that was trained in 4 bit on a small card often fits neither the card nor the machine.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME

from finetune_core.errors import ModelUnavailable
from finetune_trainer.attention import ROW_BY_ROW
from finetune_trainer.group import Group
from finetune_trainer.loss import WithLoss, mean_loss
from finetune_trainer.rows import Rows
from finetune_trainer.stage import say

FILE_BYTES = 4_000_000_000
"""Weights of one file, held in memory while it is written; below what a pod has for a file on its way (pod.py)."""

MEASURED_ROWS = 64
"""The difference between two losses on the same rows is small and steady: more rows cost time and tell no more."""

ROOM_SHARE = 0.7
"""Of a card's free memory, for weights while a loss is measured; the rest is for activations and fragments."""


def refuse_unmergeable(model: PeftModel, base: Path) -> None:
    """Fail before the training where the end of it would.

    Raises:
        ModelUnavailable: the base's files name their weights otherwise than the model does.
    """
    _layers(model, _stored_in(base))


def merge(model: PeftModel, adapter: Mapping[str, Tensor], base: Path, folder: Path, dtype: torch.dtype) -> None:
    """Write the base, with the adapter merged into it, as a whole model in that number format.

    Args:
        model: which layers have an adapter; of its weights nothing is read.
        adapter: its weights, by their names in the model.
        base: folder of the base.
        folder: folder to write to.
        dtype: the number format.
    """
    config = AutoConfig.from_pretrained(base)
    config.dtype = dtype
    config.architectures = [type(model.get_base_model()).__name__]  # files of a model without its head name another
    config.save_pretrained(folder)
    stored_in = _stored_in(base)
    layers = _layers(model, stored_in)
    with ExitStack() as opened:
        files = {name: opened.enter_context(safe_open(base / name, framework="pt")) for name in set(stored_in.values())}
        sizes = {
            name: torch.Size(files[file].get_slice(name).get_shape()).numel() * dtype.itemsize
            for name, file in stored_in.items()
        }
        groups = list(_groups(sizes))
        written = {}
        for number, names in enumerate(groups, start=1):
            say(f"merging the adapter into the base: file {number} of {len(groups)}")
            file = SAFE_WEIGHTS_NAME if len(groups) == 1 else f"model-{number:05d}-of-{len(groups):05d}.safetensors"
            merged = {
                name: _merged(files[stored_in[name]].get_tensor(name), layers.get(name), adapter, dtype)
                for name in names
            }
            save_file(merged, folder / file, metadata={"format": "pt"})
            written |= dict.fromkeys(names, file)
    if len(groups) > 1:
        index = {"metadata": {"total_size": sum(sizes.values())}, "weight_map": written}
        (folder / SAFE_WEIGHTS_INDEX_NAME).write_text(json.dumps(index, indent=2), encoding="utf-8")


def release_base(model: PeftModel) -> None:
    """Give the memory of all but the adapter back, whoever still holds the model; it cannot be used any more.

    Not of a model that is divided over several processes: each has only its share of the base.
    """
    for parameter in model.parameters():
        if not parameter.requires_grad and not isinstance(parameter, DTensor):
            parameter.data = torch.empty(0, dtype=parameter.dtype, device=parameter.device)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def sample_loss(model: WithLoss, rows: Rows, micro_batch_size: int, device: torch.device, group: Group) -> float:
    """Mean loss on the first rows, up to ``MEASURED_ROWS``."""
    batches = rows.micro_batches(range(min(MEASURED_ROWS, len(rows))), micro_batch_size, group)
    return mean_loss(model, batches, device, group)


def stored_loss(
    folder: Path, rows: Rows, micro_batch_size: int, device: torch.device, room_bytes: float | None = None
) -> float:
    """``sample_loss`` of a whole model that lies in a folder, as anyone would load it, by this process alone.

    Args:
        folder: where it lies.
        rows: to measure on.
        micro_batch_size: as in training, which needed more memory.
        device: to measure on.
        room_bytes: what its weights may take of the device; by default what the card has free.
    """
    if room_bytes is None and device.type == "cuda":
        room_bytes = ROOM_SHARE * torch.cuda.mem_get_info(device)[0]
    config = AutoConfig.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=config.dtype,
        attn_implementation=ROW_BY_ROW,
        device_map={"": device} if room_bytes is None else _placed(config, device, room_bytes),
        use_safetensors=True,
        trust_remote_code=False,
    )
    return sample_loss(WithLoss(model), rows, micro_batch_size, device, Group())


def _stored_in(base: Path) -> dict[str, str]:
    """Name of each weight of a model -> the file it is stored in; which file transformers takes first, too."""
    if (base / SAFE_WEIGHTS_NAME).is_file():
        with safe_open(base / SAFE_WEIGHTS_NAME, framework="pt") as file:
            return dict.fromkeys(file.keys(), SAFE_WEIGHTS_NAME)
    weight_map: dict[str, str] = json.loads((base / SAFE_WEIGHTS_INDEX_NAME).read_text(encoding="utf-8"))["weight_map"]
    return weight_map


class _Adapted(NamedTuple):
    """A layer with an adapter."""

    path: str
    """Of its module in the base."""
    scale: float


def _layers(model: PeftModel, stored: dict[str, str]) -> dict[str, _Adapted]:
    """Name of the stored weight -> the layer with an adapter that it belongs to."""
    base = model.get_base_model()
    layers = {}
    for path, module in base.named_modules():
        if isinstance(module, LoraLayer):
            # Files of a model without its head lack the prefix.
            names = (f"{path}.weight", f"{path.removeprefix(f'{base.base_model_prefix}.')}.weight")
            name = next((name for name in names if name in stored), None)
            if name is None:
                raise ModelUnavailable(
                    f"{names[0]} is not among the base model's stored weights, so nothing can be merged into it: "
                    "set output.export to adapter"
                )
            layers[name] = _Adapted(path, module.scaling["default"])
    return layers


def _groups(sizes: dict[str, int]) -> Iterator[list[str]]:
    """The names, in their order, by the file they go to."""
    names: list[str] = []
    for name, size in sizes.items():
        if names and sum(sizes[other] for other in names) + size > FILE_BYTES:
            yield names
            names = []
        names.append(name)
    yield names


@torch.no_grad()
def _merged(weight: Tensor, layer: _Adapted | None, adapter: Mapping[str, Tensor], dtype: torch.dtype) -> Tensor:
    """The stored weight with what the adapter adds to it; the sum is taken in fp32, and rounded once."""
    if layer is None:
        return weight.to(dtype) if weight.is_floating_point() else weight
    down, up = (adapter[f"base_model.model.{layer.path}.lora_{part}.default.weight"].float() for part in "AB")
    return (weight.float() + (up @ down * layer.scale).cpu()).to(dtype)


def _placed(config: PretrainedConfig, device: torch.device, room_bytes: float) -> dict[str, Any]:
    """Where each module goes: on the device, but the layers without room stay on disk and come when they are used."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=config.dtype)
    decoder = model.get_decoder()
    paths = {module: path for path, module in model.named_modules()}
    apart = [child for child in model.children() if child is not decoder]
    apart += [child for child in decoder.children() if child is not decoder.layers]
    here: Any = (device.index or 0) if device.type == "cuda" else device.type  # as safetensors takes it
    places = {paths[module]: here for module in apart}
    room_bytes -= sum(_bytes(module) for module in apart)
    for layer in decoder.layers:
        room_bytes -= _bytes(layer)
        places[paths[layer]] = here if room_bytes >= 0 else "disk"
    return places


def _bytes(module: nn.Module) -> int:
    return sum(parameter.nbytes for parameter in module.parameters())
