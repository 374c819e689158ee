"""A folder of credential files."""

from pathlib import Path

import pytest

from finetune_core.errors import DatasetUnavailable, SecretMissing, StorageError, blamed_on
from finetune_storage.credentials import Credentials, read_credentials


def test_no_folder_is_no_credentials() -> None:
    assert read_credentials(None) == Credentials()


def test_known_keys_are_read_without_their_newline(tmp_path: Path) -> None:
    (tmp_path / "HF_TOKEN").write_text("hf_token\n")
    (tmp_path / "AWS_ACCESS_KEY_ID").write_text("id\r\n")
    (tmp_path / "AWS_SECRET_ACCESS_KEY").write_text("  secret/+=  ")
    (tmp_path / "AWS_SESSION_TOKEN").write_text("\n")
    (tmp_path / "ca.crt").write_text("PEM")
    (tmp_path / "AWS_ENDPOINT_URL").write_text("not a key of ours")
    assert read_credentials(str(tmp_path)) == Credentials(
        hf_token="hf_token",
        aws_access_key_id="id",
        aws_secret_access_key="secret/+=",
        aws_session_token=None,
        ca_certificate=tmp_path / "ca.crt",
    )


def test_a_secret_as_the_kubelet_mounts_it(tmp_path: Path) -> None:
    """Each file is a link into a folder that is itself a link, swapped when the Secret changes."""
    (tmp_path / "..2026_01_01").mkdir()
    (tmp_path / "..2026_01_01" / "HF_TOKEN").write_text("hf_token")
    (tmp_path / "..data").symlink_to("..2026_01_01")
    (tmp_path / "HF_TOKEN").symlink_to("..data/HF_TOKEN")
    assert read_credentials(str(tmp_path)).hf_token == "hf_token"


def test_values_never_show(tmp_path: Path) -> None:
    for name in ("HF_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        (tmp_path / name).write_text("hidden")
    credentials = read_credentials(str(tmp_path))
    assert credentials.hf_token == "hidden"
    assert "hidden" not in f"{credentials} {credentials!r}"


@pytest.mark.parametrize("value", [b"hid den", b"hid\nden", b"hid\x00den", b"hid\xffden", "hid…den".encode()])
def test_what_no_credential_can_be_is_refused_unseen(tmp_path: Path, value: bytes) -> None:
    (tmp_path / "HF_TOKEN").write_bytes(value)
    with pytest.raises(StorageError, match="HF_TOKEN does not hold one printable value") as caught:
        read_credentials(str(tmp_path))
    assert "hid" not in str(caught.value)


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(SecretMissing, match=r"credentials folder .*missing does not exist"):
        read_credentials(str(tmp_path / "missing"))


@pytest.mark.parametrize("files", [[], ["TOKEN", "password"], ["hf_token"]], ids=str)
def test_a_folder_without_a_known_key(tmp_path: Path, files: list[str]) -> None:
    for name in files:
        (tmp_path / name).write_text("hidden")
    with pytest.raises(SecretMissing, match="none of the keys that we know: HF_TOKEN, AWS_ACCESS_KEY_ID, ") as caught:
        read_credentials(str(tmp_path))
    assert "hidden" not in str(caught.value)


def test_a_missing_secret_is_not_the_datasets_fault(tmp_path: Path) -> None:
    with pytest.raises(SecretMissing), blamed_on(DatasetUnavailable):
        read_credentials(str(tmp_path))
