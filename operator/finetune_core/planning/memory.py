"""The memory model: predicted peak of one card, by parts.

Every constant has its source; none is fitted to the tables that tests compare it with. Bytes throughout.
"""

from collections.abc import Iterator
from typing import NamedTuple

from finetune_core.api.plan import MemoryParts, ResolvedLora, ResolvedQuantization
from finetune_core.contract import ModelShape
from finetune_core.planning.activations import (
    kept_by_a_layer,
    kept_by_the_last_norm,
    passing_a_linear,
    passing_at_the_end,
    passing_backward,
    passing_forward,
    targeted,
)
from finetune_core.planning.training_shape import TrainingShape

RUNTIME_BYTES = 1_200_000_000
"""CUDA context, cuBLAS workspace and kernels: 1 to 1.5 GB as reported for PyTorch on current cards; about the same
for the resident size of torch and transformers on a CPU."""

LOGITS_AT_A_TIME = 2**24
"""Elements of the part of the logits that exists at a time: 110 rows of a vocabulary of 152,000, enough for a matrix
product to be efficient, in 0.17 GB."""

USABLE_SHARE = 0.95
"""Share of a card's memory that a plan may use; the rest is the allocator's slack and what this model misses."""

USABLE_SHARE_OF_DIVIDED = 0.83
"""The same where cards divide the weights: streams of gathering and computing do not share what the allocator holds,
and NCCL has buffers. 1 / 1.2, of which 1.2 is the median of what the driver counted beyond the context over what torch
had allocated, in 17 runs with FSDP and a fused loss (FMS acceleration, ``tests/unit/planning/published``)."""


def predict(shape: ModelShape, training: TrainingShape) -> MemoryParts:
    """Predicted peak, by part.

    The model, what is trained of it, gradients and states are there all the time. What comes and goes is most either
    while the loss is computed, or in a layer, or in the update; its parts are those of the worst of these moments, so
    that a part may be zero.
    """
    parts = _full(shape, training) if training.method == "full" else _adapters(shape, training)
    if training.shards > 1:
        parts = sharded(training, parts)
    worst = max(_moments(shape, training), key=sum)
    return parts.model_copy(update=worst._asdict() | {"runtime": RUNTIME_BYTES})


def usable_share(training: TrainingShape) -> float:
    """Share of a card's memory that a plan may use for it."""
    return USABLE_SHARE if training.shards == 1 else USABLE_SHARE_OF_DIVIDED


class _Moment(NamedTuple):
    """What is there beside what is there all the time."""

    activations: int = 0
    logits: int = 0
    scratch: int = 0


def _moments(shape: ModelShape, training: TrainingShape) -> Iterator[_Moment]:
    """What comes and goes, at each moment that may be the worst."""
    tokens, layers = training.tokens, shape.num_layers
    layer, last = kept_by_a_layer(shape, training), kept_by_the_last_norm(shape, training)
    casts = _cast_weights(shape, training)
    # A tied head's gradient waits for the embedding's, which is made last; then there are both, and their sum.
    embedding = training.stream_bytes * shape.vocab_size * shape.hidden_size if training.method == "full" else 0
    waiting = embedding if shape.tied_embeddings else 0
    whole = _whole(shape, training)

    kept = layers * (training.stream_bytes * shape.hidden_size if training.activation_checkpointing else layer)
    yield _Moment(activations=tokens * (kept + last), logits=head_bytes(shape, training), scratch=whole.loss + casts)
    forward = passing_forward(shape, training)
    yield _Moment(activations=tokens * (kept + forward), scratch=whole.forward + casts)
    yield _Moment(activations=tokens * (kept * (layers - 1) // layers + forward), scratch=whole.ahead + casts)
    if training.activation_checkpointing:
        # The last layer is computed again; autocast's copies of the weights are gone, but for those of that layer.
        again, passing = layer, passing_backward(shape, training)
        copied = casts // layers
    else:
        again, passing, copied = 0, passing_at_the_end(shape, training), casts
    yield _Moment(activations=tokens * (kept + again + passing), logits=waiting, scratch=whole.backward + copied)
    if of_weight := _made_of_a_weight(shape, training):
        through = passing_a_linear(shape, training)
        yield _Moment(activations=tokens * (kept + again + through), scratch=whole.backward + copied + of_weight)
    yield _Moment(logits=2 * waiting, scratch=(whole.end or embedding) + copied)
    if training.master_weights == "none":
        # The update of the largest tensor makes a temporary of it (optimi).
        yield _Moment(scratch=2 * shape.vocab_size * shape.hidden_size)


def sharded(training: TrainingShape, whole: MemoryParts) -> MemoryParts:
    """One GPU's share (FSDP2, ZeRO stage 3: Rajbhandari et al. 2020, arXiv:1910.02054)."""
    return MemoryParts(
        weights=_share(whole.weights, training.shards),
        adapters=_share(whole.adapters, training.shards),
        gradients=_share(whole.gradients, training.shards),
        optimizer=_share(whole.optimizer, training.shards),
    )


class _Whole(NamedTuple):
    """Of what is divided, what a GPU has whole."""

    ahead: int = 0
    """Going forward, before the last layer."""
    forward: int = 0
    """In the last layer."""
    loss: int = 0
    backward: int = 0
    end: int = 0
    """Of the backward pass, when only embedding and head are left."""


def _whole(shape: ModelShape, training: TrainingShape) -> _Whole:
    """What FSDP2 gathers, and gradients until they are divided; as counted in two processes of the trainer.

    Embedding and head all the time. Going forward, a layer and the next one twice, as it comes from the others and as
    it is put together; after the last layer no other. Going back, a layer and the next; where all is trained, the
    head's gradient too and the last layer's, in fp32 to be summed. At the end, gradients of embedding and head as they
    are made, in fp32, and as the part that is kept.
    """
    if training.shards == 1:
        return _Whole()
    outside, forward, backward, ahead = (gathered_bytes(shape, training, layers) for layers in range(4))
    end = outside
    if training.method == "full":
        embedding = shape.embedding_parameters
        backward += training.compute_bytes * shape.vocab_size * shape.hidden_size
        backward += 4 * (shape.parameters - embedding) // shape.num_layers
        end += (training.compute_bytes + 4) * embedding + _share(4 * embedding, training.shards)
    return _Whole(ahead=ahead, forward=forward, loss=outside, backward=backward, end=end)


def gathered_bytes(shape: ModelShape, training: TrainingShape, layers: int) -> int:
    """Of weights that are divided, what a GPU has whole while it computes: embedding and head, and so many layers.

    They are gathered as they are computed with, which autocast then need not copy; 4-bit weights as they are stored.
    """
    compute = training.compute_bytes
    embedding = compute * shape.embedding_parameters
    layer = compute * (shape.parameters - shape.embedding_parameters) // shape.num_layers
    if training.method == "qlora":
        assert training.quantization is not None
        layer = int(shape.linear_parameters * quantized_bytes_per_parameter(training.quantization)) // shape.num_layers
    if training.lora is not None:
        layer += compute * adapter_parameters(shape, training.lora) // shape.num_layers
    return embedding + layers * layer


def _share(size: int, shards: int) -> int:
    return -(-size // shards)


def adapter_parameters(shape: ModelShape, lora: ResolvedLora) -> int:
    """Parameters of the adapters: rank x (in + out) for each targeted linear (Hu et al. 2021)."""
    return shape.num_layers * sum(lora.rank * (rows + columns) for rows, columns in targeted(shape, lora).values())


def quantized_bytes_per_parameter(quantization: ResolvedQuantization) -> float:
    """Half a byte, and one scale for each block of 64.

    The scale is 4 bytes, or with double quantisation 1 byte and 4 bytes for each 256 scales (Dettmers et al. 2023,
    section 3; 4.5 and 4.127 bits a parameter).
    """
    scale = (1 + 4 / 256) if quantization.double_quantization else 4
    return 0.5 + scale / 64


def _full(shape: ModelShape, training: TrainingShape) -> MemoryParts:
    parameters = shape.parameters
    if training.master_weights == "none":
        # bf16 weights and gradients; two bf16 Adam moments and one bf16 Kahan buffer (optimi).
        return MemoryParts(weights=2 * parameters, gradients=2 * parameters, optimizer=6 * parameters)
    moments = int(training.moments_bytes * parameters)
    return MemoryParts(weights=4 * parameters, gradients=4 * parameters, optimizer=moments)


def _adapters(shape: ModelShape, training: TrainingShape) -> MemoryParts:
    assert training.lora is not None
    compute, trainable = training.compute_bytes, adapter_parameters(shape, training.lora)
    weights = compute * shape.parameters
    if training.quantization is not None:
        linear = shape.linear_parameters
        weights = int(linear * quantized_bytes_per_parameter(training.quantization))
        weights += compute * (shape.parameters - linear)
    # Adapters and their gradients are fp32, and so are their Adam moments unless the job asks for 8 bits.
    moments = int(training.moments_bytes * trainable)
    return MemoryParts(weights=weights, adapters=4 * trainable, gradients=4 * trainable, optimizer=moments)


def _cast_weights(shape: ModelShape, training: TrainingShape) -> int:
    """Autocast's 16-bit copies of fp32 weights, of which it keeps each until the forward pass ends (torch.amp).

    Of adapters too; weights that are divided over GPUs are gathered in 16 bit.
    """
    if training.precision == "fp32" or training.shards > 1:
        return 0
    if training.lora is not None:
        return training.compute_bytes * adapter_parameters(shape, training.lora)
    return training.compute_bytes * shape.linear_parameters if training.master_weights == "fp32" else 0


def _made_of_a_weight(shape: ModelShape, training: TrainingShape) -> int:
    """A frozen weight in another form, one at a time, forward and backward.

    A linear dequantised. Or the gradient of a layer's experts, which torch's kernel for them does not make; where
    there is none, before Ampere and so in fp16, what transformers has instead of it does (5.23).
    """
    if training.method == "qlora":
        return training.compute_bytes * max(rows * columns for rows, columns in shape.linear_shapes.values())
    if shape.num_experts and training.precision == "fp16":
        return training.compute_bytes * shape.num_experts * 2 * shape.intermediate_size * shape.hidden_size
    return 0


def head_bytes(shape: ModelShape, training: TrainingShape) -> int:
    """What the head and the loss take, of which a part of the logits exists at a time.

    Hidden states of the supervised tokens and their gradient, in the compute type. A part of the logits in fp32, and
    a temporary of their exponentials. Where the head is trained, its gradient as a whole,
    and, where that is of another type, what a part adds to it.
    """
    compute, tokens = training.compute_bytes, training.micro_batch_size * training.supervised_tokens
    part = min(tokens, max(1, LOGITS_AT_A_TIME // shape.vocab_size)) * shape.vocab_size
    head = shape.vocab_size * shape.hidden_size
    of_weight = 0
    if training.method == "full":
        # Its gradient; the weight and what a part adds to the gradient, where these are of another type.
        of_weight = (training.stream_bytes + (0 if training.stream_bytes == compute else 2 * compute)) * head
    return 2 * compute * tokens * shape.hidden_size + 8 * part + of_weight
