"""Which client serves which scheme. A client is imported when a place of its scheme is first opened."""

import os
from pathlib import Path
from typing import Literal

from finetune_core.api.location import ClaimUri, ConfigMapUri, FileUri, HttpsUri, HubUri, S3Uri, parse_uri, public_uri
from finetune_core.contract import Place
from finetune_core.contract.environment import MODEL_CACHE_VARIABLE
from finetune_core.errors import InvalidSpec, StorageError
from finetune_storage.dataset import Data, local_dataset
from finetune_storage.folder import Folder
from finetune_storage.meter import Tell


def fetch(place: Place, into: Path, weights: bool = True, tell: Tell | None = None) -> Path:
    """Make the model at ``place`` a local path, to be read and not changed.

    ``file://`` gives the path itself. ``s3://`` gives a file, or a folder with all that lies below the prefix, under
    ``into``, in place of what an earlier fetch left there. ``hf://`` gives a folder in the hub's own cache.

    Args:
        place: where it lies.
        into: folder of this machine for what has to be copied.
        weights: without them, a model's configuration and tokenizer alone are downloaded.
        tell: told about every ten seconds how many bytes have come, and of how many; from any thread.

    Raises:
        InvalidSpec: the place names something that cannot be fetched.
        NotFound: nothing lies there.
        StorageError: it could not be read, or there is no room for it.
    """
    match parse_uri(place.uri):
        case FileUri(path):
            from finetune_storage import local

            return local.existing(Path(path), _root(place))
        case S3Uri() as location:
            from finetune_storage import s3

            return s3.fetch(place, location, into, weights, tell)
        case HubUri() as repository:
            from finetune_storage import hub

            return hub.fetch(place, repository, weights, tell)
        case HttpsUri():
            raise InvalidSpec(
                f"{public_uri(place.uri)} can only be a dataset: write hf://org/name or s3://bucket/prefix"
            )
        case ClaimUri() | ConfigMapUri():
            raise in_a_cluster(place.uri)


def revision_of(place: Place, fetched: Path) -> str | None:
    """The hub's commit that a fetched model is; None of a model that is not the hub's."""
    return fetched.name if isinstance(parse_uri(place.uri), HubUri) else None


def is_shared(place: Place) -> bool:
    """Whether a model that is fetched from there stays in a cache for the pods that come after this one."""
    return bool(os.environ.get(MODEL_CACHE_VARIABLE)) and isinstance(parse_uri(place.uri), HubUri)


def fetch_dataset(
    place: Place, into: Path, split: Literal["train", "validation"] = "train", sha256: str | None = None
) -> Data:
    """Make the dataset at ``place`` local files, to be read and not changed.

    Those of this machine stay where they lie. What is downloaded lies under ``into``, or in the hub's own cache.

    Args:
        place: where it lies: a file, or a folder, prefix or repository whose names tell which files are meant.
        into: folder of this machine for what has to be copied.
        split: the one to take where names tell splits apart and the place names none.
        sha256: what the one file must have, in hexadecimal.

    Raises:
        InvalidSpec: the place names something that cannot be fetched, or several files where one has a checksum.
        NotFound: nothing lies there.
        StorageError: it could not be read, is not what the checksum says, is too large, or there is no room for it.
    """
    data = _fetch_dataset(place, into, split)
    if sha256 is not None:
        if len(data.files) > 1:
            raise InvalidSpec(
                f"{data.source} is {len(data.files)} files, and sha256 is that of one: name a file, or leave sha256 out"
            )
        if data.files[0].sha256 != sha256:
            raise StorageError(
                f"{data.source}: its SHA-256 is {data.files[0].sha256}, not {sha256} as dataset.sha256 says: "
                "the data has changed, or is not what was meant"
            )
    return data


def _fetch_dataset(place: Place, into: Path, split: str) -> Data:
    match parse_uri(place.uri):
        case FileUri(path):
            return local_dataset(Path(path), _root(place), split)
        case S3Uri() as location:
            from finetune_storage import s3

            return s3.fetch_dataset(place, location, into, split)
        case HubUri() as repository:
            from finetune_storage import hub

            return hub.fetch_dataset(place, repository, split)
        case HttpsUri() as location:
            from finetune_storage import web

            return web.fetch_dataset(place, location, into)
        case ClaimUri() | ConfigMapUri():
            raise in_a_cluster(place.uri)


def open_folder(place: Place) -> Folder:
    """Open an output place. Nothing is read or written yet, so it need not exist.

    Raises:
        InvalidSpec: the place can only be read.
        StorageError: its credentials, endpoint or region cannot be used.
    """
    match parse_uri(place.uri):
        case FileUri(path):
            from finetune_storage import local

            return local.LocalFolder(place.uri, Path(path))
        case S3Uri() as location:
            from finetune_storage import s3

            return s3.S3Folder(place, location)
        case HubUri() | HttpsUri():
            raise InvalidSpec(
                f"{public_uri(place.uri)} can only be read: write an output as s3://bucket/prefix or file:///path"
            )
        case ClaimUri() | ConfigMapUri():
            raise in_a_cluster(place.uri)


def push(place: Place, folders: dict[str, Path], message: str) -> str:
    """Put what lies in local folders into a repository of the hub; returns its address there.

    Args:
        place: the repository.
        folders: folder of the repository ("" is its root) -> the local one.
        message: title of the commits.

    Raises:
        InvalidSpec: the place is no repository of the hub.
        StorageError: the hub cannot be reached, does not let us in, or did not take it.
    """
    repository = parse_uri(place.uri)
    if not isinstance(repository, HubUri):
        raise InvalidSpec(f"{public_uri(place.uri)} is no repository of the hub: write hf://org/name")
    from finetune_storage import hub

    return hub.push(place, repository, folders, message)


def in_a_cluster(uri: str) -> InvalidSpec:
    """The error for a claim or a ConfigMap: a pod's places are the folders where these are mounted."""
    kind = "volume" if isinstance(parse_uri(uri), ClaimUri) else "ConfigMap"
    return InvalidSpec(f"{uri} is a {kind} of a cluster: ftj run needs file:PATH, a folder or file of this machine")


def _root(place: Place) -> Path | None:
    return None if place.root is None else Path(place.root)
