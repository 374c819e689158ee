"""Attention of rows that lie one after another in a micro-batch: each sees itself alone, and nothing is padded.

Registered with transformers under a name of its own; what tells the rows apart travels as a keyword argument through
the model to every layer.
"""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface

from finetune_trainer.rows import MicroBatch

ROW_BY_ROW = "row_by_row"
"""Name of this attention in transformers."""

_LARGEST_FLASH_HEAD = 256


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    rows: MicroBatch,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Causal attention within each row.

    Args:
        module: the layer's attention; not used.
        query: (1, heads, tokens, head dimension).
        key: (1, key-value heads, tokens, head dimension).
        value: as ``key``.
        attention_mask: always None, since transformers makes masks only for the attentions that it knows.
        rows: where each row begins and ends.
        scaling: of the scores; 1 / sqrt(head dimension) where it is None.
        sliding_window: how many tokens, itself included, a token sees; None: all before it.

    Returns:
        (1, tokens, heads, head dimension), and no scores.
    """
    # With fp32 weights the rotation of positions makes queries and keys fp32, whatever is computed in.
    query, key = query.to(value.dtype), key.to(value.dtype)
    if _has_flash_kernel(query):
        window = -1 if sliding_window is None else sliding_window - 1
        flat = [states[0].transpose(0, 1) for states in (query, key, value)]  # (tokens, heads, head dimension) each
        output = varlen_attn(
            *flat, rows.starts, rows.starts, max(rows.lengths), max(rows.lengths),
            scale=scaling, window_size=(window, 0), enable_gqa=key.shape[1] < query.shape[1],
        )  # fmt: skip
        return output[None], None
    # split, and no slices: the gradient of each slice would be as large as the whole.
    pieces = zip(*(states.split(rows.lengths, dim=2) for states in (query, key, value)), strict=True)
    outputs = [_of_one_row(*row, scaling, sliding_window) for row in pieces]
    return torch.cat(outputs, dim=2).transpose(1, 2), None


AttentionInterface.register(ROW_BY_ROW, attend)


def _of_one_row(query: Tensor, key: Tensor, value: Tensor, scaling: float | None, window: int | None) -> Tensor:
    mask = None
    if window is not None and query.shape[2] > window:
        whole = torch.ones(query.shape[2], query.shape[2], dtype=torch.bool, device=query.device)
        mask = whole.tril().triu(1 - window)
    grouped = key.shape[1] < query.shape[1]
    if grouped and query.is_cuda:
        # Before Ampere torch has no kernel for grouped heads, and would keep every score.
        key, value = (states.repeat_interleave(query.shape[1] // states.shape[1], dim=1) for states in (key, value))
        grouped = False
    return F.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=mask is None, scale=scaling, enable_gqa=grouped
    )


def _has_flash_kernel(query: Tensor) -> bool:
    """Whether torch has one for rows of unequal length on this card: from Ampere on, in 16 bits."""
    return (
        query.is_cuda
        and query.dtype in (torch.bfloat16, torch.float16)
        and query.shape[-1] <= _LARGEST_FLASH_HEAD
        and torch.cuda.get_device_capability(query.device) >= (8, 0)
    )
