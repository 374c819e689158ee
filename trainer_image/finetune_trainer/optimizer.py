"""The optimizer and the learning-rate schedule."""

import bitsandbytes
import optimi
import torch
from torch.optim.lr_scheduler import LRScheduler
from transformers import get_scheduler

from finetune_core.api.plan import ResolvedHyperparameters

BETAS = (0.9, 0.999)
EPSILON = 1e-8


def make_optimizer(parameters: list[torch.nn.Parameter], settings: ResolvedHyperparameters) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101).

    Without master weights, bf16 weights would round most updates away (a bf16 number has 8 significant bits, and 1e-5
    of a weight is less than half its last one), so a Kahan buffer carries what was rounded off into the next step.

    With 8-bit moments (Dettmers et al. 2021, arXiv:2110.02861) weights and gradients stay fp32.
    """
    if settings.optimizer == "adamw-8bit":
        return bitsandbytes.optim.AdamW8bit(
            parameters, lr=settings.learning_rate, betas=BETAS, eps=EPSILON, weight_decay=settings.weight_decay
        )
    if settings.master_weights == "none":
        return optimi.AdamW(
            parameters,
            lr=settings.learning_rate,
            betas=BETAS,
            eps=1e-6,  # optimi's default: 1e-8 vanishes in bf16 moments
            weight_decay=settings.weight_decay,
            kahan_sum=True,
            foreach=False,  # one tensor at a time: its temporaries are small
            triton=False,
        )
    return torch.optim.AdamW(
        parameters, lr=settings.learning_rate, betas=BETAS, eps=EPSILON, weight_decay=settings.weight_decay, fused=True
    )


def make_schedule(optimizer: torch.optim.Optimizer, settings: ResolvedHyperparameters) -> LRScheduler:
    """Linear warm-up, then cosine or linear decay to zero, or constant."""
    name = "constant_with_warmup" if settings.lr_scheduler == "constant" else settings.lr_scheduler
    return get_scheduler(
        name, optimizer, num_warmup_steps=settings.warmup_steps, num_training_steps=settings.total_steps
    )
