"""Angles of positions where they depend on how long the row is: each row has its own, whatever it is packed with.

LongRoPE (Ding et al. 2024, arXiv:2402.13753; Phi-3 and Phi-4-mini) has one set of angles for rows within the length of
the first training, and another for longer ones. transformers chooses by the longest row of a batch, and for all of it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def rotated_row_by_row(decoder: nn.Module, lengths: Sequence[int]) -> Iterator[None]:
    """While it lasts, the decoder's angles are those of each row alone.

    Args:
        decoder: of transformers, without the head.
        lengths: of the rows that lie one after another in its input.
    """
    rotary: Any = getattr(decoder, "rotary_emb", None)
    if getattr(rotary, "rope_type", None) != "longrope" or len(lengths) == 1:
        yield
        return

    def angles(module: Any, args: tuple[Tensor], kwargs: dict[str, Tensor], _: object) -> tuple[Tensor, ...]:
        rows = kwargs["position_ids"].split(lengths, dim=1)
        of_rows = zip(*(module.forward(*args, position_ids=row) for row in rows), strict=True)
        return tuple(torch.cat(parts, dim=1) for parts in of_rows)

    hook = rotary.register_forward_hook(angles, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()
