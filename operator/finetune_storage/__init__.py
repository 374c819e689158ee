"""A place (S3, the Hugging Face hub, a folder of this machine) to files and back.

``fetch`` makes an input readable as a local path; ``open_folder`` gives an output place to list, read and write.
Only errors of ``finetune_core.errors`` leave this package. The libraries of S3 and of the hub are imported when a
place of theirs is first opened, and nowhere else.
"""

from finetune_storage.folder import Entry, Folder
from finetune_storage.local import sha256_of
from finetune_storage.places import fetch, open_folder

__all__ = ["Entry", "Folder", "fetch", "open_folder", "sha256_of"]
