"""Text that is not UTF-8: converted where it is surely UTF-16 or GB18030, refused elsewhere."""

import json
import random
import tracemalloc
from pathlib import Path

import pytest

from finetune_core.data import examine, read_rows
from finetune_core.data.reading.encoding import encoding_of
from finetune_core.errors import DatasetUnavailable

QUICKSTART = Path(__file__).parents[3] / "examples" / "quickstart"
BOTH_LANGUAGES = (QUICKSTART / "rows.jsonl").read_text(encoding="utf-8")
CHINESE = (QUICKSTART / "help.zh.txt").read_text(encoding="utf-8")

WIDE = {"UTF-16": ["utf-16", "utf-16-le", "utf-16-be"], "GB18030": ["gb18030", "gbk"]}
MARKS = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}


@pytest.mark.parametrize(("name", "codec"), [(name, codec) for name in WIDE for codec in WIDE[name]])
def test_the_rows_are_those_of_the_same_text_in_utf8(tmp_path, name, codec):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(MARKS.get(codec, b"") + BOTH_LANGUAGES.encode(codec))
    rows = list(read_rows(path))
    assert [row.value for row in rows] == [json.loads(line) for line in BOTH_LANGUAGES.splitlines()]
    assert {row.encoding for row in rows} == {name}
    assert examine(read_rows(path)).encoding == name


@pytest.mark.parametrize("name", ["UTF-16", "GB18030"])
@pytest.mark.parametrize(
    "content",
    [
        '{"instruction": "怎么退货？", "output": "您可以申请退货。"}\n',
        '[{"instruction": "怎么退货？", "output": "您可以申请退货。"}]',
        "instruction,output\r\n怎么退货？,您可以申请退货。\r\n",
    ],
)
def test_one_short_row_of_each_kind_is_enough(tmp_path, name, content):
    path = tmp_path / "data"
    path.write_bytes(content.encode(name))
    [row] = read_rows(path)
    assert row.value == {"instruction": "怎么退货？", "output": "您可以申请退货。"}
    assert row.encoding == name


def test_trail_bytes_that_look_like_json_are_no_json(tmp_path):
    # In GBK the second byte of these is a backslash, a brace, a bracket.
    value = {"instruction": "你有没有乗亄乕？", "output": "我没有俓。"}
    path = tmp_path / "data"
    path.write_bytes(json.dumps(value, ensure_ascii=False).encode("gbk"))
    assert [row.value for row in read_rows(path)] == [value]


def test_emoji_survive(tmp_path):
    for name in ("utf-16", "gb18030"):
        path = tmp_path / name
        path.write_text('{"a": "你好😀"}', encoding=name)
        assert [row.value for row in read_rows(path)] == [{"a": "你好😀"}]


def test_a_gb18030_mark_is_believed(tmp_path):
    path = tmp_path / "data"
    path.write_text('\ufeff{"a": "囍"}', encoding="gb18030")
    [row] = read_rows(path)
    assert (row.value, row.encoding) == ({"a": "囍"}, "GB18030")


OTHERS = {
    "German": ("Für Rückfragen während der Öffnungszeiten: Größe, Maß, Straße, übermäßig.", ["latin-1", "cp437"]),
    "French": ("Le café est fermé à Noël, mais la forêt était très belle, déjà vu.", ["latin-1", "mac-roman"]),
    "Spanish": ("¿Cómo devuelvo el artículo? Señor, mañana será más fácil; ¡qué alegría!", ["latin-1", "cp850"]),
    "Russian": ("Как вернуть товар, если посылка пришла повреждённой? Напишите нам.", ["cp1251", "koi8-r", "cp866"]),
    "Greek": ("Πώς μπορώ να επιστρέψω το προϊόν; Παρακαλώ κρατήστε τη συσκευασία.", ["iso8859-7"]),
    "Korean": ("배송이 늦어져서 죄송합니다. 주문 번호를 알려 주시면 바로 확인해 드리겠습니다.", ["euc-kr"]),
    "Japanese": ("商品が届かない場合は、注文番号をお知らせください。返金は三営業日以内です。", ["euc-jp", "shift_jis"]),
    "Arabic": ("كيف يمكنني إرجاع المنتج؟ يرجى الاحتفاظ بالعبوة وإرسال صورة لنا", ["cp1256"]),
    "Taiwan": ("請問如何退貨？請保留包裝並拍照給我們，我們會在三個工作天內退款。", ["big5"]),
}


@pytest.mark.parametrize(
    ("text", "codec"),
    [(text, codec) for text, codecs in OTHERS.values() for codec in codecs],
    ids=lambda text: text[:9],
)
def test_any_other_encoding_is_refused_and_not_read_as_nonsense(tmp_path, text, codec):
    path = tmp_path / "data.jsonl"
    path.write_bytes(f'{{"instruction": "x", "output": "{text}"}}\n'.encode(codec) * 20)
    with pytest.raises(DatasetUnavailable, match="is neither UTF-8, UTF-16 nor GB18030, first in line 1: save it as"):
        list(read_rows(path))


def test_files_of_two_encodings_put_together_are_refused(tmp_path):
    path = tmp_path / "data.jsonl"
    row = '{"instruction": "怎么退货？", "output": "您可以申请退货。"}\n'
    path.write_bytes(row.encode("gb18030") * 60 + row.encode() * 40)
    with pytest.raises(DatasetUnavailable, match="is neither UTF-8, UTF-16 nor GB18030"):
        list(read_rows(path))


def test_utf8_is_never_taken_for_another_encoding():
    data = CHINESE.encode()
    assert {encoding_of(data[start : start + 997]) for start in range(0, len(data) - 997, 101)} == {"UTF-8"}
    for text, _ in OTHERS.values():
        assert encoding_of(text.encode()) == "UTF-8"


def test_random_bytes_are_no_chinese():
    source = random.Random(0)
    found = [encoding_of(source.randbytes(4096)) for _ in range(300)]
    assert "GB18030" not in found


@pytest.mark.parametrize(
    ("name", "damage", "number"),
    [("GB18030", b'{"a": "\xff\xff"}\n', 21), ("UTF-16", '{"a": "\ud800"}\n'.encode("utf-16-le", "surrogatepass"), 21)],
)
def test_damage_costs_a_row_and_not_the_file(tmp_path, name, damage, number):
    codec = {"UTF-16": "utf-16-le"}.get(name, name)
    good = '{"a": "我们是好人"}\n'.encode(codec) * 20
    path = tmp_path / "data"
    path.write_bytes(MARKS.get(codec, b"") + good + damage + good)
    rows = list(read_rows(path))
    assert [(row.number, row.problem) for row in rows if row.value is None] == [(number, f"not {name}")]
    assert len(rows) == 41


def test_a_file_cut_inside_a_character_is_refused_once_it_is_read(tmp_path):
    for name in ("utf-16", "gb18030"):
        path = tmp_path / name
        path.write_bytes(('{"a": "我们是好人"}\n' * 3 + '{"a": "我').encode(name)[:-1])
        rows = read_rows(path)
        assert [next(rows).value for _ in range(3)] == [{"a": "我们是好人"}] * 3
        with pytest.raises(DatasetUnavailable, match=r"ends within the row on line 4: was it cut off\?"):
            next(rows)


def test_a_large_file_is_not_held(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(('{"a": "' + "我们" * 500 + '"}\n').encode("gb18030") * 10_000)
    tracemalloc.start()
    count = sum(row.value is not None for row in read_rows(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 10_000
    assert peak < 4 * 2**20 < path.stat().st_size / 4
