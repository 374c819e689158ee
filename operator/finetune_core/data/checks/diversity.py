"""Is there variety in it?"""

import re
from collections import Counter

from finetune_core.data.checks.base import Check, Context, SetCheck
from finetune_core.data.checks.sample import Sample, wanted
from finetune_core.data.example import Example

_MOST = 0.6
"""Share of the questions that may open alike. The course's example has all (part 3.4, problem 2), nine in ten is the
case to find; in sets collected from people the commonest opening, "what", stays under a half."""

_LEAST_QUESTIONS = 20
"""With fewer there is no telling."""

_LINE_CHARACTERS = 100

_OPENING = re.compile(
    r"\W*(?:(?P<other>[\u3040-\u9fff\uac00-\ud7af]{2})|(?P<latin>[^\W\d_\u3040-\u9fff\uac00-\ud7af]+))"
)
_NUMBER = re.compile(r"\d+")


def repeated_opening(context: Context) -> SetCheck:
    """Most first questions begin alike: with the same word, or the same two characters of Chinese.

    Each language is judged for itself, so that 如何 is not hidden by English rows. A line that is there again,
    numbers aside, counts once: an instruction that all rows share is a prompt, not a way of asking. Of many rows, a
    sample counts.
    """
    sample: Sample[tuple[str, str, str]] = Sample()

    def fact(example: Example) -> tuple[int, tuple[str, str, str]] | None:
        if not wanted(example.number):
            return None
        question = next(iter(example.contents("user")), "")
        found = _OPENING.match(question)
        if found is None or found.lastgroup is None:
            return None
        line = _NUMBER.sub("", question.lstrip().partition("\n")[0])[:_LINE_CHARACTERS]
        return example.number, (line, found.lastgroup, found[found.lastgroup].lower())

    def judge(used_rows: int) -> str | None:
        openings: dict[str, Counter[str]] = {"other": Counter(), "latin": Counter()}
        for script, opening in {line: told for _, (line, *told) in sample.rows()}.values():
            openings[script][opening] += 1
        for counts in openings.values():
            total = counts.total()
            for opening, count in counts.most_common(1):
                if total >= _LEAST_QUESTIONS and count > context.thresholds["repeated-opening"] * total:
                    return f"{count / total:.0%} of {total:,} different questions begin with {opening!r}"
        return None

    return SetCheck(judge, fact, sample.add)


REPEATED_OPENING = Check(
    code="repeated-opening",
    policy="warn",
    threshold=_MOST,
    measure="share of the questions that begin alike, above",
    message="most questions begin alike",
    fix="ask in the ways that people do: 查询订单的方法, 我想退货, 订单在哪里看",
    dataset=repeated_opening,
)
