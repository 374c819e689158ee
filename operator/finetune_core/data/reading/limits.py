"""How far compressed data may grow. No dataset needs more, and a bomb must not fill memory or run for days."""

from collections.abc import Sequence

from finetune_core.errors import DatasetUnavailable

MAX_UNPACKED_BYTES = 64 * 2**30
"""A hundred times the 600 MB that a million rows come to; no fine-tuning reads so much."""

MAX_RATIO = 200
"""The quickstart's rows shrink to a quarter; rows made from one template, at worst, to a 20th (gzip) or an 85th (zstd).
Bombs shrink to a thousandth and less."""

MAX_COLUMNS = 1000
"""Of a table. A training example needs less than ten."""

UNSUSPICIOUS_BYTES = 64 * 2**20
"""A small file of one line repeated is poor data and no danger."""


def refuse_many_columns(count: int, name: str) -> None:
    """Refuse a table that has too many columns."""
    if count > MAX_COLUMNS:
        raise DatasetUnavailable(
            f"{name}: has {count:,} columns, more than {MAX_COLUMNS:,}: leave out those that are not trained on"
        )


def refuse_twice(names: Sequence[str], name: str) -> None:
    """Refuse a table that has two columns of one name."""
    if len(set(names)) < len(names):
        twice = next(column for column in names if names.count(column) > 1)
        raise DatasetUnavailable(f"{name}: has column {twice[:40]!r} twice: rename one of them")


def refuse_bomb(unpacked: int, packed: int, name: str, *, unsuspicious: int = UNSUSPICIOUS_BYTES) -> None:
    """Refuse what grows too far.

    Args:
        unpacked: bytes so far, or as the file declares them.
        packed: the bytes that they came from.
        name: for the message.
        unsuspicious: size up to which any ratio is fine.

    Raises:
        DatasetUnavailable: a limit is passed.
    """
    if unpacked > MAX_UNPACKED_BYTES:
        raise DatasetUnavailable(
            f"{name}: holds more than {MAX_UNPACKED_BYTES // 2**30} GiB once decompressed: split it"
        )
    if unpacked > max(unsuspicious, MAX_RATIO * packed):
        raise DatasetUnavailable(
            f"{name}: grows to more than {MAX_RATIO} times its size when decompressed, as no dataset does: "
            "if you trust it, write it as plain JSONL"
        )
