"""A folder of credential files, as a Secret is mounted, to values."""

from dataclasses import dataclass, field
from pathlib import Path

from finetune_core.errors import SecretMissing, StorageError
from finetune_storage.local import os_errors

KNOWN_KEYS = "HF_TOKEN, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, ca.crt"


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """The keys we know; None for each that the folder lacks. Values never show in a repr."""

    hf_token: str | None = field(default=None, repr=False)
    aws_access_key_id: str | None = field(default=None, repr=False)
    aws_secret_access_key: str | None = field(default=None, repr=False)
    aws_session_token: str | None = field(default=None, repr=False)
    ca_certificate: Path | None = None
    """The certificate authority that signed the endpoint's certificate (PEM)."""


def read_credentials(folder: str | None) -> Credentials:
    """Read the known keys of a folder: one file a key, other files left alone.

    Raises:
        SecretMissing: the folder is missing, or has none of the keys.
        StorageError: a value cannot be a credential.
    """
    if folder is None:
        return Credentials()
    root = Path(folder)
    with os_errors(root):
        if not root.is_dir():
            raise SecretMissing(f"the credentials folder {root} does not exist: name a Secret or folder that does")
        certificate = root / "ca.crt"
        found = Credentials(
            hf_token=_value(root / "HF_TOKEN"),
            aws_access_key_id=_value(root / "AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=_value(root / "AWS_SECRET_ACCESS_KEY"),
            aws_session_token=_value(root / "AWS_SESSION_TOKEN"),
            ca_certificate=certificate if certificate.is_file() else None,
        )
    if found == Credentials():
        raise SecretMissing(f"the credentials folder {root} holds none of the keys that we know: {KNOWN_KEYS}")
    return found


def _value(file: Path) -> str | None:
    if not file.is_file():
        return None
    value = file.read_bytes().decode("utf-8", errors="replace").strip()
    # Checked here, because an HTTP library that meets such a value in a header quotes it in its error.
    if not value.isascii() or not value.isprintable() or " " in value:
        raise StorageError(f"{file} does not hold one printable value: write the credential alone, on one line")
    return value or None
