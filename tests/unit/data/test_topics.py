"""Is one topic found that most rows of free text are on, and an answer that strayed from its topic to another?

``topics.LANGUAGE.jsonl`` has the parts of which the sets are put together: eight topics with questions, things to ask
about and answers, and three with rows as people write them. The check's numbers were chosen on other draws than these.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from finetune_core.data import RawRow, Rules, examine

HERE = Path(__file__).parent
LANGUAGES = ("en", "zh")
WAYS = ("thing in both", "short", "answer apart")
Row = tuple[str, str]


def read(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (HERE / f"{name}.jsonl").read_text("utf-8").splitlines()]


def parts(language: str) -> list[dict[str, Any]]:
    return [part for part in read(f"topics.{language}") + read(f"unseen/parts.{language}") if "asks" in part]


def written(language: str) -> dict[str, list[Row]]:
    return {part["topic"]: [(q, a) for q, a in part["rows"]] for part in read(f"topics.{language}") if "rows" in part}


def talk(topic: dict[str, Any], way: str, count: int, dice: random.Random) -> list[Row]:
    """Rows on a topic, any question with any answer of it."""
    every = [(ask, answer, thing) for ask in topic["asks"] for answer in topic["answers"] for thing in topic["things"]]
    it = "it" if topic["topic"].isascii() else "它"
    return [
        (
            ask.format(thing),
            answer.format(it if way == "answer apart" else thing)
            + ("" if way == "short" else " " + dice.choice(topic["more"])),
        )
        for ask, answer, thing in dice.sample(every, count)
    ]


def drawn(language: str, shares: tuple[int, ...], way: str, seed: int) -> tuple[list[Row], dict[str, Any]]:
    """A set of so many rows of each of some topics, and the first of these."""
    dice = random.Random(f"{language} {shares} {way} {seed}")
    chosen = dice.sample(parts(language), len(shares))
    rows = [row for topic, share in zip(chosen, shares, strict=True) for row in talk(topic, way, share, dice)]
    dice.shuffle(rows)
    return rows, chosen[0]


def found(rows: list[Row], threshold: float = 0.65) -> str | None:
    numbered = enumerate(rows, start=1)
    rules = Rules(thresholds={"topic-imbalance": threshold})
    report = examine((RawRow(number, {"instruction": q, "output": a}) for number, (q, a) in numbered), rules)
    return next((finding.message for finding in report.findings if finding.code == "topic-imbalance"), None)


def messages(language: str, shares: tuple[int, ...], way: str, seeds: int) -> Iterator[tuple[str | None, Any]]:
    for seed in range(seeds):
        rows, topic = drawn(language, shares, way, seed)
        yield found(rows), topic


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_topic_with_most_of_two_hundred_rows_is_found_and_named(language, way):
    told = list(messages(language, (160, 30, 10), way, 8))
    assert sum(message is not None for message, _ in told) >= 7
    for message, topic in told:
        if message and "on one topic" in message:
            assert 0.77 <= int(message.split("%")[0].split()[-1]) / 100 <= 0.87
            own = " ".join(part for kind in ("asks", "things", "answers", "more") for part in topic[kind]).lower()
            named = message.rpartition(": ")[2].split(", ")
            assert sum(word in own for word in named) == len(named) == 3, message


@pytest.mark.parametrize("language", LANGUAGES)
def test_of_a_hundred_rows_it_mostly_is(language):
    told = [message for way in WAYS for message, _ in messages(language, (80, 15, 5), way, 6)]
    assert sum(message is not None for message in told) >= 0.75 * len(told)


BALANCED = [(34, 33, 33), (25, 25, 25, 25), (30, 30, 30, 10), (45, 35, 20), (60, 25, 15), (65, 35), (120, 100, 90)]


@pytest.mark.parametrize("shares", [*BALANCED, (80,), (200,)])
@pytest.mark.parametrize("language", LANGUAGES)
def test_topics_in_balance_and_single_topics_are_no_finding(language, shares):
    assert [message for way in WAYS for message, _ in messages(language, shares, way, 3) if message] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_rows_as_people_write_them_are_no_topic_by_chance(language):
    own, *others = written(language).values()
    varied = [(row["instruction"], row["output"]) for row in read(f"unseen/clean.{language}.good")]
    dice = random.Random(language)
    assert found(own + own[:30]) is None
    for _ in range(5):
        assert found(dice.sample(varied, 80)) is None
        assert found([*own, *dice.sample(varied, 36)]) is None
        assert found(own[:20] + [row for other in others for row in other]) is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_rows_as_people_write_them_beside_a_topic(language):
    shop = [
        (row["instruction"], row["output"])
        for row in map(json.loads, Path("examples/quickstart/rows.jsonl").read_text(encoding="utf-8").splitlines())
        if row["instruction"].isascii() == (language == "en")
    ]
    dice = random.Random(4)
    topics = dice.sample(parts(language), 2)
    beside = talk(topics[0], "short", 20, dice) + talk(topics[1], "short", 15, dice)
    assert found(shop) is None
    assert found(shop[:100] + talk(topics[0], "short", 60, dice) + talk(topics[1], "short", 40, dice)) is None
    message = found([*shop, *beside])
    assert message is None or "on one topic" in message


def test_a_language_is_no_topic():
    english, _ = drawn("en", (27, 27, 26), "thing in both", 0)
    chinese, _ = drawn("zh", (10, 10), "thing in both", 0)
    assert found(english + chinese) is None
    lone, _ = drawn("en", (160, 30, 10), "thing in both", 3)
    message = found(lone + drawn("zh", (30, 30, 30), "thing in both", 1)[0])
    assert message is not None
    assert "of the English rows are on one topic" in message


def test_what_is_too_much_can_be_set():
    rows, _ = drawn("en", (120, 50, 30), "thing in both", 5)
    assert found(rows) is None
    assert found(rows, threshold=0.4) is not None


# ---- answers on another topic than their question


def strayed(rows: list[Row], count: int, dice: random.Random) -> tuple[list[Row], set[int]]:
    """The same with the answers of so many rows exchanged, and the numbers of those rows."""
    places = dice.sample(range(len(rows)), count)
    answers = {place: rows[other][1] for place, other in zip(places, places[1:] + places[:1], strict=True)}
    exchanged = [(question, answers.get(place, answer)) for place, (question, answer) in enumerate(rows)]
    return exchanged, {place + 1 for place in places}


def strays(rows: list[Row]) -> set[int]:
    numbered = enumerate(rows, start=1)
    report = examine(RawRow(number, {"instruction": q, "output": a}) for number, (q, a) in numbered)
    return {number for finding in report.findings if finding.code == "unrelated-output" for number in finding.rows}


def paired(language: str, shares: tuple[int, ...], seed: int) -> list[Row]:
    """Rows of some topics, each question with its own answer."""
    dice = random.Random(f"{language} {shares} {seed}")
    rows = []
    for topic, share in zip(dice.sample(parts(language), len(shares)), shares, strict=True):
        pairs = list(zip(topic["asks"], topic["answers"], strict=False))
        every = [(ask.format(thing), answer.format(thing)) for ask, answer in pairs for thing in topic["things"]]
        rows += [(ask, f"{answer} {dice.choice(topic['more'])}") for ask, answer in dice.sample(every, share)]
    dice.shuffle(rows)
    return rows


@pytest.mark.parametrize("language", LANGUAGES)
def test_answers_that_strayed_to_another_topic_are_named(language):
    moved = named = right = 0
    for seed in range(8):
        rows = paired(language, (40, 40, 40, 40), seed)
        assert strays(rows) == set()
        exchanged, wrong = strayed(rows, 5, random.Random(seed))
        told = strays(exchanged)
        moved, named, right = moved + len(wrong), named + len(told), right + len(told & wrong)
    assert right >= 0.95 * named
    assert right >= 0.4 * moved


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_answer_is_said_to_stray_in_sets_without_clear_topics(language):
    varied = [(row["instruction"], row["output"]) for row in read(f"unseen/clean.{language}.good")]
    exchanged, wrong = strayed(varied, 6, random.Random(1))
    assert strays(varied) == set()
    assert strays(exchanged) <= wrong
    one = paired(language, (60,), 1)
    assert strays(strayed(one, 4, random.Random(2))[0]) == set()


def test_how_many_answers_strayed_is_said():
    exchanged, _ = strayed(paired("en", (40, 40, 40, 40), 2), 5, random.Random(2))
    numbered = enumerate(exchanged, start=1)
    report = examine(RawRow(number, {"instruction": q, "output": a}) for number, (q, a) in numbered)
    [finding] = [finding for finding in report.findings if finding.code == "unrelated-output"]
    assert finding.count == len(finding.rows) > 1
    assert f"in {finding.count} rows the question is on one topic and the answer on another" in finding.message
