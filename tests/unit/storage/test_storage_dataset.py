"""Datasets of this machine: where they lie, no further than they may lead, and nothing that never ends."""

import hashlib
import os
import socket
from pathlib import Path

import pytest

from finetune_core.contract import Place
from finetune_core.errors import FinetuneError, InvalidSpec, NotFound, StorageError
from finetune_storage import Data, fetch, fetch_dataset

ROW = b'{"instruction": "q", "output": "a"}\n'
SHA256 = hashlib.sha256(ROW).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as a claim is mounted: beside it there is what must stay out of reach."""
    (tmp_path / "claim").mkdir()
    (tmp_path / "secret").write_bytes(b"hidden")
    return tmp_path / "claim"


def get(path: Path, sha256: str | None = None) -> Data:
    return fetch_dataset(Place(uri=path.as_uri()), path.parent / "unused", sha256=sha256)


def refused(path: Path, root: Path | None = None, kind: type[FinetuneError] = StorageError) -> str:
    with pytest.raises(FinetuneError) as caught:
        fetch_dataset(Place(uri=path.as_uri(), root=root and str(root)), path.parent / "unused")
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_stays_where_it_lies(folder: Path) -> None:
    rows = folder / "客服 rows.jsonl"
    rows.write_bytes(ROW)
    data = get(rows, sha256=SHA256)
    assert [(file.path, file.sha256) for file in data.files] == [(rows, SHA256)]
    assert data.source == str(rows)
    assert list(folder.iterdir()) == [rows]


def test_another_content_than_the_checksum_says(folder: Path) -> None:
    (folder / "rows.jsonl").write_bytes(ROW + ROW)
    with pytest.raises(
        StorageError, match=f"rows.jsonl: its SHA-256 is .*, not {SHA256} as dataset.sha256 says: the data"
    ):
        get(folder / "rows.jsonl", sha256=SHA256)


def test_a_folder_is_its_files_in_the_order_of_their_names(folder: Path) -> None:
    for name in ("b.jsonl", "a.jsonl", "notes.txt"):
        (folder / name).write_bytes(ROW)
    data = get(folder)
    assert [file.path for file in data.files] == [folder / "a.jsonl", folder / "b.jsonl"]
    with pytest.raises(InvalidSpec, match=r"claim is 2 files, and sha256 is that of one: name a file, or leave"):
        get(folder, sha256=SHA256)
    (folder / "b.jsonl").unlink()
    assert [file.path for file in get(folder, sha256=SHA256).files] == [folder / "a.jsonl"]


def test_an_empty_folder(folder: Path) -> None:
    assert f"{folder} holds no data: put a file there" in refused(folder, kind=NotFound)


def test_nothing(folder: Path) -> None:
    assert refused(folder / "missing.jsonl", kind=NotFound) == f"nothing lies at {folder}/missing.jsonl: check the path"


@pytest.mark.parametrize("via_folder", [False, True])
class TestALink:
    """A volume's files may have been written by others; what lies beside it is not theirs to show."""

    def test_within_is_followed(self, folder: Path, via_folder: bool) -> None:
        (folder / "..data").mkdir()
        (folder / "..data" / "real").write_bytes(ROW)
        (folder / "rows.jsonl").symlink_to("..data/real")
        place = Place(uri=(folder if via_folder else folder / "rows.jsonl").as_uri(), root=str(folder))
        assert fetch_dataset(place, folder).files[0].sha256 == SHA256

    @pytest.mark.parametrize("target", ["../secret", "/etc/passwd", "..data/../../secret"])
    def test_out_of_a_claim_is_refused(self, folder: Path, target: str, via_folder: bool) -> None:
        (folder / "..data").mkdir()
        (folder / "rows.jsonl").symlink_to(target)
        said = refused(folder if via_folder else folder / "rows.jsonl", folder)
        assert said == f"{folder}/rows.jsonl leads out of {folder} by a symbolic link: replace the link by a copy"

    def test_of_a_folder_out_of_a_claim_is_refused(self, folder: Path, via_folder: bool) -> None:
        (folder.parent / "outside").mkdir()
        (folder.parent / "outside" / "rows.jsonl").write_bytes(ROW)
        (folder / "data").symlink_to("../outside")
        said = refused(folder / "data" if via_folder else folder / "data" / "rows.jsonl", folder)
        assert f"leads out of {folder} by a symbolic link" in said

    def test_on_ones_own_machine_may_lead_anywhere(self, folder: Path, via_folder: bool) -> None:
        (folder.parent / "elsewhere").write_bytes(ROW)
        (folder / "rows.jsonl").symlink_to("../elsewhere")
        assert get(folder if via_folder else folder / "rows.jsonl").files[0].sha256 == SHA256

    def test_to_itself(self, folder: Path, via_folder: bool) -> None:
        (folder / "rows.jsonl").symlink_to("other")
        (folder / "other").symlink_to("rows.jsonl")
        said = refused(folder if via_folder else folder / "rows.jsonl", folder)
        assert said == f"{folder}/rows.jsonl is a symbolic link that leads to itself: replace it by a copy of the file"

    def test_to_nothing(self, folder: Path, via_folder: bool) -> None:
        (folder / "rows.jsonl").symlink_to("missing")
        said = refused(folder if via_folder else folder / "rows.jsonl", folder, NotFound)
        assert said == f"nothing lies at {folder}/rows.jsonl: check the path"


def test_a_model_leads_no_further_than_its_claim(folder: Path) -> None:
    (folder / "model").symlink_to("..")
    with pytest.raises(StorageError, match="leads out of"):
        fetch(Place(uri=(folder / "model").as_uri(), root=str(folder)), folder)


def test_a_pipe_that_nobody_writes_to(folder: Path) -> None:
    os.mkfifo(folder / "rows.jsonl")
    assert refused(folder / "rows.jsonl") == f"{folder}/rows.jsonl is a pipe, where a file is needed: name a file"
    assert refused(folder) == f"{folder}/rows.jsonl is a pipe, where a file is needed: name a file"


def test_a_socket_and_a_device(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("rows.jsonl")
        assert "rows.jsonl is a device or a socket, where a file is needed" in refused(folder / "rows.jsonl")
    assert refused(Path("/dev/zero")) == "/dev/zero is a device or a socket, where a file is needed: name a file"


def test_a_folder_called_like_a_file(folder: Path) -> None:
    (folder / "rows.jsonl").mkdir()
    assert "rows.jsonl holds no data" in refused(folder / "rows.jsonl", kind=NotFound)


def test_a_set_over_the_limit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        (folder / name).write_bytes(ROW)
    monkeypatch.setenv("FINETUNE_MAX_DATASET_BYTES", str(2 * len(ROW)))
    assert len(get(folder).files) == 2
    monkeypatch.setenv("FINETUNE_MAX_DATASET_BYTES", str(2 * len(ROW) - 1))
    assert refused(folder) == (
        f"{folder} has {2 * len(ROW)} bytes, and the limit is {2 * len(ROW) - 1}: train on a part of it, or raise "
        "FINETUNE_MAX_DATASET_BYTES (in a cluster the operator's settings.maxDatasetBytes)"
    )


def test_what_we_may_not_read(folder: Path) -> None:
    (folder / "rows.jsonl").write_bytes(ROW)
    (folder / "rows.jsonl").chmod(0)
    folder.chmod(0o755)
    for parent in list(folder.parents)[:3]:
        parent.chmod(0o755)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        assert "is closed to us" in refused(folder / "rows.jsonl")
    finally:
        os.seteuid(user)


@pytest.mark.parametrize("uri", ["pvc://claim/rows.jsonl", "configmap://faq/rows.jsonl"])
def test_what_is_in_a_cluster_says_what_to_write(uri: str, tmp_path: Path) -> None:
    kind = "volume" if uri.startswith("pvc") else "ConfigMap"
    with pytest.raises(InvalidSpec) as caught:
        fetch_dataset(Place(uri=uri), tmp_path)
    assert str(caught.value) == (
        f"{uri} is a {kind} of a cluster: ftj run needs file:PATH, a folder or file of this machine"
    )
