"""Are labels and topics in balance?"""

from collections import Counter
from collections.abc import Sequence

from finetune_core.data.checks.base import Check, Context, SetCheck
from finetune_core.data.checks.sample import Sample, wanted
from finetune_core.data.checks.terms import STEM, characters, stems, whole_words
from finetune_core.data.checks.topics import Topics
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
_LEAST_TOLD = 60
"""Rows of a language; with fewer, what is no topic may look like one."""
_TOPICS = 4
"""As many are taken to be there: small ones cannot be told from each other, or counted."""
_WORDS = 200
"""Of a question, and of its answer, that say what a row is about."""
_FOREIGN = 2
"""Words with letters beyond a to z that a row of English may have fewer of."""
_Fact = tuple[str, str, str]
"""Label, what the question names, and what question and answer are about: words with spaces between."""


def topic_imbalance(context: Context) -> SetCheck:
    """One label, or one topic, has most of the rows.

    Of k labels each has 1/k of the rows where they are even; what counts is how far the largest is from there to
    having all. A topic is told by one word, or one Chinese character, that the questions about it share (退 in 退货 and
    退款), unless all rows are on one topic; or, where they share none, by the words that its rows have and others have
    not (``topics``). One that has nearly all rows is meant. Of many rows, a sample counts.
    """
    sample: Sample[_Fact] = Sample()

    def fact(example: Example) -> tuple[int, _Fact] | None:
        if example.plain or not wanted(example.number):
            return None
        answer = example.messages[-1].content.strip()
        label = answer.casefold().rstrip(".。!！") if len(answer) <= _LABEL_CHARACTERS else ""
        question = "\n".join(example.contents("user"))
        asked, answered = whole_words(question), whole_words("\n".join(example.contents("assistant")))
        about = dict.fromkeys(asked[:_WORDS] + answered[:_WORDS])
        return example.number, (label, " ".join((*stems(asked), *characters(question))), " ".join(about))

    def judge(used_rows: int) -> str | None:
        rows = [told for _, told in sample.rows()]
        if len(rows) < _LEAST:
            return None
        labels = Counter(label for label, _, _ in rows if label)
        if labels.total() >= _NEARLY_ALL * len(rows) and 1 < len(labels) <= min(
            _MOST_LABELS, labels.total() / _ROWS_A_LABEL
        ):
            return _most_have_one_label(labels, threshold)
        return _most_are_on_one_topic(rows, threshold)

    threshold = context.thresholds["topic-imbalance"]
    return SetCheck(judge, fact, sample.add)


def _most_have_one_label(labels: Counter[str], threshold: float) -> str | None:
    [(label, most)] = labels.most_common(1)
    if most <= (threshold + (1 - threshold) / len(labels)) * labels.total():
        return None
    return f"{most / labels.total():.0%} of the answers are {label!r}, one of {len(labels)} labels"


def _most_are_on_one_topic(rows: Sequence[_Fact], threshold: float) -> str | None:
    told: dict[str, list[list[str]]] = {}
    for _, _, about in rows:
        told.setdefault(_language(about), []).append(stems(about.split()))
    topics = {language: Topics(texts) for language, texts in told.items() if len(texts) >= _LEAST_TOLD}
    if not topics or any(found.several or not found.told for found in topics.values()):
        named = Counter(word for _, asked, _ in rows for word in asked.split())
        for word, most in named.most_common():
            if threshold * len(rows) < most < _MEANT * len(rows):
                return f"{most / len(rows):.0%} of the questions are about {_whole(word, rows)!r}"
    for language, found in topics.items():
        topic = found.dominant(threshold + (1 - threshold) / _TOPICS, _MEANT)
        if topic:
            whose = "rows" if len(told[language]) >= _MEANT * len(rows) else f"{language} rows"
            name = ", ".join(_whole(word, rows) for word in topic.words)
            return f"{topic.share:.0%} of the {whose} are on one topic: {name}"
    return None


def _whole(stem: str, rows: Sequence[_Fact]) -> str:
    """The word that most rows have with the stem."""
    forms = Counter(word for _, _, about in rows for word in about.split() if word[:STEM] == stem)
    return forms.most_common(1)[0][0] if forms else stem


def _language(about: str) -> str:
    """What the words are written in, so that a language is not taken for a topic."""
    foreign = sum(not word.isascii() for word in about.split())
    if foreign < _FOREIGN:
        return "English"
    chinese = sum("\u3400" <= word[0] <= "\u9fff" for word in about.split())
    return "Chinese" if chinese >= foreign - _FOREIGN else "other"


TOPIC_IMBALANCE = Check(
    code="topic-imbalance",
    policy="warn",
    threshold=_LARGEST,
    measure="share of the largest label or topic, beyond an even one, above",
    message="one label or topic has most of the rows",
    fix="add rows of the others, or leave out some of the largest",
    dataset=topic_imbalance,
)
