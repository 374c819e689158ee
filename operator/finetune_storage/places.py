"""Which client serves which scheme. A client is imported when a place of its scheme is first opened."""

from pathlib import Path

from finetune_core.api.location import ClaimUri, FileUri, HubUri, S3Uri, parse_uri
from finetune_core.contract import Place
from finetune_core.errors import InvalidSpec
from finetune_storage.folder import Folder


def fetch(place: Place, into: Path, weights: bool = True) -> Path:
    """Make what lies at ``place`` a local path, to be read and not changed.

    ``file://`` gives the path itself. ``s3://`` gives a file, or a folder with all that lies below the prefix, under
    ``into``, in place of what an earlier fetch left there. ``hf://`` gives a path in the hub's own cache: the folder of
    a model, or one file of a dataset.

    Args:
        place: where it lies.
        into: folder of this machine for what has to be copied.
        weights: without them, a model's configuration and tokenizer alone are downloaded.

    Raises:
        InvalidSpec: the place names something that cannot be fetched.
        NotFound: nothing lies there.
        StorageError: it could not be read, or there is no room for it.
    """
    match parse_uri(place.uri):
        case FileUri(path):
            from finetune_storage import local

            return local.existing(Path(path))
        case S3Uri() as location:
            from finetune_storage import s3

            return s3.fetch(place, location, into, weights)
        case HubUri() as repository:
            from finetune_storage import hub

            return hub.fetch(place, repository, weights)
        case ClaimUri():
            raise volume_of_a_cluster(place.uri)


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
        case HubUri():
            raise InvalidSpec(f"{place.uri} can only be read: write an output as s3://bucket/prefix or file:///path")
        case ClaimUri():
            raise volume_of_a_cluster(place.uri)


def volume_of_a_cluster(uri: str) -> InvalidSpec:
    """The error for a claim: in a cluster a pod's places are the folders where its claims are mounted."""
    return InvalidSpec(f"{uri} is a volume of a cluster: ftj run needs file:PATH, a folder or file of this machine")
