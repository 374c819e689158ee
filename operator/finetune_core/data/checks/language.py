"""Is the answer in the language of the question?"""

import re
from collections import Counter
from itertools import pairwise

from finetune_core.data.checks.base import Check, stateless
from finetune_core.data.checks.glance import marks, telling, watch, words
from finetune_core.data.checks.prose import prose
from finetune_core.data.example import Example

_SCRIPTS = {
    "Japanese": "[\u3040-\u30ff]",
    "Chinese": "[\u3400-\u9fff]",
    "Korean": "[\uac00-\ud7af]",
    "Russian": "[\u0400-\u04ff]",
    "Arabic": "[\u0600-\u06ff]",
    "Hebrew": "[\u0590-\u05ff]",
    "Greek": "[\u0370-\u03ff]",
    "Thai": "[\u0e00-\u0e7f]",
    "Hindi": "[\u0900-\u097f]",
    "Latin": "[A-Za-z\u00c0-\u024f]",
}
"""Named by the language that writes most in it; languages of one script are told apart in Latin alone."""

_LETTERS = {name: re.compile(letters) for name, letters in _SCRIPTS.items()}
_FOREIGN_LETTER = re.compile("[\u0370-\u1fff\u3040-\u30ff\uac00-\ud7af]")

_WORDS = {
    "English": (
        "the of you your are this that with it to a my we they be will was have has which how what can do does i "
        "an and in "
        "is at for from by on or not if so as but no any all every each one two most more than then when where "
        "who why "
        "whose there these those some such very also only just use used may must should would could about into "
        "over after "
        "before during while because until through between both other same like make made been being were had "
        "did its his "
        "her he she him them their our us me up out off back down here again always never often usually yes please "
        "let get go take put keep give tell explain describe list write name show find need want see say many "
        "much few "
        "without within under per well good new first last time day way still hardly even too own whole enough "
        "don' isn' doesn' can' it' you' i' that' ve"
    ),
    "German": (
        "der die das und ist nicht ein eine einen einem einer sie mit auf den dem des von zu zum zur wie ich "
        "kann können "
        "auch wir nach bei im ist sind sich für über oder aber wenn als aus bis am an es er ihr ihre ihren sein "
        "wird werden "
        "wurde haben hat hatte nur noch schon sehr mehr dass durch um so dann man muss müssen gibt keine kein ja "
        "nein bitte "
        "unter vor ohne gegen zwei drei jeder jede alle was wo wer warum diese dieser dieses ab uhr "
        "immer nie bevor nachdem weil damit hier dort welche doch wieder erst allein machen kommen sollen sollte "
        "soll würde innerhalb wann ihnen deinen seine jahr einmal ganz beim vom"
    ),
    "French": (
        "le la les des du de et est un une dans pour que qui vous avec sur pas votre vos nous au aux je tu il "
        "elle ils on ce "
        "cette ces comment ou où par plus sont être avoir fait faire font peut pouvez si ne mais se son sa ses "
        "leur très tout toute tous toutes en à d' l' c' j' n' qu' s' puis sans sous chez entre après avant depuis "
        "jusqu' toujours aussi "
        "donc oui non deux trois quand pourquoi quel quelle notre mon ma mes il y a "
        "jamais parce afin ici là quels quelles seulement aller venir devez doit faut serait pourrait bien "
        "rien chaque autre même lors environ cinq sept huit dix vaut"
    ),
    "Spanish": (
        "el la los las un una unos de del que por para con como es son se su sus al en y o lo le no si sí puede "
        "puedes pueden "
        "cual cuál donde dónde cuando cómo mi más muy pero sin sobre entre hasta desde este esta esto está están "
        "ser hay fue "
        "tiene tienen también antes después cada todo toda todos todas ya dos tres días usted ustedes nos debe "
        "porque durante "
        "a hacer tu te me "
        "siempre nunca aquí allí ir debes sería bien nada otro otra mismo cinco seis siete ocho nueve "
        "diez cuatro uno fueron él ellos hacia según mejor"
    ),
    "Portuguese": (
        "o os a as um uma uns de do da dos das que para com em no na nos nas por pelo pela como seu sua seus é "
        "são se mais "
        "não foi ser está pode podem você ao aos à às e ou mas meu muito também até já quando onde entre sem "
        "sobre isso este "
        "esta depois antes cada todo toda todos dois três dia dias tem há porque primeiro segundo num numa "
        "sempre nunca aqui ali só fazer deve deveria bem nada outro outra mesmo cinco seis sete oito nove "
        "dez quatro ele ela eles melhor então"
    ),
    "Italian": (
        "il lo la gli le i un una uno di del della dello dei delle degli che per con non è sono e o a al alla ai "
        "alle da dal "
        "dalla in nel nella nei si come puoi può questo questa quale dove quando anche più ma su sul sulla se ha "
        "hanno poi "
        "ogni fino dopo prima molto tutto tutti due tre suo sua essere stato fare bene senza fra tra ho mi "
        "ti ci vi cosa perché l' d' c' un' nell' dell' all' dall' sull' "
        "sempre qui lì deve dovrebbe niente altro altra stesso vale cinque sei sette otto nove dieci "
        "quattro egli loro secondo meglio quindi vanno bisogna"
    ),
    "Dutch": (
        "de het een van en dat die op te voor met niet je ik hoe zijn is kan kunt worden wordt in of om aan er "
        "ook naar bij "
        "uit maar als dan nog wel geen uw u wij we ze hij zij deze dit over tot tussen tegen door moet hebben "
        "heeft had was "
        "veel meer na onder elke alle twee drie "
        "nooit altijd voordat nadat omdat zodat hier daar welke toch weer eerst alleen maken komen zullen mogen "
        "zou zal nee zonder binnen buiten waarom wanneer gebruik laat huis jaar keer eens"
    ),
    "Polish": (
        "i w z na do nie się że jest to jak co od po dla przez lub oraz ale czy ze za o przy tylko może można są "
        "być ma już "
        "tak który która które tym tego jego jej ich aby gdy więc bez pod nad przed między dwa trzy raz a prawie "
        "każdy "
        "proszę bardzo wszystkie nasz możesz należy "
        "zawsze nigdy tutaj tam musi powinien dobrze nic inny inna wtedy lepiej dlatego najpierw potem "
        "pani"
    ),
    "Czech or Slovak": (
        "a v na je se že to s z do pro by jak si ale po ve jsou za o jako nebo od který která které není být "
        "bude již před "
        "při tak jen může ještě však podle mezi bez co mít sa nie som čo ako alebo"
    ),
    "Swedish": (
        "och att det som en på är av för med den till inte har de om ett han men var jag från du kan när så eller ska "
        "alltid aldrig här där bara måste bör inget annan samma bättre därför först eftersom innan utan "
        "mellan mycket varje"
    ),
    "Danish or Norwegian": (
        "og at det som en på er af av for med den til ikke har de om et han men var jeg fra du kan når så eller skal"
    ),
    "Turkish": (
        "ve bir bu için ile da de çok daha olarak olan gibi kadar sonra en ne var mı mi ya her değil ise şekilde olur"
        " zaman hiç burada sadece gerekir iyi başka aynı önce çünkü lazım nasıl"
    ),
    "Indonesian": (
        "yang dan di untuk dengan dari ini itu pada ke tidak dalam adalah anda akan bisa dapat atau juga oleh saat "
        "selalu pernah hanya harus baik sama lebih sebelum setelah karena jika bagaimana sudah belum ada "
        "seperti tersebut"
    ),
    "Vietnamese": "là và của có không được các cho trong một bạn với những để này khi người đến từ thể nếu vào",
    "Romanian": "și în de la cu pe este nu să un o care din pentru mai sunt ca sau dacă după prin poate fi ați fost",
    "Hungarian": "a az és hogy nem is egy van ez meg de csak már ha vagy még mint kell lehet volt között minden után",
    "Finnish": "ja on ei se että en ole oli myös mutta kun tai jos niin joka ovat voi voit sen sekä mukaan jälkeen",
}
"""Words that hardly a sentence does without."""
_LISTS = {name: frozenset(words.split()) for name, words in _WORDS.items()}
_ENGLISH = _LISTS["English"]

_LETTERS_OF = {
    "German": "ßäöü", "Spanish": "ñáéíóú", "Portuguese": "ãõçáéíóúâêô", "French": "œéèêàçîûô", "Polish": "ąćęłńóśźż",
    "Turkish": "ğışçöü", "Czech or Slovak": "ěřůťďčšžýáíé", "Swedish": "åäö", "Danish or Norwegian": "øæå",
    "Romanian": "țșăâî", "Hungarian": "őűáéíóöú", "Italian": "àèìòù", "Finnish": "äö", "Vietnamese": "đơưạảấầếềộợủ",
}  # fmt: skip
"""Small letters that English has in borrowed words at most."""

_ENGLISH_TOO = watch(
    "die per come con en van am la le un de del du des et el al se si son sur pour par plus car tout fin mine "
    "war hat min"
    " men man hay care till met mint sin pro pod volt var med ha ho nu pas dia ser mon tak den der bar bin dan "
    "tot meet ten"
    " fan sa ja te ne na po za ze od ai au da es ca fi um os em ti mi ma non due tra via note"
) | frozenset("bcdjlnouvwyz")
"""Names, abbreviations and borrowed words have them: one alone says nothing."""
_ASCII = watch(
    " ".join(word for words in _WORDS.values() for word in words.split() if word.isascii() and word not in _ENGLISH)
)
_FOREIGN_WORDS = _ASCII - _ENGLISH_TOO
_SHARED_WORDS = (_ASCII & _ENGLISH_TOO) - frozenset("bcdjlnouvwyz")
_ACCENTED = re.compile("[\u00c0-\u024f\u1e00-\u1eff]")
_SQL = re.compile(
    r"(?:^|\n)[ \t]*(?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|WITH|select|insert|update|delete|create|alter)\b"
)
_WORD = re.compile(r"[^\W\d_]+(?:'(?=[^\W\d_]))?")
"""Apart at an apostrophe: "don'" "t", "l'" "eau"."""

_FIRST = re.compile(r"(?m)^[^\w\n]*(?:[0-9]+\W+)?([^\W\d_]+)")
"""Of each line."""

_LEAST_WORDS = 3
_LEAST_SHARE = 0.2
"""Of the words of a text in its language; names, lists and mottos have less."""
_SENTENCE = 8
"""Words of a sentence without a full stop: titles of books and dishes are shorter."""
_ENDED = 3, 5
"""Words of an English sentence with a full stop, and of another one."""
_LONG = 10
"""Words of a sentence in which fewer common words will do: one of English, two of another language."""
_LEAST_LETTERS = {"Chinese": 5, "Japanese": 5, "Korean": 5, "Latin": 12}
_LEAST_LETTERS_ELSE = 12
_SURE = 0.8
"""Share of the letters that are the language's own; names and terms may be of another."""
_LATIN_WEIGHT = 0.4
"""A Latin letter counts so much beside a character of Chinese: five letters are a word, as two characters are."""
_CODE_SIGNS = re.compile(rb"[{}()\[\];=<>_$#|\\]")
_CODE_SHARE = 0.05

_ABOUT_LANGUAGE = re.compile(
    r"translat|language|english|chinese|mandarin|cantonese|french|german|spanish|portuguese|italian|dutch"
    r"|russian|japanese"
    r"|korean|arabic|hebrew|greek|thai\b|hindi|latin\b|bilingual|motto|anthem|proverb|original title"
    r"|commit message|slogan|pronounc|subtitle|lyrics|(?:first|opening) (?:line|sentence)|\btenses?\b|grammar"
    "|第一句|开头|首句|时态|完成时|进行时|过去式|语法|例句"
    "|[中英法德日韩俄泰外双母][语文]|汉语|漢語|國語|普通话|[粤粵]语|西班牙|葡萄牙|意大利|阿拉伯|希腊|拉丁|拼音"
    "|单词|名言|格言|谚语|诗句|原文|原名|全称|缩写|歌名|片名|书名|口号|标语|提示词|提交信息|变量名|單詞|翻[译譯]"
    "|[译譯]|歌词|台词"
    "|[語语]言|traduc|traduire|tradui|перевед|перевод|английск|übersetz|auf deutsch|en français|en español",
    re.IGNORECASE,
)

_NAMES = {
    **{each.lower(): name for name in (*_SCRIPTS, *_LISTS) if name != "Latin" for each in name.split(" or ")},
    "mandarin": "Chinese",
    "中": "Chinese", "汉": "Chinese", "英": "English", "法": "French", "德": "German", "日": "Japanese", "韩": "Korean",
    "俄": "Russian", "泰": "Thai", "西班牙": "Spanish", "葡萄牙": "Portuguese", "意大利": "Italian", "阿拉伯": "Arabic",
    "希腊": "Greek", "荷兰": "Dutch",
}  # fmt: skip
"""What people call the languages."""
_NAMED_WORDS = watch(" ".join(name for name in _NAMES if name.isascii()))
_IN_ENGLISH, _IN_CHINESE = ("|".join(n for n in _NAMES if n.isascii() == ascii_only) for ascii_only in (True, False))
_NAMED = re.compile(rf"\b({_IN_ENGLISH})\b|({_IN_CHINESE})[语文語]", re.IGNORECASE)
_WANTED = re.compile(
    r"\b(?:answer|reply|respond|write|translat\w+|explain|render|put|summari[sz]e|describe|draft|give|continue"
    r"|speak|use"
    r"|tell me|list|your (?:answer|reply|response))\b"
    rf"[^.?!\n\"“:;]{{0,60}}?\b(?:in|into|to)\s(?:simple |plain |formal )?({_IN_ENGLISH})(?=\s*(?:[.,:;!?\n]"
    rf"|please|only|for\b|$))"
    rf"|\b(?:in|into) ({_IN_ENGLISH}) (?:please|only)\b|^\W*in ({_IN_ENGLISH})[,:]"
    rf"|\b(?:write|draft|give|provide)\s(?:me )?(?:an?|the|your)?\s?(?:short |brief )?({_IN_ENGLISH})\s(?:\w+ )?"
    r"(?:text|description|e-?mail|letter|reply|response|answer|summary|translation|version|paragraph|greeting"
    r"|message)\b"
    rf"|[用以]({_IN_CHINESE})[语文語]?来?(?:回答|回复|答复|解释|说明|介绍|概括|总结|翻译|描述|作答|写|答|讲)"
    rf"|(?:回答|回复|答案|答复|输出)[^，。\n]{{0,4}}用({_IN_CHINESE})[语文語]"
    rf"|(?:翻译?|译|译写|改写|改)[成为作]({_IN_CHINESE})[语文語]",
    re.IGNORECASE,
)
"""The language that an answer is asked for in."""
_BESIDE = re.compile(
    r"\b(?:explain|grammar|pronounc\w*|difference|word by word|literal|original"
    r"|both|bilingual"
    r"|title|name|keep|except|comments?|code)\b|怎么|如何|语法|发音|解释(?!这)|区别|注释|双语|对照|原文|逐字|讲解"
    r"|代码|保留",
    re.IGNORECASE,
)
"""There may then be more in the answer, in the question's language."""
_HOW = re.compile(
    r"\bhow (?:do|would|can|to|should)\b(?:[^.?!\n]*\b(?:say|write|spell|express|put|call|pronounce|greet|ask|answer"
    r"|reply)\b)?",
    re.IGNORECASE,
)
"""Asked before the language is named, or of words, it is a question about that language."""
_WORDED = re.compile(r"\b(?:say|write|spell|express|put|call|pronounce|greet|ask|answer|reply)$", re.IGNORECASE)
_ASIDE = re.compile(r"[A-Za-z][A-Za-z ,'\u2019;-]{38,}[A-Za-z][.!?:]?")
"""A sentence of English."""
_ASIDE_WORDS = 8
_ASIDE_KNOWN = 4
"""Of them are among the common ones."""
_ASIDE_IN_CHINESE = re.compile("(?=[^。，！？]*[。，！？])[\u4e00-\u9fff。，！？、]{12,}")


def language_mismatch(example: Example) -> str | None:
    """An answer in another language than its question, where nobody asked for one.

    Languages are told by their script, and those of Latin script that are listed in ``_WORDS`` by common words. A
    question that has the answer's language in it, as that of a text to sum up, is no mismatch; neither is a short
    answer, a name or code. What languages have in common with each other, such as traditional and simplified Chinese,
    or Russian and Ukrainian, is one to this check.
    """
    if example.plain:
        return None
    for asked, answered in pairwise(example.messages):
        if asked.role != "user" or answered.role != "assistant":
            continue
        kind = _kind(asked.content)
        if (wanted := _wanted(asked.content, kind)) and (seen := _languages(answered.content, _SURE)):
            if wanted not in seen and "Latin" not in seen:
                return f"the answer shall be in {wanted}, and is in {seen[0]}"
            continue
        if kind and kind == _kind(answered.content):
            aside = kind == "Chinese" and len(words(answered.content)) >= _ASIDE_WORDS
            if aside and _english_aside(prose(answered.content)) and not _about_language(example):
                return "the answer changes into English"
            continue
        question = _languages(asked.content, 0.1)
        apart = bool(question) and "Latin" not in question and not _LISTS.keys() & set(question)
        answer = _languages(answered.content, _SURE, apart) or _script(answered.content, question)
        if not answer and question and not _about_language(example) and _switched(question, answered.content):
            return f"the question is in {question[0]}, and the answer changes into another language"
        if not answer or not question or set(question) & set(answer) or "Latin" in (*answer, *question):
            continue
        if _about_language(example):
            named = _named("\n".join(example.contents("system", "user")))
            if not named or named & set(answer):
                return None
        return f"the question is in {' and '.join(sorted(question))}, the answer in {answer[0]}"
    return None


def _about_language(example: Example) -> bool:
    return any(
        _ABOUT_LANGUAGE.search(text) or not _NAMED_WORDS.isdisjoint(telling(text))
        for text in example.contents("system", "user")
    )


def _named(text: str) -> set[str]:
    """The languages that the text names, where it says nothing else of languages."""
    if _ABOUT_LANGUAGE.search(_NAMED.sub(" ", text)):
        return set()
    return {_NAMES[(found[1] or found[2]).lower()] for found in _NAMED.finditer(text)}


def _wanted(question: str, kind: str) -> str | None:
    """The language that it asks for, if that is one."""
    in_chinese = kind != "English" and ("语" in question or "文" in question)
    if not in_chinese and (kind == "Chinese" or _NAMED_WORDS.isdisjoint(telling(question))):
        return None
    wanted = list(_WANTED.finditer(question))
    found = {_NAMES[next(filter(None, each.groups())).lower()] for each in wanted}
    if len(found) != 1 or _BESIDE.search(question):
        return None
    how = _HOW.search(question)
    return None if how and (how.start() < wanted[0].end() or _WORDED.search(how[0])) else found.pop()


def _english_aside(text: str) -> bool:
    for found in _ASIDE.finditer(text):
        said = found[0].replace("\u2019", "'").split()
        known = sum(word.strip(",.;:'") in _ENGLISH for word in said)
        if len(said) >= _ASIDE_WORDS and known >= _ASIDE_KNOWN:
            return True
    return False


def _switched(question: tuple[str, ...], answer: str) -> bool:
    """Has the answer a sentence in another language, beside those in the question's?"""
    if "Chinese" in question:
        return _english_aside(prose(answer))
    return "English" in question and _ASIDE_IN_CHINESE.search(prose(answer)) is not None


def _kind(text: str) -> str:
    """English or Chinese, where a glance is enough to tell; it may say "English" of any list of names."""
    if text.isascii():
        return "English" if _like_english(text) else ""
    width = len(text.encode("utf-8", "surrogatepass")) / len(text)
    if width > 2.2:
        return "" if _FOREIGN_LETTER.search(text) else "Chinese"
    return "English" if width < 1.05 and _like_english(text) and not _ACCENTED.search(text) else ""


def _like_english(text: str) -> bool:
    told = telling(text)
    # Words that end in i are rare in English, and every third of Italian.
    if told and not (_FOREIGN_WORDS.isdisjoint(told) and len(_SHARED_WORDS & told) < 2):
        return False
    return text.count("i ", 0, 160) < 3


def _languages(text: str, least: float, apart: bool = False) -> tuple[str, ...]:
    """The languages that have at least this share of the letters in the text's prose, and are sure to be there.

    ``apart``: it belongs to a text in another script, where fewer words will do.
    """
    own = prose(text)
    counts = Counter({name: len(letters.findall(own)) for name, letters in _LETTERS.items()})
    if counts["Japanese"] * 10 >= counts["Chinese"]:
        counts["Japanese"] += counts.pop("Chinese")
    weights = {name: count * (_LATIN_WEIGHT if name == "Latin" else 1) for name, count in counts.items()}
    total = sum(weights.values())
    found: list[str] = []
    for name, count in counts.items():
        if (
            count < _LEAST_LETTERS.get(name, _LEAST_LETTERS_ELSE) * (1 if least > 0.5 else 0.5)
            or weights[name] < least * total
        ):
            continue
        found += _latin(own, least, apart) if name == "Latin" else (name,)
    return tuple(found)


def _script(text: str, asked: tuple[str, ...]) -> tuple[str, ...]:
    """A language told by its script alone, beside commands and names in the question's."""
    own = prose(text)
    counts = {name: len(letters.findall(own)) for name, letters in _LETTERS.items() if name != "Latin"}
    most = max(counts, key=counts.__getitem__)
    if _SCRIPTS.keys().isdisjoint(asked) and counts[most] >= 2 * _LEAST_LETTERS.get(most, _LEAST_LETTERS_ELSE):
        return (most,) if counts[most] * _SURE >= len(_LETTERS["Latin"].findall(own)) * _LATIN_WEIGHT else ()
    return ()


def _latin(text: str, least: float, apart: bool) -> tuple[str, ...]:
    """Which of the languages of Latin script it may be, the likeliest first; "Latin" if that is not sure."""
    if len(_CODE_SIGNS.findall(marks(text))) > _CODE_SHARE * len(text) or _SQL.search(text):
        return ("Latin",)
    words = _WORD.findall(text.replace("\u2019", "'").replace("'s ", " "))
    # Names and titles are written with capitals, and so are words at the beginning.
    firsts = _FIRST.findall(text) if "\n" in text else words[:1]
    seen = frozenset(word for word in words if word.islower()) | frozenset(map(str.lower, firsts))
    accented = [set(word) for word in seen if not word.isascii()]
    scores = Counter({name: len(seen & known) for name, known in _LISTS.items()})
    plain = max(scores.values())
    for name, letters in _LETTERS_OF.items() if accented else ():
        scores[name] += sum(not word.isdisjoint(letters) for word in accented)
    best = max(scores.values())
    if best < _LEAST_SHARE * len(seen) or best < 1:
        return ("Latin",)
    foreign = scores["English"] < best
    if least <= 0.5 and best < 1 + foreign:  # one word of a short question may be a name
        return ("Latin",)
    if least > 0.5:
        ended = text.rstrip()[-1:] in (".", "!", "?", ":")
        few = apart or (len(words) < _LONG and len(seen) >= 3) or (foreign and not scores["English"])
        enough = 1 + foreign if ended and few else _LEAST_WORDS
        if len(words) < (_ENDED[foreign] if ended else _SENTENCE) or best < enough or plain == len(seen):
            return ("Latin",)
    return tuple(name for name, score in scores.most_common() if 1.5 * score > best)


LANGUAGE_MISMATCH = Check(
    code="language-mismatch",
    policy="warn",
    message="the answer is in another language than the question",
    fix="translate one of them, or say in the question which language the answer shall have",
    row=stateless(language_mismatch),
    sampled=True,
)
