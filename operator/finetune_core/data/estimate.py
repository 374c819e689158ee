"""Lengths in tokens without a tokenizer."""

import json
import math
import re
from typing import Any, NamedTuple

from finetune_core.data.example import Example

_CJK = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]+")
"""Chinese, Japanese and Korean characters with their punctuation and full-width forms."""

_CHARACTERS_PER_TOKEN = 4
_CJK_CHARACTERS_PER_TOKEN = 1.5

_TURN_TOKENS = 5
"""What ChatML puts around a message: ``<|im_start|>``, role, newline; ``<|im_end|>``, newline."""

_MARK_TOKENS = 4
"""What Qwen3 puts around thinking and around a call: a token before and one after, each with a newline."""


class TokenCount(NamedTuple):
    """Counts without the tokens."""

    length: int
    supervised: int
    unlocated: int = 0


def estimate_tokens(text: str) -> int:
    """About how many tokens a text has.

    Four characters a token in English (OpenAI, "What are tokens and how to count them?",
    https://help.openai.com/en/articles/4936856), and 1.5 characters a token in Chinese, the lower end of what Qwen
    gives (1.5 to 1.8; "Key Concepts", https://qwen.readthedocs.io/en/latest/getting_started/concepts.html).
    """
    others = len(text) if text.isascii() else len(_CJK.sub("", text))
    return math.ceil(others / _CHARACTERS_PER_TOKEN + (len(text) - others) / _CJK_CHARACTERS_PER_TOKEN)


def estimate(example: Example) -> TokenCount:
    """About how many tokens an example has in a chat template; an answer is supervised with its end-of-turn token."""
    if example.plain:
        everything = estimate_tokens(example.messages[0].content) + 1
        return TokenCount(everything, everything)
    everything = supervised = 0
    for message in example.messages:
        said = estimate_tokens(message.content)
        if message.thinking:
            said += estimate_tokens(message.thinking) + _MARK_TOKENS
        for call in message.calls:
            said += estimate_tokens(_as_json({"name": call.name, "arguments": call.arguments})) + _MARK_TOKENS
        everything += said + _TURN_TOKENS
        if message.role == "assistant" and message.trained:
            supervised += said + 1
    if example.tools:
        everything += estimate_tokens(_as_json(example.tools))
    return TokenCount(everything, supervised)


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
