"""A place (S3, the Hugging Face hub, a web server, a folder of this machine) to files and back.

``fetch`` makes a model readable as a local path, ``fetch_dataset`` a dataset as local files; ``open_folder`` gives an
output place to list, read and write; ``push`` puts folders into a repository of the hub. Only errors of
``finetune_core.errors`` leave this package. The libraries of S3, of the hub and of HTTP are imported when a place of
theirs is first opened, and nowhere else.
"""

from finetune_storage.dataset import Data, DataFile
from finetune_storage.folder import Entry, Folder
from finetune_storage.local import sha256_of
from finetune_storage.places import fetch, fetch_dataset, is_shared, open_folder, push, revision_of

__all__ = [
    "Data",
    "DataFile",
    "Entry",
    "Folder",
    "fetch",
    "fetch_dataset",
    "is_shared",
    "open_folder",
    "push",
    "revision_of",
    "sha256_of",
]
