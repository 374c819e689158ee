"""How long a run takes, and what it costs."""

import math

from finetune_core.api.job import Budget
from finetune_core.api.plan import Estimate, ResolvedHyperparameters
from finetune_core.contract import DataStatistics, ModelShape
from finetune_core.planning.gpus import Gpu
from finetune_core.planning.memory import predict
from finetune_core.planning.speed import ATTAINED, micro_batch_seconds
from finetune_core.planning.training_shape import TrainingShape

IN_A_NODE = 20e9
BETWEEN_NODES = 3e9
"""Bytes a second between two cards: what PCIe 4.0 x16 and Ethernet of 25 Gbit/s give. NVLink and InfiniBand are faster,
and not known to a plan."""

UPDATE_PASSES = 2
"""An update reads weights, gradients and states, and writes them."""


def estimate(
    shape: ModelShape,
    training: TrainingShape,
    resolved: ResolvedHyperparameters,
    data: DataStatistics,
    gpu: Gpu,
    gpus_of_a_node: int,
    nodes: int,
) -> Estimate:
    """Training and its evaluations; fetching the model, preparing the data and storing the result are not in it."""
    gpus = gpus_of_a_node * nodes
    row_tokens = min(data.tokens / max(1, data.rows), resolved.cutoff_length)
    share = resolved.effective_batch_size * row_tokens / gpus
    if resolved.packing:
        room = resolved.micro_batch_size * max(1, training.row_tokens)
        micro_batches = max(1, math.ceil(share / room))
    else:
        micro_batches = resolved.gradient_accumulation_steps
    passes = micro_batches * micro_batch_seconds(shape, training, gpu, share / micro_batches)

    parts = predict(shape, training)
    states = parts.adapters + parts.gradients + parts.optimizer + (parts.weights if training.method == "full" else 0)
    update = UPDATE_PASSES * states / (gpu.bandwidth * 1e9 * ATTAINED)
    step = passes + update + _communication(training, parts.weights, parts.gradients, micro_batches, gpus, nodes)

    evaluations = resolved.total_steps // resolved.evaluation_steps + 1 if data.validation_rows else 0
    # Forward only: a third of the work of training everything.
    evaluating = evaluations * data.validation_rows / resolved.effective_batch_size * passes / 3
    seconds = resolved.total_steps * step + evaluating
    hours = seconds * gpus / 3600
    return Estimate(
        seconds=math.ceil(seconds),
        gpu_hours=_rounded(hours),
        cost=_rounded(hours * gpu.price_per_hour),
        tokens_per_second=max(1, round(resolved.effective_batch_size * row_tokens / step)),
    )


def _communication(
    training: TrainingShape, weights: int, gradients: int, micro_batches: int, gpus: int, nodes: int
) -> float:
    """Seconds a step: gradients go around the ring once; divided weights are gathered forward and backward."""
    if gpus == 1:
        return 0.0
    rate = BETWEEN_NODES if nodes > 1 else IN_A_NODE
    if training.shards == 1:
        return 2 * gradients / rate
    return micro_batches * training.shards * (2 * weights + gradients) / rate


def _rounded(value: float) -> float:
    """Three digits, which is more than is known."""
    return float(f"{value:.3g}")


def over_budget(budget: Budget, expected: Estimate) -> str:
    """What is beyond the budget, or an empty string."""
    if budget.max_duration_seconds and expected.seconds > budget.max_duration_seconds:
        allowed = in_words(budget.max_duration_seconds)
        return f"training would take about {in_words(expected.seconds)}, budget.maxDurationSeconds allows {allowed}"
    if budget.max_cost and expected.cost > budget.max_cost:
        return f"training would cost about {expected.cost:.2f} USD, budget.maxCost allows {budget.max_cost:.2f}"
    return ""


def in_words(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3 h 20 min``, ``4 days``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
    return f"{minutes / 1440:.0f} days"
