"""What users write and read: the FineTuneJob, its locations and its plan."""

from finetune_core.api.findings import FINDING_CODES, FindingCode, Policy
from finetune_core.api.job import (
    Checkpoints,
    Dataset,
    Evaluation,
    FineTuneJob,
    FineTuneJobSpec,
    Hyperparameters,
    Method,
    Output,
    Task,
)
from finetune_core.api.location import Location
from finetune_core.api.plan import Plan
from finetune_core.api.read import read_job, read_spec

__all__ = [
    "FINDING_CODES",
    "Checkpoints",
    "Dataset",
    "Evaluation",
    "FindingCode",
    "FineTuneJob",
    "FineTuneJobSpec",
    "Hyperparameters",
    "Location",
    "Method",
    "Output",
    "Plan",
    "Policy",
    "Task",
    "read_job",
    "read_spec",
]
