"""Are labels and topics in balance?"""

from collections import Counter

from finetune_core.data.checks.base import Check, Context, SetCheck
from finetune_core.data.checks.sample import Sample, wanted
from finetune_core.data.checks.terms import characters, words
from finetune_core.data.example import Example

_LARGEST = 0.65
"""80, 15 and 5 % are the course's example of what is out of balance (part 3.4, problem 3): 0.7 beyond an even share."""
_MEANT = 0.95
"""Share from which on all rows are of one topic, and meant to be."""
_LEAST = 30
"""Rows. With fewer there is no telling."""
_LABEL_CHARACTERS = 40
_MOST_LABELS = 20
_ROWS_A_LABEL = 5
"""Answers are labels where nearly all are so short, so few are different, and so many rows have the same."""
_NEARLY_ALL = 0.9


def topic_imbalance(context: Context) -> SetCheck:
    """One label, or one topic, has most of the rows.

    Of k labels each has 1/k of the rows where they are even; what counts is how far the largest is from there to
    having all. A topic is told by one word, or one Chinese character, that the questions about it share: 退 in 退货 and
    退款. A topic whose questions share no word is not found; neither is one that has nearly all rows, since that is
    meant. Of many rows, a sample counts.
    """
    sample: Sample[tuple[str, tuple[str, ...]]] = Sample()

    def fact(example: Example) -> tuple[int, tuple[str, tuple[str, ...]]] | None:
        if example.plain or not wanted(example.number):
            return None
        answer = example.messages[-1].content.strip()
        label = answer.casefold().rstrip(".。!！") if len(answer) <= _LABEL_CHARACTERS else ""
        question = "\n".join(example.contents("user"))
        return example.number, (label, (*words(question), *characters(question)))

    def judge(used_rows: int) -> str | None:
        rows = [told for _, told in sample.rows()]
        if len(rows) < _LEAST:
            return None
        labels = Counter(label for label, _ in rows if label)
        count = labels.total()
        if count >= _NEARLY_ALL * len(rows) and 1 < len(labels) <= min(_MOST_LABELS, count / _ROWS_A_LABEL):
            [(label, most)] = labels.most_common(1)
            if most / count > threshold + (1 - threshold) / len(labels):
                return f"{most / count:.0%} of the answers are {label!r}, one of {len(labels)} labels"
            return None
        topics = Counter(word for _, told in rows for word in told)
        for word, most in topics.most_common():
            if most <= threshold * len(rows):
                break
            if most < _MEANT * len(rows):
                return f"{most / len(rows):.0%} of the questions are about {word!r}"
        return None

    threshold = context.thresholds["topic-imbalance"]
    return SetCheck(judge, fact, sample.add)


TOPIC_IMBALANCE = Check(
    code="topic-imbalance",
    policy="warn",
    threshold=_LARGEST,
    measure="share of the largest label or topic, beyond an even one, above",
    message="one label or topic has most of the rows",
    fix="add rows of the others, or leave out some of the largest",
    dataset=topic_imbalance,
)
