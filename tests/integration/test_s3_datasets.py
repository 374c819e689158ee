"""Datasets in S3: an object, or the data below a prefix, hashed on its way and no larger than may be."""

import hashlib
import os
from pathlib import Path

import pytest

from finetune_core.contract import Place
from finetune_core.errors import NotFound, StorageError
from finetune_storage import fetch_dataset, open_folder
from servers import S3Server, proxy

ROW = b'{"instruction": "q", "output": "a"}\n'


def left(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_an_object_of_several_parts_is_hashed_on_its_way(place: Place, tmp_path: Path) -> None:
    content = os.urandom(40 * 2**20)
    (tmp_path / "large").write_bytes(content)
    open_folder(place).upload(tmp_path / "large", "客服.jsonl")
    sha256 = hashlib.sha256(content).hexdigest()
    data = fetch_dataset(place.below("客服.jsonl"), tmp_path / "into", sha256=sha256)
    (file,) = data.files
    assert (file.path, file.sha256) == (tmp_path / "into" / "客服.jsonl", sha256)
    assert file.path.read_bytes() == content
    assert data.source == f"{place.uri}/客服.jsonl at {place.endpoint_url}"
    with pytest.raises(StorageError, match=f"its SHA-256 is {sha256}, not 0{{64}} as dataset.sha256 says"):
        fetch_dataset(place.below("客服.jsonl"), tmp_path / "into", sha256="0" * 64)


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_prefix_is_its_data(place: Place, tmp_path: Path, slash: str) -> None:
    folder = open_folder(place)
    for name in ("data/b.jsonl", "data/a.jsonl", "data/README.md", "data-2/c.jsonl"):
        folder.write(name, name.encode())
    data = fetch_dataset(place.model_copy(update={"uri": f"{place.uri}/data{slash}"}), tmp_path / "into")
    assert [file.path.read_bytes() for file in data.files] == [b"data/a.jsonl", b"data/b.jsonl"]
    assert len(left(tmp_path / "into")) == 2


def test_a_prefix_with_splits(place: Place, tmp_path: Path) -> None:
    folder = open_folder(place)
    for name in ("train/a.jsonl", "test/a.jsonl", "dev/a.jsonl"):
        folder.write(name, name.encode())
    assert fetch_dataset(place, tmp_path / "a").files[0].path.read_bytes() == b"train/a.jsonl"
    assert fetch_dataset(place, tmp_path / "b", "validation").files[0].path.read_bytes() == b"dev/a.jsonl"


def test_nothing_and_no_data(place: Place, tmp_path: Path) -> None:
    open_folder(place).write("model/weights.safetensors", b"x")
    for path in ("missing", "model"):
        with pytest.raises(NotFound, match=f"{path} at .* holds no data: put a file there that ends with .jsonl"):
            fetch_dataset(place.below(path), tmp_path / "into")
    assert left(tmp_path) == [*left(tmp_path / "credentials")]


def test_what_is_over_the_limit_is_not_kept(
    s3: S3Server, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINETUNE_MAX_DATASET_BYTES", str(2 * len(ROW) - 1))
    folder = open_folder(place)
    folder.write("data/a.jsonl", ROW)
    folder.write("data/b.jsonl", ROW)
    with pytest.raises(StorageError, match=r"data at .* has 72 bytes, and the limit is 71: train on a part of it"):
        fetch_dataset(place.below("data"), tmp_path / "into")
    folder.write("large.jsonl", ROW * 1000)
    with pytest.raises(StorageError, match=r"large.jsonl at .* has more than 71 bytes, and the limit is 71"):
        fetch_dataset(place.below("large.jsonl"), tmp_path / "into")
    assert left(tmp_path / "into") == []


@pytest.mark.parametrize("key", ["../../evil.json", "a/../evil.json", "/etc/evil.json"])
def test_keys_that_lead_out_are_refused(place: Place, tmp_path: Path, key: str) -> None:
    """No honest server stores such a key, so a proxy writes it into the listing."""
    open_folder(place.below("data")).write("innocent.json", ROW)

    def rename(_: str, content: bytes) -> bytes:
        return content.replace(b"innocent.json", key.encode())

    with proxy(place.endpoint_url or "", alter=rename) as url, pytest.raises(StorageError, match="is no path below"):
        fetch_dataset(place.below("data").model_copy(update={"endpoint_url": url}), tmp_path / "in" / "to")
    assert left(tmp_path / "in") == []


def test_a_server_that_dies_leaves_nothing(place: Place, tmp_path: Path) -> None:
    open_folder(place).write("a.jsonl", ROW)
    with proxy(place.endpoint_url or "", fails=lambda _: True) as url, pytest.raises(StorageError, match="503"):
        fetch_dataset(place.below("a.jsonl").model_copy(update={"endpoint_url": url}), tmp_path / "into")
    assert left(tmp_path / "into") == []
