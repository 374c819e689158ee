"""The loss: cross-entropy on the supervised tokens, as a sum.

The sum, because the mean belongs to the whole optimizer step: each micro-batch's sum is divided by the supervised
tokens of all of them together. A mean per micro-batch would weigh a token by how short its neighbours are.
"""

import time
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from peft import PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel

from finetune_core.planning import LOGITS_AT_A_TIME
from finetune_trainer.attention import ROW_BY_ROW
from finetune_trainer.group import Group
from finetune_trainer.rotation import rotated_row_by_row
from finetune_trainer.rows import MicroBatch
from finetune_trainer.stage import say

SECONDS_BETWEEN_WORDS = 60
"""While a loss is measured: an evaluation may take longer than the operator waits for a trainer that says nothing."""


class WithLoss(nn.Module):
    """A causal language model with its loss, as one module: what wraps it sees a whole forward pass."""

    def __init__(self, model: PreTrainedModel | PeftModel) -> None:
        super().__init__()
        self.model = model

    @property
    def causal(self) -> PreTrainedModel:
        """transformers' model, within peft's where there is one."""
        return self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model

    def forward(self, batch: MicroBatch) -> Tensor:
        """Sum of the cross-entropy over the supervised tokens of a micro-batch, in fp32.

        Logits are computed only where the next token is supervised, and a part of them at a time: the whole matrix
        (supervised tokens by vocabulary) never exists.
        """
        causal = self.causal
        decoder = causal.get_decoder()
        with rotated_row_by_row(decoder, batch.lengths):
            states = decoder(
                input_ids=batch.input_ids, position_ids=batch.position_ids, rows=batch, use_cache=False
            ).last_hidden_state[0, batch.predicting]  # (supervised, hidden)
        head = causal.get_output_embeddings()
        device = states.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else head.weight.dtype
        loss: Tensor = _SummedCrossEntropy.apply(states.to(dtype), head.weight, head.bias, batch.targets)
        return loss

    def generate(self, **settings: Any) -> Tensor:
        """As transformers does, with torch's own attention: one prompt at a time, and a cache."""
        causal = self.causal
        causal.set_attn_implementation("sdpa")
        try:
            tokens: Tensor = self.model.generate(**settings)
        finally:
            causal.set_attn_implementation(ROW_BY_ROW)
        return tokens


class _SummedCrossEntropy(torch.autograd.Function):
    """Head and cross-entropy, a part of the logits at a time, summed in fp32.

    Every part's gradient is taken while its logits are there: (probability - 1 at the target) times the head's weights.
    ``torch.nn.functional.linear_cross_entropy`` does the same, but gives 16-bit sums for 16-bit states.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, states: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor
    ) -> Tensor:
        """States (tokens, hidden), weight (vocabulary, hidden), bias (vocabulary,), targets (tokens,); a scalar."""
        of_states, of_weight, of_bias = (
            torch.zeros_like(tensor) if wanted and tensor is not None else None
            for tensor, wanted in zip((states, weight, bias), ctx.needs_input_grad, strict=False)
        )
        ctx.gradients = of_states, of_weight, of_bias
        matrix = weight.to(states.dtype)
        total = torch.zeros((), dtype=torch.float32, device=states.device)
        rows = max(1, LOGITS_AT_A_TIME // len(weight))
        for start in range(0, len(states), rows):
            part, wants = states[start : start + rows], targets[start : start + rows, None]
            logits = F.linear(part, matrix, None if bias is None else bias.to(part.dtype)).float()
            norm = logits.logsumexp(dim=1, keepdim=True)
            total += (norm - logits.gather(1, wants)).sum()
            slope = logits.sub_(norm).exp_()  # the probabilities
            slope.scatter_add_(1, wants, torch.full_like(norm, -1))
            if of_bias is not None:
                of_bias += slope.sum(dim=0)
            slope = slope.to(part.dtype)
            if of_states is not None:
                torch.mm(slope, matrix, out=of_states[start : start + rows])
            if of_weight is not None and of_weight.dtype == part.dtype:
                of_weight.addmm_(slope.t(), part)
            elif of_weight is not None:
                of_weight += slope.t() @ part
        return total

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """All three were known by then; they are scaled in place, since they are large and asked for once."""
        gradients = ctx.gradients
        ctx.gradients = ()  # the head's, which is as large as the head, is not to last until backward has ended
        return *(None if gradient is None else gradient.mul_(slope) for gradient in gradients), None


@torch.no_grad()
def mean_loss(model: WithLoss, batches: Sequence[MicroBatch], device: torch.device, group: Group) -> float:
    """Mean cross-entropy per supervised token over the micro-batches of all processes, dropout off."""
    was_training = model.training
    model.eval()
    total = torch.zeros((), dtype=torch.float64, device=device)
    supervised = 0
    said = time.monotonic()
    for number, batch in enumerate(batches):
        if (now := time.monotonic()) - said >= SECONDS_BETWEEN_WORDS:
            said = now
            say(f"evaluating: {number:,} of {len(batches):,} micro-batches")
        total += model(batch.to(device))
        supervised += batch.supervised_tokens
    model.train(was_training)
    return float(group.sum(total)) / group.total(supervised)
