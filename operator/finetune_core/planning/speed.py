"""How long a micro-batch takes: arithmetic, and what moves between a card and its memory.

Calibrated on our own table (benchmarks/memory/h100.md, 53 cases on an H100), in which a layer's time a token is well
told by two terms: its operations at 0.7 of the card's rate, and its traffic, a multiple of the bytes that it keeps, at
0.7 of the bandwidth. Below some thousand tokens the processor that launches kernels is what takes the time.
"""

from finetune_core.api.job import Method
from finetune_core.contract import ModelShape
from finetune_core.planning.activations import kept_by_a_layer
from finetune_core.planning.flops import flops_per_token
from finetune_core.planning.gpus import Gpu
from finetune_core.planning.training_shape import TrainingShape

ATTAINED = 0.7
"""Of the data sheet's rate and bandwidth, by large products of matrices and by elementwise kernels."""

TRAFFIC: dict[Method, int] = {"full": 12, "lora": 19, "qlora": 19}
"""Bytes moved for each byte kept: what is kept is written and read, and so is all that passes.

LoRA of 7B, 3B and 1.5B: 19, 19 and 19; full of 0.5B with 32,768 tokens: 12.
"""

RECOMPUTE = 4 / 3
"""Checkpointing repeats the forward pass: 4 thirds of the work (Chen et al. 2016, arXiv:1604.06174)."""

LAUNCH_SECONDS: dict[Method, float] = {"full": 0.005, "lora": 0.007, "qlora": 0.010}
"""To launch the kernels of one layer, forward and backward, where that is all that takes time (0.5B, 1.5B)."""

LAUNCH_RECOMPUTE = 1.7
"""1.6 for full, 2.0 for LoRA, 1.6 for QLoRA."""


def micro_batch_seconds(shape: ModelShape, training: TrainingShape, gpu: Gpu, tokens: float) -> float:
    """Seconds of the forward and backward pass of so many tokens, in rows of the training's length at most."""
    operations = tokens * flops_per_token(shape, training.method, min(training.row_tokens, tokens))
    traffic = tokens * shape.num_layers * TRAFFIC[training.method] * kept_by_a_layer(shape, training)
    # The catalogue's rates are those of 16 bit; where that is not computed in, on a card, it takes twice as long.
    rate = gpu.tflops * 1e12 * ATTAINED / (2 if training.precision == "fp32" and not gpu.is_cpu else 1)
    seconds = operations / rate + traffic / (gpu.bandwidth * 1e9 * ATTAINED)
    launches = 0.0 if gpu.is_cpu else shape.num_layers * LAUNCH_SECONDS[training.method]
    if training.activation_checkpointing:
        return max(seconds * RECOMPUTE, launches * LAUNCH_RECOMPUTE)
    return max(seconds, launches)
