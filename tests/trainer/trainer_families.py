"""Tokenizers of the model families: small vocabularies, but their own special tokens, ways to cut text, and layouts."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from finetune_trainer.template import CHATML

TEMPLATES = Path(__file__).parent / "chat_templates"
VOCABULARY = 420
TEXT = (
    "The assistant answers the user in English, and the system in Chinese.\n\n  if x:\n    return y\n\n\n"
    "退货要几天？签收后七天内可以申请退货。不客气！"
) * 3
CUT = Regex(r"\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
"""As in Llama-3 and Qwen: line breaks are one token, whoever wrote them."""


@dataclass(frozen=True)
class Family:
    """What its tokenizer is made of."""

    special: list[str]
    eos: str
    bos: str | None = None
    added: list[str] = field(default_factory=list)
    """Tokens that are not special: decoding shows them, text may have them."""
    sentencepiece: bool = False
    template: str | None = None


QWEN = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
QWEN_ADDED = ["<tool_call>", "</tool_call>"]
FAMILIES = {
    "ChatML": Family(QWEN, "<|endoftext|>"),
    "Qwen2.5": Family(QWEN, "<|im_end|>", added=QWEN_ADDED, template="qwen2.5"),
    "Qwen3": Family(
        QWEN, "<|im_end|>",
        added=[*QWEN_ADDED, "<tool_response>", "</tool_response>", "<think>", "</think>"], template="qwen3",
    ),
    "Llama-3": Family(
        ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
        "<|eot_id|>", "<|begin_of_text|>", template="llama3",
    ),
    "Mistral": Family(
        ["<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]",
         "[TOOL_RESULTS]", "[/TOOL_RESULTS]"],
        "</s>", "<s>", sentencepiece=True, template="mistral",
    ),
    "Gemma": Family(
        ["<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"], "<eos>", "<bos>", sentencepiece=True, template="gemma",
    ),
    "Phi-3": Family(
        ["<s>", "<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"],
        "<|endoftext|>", "<s>", sentencepiece=True, template="phi3",
    ),
    "Phi-4-mini": Family(
        ["<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"], "<|endoftext|>", template="phi4mini",
    ),
    "Phi-4": Family(
        ["<|endoftext|>", "<|im_start|>", "<|im_sep|>", "<|im_end|>"], "<|im_end|>", template="phi4",
    ),
    "GLM-4": Family(
        ["<|endoftext|>", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"],
        "<|endoftext|>", template="glm4",
    ),
}  # fmt: skip


def make_family_tokenizer(name: str) -> PreTrainedTokenizerFast:
    """A new tokenizer of that family."""
    family = FAMILIES[name]
    raw = Tokenizer(models.BPE(byte_fallback=family.sentencepiece))
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    specials = family.special
    if family.sentencepiece:
        # Spaces are a letter of their own, what the vocabulary lacks is bytes, and there is no cutting into words.
        raw.normalizer = normalizers.Replace(" ", "▁")
        raw.pre_tokenizer = pre_tokenizers.Split(Regex("▁"), "merged_with_next")
        raw.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
        alphabet = ["▁", *map(chr, range(33, 127))]
        specials = [*specials, *(f"<0x{byte:02X}>" for byte in range(256))]
    else:
        raw.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Split(CUT, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        )
        raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator([TEXT], trainer)
    if family.sentencepiece:
        raw = _bytes_as_pieces(raw, family.special)
    raw.add_tokens([AddedToken(token, special=False, normalized=False) for token in family.added])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token=family.eos, bos_token=family.bos, pad_token=family.special[0]
    )
    template = family.template
    tokenizer.chat_template = (TEMPLATES / f"{template}.jinja").read_text(encoding="utf-8") if template else CHATML
    return tokenizer


def _bytes_as_pieces(raw: Tokenizer, special: list[str]) -> Tokenizer:
    """Bytes are in the vocabulary without being special, which the trainer has no way to say."""
    state = json.loads(raw.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] in special]
    return Tokenizer.from_str(json.dumps(state))
