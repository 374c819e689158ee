"""The loss: cross-entropy on the supervised tokens, as a sum.

The sum, because the mean belongs to the whole optimizer step: each micro-batch's sum is divided by the supervised
tokens of all of them together. A mean per micro-batch would weigh a token by how short its neighbours are.
"""

from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from peft import PeftModel
from torch import Tensor, nn
from torch.nn import LinearCrossEntropyOptions
from transformers import PreTrainedModel

from finetune_trainer.attention import ROW_BY_ROW
from finetune_trainer.group import Group
from finetune_trainer.rows import MicroBatch


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

        Logits are computed only where the next token is supervised, and a part of them at a time: their gradient is
        taken at once, so that the whole matrix (supervised tokens by vocabulary) never exists.
        """
        causal = self.causal
        states = causal.get_decoder()(
            input_ids=batch.input_ids, position_ids=batch.position_ids, rows=batch, use_cache=False
        ).last_hidden_state[0, batch.predicting]  # (supervised, hidden)
        head = causal.get_output_embeddings()
        # The operation is not one that autocast knows.
        dtype = torch.get_autocast_dtype(states.device.type) if torch.is_autocast_enabled() else head.weight.dtype
        return F.linear_cross_entropy(
            states.to(dtype),
            head.weight.to(dtype),
            batch.targets,
            linear_bias=head.bias if head.bias is None else head.bias.to(dtype),
            reduction="sum",
            options=LinearCrossEntropyOptions(),
        ).float()

    def generate(self, **settings: Any) -> Tensor:
        """As transformers does, with torch's own attention: one prompt at a time, and a cache."""
        causal = self.causal
        causal.set_attn_implementation("sdpa")
        try:
            tokens: Tensor = self.model.generate(**settings)
        finally:
            causal.set_attn_implementation(ROW_BY_ROW)
        return tokens


@torch.no_grad()
def mean_loss(model: WithLoss, batches: Iterable[MicroBatch], device: torch.device, group: Group) -> float:
    """Mean cross-entropy per supervised token over the micro-batches of all processes, dropout off."""
    was_training = model.training
    model.eval()
    total = torch.zeros((), dtype=torch.float64, device=device)
    supervised = 0
    for batch in batches:
        total += model(batch.to(device))
        supervised += batch.supervised_tokens
    model.train(was_training)
    return float(group.sum(total)) / group.total(supervised)
