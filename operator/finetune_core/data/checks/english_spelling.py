"""English words written wrong, told by a dictionary.

A word that it does not know and that is one slip away from a frequent one was meant to be that. The dictionary with
its frequencies is pyspellchecker's (MIT), of American subtitles; British spellings are told by rule. Words that it is
too old to know, and mistakes that are further away or words of another kind, are lists of our own.
"""

import gzip
import re
from collections.abc import Iterator, Mapping, Set
from functools import cache, lru_cache
from importlib import resources
from string import ascii_lowercase
from typing import NamedTuple

from finetune_core.data.checks.glance import lowered, telling, watch, words
from finetune_core.data.checks.word_lists import listed

_SHORTEST = 5
"""Letters; most strings of four are one slip away from some word."""
_LONG = 7
_FREQUENT, _FREQUENT_IF_LONG = 5_000, 300
"""Times in the subtitles that a word must be there to be meant; long ones are not alike by chance."""
_FOREIGN = 0.2
"""Share of unknown words in a text of another language, or of names and code."""
_VOWELS = "aeiou"
_MEDICINE = re.compile(
    "(?:sartan|olol|pril|statin|azole|mycin|micin|cillin|mab|[ct]inib|vir|gliptin|gliflozin|dipine|setron|triptan|oxacin"
    "|cycline|azepam|zolam|caine|parin|xaban|glutide|thiazide|semide|barbital|profen|coxib|formin|gatran|lukast|terol"
    "|sone|olone|tidine|platin|taxel|rubicin|pramine|oxetine|apine|idone|azine|vudine|floxacin|conazole)s?$"
)
"""What the World Health Organization's names of drugs end in: no dictionary has them all."""
_BRITISH = (
    ("our", "or"), ("tre", "ter"), ("is", "iz"), ("ys", "yz"), ("ll", "l"), ("ae", "e"), ("oe", "e"),
    ("ogue", "og"), ("mme", "m"), ("ce", "se"), ("ewell", "ewel"), ("ould", "old"), ("ett", "et"),
)  # fmt: skip

_MISSPELLED = frozenset(word.encode() for word in listed("misspelled.txt"))


_CONFUSED = tuple(
    (watch(gate), re.compile(pattern))
    for gate, pattern in (
        ("welcome going unsure able", "your (?:welcome(?=[.!,]|$)|going to|able to|unsure)"),
        ("sure looking using having new", "if your (?:not|sure|looking|using|having|new to)"),
        (
            "under over a an the in at on unable still already interested happy allergic pregnant sick ready eligible"
            " registered logged signed entitled not",
            "(?:if|when|unless|because|since|once|while|whether) your (?:under (?:\\d+|the)|over \\d+|an?|the|in|at|on"
            "|unable|still|already|interested|happy|allergic|pregnant|sick|ready|eligible|registered|logged in"
            "|signed in"
            "|entitled|not)",
        ),
        (
            "cant wont",
            "(?:i|you|we|they|it|he|she|that|this|there|still|and|but|or|who|which|just|simply|really) (?:cant|wont)"
            " [a-z]+",
        ),
        (
            "too",
            "(?:how|want|wants|need|needs|able|going|try|trying|order|ways?|allowed|wish|decide|plan|free|willing|like"
            "|have|has|used|ready|easy|best) too (?:save|get|make|use|find|do|be|have|go|take|keep|open|check|apply"
            "|write"
            "|choose|learn|help|see|buy|pay|install|change|clean|start|avoid|prevent|improve|reduce|manage|work|set|add"
            "|remove|create|cancel|contact|book|send|give|read|wait|bring|return|visit|ask|call|eat|drink)",
        ),
        ("own", "it's own"),
        (
            "form",
            "(?:away|comes?|came|received|downloaded|bought|far|different|apart|protects?|prevents?|starting|days?|weeks?"
            "|hours?|months?|minutes|anything|everything|remove|removed) form (?:the|an?|your|our|us|this|any|\\d+)",
        ),
        (
            "account password passport doctor computer documents receipt luggage laptop appointment device insurance"
            " settings profile browser",
            "(?:enter|check|bring|update|change|lose|of|in|with|from|on|for|to|at) you (?:account|password|passport"
            "|doctor"
            "|computer|documents?|receipt|luggage|laptop|appointment|device|insurance|settings|profile|browser)",
        ),
        (
            "turn switch shut turned switched",
            "(?:turn|switch|shut|turned|switched) of (?:the (?:power|water|gas|device|engine|machine|lights?|heating"
            "|tap"
            "|valve|oven|computer|router)|your (?:phone|device|computer|router))",
        ),
        (
            "break breaks",
            "(?:hand|parking|emergency|disc|front|rear) breaks?(?! (?:down|up|out|in|into|through|room))"
            "|breaks? (?:pads?|fluid|discs?|pedals?|lights?|lines?(?= (?:of|are|is)))",
        ),
        ("desert", "for desert|desert (?:menu|wine|spoon|fork)"),
        ("weak weaks", "(?:next|per|last|every|this|each|a) weak(?=[.,;!]|$)|(?:two|three|four|six|\\d+) weaks"),
        ("chose", "(?:to|can|please|must|should|will|could) chose"),
        (
            "lose",
            "(?:came?|come|comes|work|works|hang|too|is|are) lose|lose (?:screws?|bolts?|threads?|wires?|cables?)",
        ),
        ("advise", "(?:some|medical|legal|good|professional|for|any|financial) advise(?! (?:you|us|them|him|her|me))"),
        ("dose", "(?:it|how|what|this|that|why|where|when) dose (?:not|the|it|this|that|an?|one|your)"),
        ("aloud", "(?:is|are|not|isn't|aren't) aloud"),
        ("hear", "hear (?:is|are) (?:the|your|our|some|an?)"),
        ("principle principal", "(?:school|vice) principle|in principal"),
        ("stationary", "stationary (?:shop|store|supplies|cupboard)"),
        (
            "are",
            "(?:contact|visit|call|join|reach|on|at|from|via|ask) are (?:team|website|store|office|support team|staff"
            "|service desk|customer service)",
        ),
        ("its", "its (?:an?|the|not|been|going to|important to|recommended|possible to|best to|safe to|worth)"),
        (
            "then",
            "(?:more|less|better|worse|rather|larger|smaller|bigger|higher|lower|greater|fewer|longer|shorter"
            "|faster|slower"
            "|older|easier|cheaper|stronger|heavier|lighter|thicker|thinner) then (?:the|an?|it|you|we|they|one|two|any"
            r"|expected|others?|usual|before|what|that|this|your|my|\d[\d.,]*|\w+ing)",
        ),
        (
            "loose",
            "(?:will|can|may|might|could|would|don't|not|to|you'll|never) loose (?:your|the|an?|it|any|all|my|his"
            "|weight|money|data|time|track|access|interest|power|signal|control)",
        ),
        ("affect affects", "(?:the|an|no|any|side|negative|positive|bad|good|main|same) affects?"),
        (
            "effect effects",
            "(?:will|can|may|might|could|would|not|does|negatively|directly|this|it) effects? (?:the|your|how|you"
            "|performance|our|my|his|their|people)",
        ),
        (
            "should could would must might",
            "(?:should|could|would|must|might) of (?!course|the|these|those|this|that|all|my|your|his|her|their"
            "|our|us|you"
            "|them|me|a|an)\\w+",
        ),
        ("their", "their (?:is|are|was|were|will be|has been)"),
        (
            "much late small big expensive hot cold heavy tight loud soon",
            "(?:is|are|was|were|be|it's|way|far) to (?:much|late|small|big|expensive|hot|cold|heavy|tight|loud|soon)",
        ),
        (
            "you're",
            "(?:off|of|in|on|with|from|into|onto|at|by|to|update|enter|lose|check|bring|charge|clean|reset) you're"
            "(?! (?:not|going|in|on|at|sure|done|ready|able|being|looking)\\b) \\w+"
            "|you're (?:own|account|order|password|data|name|family|phone|computer|card|address|device|team|house"
            "|skin|body"
            "|bill|car|money|job|doctor|bank|baby|dog|cat|child|children|kids|home|room|flight|ticket|email|request)",
        ),
        (
            "there",
            "(?:leave|lose|lost|raise|build|built|feed|make|made|bring|brought|took|take|sell|sold|share|spend"
            "|spent|protect"
            "|wash) there"
            " (?!(?:is|are|was|were|a|an|the|for|to|at|in|on|and|or|but|until|by|when|if|as|before|after|today"
            "|tomorrow|again|too"
            "|with|will|would|has|have|had|can|could|may|might|must|should|are|isn't|aren't|every|each|since|first"
            "|alone|from"
            "|so|then|now|because|without|within|during|early|late|next|only|also|often|usually|that|you|we|they"
            "|he|she|it|i"
            "|comes?|came|goes|went|may|seems?|remains?|about|around|yourself|themselves|once|twice|more|less|not"
            "|no|any|some"
            "|instead|directly|safely|anyway|either|overnight)\\b)[a-z]{3,}"
            "|(?:on|in) there (?:own|homes?|lives|phones?|families|children|jobs?)|there own",
        ),
        ("weather", "weather or not|(?:know|check|decide|ask|wonder|unsure|sure|see) weather"),
        ("advice", "(?:to|will|please|can|we|i|would|strongly) advice (?:you|against|that|to|him|her|them)"),
        ("breath", "(?:to|and|please|then|can't|cannot) breath (?:in|out|deeply|slowly|normally|through)"),
        ("quiet", "quiet (?:an?|often|easy|expensive|simple|good|long|a bit)"),
        ("who's whose", "who's (?:own|name|job|fault|turn|idea|car|house)"),
        (
            "except",
            "(?:please|to|will|we|they|not|don't) except (?:the|your|our|cash|cards?|credit|returns?|any)",
        ),
        ("past passed", "(?:in|over) the passed (?:year|week|month|few|two|three|day)s?"),
        ("everyday", "(?:happens?|works?|open|daily|eat|take|it|them) everyday(?=[.,;!]|$)"),
    )
)
"""Words for others that sound alike, where what stands beside them tells: "if your not sure", "better then before"."""


class _Dictionary(NamedTuple):
    known: Set[bytes]
    short: Set[str]
    """Words of four letters that are used so often that one more letter is a slip: "dataa", "askes"."""
    frequent: Mapping[str, int]
    """How often each word is used that may be meant."""


@cache
def _dictionary() -> _Dictionary:
    # The library's own class keeps three times the memory, in each of the processes that look at rows.
    packed = resources.files("spellchecker").joinpath("resources", "en.json.gz").read_bytes()
    known: set[bytes] = {word.encode() for word in listed("english_new_words.txt")}
    frequent: dict[str, int] = {}
    short: set[str] = set()
    for found in re.finditer(rb'"([^"]+)": ?([0-9]+)', gzip.decompress(packed)):
        word, count = found.groups()
        if word not in _MISSPELLED:
            known.add(word)
            if int(count) >= _FREQUENT_IF_LONG and len(word) >= _SHORTEST:
                frequent[word.decode()] = int(count)
            elif len(word) == _SHORTEST - 1 and int(count) >= _FREQUENT:
                short.add(word.decode())
    return _Dictionary(known, short, frequent)


def confused(text: str) -> Iterator[re.Pattern[str]]:
    """Patterns of confused words that may match in the text."""
    told, small = telling(text), lowered(text)
    for gate, pattern in _CONFUSED:
        if not gate.isdisjoint(told) and pattern.search(small):
            yield re.compile(rf"(?<![\w'’-])(?:{pattern.pattern})(?![\w'’-])", re.IGNORECASE)


def misspelled(text: str) -> set[str]:
    """Words of the text, in small letters, that are written wrong; names may be among them."""
    told = words(text)
    unknown = set(told) - _dictionary().known
    found = {word.decode() for word in _MISSPELLED & unknown}
    unknown = {word for word in unknown - _MISSPELLED if len(word) >= _SHORTEST and word.isalpha()}
    if len(unknown) <= max(2, _FOREIGN * len(told)):
        found |= {word for each in unknown if _is_slip(word := each.decode())}
    return found


@lru_cache(maxsize=16384)
def _is_slip(word: str) -> bool:
    dictionary = _dictionary()
    if len(word) >= _LONG and _MEDICINE.search(word):
        return False
    if any(part in word and word.replace(part, other).encode() in dictionary.known for part, other in _BRITISH):
        return False
    if len(word) == _SHORTEST:
        doubled = {word[:place] + word[place + 1 :] for place in range(2, _SHORTEST) if word[place] == word[place - 1]}
        if not dictionary.short.isdisjoint(doubled | ({f"{word[:-2]}s"} if word.endswith("es") else set())):
            return True
    return any(
        dictionary.frequent.get(meant, 0) >= (_FREQUENT_IF_LONG if len(meant) >= _LONG else _FREQUENT)
        for meant in _meant(word)
    )


def _meant(word: str) -> Iterator[str]:
    """The word with a letter more, with one less, with two turned, or with another vowel; the first letter stays."""
    for place in range(1, len(word) + 1):
        before, after = word[:place], word[place:]
        yield from (before + letter + after for letter in ascii_lowercase)
        if after:
            yield before + after[1:]
        if len(after) > 1:
            yield before + after[1] + after[0] + after[2:]
        if after[:1] in _VOWELS:
            yield from (before + vowel + after[1:] for vowel in _VOWELS if after)
