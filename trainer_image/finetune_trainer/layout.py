"""Where the assistant speaks in a rendered conversation.

A chat template is a program: nothing says which of its output the assistant wrote, and looking for the answer's text
finds the wrong place as soon as the question repeats it. So the template is asked with other words. In an *outline* of
the conversation every text is replaced by a numbered mark of characters that no text has (Unicode noncharacters). The
rendered outline, cut at its marks, is the template's own text alternating with the conversation's, and where a mark is,
its text is. Three renderings of outlines then say where an answer's supervised part is:

- It **starts** where the template hands over to the model: what stands before the first mark of the answer, less what
  the conversation before it ends with under ``add_generation_prompt``.
- It **ends** with the end of turn: what the conversation ends with if it stops after this answer, without white space.
  Where that is no special token, the one that begins the next turn ends the answer (GLM: ``<|user|>`` or
  ``<|observation|>``); at the end of a row it is added, or else the tokenizer's end of sequence: something to stop at.

The two are compared with the outline between the same marks only, so that a template may rewrite the turns before
(Qwen3 drops their thoughts, Mistral moves the system prompt). What does not compare is not located, nor is an answer of
which a mark is missing (Qwen3's earlier thoughts again: without them, it would teach the model not to think); the loss
leaves such an answer out. Putting the texts in place of the marks has to give the real conversation's rendering, to the
letter; if it does not, the layout is none of this conversation's.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

from finetune_core.data import Message, WrongSchema

Chat = list[dict[str, Any]]
"""Messages as chat templates read them."""
Span = tuple[int, int]
Position = tuple[int, int]
"""Number of a literal, and characters into it."""

_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
_MARK = re.compile(rf'{_OPEN}(\\?)"(\d{{1,9}}){_CLOSE}')
"""The quote tells where a template writes JSON: there it comes out with a backslash, and so will the text's own."""


def turns(messages: Sequence[Message], write: Callable[[str], str] = str) -> Iterator[dict[str, Any]]:
    """Messages as chat templates read them, every text that is the data's own passed through ``write``.

    The ids that tie results to calls have Mistral's form, nine letters and digits; other templates take any.
    """
    calls = 0
    waiting: list[dict[str, str]] = []
    for message in messages:
        turn: dict[str, Any] = {"role": message.role}
        if message.thinking:
            turn["reasoning_content"] = write(message.thinking)
        turn["content"] = write(message.content)
        if message.calls:
            turn["tool_calls"] = []
            waiting = []
            for call in message.calls:
                calls += 1
                answered = {"tool_call_id": f"call{calls:05d}", "name": call.name}
                function = {"name": write(call.name), "arguments": _rewritten(call.arguments, write)}
                turn["tool_calls"].append({"id": answered["tool_call_id"], "type": "function", "function": function})
                waiting.append(answered)
        elif message.role == "tool" and waiting:
            result = waiting.pop(0)
            turn |= result | {"name": write(result["name"])}
        yield turn


def _rewritten(value: Any, write: Callable[[str], str]) -> Any:
    match value:
        case str():
            return write(value)
        case list() | tuple():
            return [_rewritten(item, write) for item in value]
        case Mapping():
            return {key: _rewritten(item, write) for key, item in value.items()}
        case _:
            return value


class Outline:
    """A conversation with marks for its texts.

    White space around a text stays, for the template to strip or not; so does what the template looks for in a text
    (``<think>`` in it, for many), so that it decides for the outline as for the text.

    Args:
        messages: the conversation.
        looked_for: what stays, as a pattern with one group.
        around: put two marks around each text instead, which hides less from the template and serves one row only.
    """

    def __init__(self, messages: Sequence[Message], looked_for: re.Pattern[str], around: bool = False) -> None:
        self.fields: list[str] = []
        """The texts, by the number of their mark."""
        self._looked_for = looked_for
        self._around = around
        self.chat: Chat = []
        self.bounds = [0]
        """Message ``i`` has the marks from ``bounds[i]`` up to ``bounds[i + 1]``."""
        for turn in turns(messages, self._write):
            self.chat.append(turn)
            self.bounds.append(len(self.fields))

    def _write(self, text: str) -> str:
        pieces = self._looked_for.split(text)
        if not any(map(str.strip, pieces[::2])):
            pieces = [text]  # an answer has to have a mark
        pieces[::2] = map(self._marked, pieces[::2])
        return "".join(pieces)

    def _marked(self, text: str) -> str:
        core = text.strip()
        if not core:
            return text
        before, _, after = text.partition(core)
        if self._around:
            return before + self._mark("") + core + self._mark("") + after
        return before + self._mark(core) + after

    def _mark(self, field: str) -> str:
        self.fields.append(field)
        return f'{_OPEN}"{len(self.fields) - 1}{_CLOSE}'


@dataclass(frozen=True)
class Rendering:
    """A rendered outline, cut at its marks: a literal, a field, a literal, ..., a literal."""

    literals: list[str]
    fields: list[int]
    as_json: list[bool]

    @classmethod
    def of(cls, text: str) -> "Rendering":
        """Cut a rendered outline."""
        pieces = _MARK.split(text)
        return cls(pieces[::3], list(map(int, pieces[2::3])), list(map(bool, pieces[1::3])))

    def fill(self, fields: Sequence[str]) -> tuple[list[str], list[int]]:
        """Literals and texts in turn, and at which character each literal begins."""
        pieces, begins, position = [self.literals[0]], [0], len(self.literals[0])
        for number, as_json, literal in zip(self.fields, self.as_json, self.literals[1:], strict=True):
            text = fields[number] if number < len(fields) else ""  # the data has forged it
            text = json.dumps(text, ensure_ascii=False)[1:-1] if as_json else text
            position += len(text)
            begins.append(position)
            position += len(literal)
            pieces += text, literal
        return pieces, begins


@dataclass(frozen=True)
class Layout:
    """What a template makes of conversations of one outline."""

    rendering: Rendering
    answers: dict[int, list[tuple[Position, Position]]]
    """Supervised parts of each answer that could be located, by message."""
    ending: str = ""
    """To be added to the row: the last answer's end, where the template writes none."""
    special_tokens: int = 0
    """How many the template writes, the ending's included."""


@dataclass(frozen=True)
class Template:
    """What a layout is found with."""

    render: Callable[[Chat, bool], str]
    """The template, with or without the generation prompt; raises WrongSchema."""
    special: re.Pattern[str]
    """Any of the tokenizer's special tokens."""
    eos: str
    marks: Callable[[Chat], list[Span]] | None = None
    """Where the template's own ``{% generation %}`` marks are in the rendered text, if it has them."""


def lay_out(template: Template, chat: Chat, bounds: Sequence[int]) -> Layout:
    """Render an outline, and locate its answers.

    Raises:
        WrongSchema: the template does not accept it.
    """
    text = template.render(chat, False)
    whole = Rendering.of(text)
    answers, ending = {}, ""
    for number, owned in enumerate(pairwise(bounds)):
        if chat[number]["role"] == "assistant" and (answer := _Answer.find(template, whole, chat, number, owned)):
            answers[number] = [(answer.start, answer.end)]
            if number == len(chat) - 1 and not answer.closed:
                ending = _ending(template, chat, owned, whole.literals[-1])
    if template.marks and (marked := _marked(whole, text, template.marks(chat), bounds, chat)) is not None:
        answers = {number: _narrowed(parts, answers.get(number)) for number, parts in marked.items()}
    special_tokens = sum(len(template.special.findall(literal)) for literal in [*whole.literals, ending])
    return Layout(whole, answers, ending, special_tokens)


@dataclass(frozen=True)
class _Answer:
    start: Position
    end: Position
    closed: bool
    """False: the template writes no special token after it that is its own."""

    @classmethod
    def find(cls, template: Template, whole: Rendering, chat: Chat, number: int, owned: Span) -> "_Answer | None":
        """Locate message ``number``, which owns the marks of that range."""
        places = [place for place, field in enumerate(whole.fields) if owned[0] <= field < owned[1]]
        if len(places) != owned[1] - owned[0] or not places or places[-1] - places[0] != len(places) - 1:
            return None  # some of it is dropped or repeated, or others' words are in between
        first, last = places[0], places[-1]
        try:
            prompt = Rendering.of(template.render(chat[:number], True))
            through = whole if number == len(chat) - 1 else Rendering.of(template.render(chat[: number + 1], False))
        except WrongSchema:
            return None
        given, before = prompt.literals[-1], whole.literals[first]
        if prompt.fields[-1:] != whole.fields[max(first - 1, 0) : first]:
            return None
        if not (before.startswith(given) or given.startswith(before)):
            return None
        tail, after = through.literals[-1].rstrip(), whole.literals[last + 1]
        if through.fields[-1:] != [whole.fields[last]]:
            return None
        if not after.startswith(tail):
            # Phi's templates write it after a whole conversation, and not after its turns.
            tail = tail.removesuffix(template.eos).rstrip()
            if not tail or not after.startswith(tail):
                return None
        closed = any(token.end() == len(tail) for token in template.special.finditer(tail))
        if not closed:
            tail += _to_special_token(template, after[len(tail) :])
        return cls((first, min(len(given), len(before))), (last + 1, len(tail)), closed)


def _ending(template: Template, chat: Chat, owned: Span, written: str) -> str:
    """What the template would write between the last answer and whoever speaks next, beyond what it has ``written``."""
    following = {"role": "tool" if "tool_calls" in chat[-1] else "user", "content": f'{_OPEN}"{owned[1]}{_CLOSE}'}
    try:
        longer = Rendering.of(template.render([*chat, following], False))
    except WrongSchema:
        return template.eos
    if longer.fields[-2:] != [owned[1] - 1, owned[1]]:
        return template.eos
    return _to_special_token(template, longer.literals[-2].removeprefix(written)) or template.eos


def _to_special_token(template: Template, text: str) -> str:
    """The text up to and with the special token that it begins with, but for white space; else nothing."""
    blank = len(text) - len(text.lstrip())
    found = template.special.match(text, blank)
    return text[: found.end()] if found else ""


def _marked(
    whole: Rendering, text: str, marks: list[Span], bounds: Sequence[int], chat: Chat
) -> dict[int, list[tuple[Position, Position]]] | None:
    """The parts that generation marks enclose, by message; None if they enclose others' words, or nobody's.

    That they do where a template marks inside a macro: transformers then counts from the macro's beginning.
    """
    begins, ends, position = [], [], 0
    for literal, mark in zip(whole.literals, [*_MARK.finditer(text), None], strict=True):
        begins.append(position)
        ends.append(position + len(literal))
        position = mark.end() if mark else len(text)
    owners = dict(chain.from_iterable(((f, n) for f in range(*span)) for n, span in enumerate(pairwise(bounds))))
    parts: dict[int, list[tuple[Position, Position]]] = {}
    for start, end in marks:
        end = start + len(text[start:end].rstrip())
        inside = [place for place, field_end in enumerate(begins[1:]) if start < field_end <= end]
        speakers = {owners.get(whole.fields[place]) for place in inside}
        if not speakers:
            continue
        speaker = speakers.pop()
        if speakers or speaker is None or chat[speaker]["role"] != "assistant":
            return None
        first, last = inside[0], inside[-1] + 1
        if not begins[first] <= start <= ends[first] or not begins[last] <= end <= ends[last]:
            return None
        parts.setdefault(speaker, []).append(((first, start - begins[first]), (last, end - begins[last])))
    return parts if parts or not marks else None


def _narrowed(
    parts: list[tuple[Position, Position]], located: list[tuple[Position, Position]] | None
) -> list[tuple[Position, Position]]:
    """The marked parts without the turn's header, and with its end, which marks may take in or leave out."""
    if located is None:
        return parts
    (start, end) = located[0]
    clipped = [(max(start, left), min(end, right)) for left, right in parts]
    left, right = clipped[-1]
    return [*clipped[:-1], (left, end if right[0] == end[0] else right)]
