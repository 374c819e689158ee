"""Where the rows of a large file go: every one is used, or listed with the reason, and the counts add up."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from command import ftj

TOTAL = 52_000
PLANTED = {
    "unreadable-row": 600,
    "wrong-schema": 500,
    "empty-output": 400,
    "empty-instruction": 300,
    "exact-duplicate": 700,
    "html-markup": 250,
    "control-characters": 150,
    "conflicting-output": 200,
}
"""Each is in so many rows. Under 5% are unreadable or do not fit, so that the set as a whole is not refused."""

LEFT_OUT = {"unreadable-row", "wrong-schema", "empty-output", "empty-instruction", "exact-duplicate"}

UNREADABLE = [
    '{"instruction": "%d", "output": "cut',
    '{"instruction": "%d", "output": NaN}',
    '{"instruction": "%d", "output": "a", "output": "b"}',
    '{"instruction": "%d", "output": "\\ud83d"}',
    '["instruction", %d]',
    "%d, not JSON at all",
]
MISFITS = [
    {"instruction": "question without an answer"},
    {"instruction": "question", "output": 17},
    {"question": "of another format", "answer": "of another format"},
    {"instruction": "question", "output": "answer", "history": [["half a turn"]]},
]


def good(number: int) -> dict[str, str]:
    """A row with nothing wrong; no two are alike."""
    if number % 2:
        return {
            "instruction": f"第{number}号订单想要退货，应该在哪里提交申请？",
            "input": "",
            "output": f"您可以打开第{number}号订单的页面，选择退货并填写原因，三个工作日之内会有结果。",
        }
    return {
        "instruction": f"Where do customers ask to return order {number}?",
        "input": "",
        "output": f"They open the page of order {number}, choose to return it, and hear from us in three days.",
    }


def bad(code: str, number: int, earlier: dict[str, str]) -> str | dict[str, object]:
    """A row with one thing wrong: an object, or a line that is none."""
    row: dict[str, object] = dict(good(number))
    match code:
        case "unreadable-row":
            return UNREADABLE[number % len(UNREADABLE)] % number
        case "wrong-schema":
            return MISFITS[number % len(MISFITS)] | {"id": number}
        case "empty-output":
            row["output"] = " \n"[: number % 3]
        case "empty-instruction":
            row["instruction"] = "\u3000"[: number % 2]
        case "exact-duplicate":
            return dict(earlier)
        case "html-markup":
            row["output"] = f"<p><b>{row['output']}</b></p>"
        case "control-characters":
            row["output"] = f"{row['output']}\x07"
        case "conflicting-output":
            return earlier | {"output": f"{earlier['output']} Number {number} says otherwise, 与前面的不同。"}
    return row


def planted() -> tuple[list[str], dict[int, str]]:
    """The lines, and what is wrong with which; each bad copy is of a good row of its own, somewhere before it."""
    dice = random.Random(52)
    codes = [code for code, count in PLANTED.items() for _ in range(count)]
    places = sorted(dice.sample(range(1000, TOTAL), len(codes)))
    dice.shuffle(codes)
    wrong = dict(zip(places, codes, strict=True))
    originals = iter(dice.sample(range(1, 1000), 999))
    lines = []
    for number in range(1, TOTAL + 1):
        code = wrong.get(number)
        copies = code in ("exact-duplicate", "conflicting-output")
        row = bad(code, number, good(next(originals) if copies else 0)) if code else good(number)
        lines.append(row if isinstance(row, str) else json.dumps(row, ensure_ascii=number % 3 == 0))
    return lines, wrong


def objects(path: Path) -> Iterator[dict[str, object]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def test_every_row_is_used_or_listed_with_a_reason(tmp_path):
    lines, wrong = planted()
    data = tmp_path / "data.jsonl"
    data.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert len(lines) == TOTAL

    ended = ftj(tmp_path, "lint", data.name, "--fix", "good.jsonl", "-o", "json")
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    kept = list(objects(tmp_path / "good.jsonl"))
    refused = list(objects(tmp_path / "good.refused.jsonl"))

    # Each line is in one of the two files, once, and in the order of the source.
    left_out = {number: code for number, code in wrong.items() if code in LEFT_OUT}
    assert [(row["row"], row["code"]) for row in refused] == sorted(left_out.items())
    # What nobody sees is mended; all else is as it was.
    good = [line.replace("\\u0007", "") for number, line in enumerate(lines, start=1) if number not in left_out]
    assert kept == [json.loads(line) for line in good]
    for row in refused:
        assert row["message"]
        readable = row["code"] != "unreadable-row"
        assert row["value"] == (json.loads(lines[row["row"] - 1]) if readable else None)

    # The counts are those of the files, and the findings those that were planted.
    assert (report["rows"], report["usedRows"], report["rejectedRows"]) == (TOTAL, len(kept), len(refused))
    assert report["rows"] == report["usedRows"] + report["rejectedRows"]
    assert sum(PLANTED[code] for code in LEFT_OUT) == report["rejectedRows"]
    assert report["statistics"]["rows"] == len(kept)
    assert sum(report["statistics"]["histogram"]) == len(kept)
    findings = {finding["code"]: finding for finding in report["findings"]}
    assert {code: findings[code]["count"] for code in PLANTED} == PLANTED
    for code in PLANTED:
        assert findings[code]["rows"] == sorted(number for number, what in wrong.items() if what == code)[:50]
    assert Counter(row["code"] for row in refused) == {code: PLANTED[code] for code in LEFT_OUT}


def test_what_was_kept_is_clean_when_read_again(tmp_path):
    lines, _ = planted()
    data = tmp_path / "data.jsonl"
    data.write_text("\n".join(lines[:5000]) + "\n", encoding="utf-8")
    first = json.loads(ftj(tmp_path, "lint", data.name, "--fix", "good.jsonl", "-o", "json").stdout)
    again = json.loads(ftj(tmp_path, "lint", "good.jsonl", "-o", "json").stdout)
    assert again["rows"] == again["usedRows"] == first["usedRows"]
    assert not LEFT_OUT & {finding["code"] for finding in again["findings"]}
