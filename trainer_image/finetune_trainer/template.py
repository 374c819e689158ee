"""Tokenizer and chat template: a conversation to tokens, with a mask that says which of them the loss is on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from finetune_core.errors import ModelUnavailable, first_line

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""For tokenizers that have no template of their own (OpenAI's ChatML layout)."""

Messages = Sequence[dict[str, str]]


@dataclass(frozen=True)
class Tokens:
    """A row, not truncated. Both lists have one entry per token; the mask is true where the loss is on."""

    input_ids: list[int]
    mask: list[bool]

    @property
    def length(self) -> int:
        """Tokens in all."""
        return len(self.input_ids)

    @property
    def supervised(self) -> int:
        """Tokens that the loss is on; the first of a row is never predicted."""
        return sum(self.mask[1:])


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The model's tokenizer.

    Raises:
        ModelUnavailable: there is none that works without running the repository's own code.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise ModelUnavailable(f"{folder}: no tokenizer could be read there: {first_line(error)}") from error
    if not tokenizer.is_fast:
        raise ModelUnavailable(f"{folder}: the tokenizer has no tokenizer.json, which the loss mask needs")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


class ChatEncoder:
    """Renders conversations with the model's own chat template.

    Which characters the assistant wrote is found by rendering the conversation up to each of its turns and through it:
    what the second text has more than the first is the turn, end-of-turn mark included. That needs nothing of the
    template, whose own generation marks are mostly missing; a template that rewrites earlier turns leaves those turns
    unsupervised.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, train_on_prompt: bool = False) -> None:
        if not tokenizer.chat_template:
            tokenizer.chat_template = CHATML
        self.tokenizer = tokenizer
        self.train_on_prompt = train_on_prompt

    def encode(self, messages: Messages) -> Tokens:
        """Tokens and loss mask of a whole conversation."""
        text = self.render(messages)
        spans = [(0, len(text))] if self.train_on_prompt else self._assistant_spans(messages, text)
        encoded: Any = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        mask = [any(start <= left < end for start, end in spans) for left, _ in encoded["offset_mapping"]]
        return Tokens(encoded["input_ids"], mask)

    def prompt(self, messages: Messages) -> list[int]:
        """Tokens of a conversation that waits for the assistant's next turn."""
        text = self.render(messages, add_generation_prompt=True)
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def render(self, messages: Messages, add_generation_prompt: bool = False) -> str:
        """The text that the model sees."""
        rendered = self.tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=add_generation_prompt
        )
        return str(rendered)

    def _assistant_spans(self, messages: Messages, text: str) -> list[tuple[int, int]]:
        """Character ranges of the assistant's turns, without the white space that a template puts between turns."""
        spans = []
        for index, message in enumerate(messages):
            if message["role"] != "assistant":
                continue
            before = self.render(messages[:index], add_generation_prompt=True)
            through = self.render(messages[: index + 1])
            if through.startswith(before) and text.startswith(through):
                spans.append((len(before), len(through.rstrip())))
        return spans
