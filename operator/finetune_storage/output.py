"""What lies at ``output.uri``, and whose it is."""

from pydantic import ValidationError

from finetune_core.contract import DATASET_REPORT, MANIFEST_NAME, Manifest
from finetune_core.errors import NotFound, OutputOccupied
from finetune_storage.folder import Folder

ADAPTER_FOLDER = "adapter"
MODEL_FOLDER = "model"
"""A whole model: of a full fine-tuning, or with the adapter merged into its base."""
RUN_REPORT = "run-report.json"

RESULT_NAMES = (
    ADAPTER_FOLDER,
    MODEL_FOLDER,
    "report.html",
    RUN_REPORT,
    "plan.json",
    DATASET_REPORT,
    "metrics.jsonl",
    "samples.json",
    "trainer-config.json",
)
"""All that a finished run leaves beside its manifest: what ``overwrite`` may remove, and nothing else."""


def read_manifest(output: Folder) -> Manifest | None:
    """The manifest of the finished model there; None where there is none.

    Raises:
        OutputOccupied: something called manifest.json lies there that is not a manifest of ours.
    """
    try:
        return Manifest.model_validate_json(output.read(MANIFEST_NAME))
    except NotFound:
        return None
    except ValidationError as error:
        raise OutputOccupied(
            f"{output.uri}: a {MANIFEST_NAME} lies there that this program did not write; choose another output.uri"
        ) from error


def refuse_occupied(output: Folder, job_name: str, job_uid: str, overwrite: bool) -> Manifest | None:
    """Refuse a place that holds another job's finished model, unless it may be overwritten.

    Returns:
        The manifest of the job's own finished model, where that lies there.

    Raises:
        OutputOccupied: another job's model lies there, or a manifest.json that is not ours.
    """
    manifest = read_manifest(output)
    if manifest is None or manifest.job_uid == job_uid:
        return manifest
    if not overwrite:
        raise OutputOccupied(
            f"{output.uri} holds the finished model of job {manifest.job_name!r}; choose another output.uri for "
            f"{job_name!r}, or set output.overwrite: true"
        )
    return None


def clear(output: Folder) -> None:
    """Remove a finished result, its manifest first: what is half removed must not look finished."""
    for name in (MANIFEST_NAME, *RESULT_NAMES):
        output.delete(name)
