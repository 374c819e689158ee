"""What docs/datasets.md shows is read as it says."""

import json
import re
from pathlib import Path

import pytest

from finetune_core.data.formats import FORMATS, detect, to_example

PAGE = Path("docs/datasets.md").read_text(encoding="utf-8")
SHOWN = {
    section.partition("\n")[0].strip("` "): [
        json.loads(line)
        for block in re.findall(r"```jsonl\n(.*?)```", section, re.DOTALL)
        for line in block.splitlines()
    ]
    for section in PAGE.split("\n## ")[1:]
}


@pytest.mark.parametrize("name", [format.name for format in FORMATS])
def test_every_format_is_shown_in_both_languages(name):
    english, chinese = SHOWN[name]
    for row in (english, chinese):
        format, _ = detect([row], {})
        assert format.name == name
        assert to_example(1, row, format, {}).contents("assistant")
    assert json.dumps(english, ensure_ascii=False).isascii()
    assert not json.dumps(chinese, ensure_ascii=False).isascii()


def test_formats_are_shown_in_the_order_of_preference():
    assert [name for name in SHOWN if SHOWN[name]][:-1] == [format.name for format in FORMATS]


def test_tools_are_shown_as_both_write_them():
    for row in SHOWN["In a conversation"]:
        example = to_example(1, row, detect([row], {})[0], {})
        assert [message.role for message in example.messages] == ["user", "assistant", "tool", "assistant"]
        assert [call.name for message in example.messages for call in message.calls] == ["weather"]
        assert example.tools[0]["function"]["name"] == "weather"
