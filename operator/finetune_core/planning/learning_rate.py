"""The learning-rate table."""

import math
from itertools import pairwise

from finetune_core.api.job import Method, Preset

CONSERVATIVE: dict[Method, tuple[tuple[float, float], ...]] = {
    # billions of parameters, learning rate
    "full": ((7, 1e-5), (13, 5e-6), (70, 1e-6)),
    "lora": ((7, 5e-5), (13, 3e-5), (70, 1e-5)),
    "qlora": ((7, 1e-4), (13, 5e-5), (70, 3e-5)),
}
"""The fine-tuning course's table (its section 4.1)."""

RECENT_ADAPTER_FACTOR = 10
"""Preset ``recent``: adapters learn best at about ten times the rate of full fine-tuning, at every size.

Source: Schulman et al., "LoRA Without Regret", Thinking Machines Lab, 2025.
"""


def learning_rate(method: Method, layer_parameters: int, preset: Preset) -> tuple[float, str]:
    """Peak learning rate for a model whose layers have so many parameters, and the rule that gave it.

    Embeddings are left out of the size: with them Qwen2.5-7B counts 7.6B and Llama-3.1-8B 8.0B, and to the table both
    are a 7B model (6.5B and 7.0B).

    Between the table's sizes it is interpolated in log-log; below the smallest and above the largest it is theirs.
    """
    billions = layer_parameters / 1e9
    if preset == "recent" and method != "full":
        rate = _interpolate(CONSERVATIVE["full"], billions) * RECENT_ADAPTER_FACTOR
        return rate, f"preset recent: {RECENT_ADAPTER_FACTOR} x the rate of full, layers of {billions:.2g}B parameters"
    return _interpolate(CONSERVATIVE[method], billions), f"table for {method}, layers of {billions:.2g}B parameters"


def _interpolate(points: tuple[tuple[float, float], ...], size: float) -> float:
    if size <= points[0][0]:
        return points[0][1]
    for (low, at_low), (high, at_high) in pairwise(points):
        if size <= high:
            share = math.log(size / low) / math.log(high / low)
            return float(f"{at_low * (at_high / at_low) ** share:.3g}")
    return points[-1][1]
