"""The split as prepare makes it: by what rows say, not by where they stand."""

import random
from collections import Counter

from finetune_core.data import Kept, RawRow, SplitRows, examine

STEPS = ("Open your account", "Choose the order", "Press the button", "Wait for the mail", "Sign the form")


def split(rows: list[tuple[str, str]], fraction: float = 0.2, seed: int = 1) -> tuple[list[Kept], frozenset[int]]:
    kept: list[Kept] = []
    numbered = (RawRow(n, {"instruction": q, "output": a}) for n, (q, a) in enumerate(rows, start=1))
    examine(numbered, keep=kept.append)
    split_rows = SplitRows()
    for row in kept:
        split_rows.add(row.example, row.like)
    return kept, split_rows.choose_validation(fraction=fraction, seed=seed)


def test_rows_that_are_nearly_the_same_are_on_one_side():
    random_of = random.Random(4)
    rows = []
    for number in range(60):
        steps = [f"{random_of.choice(STEPS)} {random_of.randrange(10**6)}" for _ in range(6)]
        for mark in ("?", "??", "!"):
            rows.append((f"How is case {number * 7919} done{mark}", ". ".join(steps) + mark[1:]))
    kept, chosen = split(rows)
    assert len(kept) == 180
    cases = {place: kept[place].example.messages[0].content.split()[3] for place in range(len(kept))}
    held = {cases[place] for place in chosen}
    assert len(chosen) == 36
    assert len(held) == 12
    assert all(place in chosen for place, case in cases.items() if case in held)


def test_a_chain_of_likenesses_is_one_group():
    """Row 3 asks what row 1 asks; row 2 is nearly row 3."""
    long = "Send it back within thirty days of delivery; the money is returned to the card that was used to pay"
    other = [(f"问题{n * 7919}怎么办？", f"答案{n}：{n * n}") for n in range(40)]
    chain = [("Can I return it?", "Yes, within thirty days."), ("May I send it back now?", f"{long}."),
             ("Can I return it?", f"{long} again.")]  # fmt: skip
    for seed in range(8):
        kept, chosen = split([*chain, *other], fraction=0.4, seed=seed)
        sides = {kept[place].row.number: place in chosen for place in range(len(kept))}
        assert sides[1] == sides[3]


def test_each_label_has_its_share():
    words = ["好评", "中评", "差评"]
    rows = []
    for number in range(400):
        label = words[0] if number % 20 else words[1 + number % 3 // 2]
        rows.append((f"第{number * 104729}号顾客的评价是什么？编号{number * 7}", label))
    kept, chosen = split(rows, fraction=0.1)
    everywhere = Counter(row.example.messages[-1].content for row in kept)
    held = Counter(kept[place].example.messages[-1].content for place in chosen)
    assert held.total() == round(len(kept) * 0.1)
    assert {label: round(count * 0.1) for label, count in everywhere.items()} == held


def test_the_order_of_the_rows_changes_nothing():
    rows = [(f"问题{n * 7919}怎么办？", f"答案{n}：{n * n}") for n in range(100)]
    shuffled = random.Random(2).sample(rows, len(rows))

    def held(rows: list[tuple[str, str]]) -> set[str]:
        kept, chosen = split(rows)
        return {kept[place].example.messages[0].content for place in chosen}

    assert held(rows) == held(shuffled)
