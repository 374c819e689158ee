"""Answers generated before and after training, for people to compare."""

import json
from pathlib import Path
from typing import Any

import torch

from finetune_core.api.job import Samples
from finetune_core.data import Example, Message
from finetune_trainer.layout import Chat
from finetune_trainer.loss import WithLoss
from finetune_trainer.template import ChatEncoder


def choose_prompts(wanted: Samples, prepared: Path) -> list[dict[str, Any]]:
    """The job's own prompts, or some of those that prepare set aside: ``messages``, and ``reference`` where known."""
    if wanted.prompts:
        return [{"messages": [{"role": "user", "content": prompt}], "reference": None} for prompt in wanted.prompts]
    aside = json.loads(prepared.read_text(encoding="utf-8"))
    count = min(wanted.count, len(aside))
    return [aside[place * len(aside) // count] for place in range(count)]


@torch.no_grad()
def generate(
    model: WithLoss, encoder: ChatEncoder, prompts: list[Chat], max_new_tokens: int, device: torch.device
) -> list[str]:
    """The model's most likely answer to each prompt (greedy, so that before and after can be compared)."""
    was_training = model.training
    model.eval()
    answers = [_answer(model, encoder, prompt, max_new_tokens, device) for prompt in prompts]
    model.train(was_training)
    return answers


def _answer(model: WithLoss, encoder: ChatEncoder, prompt: Chat, max_new_tokens: int, device: torch.device) -> str:
    tokenizer = encoder.tokenizer
    input_ids = torch.tensor([encoder.prompt(prompt)], device=device)  # (1, prompt tokens)
    output = model.generate(
        input_ids=input_ids,
        attention_mask=torch.ones_like(input_ids),
        do_sample=False,
        max_new_tokens=max_new_tokens,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=end_tokens(encoder),
        temperature=None,
        top_p=None,
        top_k=None,
    )
    return str(tokenizer.decode(output[0, input_ids.shape[1] :], skip_special_tokens=True)).strip()


def end_tokens(encoder: ChatEncoder) -> list[int]:
    """The token that ends an assistant's turn in this template, and the tokenizer's own end."""
    tokens = encoder.encode(Example(1, (Message("user", "?"), Message("assistant", "!"))))
    last = [token for token, supervised in zip(tokens.input_ids, tokens.mask, strict=True) if supervised][-1:]
    return sorted({*last, encoder.tokenizer.eos_token_id} - {None})
