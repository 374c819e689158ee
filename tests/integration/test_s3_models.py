"""A model of many files in S3: they come side by side, the first that fails ends it, and a line says how far it is."""

import os
import threading
import time
from pathlib import Path

import pytest
from boto3.s3.transfer import TransferConfig

from finetune_core.contract import Place
from finetune_core.errors import StorageError
from finetune_storage import fetch, open_folder
from servers import S3Server, proxy

SHARDS = 4


@pytest.fixture
def model(place: Place) -> dict[str, bytes]:
    """The files of a stored model."""
    files = {f"model-{number}.safetensors": os.urandom(2**20) for number in range(SHARDS)} | {"config.json": b"{}"}
    folder = open_folder(place.below("model"))
    for name, content in files.items():
        folder.write(name, content)
    return files


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def through(place: Place, url: str) -> Place:
    return place.below("model").model_copy(update={"endpoint_url": url})


def test_files_come_side_by_side(s3: S3Server, place: Place, model: dict[str, bytes], tmp_path: Path) -> None:
    """The server answers for a shard only when it is asked for all of them."""
    all_asked_for = threading.Barrier(SHARDS, timeout=30)

    def wait(method: str, content: bytes) -> bytes:
        if method == "GET" and content in model.values() and len(content) > 100:
            all_asked_for.wait()
        return content

    with proxy(s3.url, alter=wait) as url:
        assert files_in(fetch(through(place, url), tmp_path / "into")) == model


def test_a_damaged_shard_is_named_and_nothing_is_left(
    s3: S3Server, place: Place, model: dict[str, bytes], tmp_path: Path
) -> None:
    def damage(_: str, content: bytes) -> bytes:
        return b"?" + content[1:] if content == model["model-2.safetensors"] else content

    with (
        proxy(s3.url, alter=damage) as url,
        pytest.raises(StorageError, match=r"^model-2\.safetensors below s3://.* the bytes that came are not those"),
    ):
        fetch(through(place, url), tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []


def test_the_first_that_fails_ends_the_others(
    s3: S3Server, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = 200
    monkeypatch.setattr(
        "finetune_storage.s3._TRANSFER", TransferConfig(multipart_threshold=2**10, multipart_chunksize=2**10)
    )
    folder = open_folder(place.below("model"))
    folder.write("a.json", b"damaged")
    folder.write("b.safetensors", bytes(parts * 2**10))
    given = []

    def damage(method: str, content: bytes) -> bytes:
        if method == "GET" and len(content) == 2**10:
            given.append(content)
            time.sleep(0.1)
        return content.replace(b"damaged", b"DAMAGED")

    with proxy(s3.url, alter=damage) as url, pytest.raises(StorageError, match=r"a\.json below"):
        fetch(through(place, url), tmp_path / "into")
    assert len(given) < parts / 2
    assert list((tmp_path / "into").iterdir()) == []


def test_how_much_has_come_of_how_much(
    place: Place, model: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("finetune_storage.meter.TELL_SECONDS", 0)
    told: list[tuple[int, int]] = []
    fetch(place.below("model"), tmp_path, tell=lambda come, total: told.append((come, total)))
    size = sum(map(len, model.values()))
    assert told == sorted(told)
    assert len(told) > SHARDS
    assert (told[-1][0], {total for _, total in told}) == (size, {size})

    monkeypatch.setattr("finetune_storage.meter.TELL_SECONDS", 60)
    told.clear()
    fetch(place.below("model"), tmp_path, tell=lambda come, total: told.append((come, total)))
    assert told == []
