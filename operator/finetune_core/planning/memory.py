"""The memory model: predicted peak of one card, by parts.

A first version: every constant has its source, none is fitted. Bytes throughout.
"""

from dataclasses import dataclass

from finetune_core.api.job import MasterWeights, Method, Precision
from finetune_core.api.plan import MemoryParts, ResolvedLora, ResolvedQuantization
from finetune_core.contract import ModelShape

PRECISION_BYTES: dict[Precision, int] = {"bf16": 2, "fp16": 2, "fp32": 4}

RUNTIME_BYTES = 1_200_000_000
"""CUDA context, cuBLAS workspace and kernels: 1 to 1.5 GB as reported for PyTorch on current cards; about the same
for the resident size of torch and transformers on a CPU."""

LOGITS_AT_A_TIME = 2**24
"""Elements of the part of the logits that exists at a time: 110 rows of a vocabulary of 152,000, enough for a matrix
product to be efficient, in 0.17 GB."""

USABLE_SHARE = 0.95
"""Share of a card's memory that a plan may use; the rest is the allocator's slack and what this model misses."""


@dataclass(frozen=True, kw_only=True)
class TrainingShape:
    """Everything the peak depends on besides the model."""

    method: Method
    shards: int = 1
    """GPUs over which weights, gradients and optimizer states are divided; 1: each holds them all."""
    micro_batch_size: int
    row_tokens: int
    """Longest row after truncation, in tokens."""
    supervised_tokens: int
    """Most supervised tokens in one row."""
    precision: Precision
    activation_checkpointing: bool
    master_weights: MasterWeights | None = None
    lora: ResolvedLora | None = None
    quantization: ResolvedQuantization | None = None


def predict(shape: ModelShape, training: TrainingShape) -> MemoryParts:
    """Predicted peak, by part. The worst moment is the backward pass of a micro-batch of longest rows."""
    compute = PRECISION_BYTES[training.precision]
    activations = _activations(shape, training, compute)
    logits = _logits(shape, training, compute)
    parts = _full(shape, training) if training.method == "full" else _adapters(shape, training, compute)
    if training.shards > 1:
        parts = _sharded(shape, training, parts, compute)
    if training.master_weights == "none":
        # The update of the largest tensor makes a temporary of it, when activations and logits are gone.
        temporary = 2 * shape.vocab_size * shape.hidden_size
        parts = parts.model_copy(update={"scratch": max(0, temporary - activations - logits)})
    return parts.model_copy(update={"activations": activations, "logits": logits, "runtime": RUNTIME_BYTES})


def _sharded(shape: ModelShape, training: TrainingShape, whole: MemoryParts, compute: int) -> MemoryParts:
    """One GPU's share (FSDP2, ZeRO stage 3: Rajbhandari et al. 2020, arXiv:1910.02054), and what it gathers in turn.

    Gathered are one layer at a time and, in advance, the next; embedding and head throughout. They are gathered as they
    are computed with, which autocast then need not copy; 4-bit weights as they are stored. Where all is trained,
    a layer's whole gradient exists as well, until its parts have gone where they belong.
    """
    embedding = compute * shape.embedding_parameters
    layer = compute * (shape.parameters - shape.embedding_parameters) // shape.num_layers
    scratch = 0
    if training.method == "qlora":
        assert training.quantization is not None
        layer = int(shape.linear_parameters * quantized_bytes_per_parameter(training.quantization)) // shape.num_layers
        scratch = whole.scratch  # a linear is dequantised out of the gathered layer
    if training.lora is not None:
        layer += compute * adapter_parameters(shape, training.lora) // shape.num_layers
    gathered = embedding + (3 if training.method == "full" else 2) * layer
    return MemoryParts(
        weights=_share(whole.weights, training.shards),
        adapters=_share(whole.adapters, training.shards),
        gradients=_share(whole.gradients, training.shards),
        optimizer=_share(whole.optimizer, training.shards),
        scratch=scratch + gathered,
    )


def _share(size: int, shards: int) -> int:
    return -(-size // shards)


def adapter_parameters(shape: ModelShape, lora: ResolvedLora) -> int:
    """Parameters of the adapters: rank x (in + out) for each targeted linear (Hu et al. 2021)."""
    return shape.num_layers * sum(lora.rank * (rows + columns) for rows, columns in _targets(shape, lora).values())


def quantized_bytes_per_parameter(quantization: ResolvedQuantization) -> float:
    """Half a byte, and one scale for each block of 64.

    The scale is 4 bytes, or with double quantisation 1 byte and 4 bytes for each 256 scales (Dettmers et al. 2023,
    section 3; 4.5 and 4.127 bits a parameter).
    """
    scale = (1 + 4 / 256) if quantization.double_quantization else 4
    return 0.5 + scale / 64


def _targets(shape: ModelShape, lora: ResolvedLora) -> dict[str, tuple[int, int]]:
    linears = shape.linear_shapes
    if lora.all_linear:
        return linears
    return {name: size for name, size in linears.items() if name in lora.target_modules}


def _full(shape: ModelShape, training: TrainingShape) -> MemoryParts:
    parameters = shape.parameters
    if training.master_weights == "none":
        # bf16 weights and gradients; two bf16 Adam moments and one bf16 Kahan buffer (optimi).
        return MemoryParts(weights=2 * parameters, gradients=2 * parameters, optimizer=6 * parameters)
    # Autocast keeps a 16-bit copy of every weight it has cast until the forward pass ends (torch.amp's weight cache).
    cast = 0 if training.precision == "fp32" else 2 * (shape.linear_parameters + shape.vocab_size * shape.hidden_size)
    return MemoryParts(weights=4 * parameters, gradients=4 * parameters, optimizer=8 * parameters, scratch=cast)


def _adapters(shape: ModelShape, training: TrainingShape, compute: int) -> MemoryParts:
    assert training.lora is not None
    trainable = adapter_parameters(shape, training.lora)
    weights, scratch = compute * shape.parameters, 0
    if training.method == "qlora":
        assert training.quantization is not None
        linear = shape.linear_parameters
        weights = int(linear * quantized_bytes_per_parameter(training.quantization))
        weights += compute * (shape.parameters - linear)
        # One linear at a time is dequantised; autograd may hold the next while the last is being freed.
        scratch = 2 * compute * max(rows * columns for rows, columns in shape.linear_shapes.values())
    # Adapters, their gradients and their Adam moments are fp32.
    return MemoryParts(
        weights=weights, adapters=4 * trainable, gradients=4 * trainable, optimizer=8 * trainable, scratch=scratch
    )


def _activations(shape: ModelShape, training: TrainingShape, compute: int) -> int:
    """Tensors that autograd keeps for the backward pass.

    Per token and layer, for a pre-norm block with gated MLP and fused attention (no matrix of scores is kept): the
    outputs of both norms (2h), queries and keys before and after the rotation, values, the attention output
    (3q + 3kv), gate, up, their activation and product (4i), each of the compute type; and both norms' inputs upcast
    to fp32. Each adapter keeps its own input after dropout, and dropout's mask of one byte.
    The form follows Korthikanti et al. 2022 (arXiv:2205.05198), section 4. With checkpointing only the layer's input is
    kept, and one layer is recomputed at a time.
    """
    hidden, inner = shape.hidden_size, shape.intermediate_size
    queries, keys = shape.num_heads * shape.head_dim, shape.num_kv_heads * shape.head_dim
    layer = compute * (2 * hidden + 3 * queries + 3 * keys + (4 if shape.gated_mlp else 2) * inner)
    layer += 2 * (4 + compute) * hidden
    if training.lora is not None:
        layer += sum((compute + 1) * rows for rows, _ in _targets(shape, training.lora).values())
    kept = compute * hidden
    tokens = training.micro_batch_size * training.row_tokens
    if training.activation_checkpointing:
        return tokens * (shape.num_layers * kept + layer)
    return tokens * shape.num_layers * layer


def _logits(shape: ModelShape, training: TrainingShape, compute: int) -> int:
    """What the head and the loss take, of which a part of the logits exists at a time.

    Hidden states of the supervised tokens and their gradient, in the compute type. Of a part of the logits: in the
    compute type, in fp32, and a temporary of their exponentials. Where the head is trained, its gradient as a whole,
    and, where that is of another type, what a part adds to it.
    """
    tokens = training.micro_batch_size * training.supervised_tokens
    part = min(tokens, max(1, LOGITS_AT_A_TIME // shape.vocab_size)) * shape.vocab_size
    gradient = 0
    if training.method == "full":
        kept = 2 if training.master_weights == "none" else 4
        gradient = (kept if kept == compute else kept + compute) * shape.vocab_size * shape.hidden_size
    return 2 * compute * tokens * shape.hidden_size + (compute % 4 + 8) * part + gradient
