"""A job file from disk, and what it points at on this machine."""

import os
from pathlib import Path

from finetune_core.api import FineTuneJob, Location, read_job
from finetune_core.api.location import ClaimUri, ConfigMapUri, parse_uri
from finetune_core.contract import Place
from finetune_core.errors import InvalidSpec, SecretMissing
from finetune_storage.places import in_a_cluster

LARGEST_JOB_BYTES = 1_500_000
"""What etcd takes for one resource; a larger file is something else."""


def load_job(path: Path, overrides: list[str]) -> FineTuneJob:
    """Read a job file; relative ``file:`` locations are relative to it.

    Raises:
        InvalidSpec: not there, not text, or not a FineTuneJob; each problem in a line that begins with the path.
    """
    try:
        if path.stat().st_size > LARGEST_JOB_BYTES:
            raise InvalidSpec(f"{path}: {path.stat().st_size:,} bytes are too many for a job file")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidSpec(f"{path}: not a text file in UTF-8") from error
    except OSError as error:
        raise InvalidSpec(f"{path}: {error.strerror}") from error
    try:
        return read_job(text, overrides, base=str(path.resolve().parent))
    except InvalidSpec as error:
        raise InvalidSpec("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from error


def place_of(location: Location) -> Place:
    """A location with its Secret found among this machine's: a folder of that name with one file per key.

    Raises:
        InvalidSpec: the location is in a cluster.
        SecretMissing: there is no such folder.
    """
    if isinstance(parse_uri(location.uri), ClaimUri | ConfigMapUri):
        raise in_a_cluster(location.uri)
    credentials = None
    if location.secret_name is not None:
        folder = _secrets_folder() / location.secret_name
        if not folder.is_dir():
            raise SecretMissing(
                f"secretName {location.secret_name!r}: no folder {folder}; put its keys there, one file each "
                "(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, HF_TOKEN), or leave secretName out to use your own login"
            )
        credentials = str(folder)
    return Place(uri=location.uri, credentials=credentials, endpoint_url=location.endpoint_url, region=location.region)


def _secrets_folder() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "finetune-operator" / "secrets"
