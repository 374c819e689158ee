"""What lies at ``output.uri``, and whose it is."""

from pydantic import ValidationError

from finetune_core.contract import MANIFEST_NAME, Manifest
from finetune_core.errors import NotFound, OutputOccupied
from finetune_storage.folder import Folder

ADAPTER_FOLDER = "adapter"
MODEL_FOLDER = "model"
"""Of a full fine-tuning, which gives a whole model."""
RUN_REPORT = "run-report.json"
DATASET_REPORT = "dataset-report.json"

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


def claim(output: Folder, job_name: str, job_uid: str, overwrite: bool) -> None:
    """Make an output place ready for a job: empty of results, whoever's they were.

    Raises:
        OutputOccupied: another job's finished model lies there, and it may not be overwritten.
    """
    manifest = read_manifest(output)
    if manifest is not None and not overwrite:
        raise OutputOccupied(
            f"{output.uri} holds the finished model of job {manifest.job_name!r}; choose another output.uri for "
            f"{job_name!r}, or set output.overwrite: true"
        )
    clear(output)


def clear(output: Folder) -> None:
    """Remove a finished result, its manifest first: what is half removed must not look finished."""
    for name in (MANIFEST_NAME, *RESULT_NAMES):
        output.delete(name)
