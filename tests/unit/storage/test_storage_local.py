"""A folder of this machine: whole or not at all, and never outside itself."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from finetune_core.contract import Place
from finetune_core.errors import NotFound, StorageError
from finetune_storage import Folder, open_folder
from finetune_storage.local import PARTIAL_SUFFIX, replacing, replacing_tree

LEADS_OUT = r"leads out of .* by a symbolic link"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "output"


@pytest.fixture
def folder(root: Path) -> Folder:
    return open_folder(Place(uri=root.as_uri()))


def paths(folder: Folder) -> set[str]:
    return {entry.path for entry in folder.list()}


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_an_interrupted_write_leaves_what_was_there(root: Path, folder: Folder) -> None:
    folder.write("a", b"before")

    def interrupted() -> None:
        with replacing(root / "a") as file:
            file.write(b"half of")
            file.flush()
            assert paths(folder) == {"a"}
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert folder.read("a") == b"before"
    assert names(root) == ["a"]


def test_an_interrupted_tree_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a").write_bytes(b"before")

    def interrupted() -> None:
        with replacing_tree(tmp_path / "tree") as partial:
            (partial / "a").write_bytes(b"half of")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (tmp_path / "tree" / "a").read_bytes() == b"before"
    assert names(tmp_path) == ["tree"]


def test_what_a_killed_process_left_half_written_is_not_listed(root: Path, folder: Folder) -> None:
    folder.write("step-1/a", b"whole")
    (root / "step-1" / f".0123{PARTIAL_SUFFIX}").write_bytes(b"half")
    assert paths(folder) == {"step-1/a"}
    folder.delete("step-1")
    assert names(root) == []


def test_no_space_left(full_volume: Path, tmp_path: Path) -> None:
    folder = open_folder(Place(uri=full_volume.as_uri()))
    folder.write("step-1/a", b"whole")
    (tmp_path / "large").write_bytes(bytes(3 * 2**20))
    with pytest.raises(StorageError, match=r"no space is left for .*step-1/a .*: free some, or choose a larger volume"):
        folder.upload(tmp_path / "large", "step-1/a")
    with pytest.raises(StorageError, match="no space is left"):
        folder.write("b", bytes(3 * 2**20))
    assert paths(folder) == {"step-1/a"}
    assert folder.read("step-1/a") == b"whole"
    assert sum(1 for file in full_volume.rglob("*") if file.is_file()) == 1


def test_a_read_only_volume(full_volume: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", full_volume], check=True)
    with pytest.raises(StorageError, match=r"is closed to us \(Read-only file system\): allow user"):
        open_folder(Place(uri=full_volume.as_uri())).write("a", b"x")


def test_a_folder_that_is_not_ours(root: Path, folder: Folder) -> None:
    folder.write("a", b"x")
    root.chmod(0)
    user = os.geteuid()
    if user == 0:  # who may read and write everything
        os.seteuid(65534)
    try:
        for use in (lambda: folder.read("a"), lambda: folder.write("a", b"y"), lambda: paths(folder)):
            with pytest.raises(StorageError, match="is closed to us"):
                use()
    finally:
        os.seteuid(user)
        root.chmod(0o700)


def test_links_that_lead_out_are_not_followed(root: Path, folder: Folder, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_bytes(b"hidden")
    folder.write("inside", b"x")
    (root / "folder").symlink_to(secret)
    (root / "file").symlink_to(secret / "key")
    (root / "loop").symlink_to("loop")
    (root / "alias").symlink_to("inside")
    assert paths(folder) == {"inside", "alias"}
    assert folder.read("alias") == b"x"
    for path in ("folder/key", "file"):
        with pytest.raises(StorageError, match=LEADS_OUT):
            folder.read(path)
        with pytest.raises(StorageError, match=LEADS_OUT):
            folder.download(path, tmp_path / "back")
    for use in (
        lambda: folder.write("folder/key", b"y"),
        lambda: folder.upload(root / "inside", "folder/new"),
        lambda: folder.delete("folder/key"),
    ):
        with pytest.raises(StorageError, match=LEADS_OUT):
            use()
    folder.write("file", b"replaces the link")
    folder.delete("folder")
    folder.delete("loop")
    assert names(secret) == ["key"]
    assert (secret / "key").read_bytes() == b"hidden"
    assert paths(folder) == {"inside", "alias", "file"}


def test_a_root_that_is_a_link_itself(root: Path, tmp_path: Path) -> None:
    root.mkdir()
    (tmp_path / "link").symlink_to(root)
    folder = open_folder(Place(uri=(tmp_path / "link").as_uri()))
    folder.write("a/b", b"x")
    assert paths(folder) == {"a/b"}
    folder.delete("")
    assert paths(folder) == set()


def test_delete_leaves_no_empty_folder_and_no_neighbour(root: Path, folder: Folder) -> None:
    folder.write("checkpoints/x/step-1/a", b"x")
    folder.write("checkpoints/y", b"x")
    folder.delete("checkpoints/x/step-1")
    assert names(root / "checkpoints") == ["y"]
    folder.delete("checkpoints/y")
    assert names(root) == []
    folder.delete("")
    assert not root.exists()


def test_others_may_read_what_the_umask_lets_them(root: Path, folder: Folder) -> None:
    before = os.umask(0o022)
    try:
        folder.write("a", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((root / "a").stat().st_mode) == 0o644


def test_a_file_in_the_way_of_a_folder(folder: Folder) -> None:
    folder.write("a", b"x")
    with pytest.raises(StorageError, match="a could not be read or written"):
        folder.write("a/b", b"x")
    with pytest.raises(StorageError, match="Not a directory"):
        folder.read("a/b")


def test_errors_are_one_line(folder: Folder) -> None:
    with pytest.raises(NotFound) as caught:
        folder.read("missing")
    assert str(caught.value).splitlines() == [str(caught.value)]
