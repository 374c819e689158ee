"""Operations a token, beside counts by hand."""

import pytest
from jobs import shape_of

from finetune_core.planning import flops_per_token

QWEN_7B = shape_of("hf://Qwen/Qwen2.5-7B-Instruct")
WEIGHTS = QWEN_7B.linear_parameters + QWEN_7B.vocab_size * QWEN_7B.hidden_size


def test_of_short_rows_are_six_for_each_weight_and_four_with_adapters() -> None:
    assert flops_per_token(QWEN_7B, "full", 0) == 6 * WEIGHTS
    assert flops_per_token(QWEN_7B, "lora", 0) == flops_per_token(QWEN_7B, "qlora", 0) == 4 * WEIGHTS
    assert pytest.approx(4.24e10, rel=0.01) == 6 * WEIGHTS  # 7.07 billion weights that multiply


def test_attention_of_long_rows_comes_on_top() -> None:
    """A row of s tokens: scores and values take 2 x 2 s^2 / 2 multiply-adds a head dimension forward, thrice in all."""
    tokens = 4096
    row = tokens * (flops_per_token(QWEN_7B, "full", tokens) - 6 * WEIGHTS)
    pairs = tokens**2 / 2
    assert row == pytest.approx(3 * 2 * 2 * pairs * 28 * 28 * 128)


def test_of_a_mixture_of_experts_are_those_of_the_experts_a_token_goes_through() -> None:
    """Qwen3-30B-A3B has 3.3 billion active parameters (its model card), embedding and head among them."""
    mixture = shape_of("hf://Qwen/Qwen3-30B-A3B")
    embedding = mixture.vocab_size * mixture.hidden_size
    active = flops_per_token(mixture, "lora", 0) / 4 + embedding
    assert active == pytest.approx(3.3e9, rel=0.03)
