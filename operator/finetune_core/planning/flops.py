"""Floating-point operations that training needs: what the mathematics asks for, nothing computed twice."""

from finetune_core.api.job import Method
from finetune_core.contract import ModelShape


def flops_per_token(shape: ModelShape, method: Method, row_tokens: float) -> float:
    """Operations to train on one token of a row of that length.

    A matrix of n weights takes 2n forward and, for the gradient of its input, 2n backward; 2n more where it is trained
    (Kaplan et al. 2020, arXiv:2001.08361, section 2.1: 6n). Adapters are not counted: they are below one per cent.
    Attention takes 2 multiplications of queries with half of the row's keys and values, forward, and twice that
    backward (Chowdhery et al. 2022, arXiv:2204.02311, appendix B, of which causal attention needs half).
    """
    weights = shape.active_parameters + shape.vocab_size * shape.hidden_size
    attention = 2 * shape.num_layers * shape.num_heads * shape.head_dim * row_tokens
    return (6 if method == "full" else 4) * weights + 3 * attention
