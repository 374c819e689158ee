"""The rows of what was fetched."""

from collections.abc import Iterator

from finetune_core.data import RawRow, read_rows
from finetune_storage import Data


def rows_of(data: Data) -> Iterator[RawRow]:
    """The rows of all its files; where there are several, the numbers go on from one file to the next.

    Raises:
        DatasetUnavailable: as ``read_rows``.
    """
    before = number = 0
    for file in data.files:
        for row in read_rows(file.path):
            number = before + row.number
            yield row._replace(number=number) if before else row
        before = number


def described(data: Data) -> str:
    """In a few words, for whoever watches."""
    if len(data.files) > 1:
        return f"{len(data.files)} files of {data.source}"
    name = data.files[0].path.name
    return data.source if data.source.endswith(name) else f"{name} of {data.source}"
