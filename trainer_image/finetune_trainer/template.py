"""Tokenizer and chat template: an example to tokens, with a mask that says which of them the loss is on."""

import json
import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast
from transformers.utils.chat_template_utils import render_jinja_template

from finetune_core.data import Example, TokenCount, WrongSchema
from finetune_core.errors import ModelUnavailable, first_line
from finetune_trainer.layout import Chat, Layout, Outline, Rendering, Span, Template, lay_out, turns

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.reasoning_content %}<think>\n{{ message.reasoning_content }}\n</think>\n\n{% endif %}"
    "{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""For tokenizers that have no template of their own: OpenAI's ChatML layout, with thoughts as Qwen3 writes them."""

_AS_WRITTEN = {"add_special_tokens": False, "return_offsets_mapping": True, "verbose": False}
_GENERATION = re.compile(r"\{%-?\s*generation\b")
_QUOTED_TAG = re.compile(r"""['"](?:\\n|\s)*([<\[][^\s'"\\]+[>\]])(?:\\n|\s)*['"]""")

LAYOUTS_KEPT = 1024
"""Of the outlines seen last; most datasets have a few."""


@dataclass(frozen=True)
class Tokens:
    """A row, not truncated. Both lists have one entry per token; the mask is true where the loss is on."""

    input_ids: list[int]
    mask: list[bool]
    unlocated: int = 0
    """Answers that should be supervised and are not: the chat template drops or rewrites them."""

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
    from transformers import AutoTokenizer  # brings torch, which encoding does without

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
    """Encodes examples with the model's own chat template; ``layout`` tells how answers are found in what it writes.

    Each row is rendered once, and that text is tokenized as it is. Layouts are found on outlines, which rows share. A
    special token is one where the template writes it; where a row's text says ``<|im_end|>``, it is letters.

    It may be pickled, and then encodes in a process that never loads torch.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, train_on_prompt: bool = False) -> None:
        if not tokenizer.chat_template:
            tokenizer.chat_template = CHATML
        self.tokenizer = tokenizer
        self.train_on_prompt = train_on_prompt
        added = tokenizer.added_tokens_decoder
        self._special_ids = {number for number, token in added.items() if token.special}
        self._special = _any_of({token.content for token in added.values() if token.special})
        self._looked_for = _any_of(_tags(tokenizer.chat_template, self._special))
        self._shared_layout = lru_cache(LAYOUTS_KEPT)(self._layout)

    def __reduce__(self) -> tuple[type["ChatEncoder"], tuple[PreTrainedTokenizerBase, bool]]:
        return ChatEncoder, (self.tokenizer, self.train_on_prompt)

    def encode(self, example: Example) -> Tokens:
        """Tokens and loss mask of a whole example.

        Raises:
            WrongSchema: the chat template does not accept it.
        """
        if example.plain:
            return self._encode_plain(example.messages[0].content)
        layout, pieces, begins = self._laid_out(example)
        input_ids, offsets = self._tokenize([*pieces, layout.ending], layout.special_tokens)

        # With the loss on prompts too, what has to be found is what it is not on.
        wanted = not self.train_on_prompt
        answers = {
            number
            for number, message in enumerate(example.messages)
            if message.role == "assistant" and message.trained is wanted
        }
        unlocated = len(answers - layout.answers.keys())
        mask = [self.train_on_prompt and not unlocated] * len(input_ids)
        for number in answers & layout.answers.keys():
            for (first, into_first), (last, into_last) in layout.answers[number]:
                start, end = begins[first] + into_first, begins[last] + into_last
                # A token that begins before the answer is not of it, nor is one whose white space alone reaches there.
                left, right = bisect_left(offsets, (start, start + 1)), bisect_left(offsets, (end,))
                mask[left:right] = [wanted] * (right - left)
            if layout.ending and number == len(example.messages) - 1:
                mask[right:] = [wanted] * (len(mask) - right)
        return Tokens(input_ids, mask, unlocated)

    def count(self, example: Example) -> TokenCount:
        """The same without the tokens, for whoever has no use for them."""
        tokens = self.encode(example)
        return TokenCount(tokens.length, tokens.supervised, tokens.unlocated)

    def prompt(self, messages: Chat) -> list[int]:
        """Tokens of a conversation that waits for the assistant's next turn."""
        text = self.render(messages, add_generation_prompt=True)
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def render(self, messages: Chat, tools: Sequence[Any] = (), add_generation_prompt: bool = False) -> str:
        """The text that the model sees.

        Raises:
            WrongSchema: the chat template does not accept it.
        """
        try:
            rendered = self.tokenizer.apply_chat_template(
                messages, tools=list(tools) or None, tokenize=False, add_generation_prompt=add_generation_prompt
            )
        except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError) as error:
            raise WrongSchema(f"the chat template does not accept it: {first_line(error)}") from error
        return str(rendered)

    def _laid_out(self, example: Example) -> tuple[Layout, list[str], list[int]]:
        """The example's layout, filled; if there is none that gives the real text, one without answers."""
        text = self.render(list(turns(example.messages)), example.tools)
        for around in (False, True):
            outline = Outline(example.messages, self._looked_for, around)
            find = self._layout if around else self._shared_layout
            layout = find(json.dumps((outline.chat, example.tools, outline.bounds)))
            if layout is not None:
                pieces, begins = layout.rendering.fill(outline.fields)
                if "".join(pieces) == text:
                    return layout, pieces, begins
        return Layout(Rendering.of(text), {}, special_tokens=len(text)), [text], [0]

    def _layout(self, outline: str) -> Layout | None:
        chat, tools, bounds = json.loads(outline)
        source = self.tokenizer.get_chat_template(tools=tools or None)

        def generation_marks(chat: Chat) -> list[Span]:
            names: Any = self.tokenizer.special_tokens_map
            rendered: Any = render_jinja_template(
                [chat], tools or None, chat_template=source, return_assistant_tokens_mask=True, **names
            )
            _, (found,) = rendered
            return list(found)

        template = Template(
            render=lambda chat, add_generation_prompt: self.render(chat, tools, add_generation_prompt),
            special=self._special,
            eos=self.tokenizer.eos_token or "",
            marks=generation_marks if _GENERATION.search(source) else None,
        )
        try:
            return lay_out(template, chat, bounds)
        except WrongSchema:
            return None

    def _tokenize(self, pieces: list[str], special_tokens: int) -> tuple[list[int], list[Span]]:
        """Tokens and their characters, of a filled layout whose template writes so many special tokens."""
        encoded: Any = self.tokenizer("".join(pieces), **_AS_WRITTEN)
        if sum(map(self._special_ids.__contains__, encoded["input_ids"])) > special_tokens:
            # A text has one, too: only the template's own are written so that this tokenizer knows them.
            tokenizer, names = self._literal_minded
            pieces = [*pieces]
            for place in (*range(0, len(pieces) - 1, 2), len(pieces) - 1):
                pieces[place] = self._special.sub(lambda found: names[found[0]], pieces[place])
            encoded = tokenizer("".join(pieces), **_AS_WRITTEN)
        return list(encoded["input_ids"]), list(encoded["offset_mapping"])

    @cached_property
    def _literal_minded(self) -> tuple[PreTrainedTokenizerBase, dict[str, str]]:
        """The same tokenizer with other names for its special tokens, as long and in no text (Unicode's private use).

        So text is cut and merged as ever; to tokenize it piece by piece would not give the same tokens.
        """
        state = json.loads(self.tokenizer.backend_tokenizer.to_str())
        names = {}
        for number, token in enumerate(state["added_tokens"]):
            if token["special"]:
                names[token["content"]] = token["content"] = chr(0x100000 + number) + token["content"][1:]
        model = state["model"]
        if isinstance(model["vocab"], dict):
            model["vocab"] = {names.get(piece, piece): number for piece, number in model["vocab"].items()}
        else:
            model["vocab"] = [[names.get(piece, piece), score] for piece, score in model["vocab"]]
        if model.get("unk_token") in names:
            model["unk_token"] = names[model["unk_token"]]
        fast: Any = PreTrainedTokenizerFast
        return fast(tokenizer_object=Tokenizer.from_str(json.dumps(state))), names

    def _encode_plain(self, text: str) -> Tokens:
        """A text for the model to continue, with the beginning that its tokenizer gives all text, and its end.

        Special tokens in it are special tokens: such data has them between documents, or is rendered already.
        """
        bos, eos = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        input_ids = list(self.tokenizer(text, verbose=False)["input_ids"])
        if bos is not None and input_ids[:2] == [bos, bos]:
            del input_ids[0]
        if eos is not None and input_ids[-1:] != [eos]:
            input_ids.append(eos)
        return Tokens(input_ids, [place > 0 or token != bos for place, token in enumerate(input_ids)])


def _tags(template: str | dict[str, str], special: re.Pattern[str]) -> set[str]:
    """What a template, or those of several names, may look for in a text: strings like ``'</think>'`` in its code."""
    sources = [template] if isinstance(template, str) else template.values()
    return {tag for source in sources for tag in _QUOTED_TAG.findall(source) if not special.search(tag)}


def _any_of(strings: Iterable[str]) -> re.Pattern[str]:
    """Finds the longest of these, as a group."""
    return re.compile(f"({'|'.join(map(re.escape, sorted(strings, key=len, reverse=True))) or '(?!)'})")
