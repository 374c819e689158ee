"""Weights, gradients and optimizer states divided over the processes (FSDP2), and put together again."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor

from finetune_trainer.group import Group
from finetune_trainer.loss import WithLoss
from finetune_trainer.mapped import Values, fill


def shard(model: WithLoss, values: Values, group: Group, device: torch.device, compute: torch.dtype) -> None:
    """Divide every layer for itself, and what is outside of the layers together; each part is filled on the device.

    A layer's weights are there as a whole only while it computes. Gradients are summed over the processes and not
    averaged, since each micro-batch's loss is divided by the supervised tokens of all of them. Where all of it is fp32,
    it is gathered as it is computed with: half of what would come over the wire, and no copies of autocast.
    """
    fp32 = all(parameter.dtype == torch.float32 for parameter in model.parameters())
    policy = MixedPrecisionPolicy(param_dtype=compute if fp32 else None, reduce_dtype=torch.float32 if fp32 else None)
    mesh = init_device_mesh(device.type, (group.size,))
    for part in (*model.causal.get_decoder().layers, model):
        fill(part, values, device)
        fully_shard(part, mesh=mesh, mp_policy=policy)
    register_fsdp_forward_method(model, "generate")
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)


def whole(value: Any, *, keep: bool = True) -> Any:
    """Tensors that are divided, in whatever holds them, put together on the processor; others stay as they are.

    Every process has to ask; those that do not ``keep`` the result get None for each.
    """
    if isinstance(value, DTensor):
        together = value.full_tensor()
        return together.cpu() if keep else None
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, Mapping):
        return {key: whole(part, keep=keep) for key, part in value.items()}
    if isinstance(value, list):
        return [whole(part, keep=keep) for part in value]
    return value


def like(value: Tensor, other: Tensor) -> Tensor:
    """A whole tensor, divided as the other one is."""
    if isinstance(other, DTensor):
        return distribute_tensor(value.to(other.device), other.device_mesh, other.placements, src_data_rank=None)
    return value.to(other.device)


def load_optimizer_state(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """A state that was put together, divided again as the optimizer's weights are."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]

    def divided(number: int, entry: dict[str, Any]) -> dict[str, Any]:
        weight = weights[number]
        return {
            name: like(value, weight) if isinstance(value, Tensor) and value.shape == weight.shape else value
            for name, value in entry.items()
        }

    optimizer.load_state_dict(
        state | {"state": {number: divided(number, entry) for number, entry in state["state"].items()}}
    )
