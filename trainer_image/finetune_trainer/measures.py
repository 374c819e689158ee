"""Figures of a finished run that follow from others."""

import math

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
