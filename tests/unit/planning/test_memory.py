"""The memory model: each part by its rule, and a peak that only ever grows with what is asked of the card."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs import shape_of

from finetune_core.api.plan import MemoryParts, ResolvedLora, ResolvedQuantization
from finetune_core.planning.memory import (
    LOGITS_AT_A_TIME,
    RUNTIME_BYTES,
    adapter_parameters,
    head_bytes,
    predict,
    quantized_bytes_per_parameter,
)
from finetune_core.planning.training_shape import TrainingShape

QWEN_7B = shape_of("hf://Qwen/Qwen2.5-7B-Instruct")
MODELS = [QWEN_7B, shape_of("hf://Qwen/Qwen3-0.6B"), shape_of("hf://TinyLlama/TinyLlama-1.1B-Chat-v1.0")]
LORA = ResolvedLora(rank=8, alpha=16, dropout=0.05, target_modules=["all-linear"])
NF4 = ResolvedQuantization(type="nf4", double_quantization=True)

FULL = TrainingShape(
    method="full",
    micro_batch_size=2,
    row_tokens=512,
    supervised_tokens=256,
    precision="bf16",
    activation_checkpointing=True,
    master_weights="fp32",
)
FULL_BF16 = replace(FULL, master_weights="none")
LORA_BF16 = replace(FULL, method="lora", master_weights=None, lora=LORA)
QLORA_BF16 = replace(LORA_BF16, method="qlora", quantization=NF4)
EVERY_METHOD = {"full": FULL, "full without masters": FULL_BF16, "lora": LORA_BF16, "qlora": QLORA_BF16}


def states(parts: MemoryParts) -> int:
    """Everything that is kept for each parameter all the time."""
    return parts.weights + parts.adapters + parts.gradients + parts.optimizer


class TestStates:
    @pytest.mark.parametrize("shape", MODELS, ids=lambda shape: shape.model_type)
    @pytest.mark.parametrize(("training", "per_parameter"), [(FULL, 16), (FULL_BF16, 10)], ids=["masters", "none"])
    def test_of_full_are_16_bytes_a_parameter_or_10_without_masters(
        self, shape: Any, training: TrainingShape, per_parameter: int
    ) -> None:
        assert states(predict(shape, training)) == per_parameter * shape.parameters

    @pytest.mark.parametrize(("precision", "size"), [("bf16", 2), ("fp16", 2), ("fp32", 4)])
    def test_of_lora_are_the_weights_and_16_bytes_for_each_of_the_adapters(self, precision: Any, size: int) -> None:
        parts = predict(QWEN_7B, replace(LORA_BF16, precision=precision))
        assert parts.weights == size * QWEN_7B.parameters
        assert parts.adapters + parts.gradients + parts.optimizer == 16 * adapter_parameters(QWEN_7B, LORA)

    def test_of_qlora_quantise_the_linears_and_nothing_else(self) -> None:
        parts = predict(QWEN_7B, QLORA_BF16)
        rest = QWEN_7B.parameters - QWEN_7B.linear_parameters
        # 4.127 bits a parameter with double quantisation (Dettmers et al. 2023, section 3)
        assert parts.weights == pytest.approx(QWEN_7B.linear_parameters * 4.127 / 8 + 2 * rest, rel=1e-4)
        assert parts.weights < predict(QWEN_7B, LORA_BF16).weights / 2

    @pytest.mark.parametrize(("double", "bits"), [(True, 4.127), (False, 4.5)])
    def test_double_quantisation_saves_0_37_bits(self, double: bool, bits: float) -> None:
        size = quantized_bytes_per_parameter(ResolvedQuantization(type="nf4", double_quantization=double))
        assert 8 * size == pytest.approx(bits, abs=1e-3)


class TestAdapters:
    def test_are_as_many_as_peft_counts(self) -> None:
        # what print_trainable_parameters says of Qwen2.5-7B with rank 8 on all linears
        assert adapter_parameters(QWEN_7B, LORA) == 20_185_088

    @pytest.mark.parametrize("rank", [1, 16, 1024])
    def test_grow_with_the_rank(self, rank: int) -> None:
        wide = LORA.model_copy(update={"rank": rank})
        assert 8 * adapter_parameters(QWEN_7B, wide) == rank * adapter_parameters(QWEN_7B, LORA)

    def test_stand_where_they_are_told_to(self) -> None:
        chosen = LORA.model_copy(update={"target_modules": ["q_proj", "v_proj"]})
        # 28 layers, rank 8: q_proj 3584 to 3584, v_proj 3584 to 512
        assert adapter_parameters(QWEN_7B, chosen) == 28 * 8 * (3584 + 3584 + 3584 + 512)


class TestActivations:
    @pytest.mark.parametrize("training", EVERY_METHOD.values(), ids=EVERY_METHOD)
    @pytest.mark.parametrize("shape", MODELS, ids=lambda shape: shape.model_type)
    def test_checkpointing_saves_most_of_them_and_nothing_else(self, shape: Any, training: TrainingShape) -> None:
        kept = predict(shape, replace(training, activation_checkpointing=False, micro_batch_size=16))
        saved = predict(shape, replace(training, activation_checkpointing=True, micro_batch_size=16))
        assert saved.activations < kept.activations / 5
        assert states(saved) == states(kept)

    def test_grow_in_step_with_the_tokens(self) -> None:
        one = predict(QWEN_7B, replace(LORA_BF16, micro_batch_size=1)).activations
        assert predict(QWEN_7B, replace(LORA_BF16, micro_batch_size=4)).activations == 4 * one
        assert predict(QWEN_7B, replace(LORA_BF16, micro_batch_size=1, row_tokens=2048)).activations == 4 * one


class TestLogits:
    def test_of_few_tokens_are_there_as_a_whole(self) -> None:
        """bf16: states and their gradient; logits in fp32, and their exponentials."""
        few = replace(LORA_BF16, micro_batch_size=4, row_tokens=4096, supervised_tokens=10)
        assert head_bytes(QWEN_7B, few) == 40 * (QWEN_7B.hidden_size * 2 * 2 + QWEN_7B.vocab_size * (4 + 4))

    def test_of_many_tokens_are_there_in_part(self) -> None:
        many = replace(LORA_BF16, micro_batch_size=4, row_tokens=4096, supervised_tokens=4096)
        states = 4 * 4096 * QWEN_7B.hidden_size * 2 * 2
        assert states < head_bytes(QWEN_7B, many) <= states + 10 * LOGITS_AT_A_TIME

    def test_of_a_head_that_is_trained_have_its_gradient_beside_them(self) -> None:
        """Of fp32 masters: the gradient in fp32, the weight in bf16, and what a part adds, in bf16."""
        full = head_bytes(QWEN_7B, EVERY_METHOD["full"])
        frozen = replace(EVERY_METHOD["full"], method="lora", master_weights=None, lora=LORA)
        assert full - head_bytes(QWEN_7B, frozen) == (4 + 2 + 2) * QWEN_7B.vocab_size * QWEN_7B.hidden_size

    def test_there_are_none_without_supervision(self) -> None:
        assert head_bytes(QWEN_7B, replace(LORA_BF16, supervised_tokens=0)) == 0


class TestPeak:
    @pytest.mark.parametrize("training", EVERY_METHOD.values(), ids=EVERY_METHOD)
    def test_is_the_sum_of_its_parts(self, training: TrainingShape) -> None:
        parts = predict(QWEN_7B, training)
        assert parts.total() == sum(parts.model_dump().values())
        assert all(size >= 0 for size in parts.model_dump().values())
        assert parts.runtime == RUNTIME_BYTES

    def test_falls_from_full_to_lora_to_qlora(self) -> None:
        peaks = [predict(QWEN_7B, training).total() for training in EVERY_METHOD.values()]
        assert peaks == sorted(peaks, reverse=True)

    @given(
        st.sampled_from(MODELS),
        st.sampled_from(list(EVERY_METHOD.values())),
        st.booleans(),
        st.integers(1, 64),
        st.integers(1, 32_768),
        st.integers(0, 32_768),
        st.integers(1, 512),
        st.sampled_from(["micro_batch_size", "row_tokens", "supervised_tokens", "rank"]),
        st.integers(1, 4_096),
    )
    @settings(deadline=None, max_examples=200)
    def test_never_falls_when_more_is_asked(
        self,
        shape: Any,
        training: TrainingShape,
        checkpointing: bool,
        micro: int,
        tokens: int,
        supervised: int,
        rank: int,
        grown: str,
        by: int,
    ) -> None:
        base = replace(
            training,
            activation_checkpointing=checkpointing,
            micro_batch_size=micro,
            row_tokens=tokens,
            supervised_tokens=min(supervised, tokens),
            lora=training.lora and training.lora.model_copy(update={"rank": rank}),
        )
        if grown == "rank":
            more = replace(base, lora=base.lora and base.lora.model_copy(update={"rank": rank + by}))
        else:
            more = replace(base, **{grown: getattr(base, grown) + by})
        assert predict(shape, more).total() >= predict(shape, base).total()
