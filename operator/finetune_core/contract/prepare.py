"""Into and out of the prepare step."""

from typing import Literal

from pydantic import Field

from finetune_core.api.base import ApiModel
from finetune_core.api.findings import FindingCode, Policy
from finetune_core.api.job import Dataset
from finetune_core.contract.place import Place
from finetune_core.contract.shape import ModelShape
from finetune_core.contract.statistics import DataStatistics

DATASET_REPORT = "dataset-report.json"
"""Name of what the checks found, beside the prepared tokens and later beside the model."""


class PrepareConfig(ApiModel):
    """What the prepare step is told."""

    version: Literal[1] = 1
    job_name: str
    job_uid: str
    model: Place
    dataset: Place
    dataset_options: Dataset
    validation: Place | None = Field(default=None, description="A validation set of its own, where the job names one.")
    output: Place
    overwrite: bool = False
    train_on_prompt: bool = False
    seed: int = 0
    measure_storage: bool = Field(
        default=False,
        description="Whether to measure how fast the output store is: pods are given time to end by that.",
    )

    @property
    def prepared(self) -> Place:
        """Where the tokens go: read by the trainer, removed at success."""
        return self.output.below(".work", self.job_uid, "prepared")


class FindingCount(ApiModel):
    """A finding, counted; the rows are in the dataset report."""

    code: FindingCode
    severity: Literal["error", "warning"]
    policy: Policy
    count: int


class PrepareReport(ApiModel):
    """The prepare step's answer; fits the 4,096 bytes that kubelet keeps of a termination message."""

    version: Literal[1] = 1
    fingerprint: str = Field(description="SHA-256 over everything that the prepared tokens depend on.")
    model_shape: ModelShape
    model_revision: str | None = Field(
        default=None,
        description="Commit of a model from the hub: each attempt trains that one, wherever a branch moved.",
    )
    statistics: DataStatistics
    rows: int = Field(description="Rows read.")
    used_rows: int = Field(description="Rows kept, validation rows included.")
    rejected_rows: int
    storage_bytes_per_second: int | None = Field(
        default=None, description="What the output store took, as measured; None where it was not."
    )
    findings: list[FindingCount]
