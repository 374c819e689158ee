"""Random rows, in the files that the trainer reads."""

import json
import random
from pathlib import Path

from cases import Case, rows_of

from finetune_trainer.prepare import SAMPLE_PROMPTS, TRAIN_ROWS, VALIDATION_ROWS
from finetune_trainer.rows import RowWriter
from finetune_trainer.template import Tokens

SEED = 1


def save_rows(case: Case, folder: Path) -> None:
    """What the prepare step would leave: just the rows of one optimizer step, all of one length, none held out."""
    folder.mkdir(parents=True)
    draw = random.Random(SEED)
    with RowWriter(folder / TRAIN_ROWS) as writer:
        for number in range(rows_of(case)):
            tokens = [draw.randrange(case.shape.vocab_size) for _ in range(case.row_tokens)]
            writer.write(Tokens(tokens, _mask(case, number % case.micro_batch_size)))
    RowWriter(folder / VALIDATION_ROWS).close()
    (folder / SAMPLE_PROMPTS).write_text(json.dumps([]), encoding="utf-8")


def _mask(case: Case, place: int) -> list[bool]:
    """Which tokens of a row are supervised: the rows of a micro-batch have theirs apart, if there is room."""
    end = case.row_tokens - place * case.supervised_tokens % case.row_tokens
    return [end - case.supervised_tokens <= position < end for position in range(case.row_tokens)]
