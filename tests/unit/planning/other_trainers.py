"""What our memory model predicts of another trainer: our functions for what a card holds, with that trainer's habits.

No number here is fitted. Each habit is an operation that the trainer's code does and ours does not, or the reverse;
its bytes are those of the tensors that it makes. The files in ``published/`` say which trainer has which.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from published import Point

from finetune_core.api.plan import MemoryParts, ResolvedLora, ResolvedQuantization
from finetune_core.contract import ModelShape
from finetune_core.planning.activations import (
    kept_by_a_layer,
    kept_by_the_last_norm,
    passing_backward,
    passing_forward,
    targeted,
)
from finetune_core.planning.gpus import catalogue
from finetune_core.planning.memory import (
    RUNTIME_BYTES,
    USABLE_SHARE,
    adapter_parameters,
    gathered_bytes,
    head_bytes,
    quantized_bytes_per_parameter,
    sharded,
    usable_share,
)
from finetune_core.planning.training_shape import TrainingShape

BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}

Loss = Literal["transformers", "fused", "own", "chunks", "compiled"]


@dataclass(frozen=True, kw_only=True)
class Habits:
    """What a trainer does otherwise than ours."""

    loss: Loss = "transformers"
    """How whole logits are compared; see ``_logits``."""
    dropout: float = 0.05
    steps_each_batch: bool = False
    """One micro-batch a step: gradients are not there while the loss is computed."""
    prepared_for_4_bit: bool = False
    """PEFT's prepare_model_for_kbit_training: what is not in 4 bits is fp32, so is the stream between layers, and so
    are the layers, since a 4-bit linear of bitsandbytes gives back the type that it was given."""
    head_in_4_bit: bool = False
    keeps_inputs_of_4_bit: int = 0
    """How often: MatMul4Bit of bitsandbytes 0.41 keeps the input of a frozen linear, which its backward pass does not
    use. LitGPT's newer table has each twice: so much more than LoRA does QLoRA of Llama 2 and Mistral take."""
    keeps_inputs_despite_checkpointing: bool = False
    """bitsandbytes 0.41 holds these inputs where checkpointing without reentrance does not find them. That it is so
    here is from the table: its rows of 32, 40 and 80 layers are predicted to 15 % with it, and to 40 % without."""
    fused_kernels: bool = False
    """Norms keep their input in the compute type and nothing in fp32."""
    one_qkv: bool = False
    """q, k and v are one linear: its adapter has one input."""
    every_head_has_keys: bool = False
    """Keys and values are spread to all heads before attention; where there are as many, values are a part of the
    tensor of queries, keys and values, all of which is kept with them."""
    unties: bool = False
    """A head that shares the embedding's weight has a copy of it."""
    tables_in_each_layer: bool = False
    """The rotation's cosine and sine of every position, in each layer (transformers before 4.40)."""
    gradients_freed_in_backward: bool = False
    """Each is used and freed when it is there, and the 8-bit moments are paged: the host has them."""
    keeps_inputs_twice: bool = False
    """Adapters in FSDP: in the backward pass the checkpointed input of each layer is there twice, as if it stayed
    until the end beside its gradient. The tables show it: a token more takes 2 h more for each layer on two and four
    cards than on one, of 32 layers as of 80, for LoRA as for QLoRA, and not for full; nor is it there in the loss."""
    whole_and_a_share: bool = False
    """FSDP as LitGPT's tables have it: the weights whole, and a share of them and of all else."""
    deepspeed: bool = False
    """ZeRO stage 3: bf16 weights and gradients, fp32 masters and moments, and fp32 gradients for a part of a step.
    What was gathered stays, up to a billion parameters (stage3_max_live_parameters), and so is there in the update."""
    context: bool = False
    """The figure is nvidia-smi's."""
    many_lengths: bool = False
    """Of what is reserved, for rows of many lengths. A row longer than any before finds no free block that is large
    enough, and what is left of the earlier ones stays. In random order the longest row until then was half as long in
    the mean, the one before it a quarter: together as much as the longest needs."""


HABITS = {
    "fms-acceleration-a100": Habits(
        steps_each_batch=True, tables_in_each_layer=True, keeps_inputs_twice=True, dropout=0.0
    ),
    "fms-acceleration-liger": Habits(
        loss="fused", steps_each_batch=True, fused_kernels=True, keeps_inputs_twice=True, dropout=0.1
    ),
    "litgpt-config-hub": Habits(
        loss="chunks",
        one_qkv=True,
        head_in_4_bit=True,
        keeps_inputs_of_4_bit=2,
        every_head_has_keys=True,
        unties=True,
        whole_and_a_share=True,
    ),
    "litgpt-resource-tables": Habits(
        loss="chunks",
        one_qkv=True,
        head_in_4_bit=True,
        keeps_inputs_of_4_bit=1,
        every_head_has_keys=True,
        whole_and_a_share=True,
    ),
    "qwen-readme": Habits(one_qkv=True, context=True, deepspeed=True),
    "swift-benchmark": Habits(
        one_qkv=True, many_lengths=True, keeps_inputs_of_4_bit=1, keeps_inputs_despite_checkpointing=True
    ),
    "torchtune": Habits(loss="compiled", dropout=0.0),
    "universal-llm-trainer": Habits(loss="own", steps_each_batch=True, prepared_for_4_bit=True),
}


def habits_of(point: Point) -> Habits:
    """Of its trainer; a table may have its own."""
    habits = HABITS[point.source]
    row = point.row
    if point.table == "QLoRA, baseline-peft-bnb" and not row.sharded:
        habits = replace(habits, prepared_for_4_bit=True)
    if point.source == "swift-benchmark" and not str(row.model).startswith("Qwen"):
        habits = replace(habits, one_qkv=False)
    if row.optimizer == "paged-adamw-8bit-in-backward":
        habits = replace(habits, gradients_freed_in_backward=True)
    return habits


def training_of(point: Point, habits: Habits) -> TrainingShape:
    """The row in our terms; every token is supervised, and no weights are held twice."""
    row = point.row
    assert row.method is not None
    assert row.micro_batch is not None
    assert row.tokens is not None
    assert row.compute is not None
    lora = None
    if row.method != "full":
        assert row.rank is not None
        targets = [name for name in row.targets if name != "lm_head"]
        lora = ResolvedLora(rank=row.rank, alpha=row.rank, dropout=habits.dropout, target_modules=targets)
    quantization = None
    if row.method == "qlora":
        quantization = ResolvedQuantization(type="nf4", double_quantization=row.weights == "nf4-dq")
    fp32_stream = row.method == "qlora" and habits.prepared_for_4_bit
    return TrainingShape(
        method=row.method,
        shards=point.shards,
        micro_batch_size=row.micro_batch,
        row_tokens=row.tokens,
        supervised_tokens=row.tokens,
        precision=row.compute,
        activation_checkpointing=row.checkpointing is True,
        master_weights="fp32" if fp32_stream else "none",
        lora=lora,
        quantization=quantization,
    )


def predicted(point: Point) -> int:
    """Bytes of what the source has measured."""
    habits, shape = habits_of(point), _shape(point)
    moments = list(_moments(point, shape, habits))
    peak = _states(point, shape, habits) + max(moment.total() for moment in moments)
    if habits.many_lengths:
        left_behind = max(moment.activations + moment.logits for moment in moments)
        # torch gives unused blocks back before it says that memory is out.
        peak = min(peak + left_behind, round(USABLE_SHARE * memory_of(point)))
    if point.measure != "allocated":
        peak = round(peak / USABLE_SHARE)  # the allocator's slack: what a plan leaves of a card for it
    return peak + (RUNTIME_BYTES if habits.context else 0)


def error_of(point: Point) -> float:
    """Of the prediction; above zero where it is too much."""
    assert point.peak_bytes
    return predicted(point) / point.peak_bytes - 1


def room_of(point: Point) -> float:
    """Share of the card that a run left, by nvidia-smi where the source has its figure."""
    assert point.peak_bytes
    context = 0 if HABITS[point.source].context else RUNTIME_BYTES
    return 1 - (point.device_bytes or point.peak_bytes + context) / memory_of(point)


def needed(point: Point) -> int:
    """Bytes of the card that a run takes at least: its tensors, and the context."""
    habits, shape = habits_of(point), _shape(point)
    return (
        _states(point, shape, habits) + max(moment.total() for moment in _moments(point, shape, habits)) + RUNTIME_BYTES
    )


def usable_of(point: Point) -> float:
    """Bytes of its card that a plan of ours may use; DeepSpeed is no FSDP, and has what one card alone has."""
    habits = habits_of(point)
    share = USABLE_SHARE if habits.deepspeed else usable_share(training_of(point, habits))
    return share * memory_of(point)


def memory_of(point: Point) -> int:
    """Of its card, as the driver reports it."""
    memory = {gpu.name: gpu.memory_bytes for gpu in catalogue()} | {"RTX-PRO-6000": 96 * 2**30}
    return memory[point.row.gpu or ""]


def _shape(point: Point) -> ModelShape:
    assert point.shape is not None
    return point.shape


def _states(point: Point, shape: ModelShape, habits: Habits) -> int:
    """Weights, adapters, gradients and moments, all that is there between two steps and until the update."""
    training, row = training_of(point, habits), point.row
    size = BYTES["bf16" if row.method == "qlora" else row.weights or ""]
    parameters = shape.parameters
    if habits.unties and shape.tied_embeddings:
        parameters += shape.vocab_size * shape.hidden_size
    if row.method == "full":
        whole = _full(parameters, size, habits)
    else:
        whole = _adapters(point, shape, training, habits, parameters, size)
    tables = 0
    if habits.tables_in_each_layer:
        tables = 2 * training.compute_bytes * shape.num_layers * shape.max_position_embeddings * shape.head_dim
    if point.shards == 1:
        return whole.total() + tables
    if habits.whole_and_a_share:
        return size * parameters + -(-whole.total() // point.shards)
    return sharded(training, whole).total() + tables


def _full(parameters: int, size: int, habits: Habits) -> MemoryParts:
    if habits.gradients_freed_in_backward:
        return MemoryParts(weights=size * parameters)
    return MemoryParts(weights=size * parameters, gradients=size * parameters, optimizer=2 * size * parameters)


def _adapters(
    point: Point, shape: ModelShape, training: TrainingShape, habits: Habits, parameters: int, size: int
) -> MemoryParts:
    assert training.lora is not None
    weights = size * parameters
    if training.quantization is not None:
        linear = shape.layer_parameters + (shape.vocab_size * shape.hidden_size if habits.head_in_4_bit else 0)
        rest = 4 if habits.prepared_for_4_bit else size
        weights = int(linear * quantized_bytes_per_parameter(training.quantization)) + rest * (parameters - linear)
    trainable = adapter_parameters(shape, training.lora)
    if "lm_head" in point.row.targets:
        trainable += training.lora.rank * (shape.hidden_size + shape.vocab_size)
    adapter = BYTES[point.row.adapters or "fp32"]
    return MemoryParts(
        weights=weights, adapters=adapter * trainable, gradients=adapter * trainable, optimizer=2 * adapter * trainable
    )


def _moments(point: Point, shape: ModelShape, habits: Habits) -> Iterator[MemoryParts]:
    """What comes and goes beyond the states, at each moment that may be the worst; less what is not there then."""
    training, row = training_of(point, habits), point.row
    tokens, layers = training.tokens, shape.num_layers
    layer, last = _kept_by_a_layer(shape, training, habits), _kept_by_the_last_norm(shape, training, habits)
    gradients = _gradients(point, shape, habits)
    linear = head = 0
    if row.method == "qlora":
        largest = max(rows * columns for rows, columns in shape.linear_shapes.values())
        # dequantised, and from that converted to the type that is computed in
        linear = (training.compute_bytes + (4 if _layers_in_fp32(training, habits) else 0)) * largest
        head = training.compute_bytes * shape.vocab_size * shape.hidden_size if habits.head_in_4_bit else 0

    def gathered(layers: int) -> int:
        divided = training.shards > 1 and not habits.whole_and_a_share
        return gathered_bytes(shape, training, layers) if divided else 0

    checkpoint = training.stream_bytes * shape.hidden_size
    if habits.keeps_inputs_despite_checkpointing:
        checkpoint += _inputs_of_4_bit(shape, training, habits)
    kept = layers * (checkpoint if training.activation_checkpointing else layer)
    yield MemoryParts(
        activations=tokens * (kept + last),
        logits=_logits(point, shape, training, habits),
        scratch=gathered(0) + head - gradients,
    )
    again = kept if habits.keeps_inputs_twice and training.shards > 1 and training.lora is not None else 0
    computing = _computed_again(shape, training, habits) if training.activation_checkpointing else 0
    # What is there twice is so in the first layer, which is computed again last, and no other is gathered ahead.
    back = gathered(1 if again else 3 if row.method == "full" else 2)
    yield MemoryParts(activations=tokens * (kept + again + computing), scratch=back + linear - gradients)
    yield MemoryParts(
        activations=tokens * (kept + passing_forward(shape, training)), scratch=gathered(2) + linear - gradients
    )
    if row.method == "full" and not habits.gradients_freed_in_backward:
        stayed = gathered(3) if habits.deepspeed else 0
        yield MemoryParts(scratch=_of_the_update(point, shape, habits) + stayed)
    elif row.method == "full":
        yield MemoryParts(scratch=2 * shape.vocab_size * shape.hidden_size)
    else:
        yield MemoryParts()


def _computed_again(shape: ModelShape, training: TrainingShape, habits: Habits) -> int:
    if _layers_in_fp32(training, habits):
        training = replace(training, precision="fp32")
    return _kept_by_a_layer(shape, training, habits) + passing_backward(shape, training)


def _layers_in_fp32(training: TrainingShape, habits: Habits) -> bool:
    return habits.prepared_for_4_bit and training.method == "qlora"


def _gradients(point: Point, shape: ModelShape, habits: Habits) -> int:
    """Of the states, what is not there while the loss is computed."""
    if point.row.method != "full" or not habits.steps_each_batch:
        return 0
    return BYTES[point.row.weights or ""] * shape.parameters // point.shards


def _of_the_update(point: Point, shape: ModelShape, habits: Habits) -> int:
    """AdamW's foreach makes a temporary of the square roots of all second moments at once."""
    if habits.deepspeed:
        return 4 * min(10**9, shape.parameters // point.shards)  # one sub-group's gradients in fp32
    return BYTES[point.row.weights or ""] * shape.parameters // point.shards


def _kept_by_a_layer(shape: ModelShape, training: TrainingShape, habits: Habits) -> int:
    compute, hidden = training.compute_bytes, shape.hidden_size
    kept = kept_by_a_layer(shape, training)
    if habits.fused_kernels:
        kept -= (4 - compute) * shape.norms_per_layer * hidden
    queries, keys = shape.num_heads * shape.head_dim, shape.num_kv_heads * shape.head_dim
    if habits.every_head_has_keys:
        kept += compute * 2 * (queries - keys if queries > keys else queries)
    if training.lora is not None:
        ours = [name for name in ("q_proj", "k_proj", "v_proj") if name in targeted(shape, training.lora)]
        if habits.one_qkv and ours:
            kept -= (len(ours) - 1) * hidden * (compute + (1 if training.lora.dropout else 0))
    return kept + _inputs_of_4_bit(shape, training, habits)


def _inputs_of_4_bit(shape: ModelShape, training: TrainingShape, habits: Habits) -> int:
    """Of q, k and v, which is one; of o, where heads lie one after another; of gate and up; of down."""
    if training.method != "qlora":
        return 0
    times = habits.keeps_inputs_of_4_bit * training.compute_bytes
    return times * (3 * shape.hidden_size + shape.intermediate_size)


def _kept_by_the_last_norm(shape: ModelShape, training: TrainingShape, habits: Habits) -> int:
    kept = kept_by_the_last_norm(shape, training)
    return kept - (4 * shape.hidden_size if habits.fused_kernels else 0)


def _logits(point: Point, shape: ModelShape, training: TrainingShape, habits: Habits) -> int:
    """Of the logits: bytes of one, times their number.

    transformers: the logits in fp32, their shifted copy or the logarithms, and gradients of these: three at a time.
    fused: fp32 and its shifted copy, in which the kernel leaves the gradient. own: the loss in the logits' own type,
    with the logits held until the step ends: logits, logarithms and two gradients. chunks: logits and logarithms of
    all, and two gradients of a chunk of 128 tokens. compiled: logits and their gradient, in the compute type.
    """
    rows = training.micro_batch_size
    if point.row.loss == "fused":
        return head_bytes(shape, training)
    of_one = {
        "transformers": 12,
        "fused": 8,
        "own": 4 * training.stream_bytes,
        "chunks": 8,
        "compiled": 2 * training.compute_bytes,
    }[habits.loss]
    logits = of_one * training.tokens
    if habits.loss == "chunks":
        logits += 8 * rows * min(128, training.row_tokens)
    return logits * shape.vocab_size
