"""The manifest: written last, so that a place without one is not finished."""

from typing import Literal

from pydantic import Field

from finetune_core.api.base import ApiModel

MANIFEST_NAME = "manifest.json"


class ManifestFile(ApiModel):
    """One stored file."""

    path: str = Field(description="Relative to the manifest.")
    size_bytes: int
    sha256: str


class Manifest(ApiModel):
    """Every file of a finished output, and whose it is."""

    version: Literal[1] = 1
    job_name: str
    job_uid: str
    files: list[ManifestFile]
