"""The loss: cross-entropy on the supervised tokens, as a sum.

The sum, because the mean belongs to the whole optimizer step: each micro-batch's sum is divided by the supervised
tokens of all of them together. A mean per micro-batch would weigh a token by how short its neighbours are.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from finetune_trainer.rows import IGNORED, MicroBatch


def summed_loss(model: nn.Module, batch: MicroBatch) -> Tensor:
    """Sum of the cross-entropy over the supervised tokens of a micro-batch, in fp32.

    Logits are computed only at positions where some row has a supervised target: prompts cost no logits. No attention
    mask is given: rows are padded on the right and attention is causal, so no real token sees padding. Where rows are
    packed, transformers makes the mask from the position ids, and only where none is given: each row that begins at 0
    sees itself alone, within a sliding window of its own.
    """
    targets = batch.labels[:, 1:]  # (rows, tokens - 1): position t predicts token t + 1
    positions = (targets != IGNORED).any(dim=0).nonzero().squeeze(1)  # (kept,)
    logits = model(
        input_ids=batch.input_ids, position_ids=batch.position_ids, logits_to_keep=positions, use_cache=False
    ).logits  # (rows, kept, vocab)
    return F.cross_entropy(
        logits.float().flatten(0, 1), targets[:, positions].flatten(), ignore_index=IGNORED, reduction="sum"
    )


@torch.no_grad()
def mean_loss(model: nn.Module, batches: Iterable[MicroBatch], device: torch.device) -> float:
    """Mean cross-entropy per supervised token over many micro-batches, dropout off."""
    was_training = model.training
    model.eval()
    total, supervised = 0.0, 0
    for batch in batches:
        total += float(summed_loss(model, batch.to(device)))
        supervised += batch.supervised_tokens
    model.train(was_training)
    return total / supervised
