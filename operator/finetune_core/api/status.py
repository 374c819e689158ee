"""What a FineTuneJob says of itself: written by the operator, read by people, dashboards and GitOps tools."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from finetune_core.api.base import ApiModel
from finetune_core.api.findings import FindingCode
from finetune_core.api.job import Method
from finetune_core.api.plan import Plan

Phase = Literal["Pending", "Preparing", "Queued", "Training", "Succeeded", "Failed", "Suspended"]
"""For people. Pending and Queued: the pod of the preparation, or of the training, does not run yet."""
FINISHED: tuple[Phase, ...] = ("Succeeded", "Failed")

ConditionType = Literal["Ready", "Reconciling", "Stalled", "DatasetReady", "Planned"]
"""Ready, Reconciling and Stalled as kstatus reads them, so that GitOps tools know when to wait and when to give up."""

Outcome = Literal["Succeeded", "Failed", "Disrupted", "Suspended"]

LONGEST_MESSAGE = 1_024
"""Characters of a message in conditions, attempts and events (an event's limit in Kubernetes)."""
Message = Annotated[str, Field(max_length=LONGEST_MESSAGE)]


class Condition(ApiModel):
    """One answer for machines, as every Kubernetes object gives them."""

    type: ConditionType = Field(description="What is asked.")
    status: Literal["True", "False", "Unknown"] = Field(description="The answer.")
    reason: str = Field(max_length=64, description="Why, in one word for machines.")
    message: Message = Field(default="", description="Why, for people.")
    last_transition_time: datetime = Field(description="When the answer last changed.")
    observed_generation: int | None = Field(default=None, description="Generation of the job that it is about.")


class FindingSummary(ApiModel):
    """A finding, counted; the rows are in the dataset report."""

    code: FindingCode = Field(description="Name of the check.")
    severity: Literal["error", "warning"] = Field(description="error: the rows, or the dataset, are not used.")
    count: int = Field(description="Rows with this finding.")


class Lengths(ApiModel):
    """Row lengths in tokens."""

    p50: int = Field(description="Half of the rows are no longer.")
    p95: int = Field(description="95 of 100 rows are no longer.")
    p99: int = Field(description="99 of 100 rows are no longer.")
    max: int = Field(description="The longest row.")


class DatasetStatus(ApiModel):
    """The data, as it was found."""

    rows: int = Field(description="Rows read.")
    used_rows: int = Field(description="Rows kept, validation rows included.")
    rejected_rows: int = Field(description="Rows left out.")
    validation_rows: int = Field(description="Rows set aside for validation.")
    tokens: int = Field(description="Of the training rows.")
    supervised_tokens: int = Field(description="Tokens with loss on them.")
    truncated_rows: int | None = Field(default=None, description="Rows longer than the planned cutoff; after training.")
    length_percentiles: Lengths
    findings: list[FindingSummary] = Field(default_factory=list, description="What the checks found.")
    report_uri: str = Field(alias="reportURI", description="dataset-report.json: examples and how to fix them.")


class ProgressStatus(ApiModel):
    """The newest logged step. Numbers that are not finite are left out."""

    step: int = Field(description="Optimizer steps done.")
    total_steps: int = Field(description="Optimizer steps planned.")
    steps: str = Field(description="step/totalSteps, for kubectl get.")
    epoch: float = Field(description="Passes over the data done.")
    loss: float | None = Field(default=None, description="Training loss per supervised token.")
    eval_loss: float | None = Field(default=None, description="Newest loss on the validation rows.")
    learning_rate: float | None = Field(default=None, description="Learning rate of the step.")
    grad_norm: float | None = Field(default=None, description="Gradient norm before clipping.")
    tokens_per_second: float | None = Field(default=None, description="Tokens trained on in a second.")
    eta_seconds: int | None = Field(default=None, description="Estimated time to the last step.")
    eta: str | None = Field(default=None, description="The same for people: 1h20m.")
    peak_memory_bytes: int | None = Field(default=None, description="Measured peak of the card's memory.")
    updated_at: datetime = Field(description="When the operator saw it.")


class Attempt(ApiModel):
    """One train Job."""

    number: int = Field(description="Counted from 1.")
    method: Method = Field(description="Method it trains with.")
    micro_batch_size: int = Field(description="Rows per forward pass.")
    start_time: datetime = Field(description="When its Job was made.")
    end_time: datetime | None = Field(default=None, description="Absent while it runs.")
    outcome: Outcome | None = Field(default=None, description="Absent while it runs.")
    reason: str | None = Field(default=None, description="Why it ended so, in one word for machines.")
    message: Message | None = Field(default=None, description="Why it ended so, for people.")


class ArtifactStatus(ApiModel):
    """The finished model."""

    uri: str = Field(description="Where it lies.")
    manifest_sha256: str = Field(alias="manifestSHA256", description="Of manifest.json, which names every file.")
    size_bytes: int = Field(description="Size of all files.")
    files: int = Field(description="Number of files.")
    base_model: str = Field(description="The model that was fine-tuned.")
    method: Method = Field(description="Method it was trained with.")
    report_uri: str = Field(alias="reportURI", description="report.html: the run, for people.")


NEWEST_ATTEMPTS = 10


class FineTuneJobStatus(ApiModel):
    """Everything known of a job, so that the operator may forget it at any moment."""

    observed_generation: int | None = Field(default=None, description="Generation of the job that this is about.")
    phase: Phase | None = Field(default=None, description="For people; conditions are for machines.")
    start_time: datetime | None = Field(default=None, description="When the operator first saw the job.")
    completion_time: datetime | None = Field(default=None, description="When it succeeded or failed.")
    conditions: list[Condition] = Field(
        default_factory=list, description="For machines; Ready, Reconciling and Stalled as kstatus reads them."
    )
    dataset: DatasetStatus | None = None
    plan: Plan | None = None
    progress: ProgressStatus | None = None
    attempts: list[Attempt] = Field(default_factory=list, description="Newest last, at most 10.")
    preparation: int = Field(default=0, description="Number of the current prepare Job.")
    retries: int = Field(default=0, description="Steps that ended by a fault of the job's own.")
    disruptions: int = Field(default=0, description="Steps that ended by eviction, preemption or node loss.")
    artifact: ArtifactStatus | None = None
    prepare_report: str | None = Field(
        default=None, max_length=4096, description="The prepare step's whole answer, JSON: what a new attempt needs."
    )

    def condition(self, kind: ConditionType) -> Condition | None:
        """The condition of that type, where there is one."""
        return next((condition for condition in self.conditions if condition.type == kind), None)
