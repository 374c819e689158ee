"""Do questions and answers belong together?"""

import numpy as np
from numpy.typing import NDArray

from finetune_core.data.checks.base import Check, Context, SetCheck
from finetune_core.data.checks.sample import Sample, wanted
from finetune_core.data.checks.terms import matrix, terms
from finetune_core.data.example import Example

_BY_CHANCE = 0.4
"""How often a question of another row fits an answer better than its own. Where columns were shuffled it is one in two;
where they belong together, below one in five in all sets tried."""

_COMPARED = 2_000
"""Rows of the sample that are compared, each with each."""
_LEAST = 30
"""Answers. With fewer, chance may look like order: the standard error is 0.29 / sqrt(answers)."""
_BLOCKS = 8
"""Parts of the dataset that are judged for themselves, since a slip of one row may begin anywhere."""
_COMMON = 0.2
"""Share of the rows; a word that more have tells nothing about one."""
_WORDS_FIT = 2
"""Words that a question and an answer share where the one may be about the other."""
_ASIDE = 3
"""Single answers that fit another row's question well and share no word with their own, up to which it is chance."""
_FITS_WELL = 0.6
"""Share of the question's words, by weight."""


def unrelated_output(context: Context) -> SetCheck:
    """Answers that fit other rows' questions as well as their own, as after a column was sorted, shuffled or shifted.

    Fitting is sharing words that few rows have, and it is judged over many rows, since a good answer may share no word
    with its question. Answers that share words with no question at all do not count: labels, translations, sums. So
    one wrong row is found only if the question that it answers is there too, and none is in fewer than ``_LEAST``.
    Of many rows, a sample counts.
    """
    sample: Sample[tuple[bytes, bytes]] = Sample()

    def fact(example: Example) -> tuple[int, tuple[bytes, bytes]] | None:
        if example.plain or not wanted(example.number):
            return None
        question, answer = ("\n".join(example.contents(role)) for role in ("user", "assistant"))
        return example.number, (terms(question), terms(answer))

    def judge(used_rows: int) -> str | None:
        rows = sample.rows()[:: len(sample.rows()) // _COMPARED + 1]
        if len(rows) < _LEAST:
            return None
        numbers = np.array([number for number, _ in rows])
        fit = _Fit(matrix([question for _, (question, _) in rows], [answer for _, (_, answer) in rows]))
        for block in [np.arange(len(rows)), *np.array_split(np.arange(len(rows)), _BLOCKS)]:
            told = block[fit.told[block]]
            if len(told) >= max(_LEAST, 0.3 * len(block)) and (chance := fit.better[told].mean()) >= threshold:
                where = "" if len(block) == len(rows) else f"rows {numbers[block[0]]:,} to {numbers[block[-1]]:,}: "
                return f"{where}another row's question fits an answer better in {chance:.0%} of the cases"
        aside = numbers[fit.aside]
        if len(aside) < _ASIDE:
            return None
        first = ", ".join(f"{number:,}" for number in aside[:5])
        return f"{len(aside):,} answers fit another row's question and not their own: rows {first}"

    threshold = context.thresholds["unrelated-output"]
    return SetCheck(judge, fact, sample.add)


class _Fit:
    """How well each answer fits each question."""

    def __init__(self, tables: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
        asked, answered = tables
        count = len(asked)
        either = np.maximum(asked, answered).sum(axis=0)
        weight = np.log(count / np.maximum(either, 1)) * (either <= max(_COMMON * count, 2))
        asked, answered = asked[:, weight > 0], answered[:, weight > 0]
        weight = weight[weight > 0].astype(np.float32)
        fits = (asked * weight) @ answered.T  # question by answer
        shared = asked @ answered.T
        own = fits.diagonal().copy()
        self.told = (np.where(shared >= _WORDS_FIT, fits, 0).max(axis=0) > 0) & (asked.sum(axis=1) >= _WORDS_FIT)
        """Answers that fit some question, of rows whose question says something."""
        self.better = ((fits > own).mean(axis=0) + (fits >= own).mean(axis=0)) / 2
        """Share of the questions that fit the answer better than its own; ties by halves."""
        whole = (asked @ weight)[:, None]
        best = np.where((shared >= _WORDS_FIT + 1) & (fits >= _FITS_WELL * whole), fits, 0).max(axis=0)
        self.aside = np.flatnonzero((best > 0) & (own == 0) & (asked.sum(axis=1) >= _WORDS_FIT))
        """Answers that answer another row's question."""


UNRELATED_OUTPUT = Check(
    code="unrelated-output",
    policy="warn",
    threshold=_BY_CHANCE,
    measure="how often another row's question fits an answer better (0.5: chance), from",
    # instruction和output对应正确: the course's cleaning list, part 3.2.
    message="questions and answers do not belong together",
    fix="look for a column that was sorted or shifted on its own, and join the two again by an id",
    dataset=unrelated_output,
)
