"""What every output place promises, held against a folder of this machine and against a real S3 server."""

import gc
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from finetune_core.contract import ManifestFile, Place
from finetune_core.errors import NotFound, StorageError
from finetune_storage import Folder, open_folder


@pytest.fixture(params=["local", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    if request.param == "local":
        return open_folder(Place(uri=(tmp_path / "output").as_uri()))
    return open_folder(request.getfixturevalue("place"))


def listing(folder: Folder) -> dict[str, int]:
    return {entry.path: entry.size_bytes for entry in folder.list()}


def test_a_place_that_does_not_exist_yet_is_empty(folder: Folder) -> None:
    assert listing(folder) == {}


def test_what_is_written_can_be_read_and_listed(folder: Folder) -> None:
    folder.write("manifest.json", b"{}")
    folder.write("checkpoints/step-1/a b+c=ü.json", b"12345")
    assert folder.read("manifest.json") == b"{}"
    assert folder.read("checkpoints/step-1/a b+c=ü.json") == b"12345"
    assert listing(folder) == {"manifest.json": 2, "checkpoints/step-1/a b+c=ü.json": 5}


def test_writing_again_replaces(folder: Folder) -> None:
    folder.write("a", b"first, and longer")
    folder.write("a", b"second")
    assert folder.read("a") == b"second"
    assert listing(folder) == {"a": 6}


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_a_file_makes_the_round_trip(folder: Folder, tmp_path: Path, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    (tmp_path / "local").write_bytes(content)
    stored = folder.upload(tmp_path / "local", "adapter/weights.safetensors")
    assert stored == ManifestFile(
        path="adapter/weights.safetensors", size_bytes=size, sha256=hashlib.sha256(content).hexdigest()
    )
    folder.download("adapter/weights.safetensors", tmp_path / "new" / "folder" / "back")
    assert (tmp_path / "new" / "folder" / "back").read_bytes() == content


def test_uploading_again_replaces(folder: Folder, tmp_path: Path) -> None:
    for content in (b"first", b"second one"):
        (tmp_path / "local").write_bytes(content)
        folder.upload(tmp_path / "local", "a")
    assert folder.read("a") == b"second one"


def test_downloading_again_replaces(folder: Folder, tmp_path: Path) -> None:
    folder.write("a", b"new")
    (tmp_path / "back").write_bytes(b"something longer")
    folder.download("a", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"new"


def test_what_is_missing_is_not_found(folder: Folder, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="missing"):
        folder.read("missing")
    with pytest.raises(NotFound, match="missing"):
        folder.download("missing", tmp_path / "back")
    with pytest.raises(NotFound, match="no-such-file"):
        folder.upload(tmp_path / "no-such-file", "a")
    assert not (tmp_path / "back").exists()
    assert listing(folder) == {}


def test_delete_takes_the_name_and_all_below_it_and_no_neighbour(folder: Folder) -> None:
    for path in ("step-1", "step-10/a", "step-2/a", "step-2/b/c", "step-20/a"):
        folder.write(path, b"x")
    folder.delete("step-1")
    folder.delete("step-2")
    assert set(listing(folder)) == {"step-10/a", "step-20/a"}


def test_deleting_nothing_is_no_error(folder: Folder) -> None:
    folder.delete("nothing")
    folder.delete("nothing/at/all")
    folder.delete("")
    folder.write("a", b"x")
    folder.delete("a/b")
    assert set(listing(folder)) == {"a"}


def test_delete_without_a_name_takes_everything(folder: Folder) -> None:
    folder.write("a", b"x")
    folder.write("b/c", b"x")
    folder.delete("")
    assert listing(folder) == {}
    folder.write("a", b"x")
    assert set(listing(folder)) == {"a"}


@pytest.mark.parametrize(
    "path", ["../a", "/etc/passwd", "a/../../b", "a//b", "./a", "a/", "..", "a\0b", "a\nb", "\ud800"]
)
def test_paths_that_lead_out_are_refused(folder: Folder, tmp_path: Path, path: str) -> None:
    local = tmp_path / "local"
    local.write_bytes(b"untouched")
    uses: list[Callable[[], object]] = [
        lambda: folder.read(path),
        lambda: folder.write(path, b"x"),
        lambda: folder.upload(local, path),
        lambda: folder.download(path, local),
        lambda: folder.delete(path),
    ]
    for use in uses:
        with pytest.raises(StorageError, match="no path below"):
            use()
    assert local.read_bytes() == b"untouched"
    assert listing(folder) == {}


def test_a_large_file_is_not_read_into_memory(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finetune_storage.folder.READ_LIMIT_BYTES", 10)
    folder.write("a", b"x" * 10)
    assert len(folder.read("a")) == 10
    folder.write("a", b"x" * 11)
    with pytest.raises(StorageError, match="11 bytes"):
        folder.read("a")


@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
def test_a_volume_without_space_says_so(folder: Folder, full_volume: Path) -> None:
    folder.write("large", bytes(3 * 2**20))
    with pytest.raises(StorageError, match=r"no space is left for .*full-volume/back .*free some") as caught:
        folder.download("large", full_volume / "back")
    assert "\n" not in str(caught.value)
    assert list(full_volume.iterdir()) == []
    del caught
    gc.collect()  # s3transfer leaves the answer that it could not store open; it is not to be another test's surprise


def test_the_uri_is_the_places_own(folder: Folder) -> None:
    assert folder.uri.endswith(("/output", "/runs/one"))
