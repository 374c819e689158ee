"""A location: where a model, a dataset or a result lies. The same four fields everywhere."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from pydantic import Field, field_validator, model_validator

from finetune_core.api.base import ApiModel
from finetune_core.errors import InvalidSpec

_BUCKET = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_HUB_NAME = re.compile(r"[\w.-]{1,96}")
_CLAIM = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_CONFIG_MAP_KEY = re.compile(r"(?!\.\.)(?!\.$)[-._a-zA-Z0-9]{1,253}")
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
    """``hf://org/name[@revision]``, or ``hf://datasets/org/name[@revision][/file or split]``."""

    kind: str
    """``model`` or ``dataset``."""
    repo: str
    revision: str | None
    path: str
    """A file, a folder or a split inside the repository; empty for the whole."""


@dataclass(frozen=True)
class HttpsUri:
    """``https://host/path``: one file of a web server."""

    url: str
    """What is asked for; its query may be a signature, so messages show ``public_uri`` of it."""
    name: str
    """The file's own name; empty where the path ends with ``/``."""


@dataclass(frozen=True)
class ClaimUri:
    """``pvc://claim/path``: a file or folder of a volume, by its claim in the job's namespace."""

    claim: str
    path: str


@dataclass(frozen=True)
class ConfigMapUri:
    """``configmap://name/key``: one key of a ConfigMap in the job's namespace."""

    name: str
    key: str


Uri = FileUri | S3Uri | HubUri | HttpsUri | ClaimUri | ConfigMapUri


def public_uri(uri: str) -> str:
    """The URI as it may be shown: a web address without its query and its user, which may be secret."""
    if not uri.lower().startswith(("http:", "https:")):
        return uri
    try:
        parts = urlsplit(uri)
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:  # what cannot be taken apart may have a password anywhere
        return f"{uri.partition(':')[0]}://..."
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname or "..."
    return f"{parts.scheme}://{host}{port}{parts.path}"


def parse_uri(uri: str) -> Uri:
    """Take a URI apart.

    Raises:
        InvalidSpec: the URI has no scheme we know, or lacks a part that its scheme needs.
    """
    scheme, _, rest = uri.partition(":")
    if _CONTROL.search(unquote(uri)):
        raise InvalidSpec(f"{public_uri(uri)!r}: a control character is not allowed in a location")
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
    if scheme == "configmap" and rest.startswith("//"):
        name, _, key = rest[2:].partition("/")
        if not _CLAIM.fullmatch(name) or not _CONFIG_MAP_KEY.fullmatch(key):
            raise InvalidSpec(f"{uri!r} does not name a key of a ConfigMap: write configmap://name/key")
        return ConfigMapUri(name, key)
    if scheme == "https":
        return _parse_https(uri)
    if scheme == "http":
        raise InvalidSpec(f"{public_uri(uri)!r} would be read unencrypted: write https://host/path")
    raise InvalidSpec(
        f"{public_uri(uri)!r} is not a location: "
        "write hf://org/name, s3://bucket/prefix, pvc://claim/path or file:///path"
    )


def _parse_https(uri: str) -> HttpsUri:
    shown = public_uri(uri)
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or not parts.path or not uri.isascii() or " " in uri or "\\" in uri:
        raise InvalidSpec(f"{shown!r} is not a web address: write https://host/path, other characters as %XX")
    if "@" in parts.netloc:
        raise InvalidSpec(f"{shown!r}: whoever may read the job would read the user and password in it: leave them out")
    name = unquote(parts.path.rpartition("/")[2])
    if not {".", ".."}.isdisjoint(unquote(parts.path).split("/")) or "/" in name or "\\" in name:
        raise InvalidSpec(f"{shown!r}: '..' is not allowed in a location")
    return HttpsUri(parts._replace(fragment="").geturl(), name)


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

    holds_data: ClassVar[bool] = False
    """Whether it may be a place that only a dataset can lie in."""

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
            where = parse_uri(uri)
        except InvalidSpec as error:
            raise ValueError(str(error)) from error
        if isinstance(where, HttpsUri | ConfigMapUri) and not cls.holds_data:
            raise ValueError(
                f"{public_uri(uri)!r} can only be a dataset: write hf://org/name, s3://bucket/prefix, "
                "pvc://claim/path or file:///path"
            )
        return uri


class DataLocation(Location):
    """Where a dataset lies."""

    holds_data: ClassVar[bool] = True

    uri: str = Field(
        min_length=1,
        max_length=4096,  # signed addresses are long
        description=(
            "hf://datasets/org/name[@revision][/file or split], s3://bucket/key, https://host/file, pvc://claim/path, "
            "configmap://name/key, or file:///path for ftj run."
        ),
    )
    sha256: str | None = Field(
        default=None, max_length=64, pattern=r"^[0-9a-f]{64}$",
        description="Refuse any other content. Required for https.",
    )  # fmt: skip

    @model_validator(mode="after")
    def _checksum_over_https(self) -> "DataLocation":
        if self.uri.startswith("https:") and self.sha256 is None:
            raise ValueError(
                f"{public_uri(self.uri)!r} needs sha256 beside it, since what a web server sends may change: "
                "write what sha256sum says of the file"
            )
        return self
