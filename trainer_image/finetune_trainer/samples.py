"""Answers generated before and after training, for people to compare."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from finetune_core.api.job import Samples, Task
from finetune_core.contract import Accuracy
from finetune_core.data import Example, Message
from finetune_trainer.layout import Chat
from finetune_trainer.loss import WithLoss
from finetune_trainer.template import ChatEncoder


@dataclass(frozen=True)
class Prompt:
    """What the model is asked, and what the dataset answers."""

    messages: Chat
    reference: str | None
    max_new_tokens: int


def choose_samples(wanted: Samples, prepared: Path) -> list[Prompt]:
    """The job's own prompts, or some of the validation rows that prepare set aside."""
    if wanted.prompts:
        return [Prompt([{"role": "user", "content": prompt}], None, wanted.max_new_tokens) for prompt in wanted.prompts]
    aside = _aside(prepared)
    count = min(wanted.count, len(aside))
    picked = [aside[place * len(aside) // count] for place in range(count)]
    return [Prompt(row["messages"], row["reference"], wanted.max_new_tokens) for row in picked]


def choose_graded(task: Task | None, prepared: Path, encoder: ChatEncoder) -> list[Prompt]:
    """All that prepare set aside, where the answers are labels, with room for a label and a little more."""
    if task != "classification":
        return []
    return [
        Prompt(row["messages"], row["reference"], 2 * len(encoder.tokenizer.encode(row["reference"])) + 8)
        for row in _aside(prepared)
    ]


def _aside(prepared: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(prepared.read_text(encoding="utf-8"))
    return rows


def graded(prompts: list[Prompt], before: list[str], after: list[str]) -> Accuracy | None:
    """How many answers are the dataset's own; None where there is nothing to grade."""
    if not prompts:
        return None

    def share(answers: list[str]) -> float:
        pairs = zip(prompts, answers, strict=True)
        return sum(_bare(answer) == _bare(prompt.reference or "") for prompt, answer in pairs) / len(prompts)

    return Accuracy(rows=len(prompts), before=share(before), after=share(after))


def _bare(text: str) -> str:
    return text.strip().casefold().rstrip(".。")


@torch.no_grad()
def generate(model: WithLoss, encoder: ChatEncoder, prompts: list[Prompt], device: torch.device) -> list[str]:
    """The model's most likely answer to each prompt (greedy, so that before and after can be compared)."""
    was_training = model.training
    model.eval()
    answers = [_answer(model, encoder, prompt, device) for prompt in prompts]
    model.train(was_training)
    return answers


def _answer(model: WithLoss, encoder: ChatEncoder, prompt: Prompt, device: torch.device) -> str:
    tokenizer = encoder.tokenizer
    input_ids = torch.tensor([encoder.prompt(prompt.messages)], device=device)  # (1, prompt tokens)
    output = model.generate(
        input_ids=input_ids,
        attention_mask=torch.ones_like(input_ids),
        do_sample=False,
        max_new_tokens=prompt.max_new_tokens,
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
