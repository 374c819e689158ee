"""Which place is served how, and what that costs to import."""

import subprocess
import sys
from pathlib import Path

import pytest

from finetune_core.contract import Place
from finetune_core.errors import InvalidSpec, NotFound, StorageError
from finetune_storage import fetch, fetch_dataset, open_folder, sha256_of


def test_a_local_place_is_fetched_as_itself(tmp_path: Path) -> None:
    data = tmp_path / "träin data.jsonl"
    data.write_text("{}")
    assert fetch(Place(uri=data.as_uri()), tmp_path / "into") == data
    assert fetch(Place(uri=tmp_path.as_uri()), tmp_path / "into") == tmp_path
    assert not (tmp_path / "into").exists()


def test_a_missing_local_place(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=f"nothing lies at {tmp_path}/missing: check the path"):
        fetch(Place(uri=f"file://{tmp_path}/missing"), tmp_path)


def test_a_volume_of_a_cluster_cannot_be_written() -> None:
    with pytest.raises(InvalidSpec, match="pvc://claim/out is a volume of a cluster: ftj run needs file:"):
        open_folder(Place(uri="pvc://claim/out"))


def test_a_model_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="hf://org/name is a model, where a dataset is needed: write hf://datasets/"):
        fetch_dataset(Place(uri="hf://org/name"), tmp_path)


def test_a_web_server_cannot_be_written() -> None:
    with pytest.raises(InvalidSpec, match=r"^https://host/a can only be read: write an output as s3://bucket/prefix"):
        open_folder(Place(uri="https://host/a?signature"))


def test_the_hub_cannot_be_written() -> None:
    with pytest.raises(InvalidSpec, match="can only be read: write an output as s3://bucket/prefix"):
        open_folder(Place(uri="hf://org/name"))


@pytest.mark.parametrize(
    ("uri", "advice"),
    [
        ("hf://datasets/org/name", "is a dataset, where a model is needed: write hf://org/name"),
        ("hf://org/name/model.safetensors", "write hf://org/name, the whole model"),
        ("https://host/file?signature", "^https://host/file can only be a dataset: write hf://org/name or s3://"),
        ("gs://bucket/a", "write hf://org/name, s3://bucket/prefix, pvc://claim/path or file:///path"),
        ("pvc://claim/data.jsonl", "pvc://claim/data.jsonl is a volume of a cluster: ftj run needs file:"),
    ],
)
def test_what_cannot_be_fetched(uri: str, advice: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match=advice):
        fetch(Place(uri=uri), tmp_path)


def test_sha256_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(NotFound, match="missing"):
        sha256_of(tmp_path / "missing")
    with pytest.raises(StorageError, match="Is a directory"):
        sha256_of(tmp_path)


def test_only_places_of_a_library_import_it() -> None:
    code = (
        "import sys; from finetune_core.contract import Place; import finetune_storage as storage\n"
        "storage.open_folder(Place(uri='file:///tmp'))\n"
        "print(sorted({'boto3', 'botocore', 'huggingface_hub', 'httpcore2'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
