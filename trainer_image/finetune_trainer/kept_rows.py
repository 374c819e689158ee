"""Good rows on their way to disk, and what is told of them once all are there."""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from finetune_core.data import Example, Kept, Message, Piece, ShownRow, SplitRows, exchange_digest
from finetune_core.data.checks.personal_data import pii
from finetune_core.data.checks.secrets import secret
from finetune_trainer.layout import Chat, turns
from finetune_trainer.rows import RowWriter, read_tokens
from finetune_trainer.stage import say
from finetune_trainer.template import Tokens

MOST_SAMPLE_PROMPTS = 64
"""Also the most that a classification job is graded by: each is answered twice, one at a time."""

ROWS_SHOWN = 5
_ROWS_TRIED = 25
_PIECE_HEAD, _PIECE_TAIL = 400, 200
"""Characters of a long piece that are shown."""

SECONDS_BETWEEN_WORDS = 10


class KeptRows:
    """Tokens and messages go to disk; memory holds a few digests of each row."""

    def __init__(self, folder: Path, name: str, *, of_validation_set: bool = False) -> None:
        self.tokens_path = folder / f"{name}.arrow"
        self.rows = SplitRows()
        self.exchanges: set[bytes] = set()
        """Of a validation set, what must not be trained on."""
        self._of_validation_set = of_validation_set
        self._messages_path = folder / f"{name}.jsonl"
        self._numbers: list[int] = []
        self._said = time.monotonic()

    def __enter__(self) -> "KeptRows":
        self._tokens = RowWriter(self.tokens_path)
        self._messages = self._messages_path.open("w", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        self._tokens.close()
        self._messages.close()

    def keep(self, kept: Kept) -> None:
        """Add one row."""
        assert isinstance(kept.tokens, Tokens)
        example = kept.example
        self._tokens.write(kept.tokens)
        self._messages.write(json.dumps(_conversation(example), ensure_ascii=False) + "\n")
        self._numbers.append(example.number)
        self.rows.add(example, kept.like)
        if self._of_validation_set:
            self.exchanges.add(exchange_digest(example))
        if time.monotonic() - self._said > SECONDS_BETWEEN_WORDS:
            self._said = time.monotonic()
            say(f"{len(self.rows):,} rows are checked and tokenized")

    def sample_prompts(self, places: Sequence[int]) -> Iterator[dict[str, object]]:
        """Up to 64 of the rows at these places, spread evenly: the prompt, and the answer that the dataset gives."""
        picked = set(_spread(places, MOST_SAMPLE_PROMPTS))
        with self._messages_path.open(encoding="utf-8") as lines:
            for place, line in enumerate(lines):
                messages = json.loads(line) if place in picked else []
                if messages[1:] and messages[-1]["role"] == "assistant":
                    yield {"messages": messages[:-1], "reference": messages[-1]["content"]}

    def shown(self, places: Sequence[int], tokenizer: PreTrainedTokenizerBase) -> Iterator[ShownRow]:
        """A few of the rows at these places as the model is trained on them; none with personal data in it."""
        shown = 0
        spread = _spread(places, _ROWS_TRIED)
        # Those shown if all are fit to be shown come first, and lie far from each other.
        tried = [place for start in range(ROWS_SHOWN) for place in spread[start::ROWS_SHOWN]]
        for place, tokens in zip(tried, read_tokens(self.tokens_path, tried), strict=True):
            pieces = list(_pieces(tokens, tokenizer))
            text = Example(1, (Message("assistant", "".join(piece.text for piece in pieces)),))
            if pii(text) is None and secret(text) is None:
                shown += 1
                yield ShownRow(
                    row=self._numbers[place],
                    tokens=tokens.length,
                    supervised_tokens=tokens.supervised,
                    pieces=[piece.model_copy(update={"text": _shortened(piece.text)}) for piece in pieces],
                )
            if shown == ROWS_SHOWN:
                return


def _spread(places: Sequence[int], count: int) -> list[int]:
    count = min(count, len(places))
    return [places[number * len(places) // count] for number in range(count)]


def _conversation(example: Example) -> Chat:
    """What a sample prompt can be made of: nothing, where a prompt needs more than messages or there is none."""
    return [] if example.tools or example.plain else list(turns(example.messages))


def _pieces(tokens: Tokens, tokenizer: PreTrainedTokenizerBase) -> Iterator[Piece]:
    start = 0
    for end in range(1, tokens.length + 1):
        if end == tokens.length or tokens.mask[end] != tokens.mask[start]:
            text = tokenizer.decode(tokens.input_ids[start:end], clean_up_tokenization_spaces=False)
            yield Piece(text=str(text), supervised=tokens.mask[start])
            start = end


def _shortened(text: str) -> str:
    if len(text) <= _PIECE_HEAD + _PIECE_TAIL:
        return text
    return f"{text[:_PIECE_HEAD]} … {text[-_PIECE_TAIL:]}"
