"""Which files of a folder, a prefix or a repository are the dataset: told by their names, or refused.

Nothing is guessed: where names leave it open, the error says what there is and what to write.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from itertools import islice
from pathlib import PurePosixPath

from finetune_core.errors import NotFound, StorageError
from finetune_storage.folder import Entry

MOST_FILES = 10_000
"""Looked at in one place: more is not the folder of a dataset, and listing it could take for ever."""

_KINDS = tuple(
    f"{kind}{packed}"
    for kind in (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
    for packed in ("", ".gz", ".zst")
)
_NO_DATA = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json"}
"""What the hub's libraries write about a dataset beside it."""

_SPLITS = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test", "eval": "test", "evaluation": "test",
    "训练": "train", "验证": "validation", "测试": "test",
}  # fmt: skip
"""Words that tell a split -> the split; the English ones as the hub's libraries take them."""

_CHINESE = re.compile(r"(训练|验证|测试)(数据)?集?$")
"""At the end of a word, since nothing parts Chinese words: 客服训练集."""

_SHARD = re.compile(r"(?P<split>\w[\w.-]*)-(?P<number>\d{5})-of-(?P<count>\d{5})(-[0-9a-f]+)?\.")
"""As in ``train-00000-of-00002.parquet``."""

_SHOWN = 5


def choose(entries: Iterable[Entry], split: str, where: str, *, named: bool = False) -> list[Entry]:
    """The files that make up a dataset, in the order of their names: one, or several of one kind in one folder.

    Args:
        entries: every file there.
        split: the one to take where names tell splits apart.
        where: the place, for messages.
        named: the person asked for that split; else what has no split, or a single one, is taken whatever it is.

    Raises:
        NotFound: there is no data, or no such split.
        StorageError: the names leave open what is meant, or parts are missing.
    """
    by_split: dict[str | None, list[Entry]] = defaultdict(list)
    for entry in bounded(entries, where):
        if is_data(entry.path):
            by_split[_split(entry.path)].append(entry)
    if not by_split:
        raise NotFound(f"{where} holds no data: put a file there that ends with .jsonl, .json, .csv, .tsv or .parquet")
    taken = next(iter(by_split)) if len(by_split) == 1 and not named else split
    if taken not in by_split:
        known = sorted(found for found in by_split if found is not None)
        there = f"the splits {_some(known)}" if known else "no splits"
        raise NotFound(f"{where} has no split {split!r}: there are {there}; name a file or a split of it")
    chosen = sorted(by_split[taken], key=lambda entry: entry.path)
    beside = by_split[None] if taken is not None else []
    _refuse_unlike(chosen, beside, where)
    _refuse_incomplete(chosen, where)
    return chosen


def bounded(entries: Iterable[Entry], where: str) -> list[Entry]:
    """The entries, if they are not more than ``MOST_FILES``.

    Raises:
        StorageError: they are.
    """
    found = list(islice(entries, MOST_FILES + 1))
    if len(found) > MOST_FILES:
        raise StorageError(f"{where} holds more than {MOST_FILES:,} files: name one of them, or a smaller folder")
    return found


def canonical(split: str) -> str:
    """A split's own name, for one that goes by several."""
    return _told(split) or split


def is_data(path: str) -> bool:
    """Whether the name is that of data; hidden ones are not, as .cache/a.json and _temporary/b.csv."""
    parts = path.split("/")
    return bool(_kind(path)) and parts[-1].lower() not in _NO_DATA and not any(p.startswith((".", "_")) for p in parts)


def _kind(path: str) -> str:
    """How the name of a data file ends; empty for another."""
    return next((kind for kind in _KINDS if path.lower().endswith(kind)), "")


def _split(path: str) -> str | None:
    """The split that the name tells: a part's prefix, else a word in it, else the folder it lies in."""
    *folders, name = path.split("/")
    if shard := _SHARD.match(name):
        return canonical(shard["split"])
    if found := {split for word in re.split(r"[\W\d_]+", name.partition(".")[0]) if (split := _told(word))}:
        return found.pop() if len(found) == 1 else None
    return next((split for folder in reversed(folders) if (split := _told(folder))), None)


def _told(word: str) -> str | None:
    """The split that a word names."""
    chinese = _CHINESE.search(word)
    return _SPLITS.get(chinese[1] if chinese else word.lower())


def _refuse_unlike(chosen: list[Entry], beside: list[Entry], where: str) -> None:
    kinds = sorted({_kind(entry.path) for entry in chosen})
    if len(kinds) > 1:
        raise StorageError(f"{where} holds files of several kinds ({', '.join(kinds)}): name one file")
    folders = sorted({str(PurePosixPath(entry.path).parent) for entry in chosen})
    if len(folders) > 1:
        raise StorageError(f"{where} holds data in several folders ({_some(folders)}): name one of them")
    # Taken along it might be a test set, left out it might be half of the rows.
    if stray := [entry.path for entry in beside if _kind(entry.path) == kinds[0]]:
        raise StorageError(
            f"{where}: {_some([entry.path for entry in chosen])} and, of no split, {_some(stray)} lie beside each "
            "other: name one file, or move what is not meant away"
        )


def _refuse_incomplete(chosen: list[Entry], where: str) -> None:
    """Files numbered ``-of-`` must all be there, once: a part that is missing would be missed by nobody."""
    shards = [shard for entry in chosen if (shard := _SHARD.match(entry.path.rpartition("/")[2]))]
    if not shards:
        return
    counts = sorted({shard["count"] for shard in shards})
    numbers = [int(shard["number"]) for shard in shards]
    if len(counts) > 1 or len(shards) < len(chosen) or len(set(numbers)) < len(numbers):
        raise StorageError(f"{where} mixes parts of several exports ({_some([e.path for e in chosen])}): keep one")
    if missing := sorted(set(range(int(counts[0]))) - set(numbers)):
        raise StorageError(
            f"{where} lacks part {missing[0]:05} of {counts[0]}"
            f"{f' and {len(missing) - 1} more' if len(missing) > 1 else ''}: upload it again"
        )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
