"""A location: where a model, a dataset or a result lies. The same four fields everywhere."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote

from pydantic import Field, field_validator

from finetune_core.api.base import ApiModel
from finetune_core.errors import InvalidSpec

_BUCKET = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_HUB_NAME = re.compile(r"[\w.-]{1,96}")
_CLAIM = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class FileUri:
    """``file:///absolute/path``: a file or folder of this machine."""

    path: str


@dataclass(frozen=True)
class S3Uri:
    """``s3://bucket/prefix``."""

    bucket: str
    key: str


@dataclass(frozen=True)
class HubUri:
    """``hf://org/name[@revision]``, or ``hf://datasets/org/name[@revision]/file``."""

    kind: str
    """``model`` or ``dataset``."""
    repo: str
    revision: str | None
    path: str
    """A file inside the repository; empty for the whole."""


@dataclass(frozen=True)
class ClaimUri:
    """``pvc://claim/path``: a file or folder of a volume, by its claim in the job's namespace."""

    claim: str
    path: str


def parse_uri(uri: str) -> FileUri | S3Uri | HubUri | ClaimUri:
    """Take a URI apart.

    Raises:
        InvalidSpec: the URI has no scheme we know, or lacks a part that its scheme needs.
    """
    scheme, _, rest = uri.partition(":")
    if _CONTROL.search(unquote(uri)):
        raise InvalidSpec(f"{uri!r}: a control character is not allowed in a location")
    if scheme == "file":
        path = unquote(rest.removeprefix("//"))
        if not path.startswith("/"):
            raise InvalidSpec(
                f"{uri!r} is not an absolute file location: write file:///path, or file:path in a job file"
            )
        return FileUri(path)
    if scheme == "s3" and rest.startswith("//"):
        bucket, _, key = rest[2:].partition("/")
        if not _BUCKET.fullmatch(bucket):
            raise InvalidSpec(f"{uri!r}: {bucket!r} is not a bucket name: write s3://bucket/prefix")
        if ".." in PurePosixPath(key).parts:
            raise InvalidSpec(f"{uri!r}: '..' is not allowed in a location")
        return S3Uri(bucket, key.strip("/"))
    if scheme == "hf" and rest.startswith("//"):
        return _parse_hub(uri, rest[2:])
    if scheme == "pvc" and rest.startswith("//"):
        claim, _, path = rest[2:].partition("/")
        if not _CLAIM.fullmatch(claim):
            raise InvalidSpec(f"{uri!r}: {claim!r} is not the name of a claim: write pvc://claim/path")
        if ".." in PurePosixPath(path).parts:
            raise InvalidSpec(f"{uri!r}: '..' is not allowed in a location")
        return ClaimUri(claim, path.strip("/"))
    raise InvalidSpec(
        f"{uri!r} is not a location: write hf://org/name, s3://bucket/prefix, pvc://claim/path or file:///path"
    )


def _parse_hub(uri: str, rest: str) -> HubUri:
    kind = "dataset" if rest.startswith("datasets/") else "model"
    parts = rest.removeprefix("datasets/").split("/")
    if len(parts) < 2:
        raise InvalidSpec(f"{uri!r} is not a hub location: write hf://org/name or hf://datasets/org/name/file")
    org, (name, at, revision), path = parts[0], parts[1].partition("@"), parts[2:]
    whole = _HUB_NAME.fullmatch(org) and _HUB_NAME.fullmatch(name) and (revision or not at)
    if not whole or not {"", ".", ".."}.isdisjoint([org, name, *path]):
        raise InvalidSpec(f"{uri!r} is not a hub location: write hf://org/name or hf://datasets/org/name/file")
    return HubUri(kind, f"{org}/{name}", revision or None, "/".join(path))


class Location(ApiModel):
    """Where something lies, and which Secret opens it."""

    uri: str = Field(
        min_length=1,
        max_length=1024,
        description="hf://org/name[@revision], s3://bucket/prefix, pvc://claim/path, or file:///path for ftj run.",
    )
    secret_name: str | None = Field(
        default=None, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        description="Secret with HF_TOKEN, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN or ca.crt.",
    )  # fmt: skip
    endpoint_url: str | None = Field(
        default=None,
        alias="endpointURL",
        max_length=1024,
        pattern=r"^https?://",
        description="S3 endpoint, when not AWS.",
    )
    region: str | None = Field(default=None, max_length=64, description="S3 region.")

    @field_validator("uri")
    @classmethod
    def _known_scheme(cls, uri: str) -> str:
        try:
            parse_uri(uri)
        except InvalidSpec as error:
            raise ValueError(str(error)) from error
        return uri
