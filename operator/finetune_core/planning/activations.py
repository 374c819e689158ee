"""What the layers take of a card while they run, in bytes a token.

The tensors are those that torch's autograd keeps of transformers' layers and PEFT's adapters as they are written; the
form follows Korthikanti et al. 2022 (arXiv:2205.05198), section 4. ``benchmarks/memory/simulate.py`` counts them in a
step of our trainer, for any model and without a card, and tests hold this file to what it counts. Below, h is the
hidden size, i the inner one, q and kv are the widths of queries and keys, and c is the compute type's size.
"""

from finetune_core.api.plan import ResolvedLora
from finetune_core.contract import ModelShape
from finetune_core.planning.training_shape import TrainingShape

_FP32 = 4
_LOG_SUM = 4
"""Attention keeps the logarithm of each head's sum, in fp32."""
_FP32_NORMALISED = ("gemma", "gemma3_text")
"""Gemma's norms multiply by their weight before they go back to 16 bit."""
_A_CHOICE = 56
"""What the choice of one expert by one token leaves: indices there and back in 64 bit, and its weight."""
_BEFORE_LINEARS = 2
"""Norms of a layer whose input is the stream between the layers; the others' is what a linear gives."""
_PARTLY_ROTATED = ("phi3", "glm4")
"""Heads are put together of a rotated and another part, and lie one after another then, in attention's output too; the
linear after it gets a copy in the order of the tokens."""


def kept_by_a_layer(shape: ModelShape, training: TrainingShape) -> int:
    """Kept from a layer's forward pass to its backward pass.

    Each norm keeps its input in fp32, and where its weight is trained the normalised input. Attention keeps queries,
    keys, values and its output; the MLP gate, up and the activation. A linear that is trained keeps its input, a frozen
    one nothing; its adapter keeps the input after dropout, and dropout's mask.
    """
    compute = training.compute_bytes
    queries, keys = _widths(shape)
    normed = shape.norms_per_layer * shape.hidden_size
    normed_heads = queries + keys if shape.qk_norm else 0
    kept = _FP32 * (normed + normed_heads) + _LOG_SUM * shape.num_heads
    kept += compute * (2 * queries + 2 * keys) + _kept_by_the_mlp(shape, compute)
    if shape.fused_qkv and (training.varlen_attention or queries == keys):
        kept += compute * (queries + keys)  # values are a part of what the linear gave, and keep all of it
    if not training.varlen_attention:
        kept += compute * (2 * (queries - keys) + queries)  # keys and values of every head, and the rows put together
    if training.lora is not None:
        inputs = sum(rows for rows, _ in targeted(shape, training.lora).values())
        return kept + inputs * (compute + (1 if training.lora.dropout else 0))
    if shape.model_type in _FP32_NORMALISED:
        kept += _FP32 * (normed + normed_heads)
    else:
        of_stream = _BEFORE_LINEARS * shape.hidden_size
        kept += training.stream_bytes * of_stream + compute * (normed - of_stream + normed_heads)
    if shape.model_type in _PARTLY_ROTATED and training.varlen_attention:
        kept += compute * queries
    # q, k, v have one input, and gate, up; autocast of fp32 makes a copy for each linear.
    inputs = len(shape.linear_shapes) - 2 if training.stream_bytes > compute else 2
    return kept + compute * (inputs * shape.hidden_size + (shape.intermediate_size if shape.gated_mlp else 0))


def _kept_by_the_mlp(shape: ModelShape, compute: int) -> int:
    """Gate, up and the activation; of experts those of each that a token goes through, and its output, which the
    choice weighs."""
    if not shape.num_experts:
        return compute * (3 if shape.gated_mlp else 2) * shape.intermediate_size
    of_one = compute * (3 * shape.intermediate_size + shape.hidden_size) + _A_CHOICE
    return shape.experts_per_token * of_one + _FP32 * shape.num_experts


def kept_by_the_last_norm(shape: ModelShape, training: TrainingShape) -> int:
    """Kept once: the input in fp32 and the output of the norm before the head, and what the first layer was given."""
    stream = training.stream_bytes
    of_norm = stream if stream == _FP32 else _FP32 + stream
    return shape.hidden_size * (of_norm + stream + (stream if training.method == "full" else 0))


def passing_forward(shape: ModelShape, training: TrainingShape) -> int:
    """Most that a layer's forward pass takes beyond what is kept: the input of the MLP's last linear, and its casts.

    What a 4-bit linear gives, PEFT copies, and that there is twice.
    """
    if shape.num_experts:
        return _passing_experts(shape, training)
    hidden = shape.hidden_size * training.compute_bytes
    given = {"full": hidden, "lora": 0, "qlora": 2 * hidden}[training.method]
    return max(4 * hidden, _of_last_linear(shape, training) + given)


def passing_backward(shape: ModelShape, training: TrainingShape) -> int:
    """Most that a layer's backward pass takes beyond what is kept: gradients within the MLP, and of its input.

    Where a norm comes after the MLP, its backward comes before all that is released: four fp32 temporaries.
    """
    compute, hidden = training.compute_bytes, shape.hidden_size
    if shape.num_experts:
        return _passing_experts(shape, training)
    if training.lora is None:
        of_norm = (4 * _FP32 + 2 * compute) * hidden if shape.norms_per_layer > _BEFORE_LINEARS else 0
        return max(of_norm, training.stream_bytes * hidden + 2 * compute * shape.intermediate_size)
    if not _last_linear_has_adapter(training.lora):
        return compute * (hidden + 3 * shape.intermediate_size)
    return compute * 5 * hidden + _of_last_linear(shape, training)


def passing_at_the_end(shape: ModelShape, training: TrainingShape) -> int:
    """Most that the last layer's backward pass takes at its beginning, while all layers' are kept."""
    return _passing_experts(shape, training) if shape.num_experts else 7 * training.compute_bytes * shape.hidden_size


def passing_a_linear(shape: ModelShape, training: TrainingShape) -> int:
    """What passes in a layer while the MLP's last linear is multiplied with: its input or the gradient of that, its
    output or that gradient, and the stream. Of experts, all that passes."""
    if shape.num_experts:
        return _passing_experts(shape, training)
    return training.compute_bytes * (shape.intermediate_size + 2 * shape.hidden_size)


def _passing_experts(shape: ModelShape, training: TrainingShape) -> int:
    """Of each token and expert of it: its output's gradient, and two products of that; or, where experts are wide,
    gradients within them, for which the output is gone."""
    compute, hidden, chosen = training.compute_bytes, shape.hidden_size, shape.experts_per_token
    outputs = (3 * chosen + 3) * hidden
    within = chosen * (3 * shape.intermediate_size - hidden) + hidden
    return compute * max(outputs, within)


def _of_last_linear(shape: ModelShape, training: TrainingShape) -> int:
    """Its input; PEFT's adapter casts that to fp32, and dropout makes another of it."""
    compute = training.compute_bytes
    casts = 0
    if training.lora is not None and _last_linear_has_adapter(training.lora) and compute < _FP32:
        casts = 2 * _FP32 if training.lora.dropout else _FP32
    return (compute + casts) * shape.intermediate_size


def _last_linear_has_adapter(lora: ResolvedLora) -> bool:
    return lora.all_linear or "down_proj" in lora.target_modules


def targeted(shape: ModelShape, lora: ResolvedLora) -> dict[str, tuple[int, int]]:
    """(in, out) features of each linear of a layer that has an adapter, by its name."""
    linears = shape.linear_shapes
    return linears if lora.all_linear else {name: linears[name] for name in linears if name in lora.target_modules}


def _widths(shape: ModelShape) -> tuple[int, int]:
    return shape.num_heads * shape.head_dim, shape.num_kv_heads * shape.head_dim
