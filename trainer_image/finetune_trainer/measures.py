"""Figures of a run: what it took of the machine, what follows from others, and what it ran on."""

import math
import resource
import sys
from importlib.metadata import version

import torch

from finetune_core.contract import TrainerConfig
from finetune_core.planning import find_gpu, flops_per_token

_LARGEST_LOSS = 100.0
"""Beyond, the perplexity has more than 43 digits and tells nothing."""


def perplexity(loss: float | None) -> float | None:
    """exp of a mean cross-entropy."""
    return math.exp(loss) if loss is not None and loss < _LARGEST_LOSS else None


def utilization(config: TrainerConfig, tokens_per_second: float | None) -> float | None:
    """Share of the GPUs' 16-bit FLOPS that the mathematics of training needs; None on a processor.

    The catalogue's figures are for 16 bits; a run in fp32 is measured against them too.
    """
    gpu = config.plan.gpu
    if config.device == "cpu" or tokens_per_second is None or gpu is None:
        return None
    report = config.prepare_report
    row_tokens = min(config.hyperparameters.cutoff_length, report.statistics.tokens / max(report.statistics.rows, 1))
    needed = flops_per_token(report.model_shape, config.method, row_tokens) * tokens_per_second
    return needed / (find_gpu(gpu.type).tflops * 1e12 * gpu.per_node * gpu.nodes)


def peak_memory(device: torch.device) -> int:
    """Bytes: of the card as its allocator reserved them, or of this process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_reserved())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def versions() -> dict[str, str]:
    """Of what the numbers depend on."""
    names = ("finetune-operator", "torch", "transformers", "peft", "accelerate", "bitsandbytes", "torch-optimi")
    return {name: version(name) for name in names} | {"python": sys.version.split()[0]}
