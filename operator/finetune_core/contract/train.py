"""Into and out of a training attempt."""

from typing import Literal

from pydantic import Field

from finetune_core.api.base import ApiModel
from finetune_core.api.job import Checkpoints, Evaluation, Export, Method, Task
from finetune_core.api.plan import Plan, ResolvedHyperparameters
from finetune_core.contract.place import Place
from finetune_core.contract.prepare import PrepareReport
from finetune_core.contract.progress import Number
from finetune_core.errors import InvalidSpec


class TrainerConfig(ApiModel):
    """What one attempt is told; it travels whole in one environment variable."""

    version: Literal[1] = 1
    job_name: str
    job_uid: str
    model: Place
    output: Place
    overwrite: bool = False
    export: Export = "adapter"
    push: Place | None = Field(default=None, description="Repository of the hub that the result is pushed to.")
    prepared: Place
    prepare_report: PrepareReport
    plan: Plan
    plan_fingerprint: str = Field(description="Checkpoints with another one are never resumed from.")
    task: Task | None = None
    evaluation: Evaluation
    checkpoints: Checkpoints
    device: Literal["cuda", "cpu"]

    @property
    def method(self) -> Method:
        """The planned method."""
        if self.plan.method is None:
            raise InvalidSpec("the trainer was given an infeasible plan")
        return self.plan.method

    @property
    def hyperparameters(self) -> ResolvedHyperparameters:
        """The planned hyperparameters."""
        if self.plan.hyperparameters is None:
            raise InvalidSpec("the trainer was given an infeasible plan")
        return self.plan.hyperparameters

    @property
    def leaves_adapter(self) -> bool:
        """Whether the result is an adapter, or has one beside the whole model."""
        return self.method != "full" and self.export != "merged"

    @property
    def leaves_model(self) -> bool:
        """Whether the result is a whole model, or has one beside the adapter."""
        return self.method == "full" or self.merges

    @property
    def merges(self) -> bool:
        """Whether the adapter is merged into the base."""
        return self.method != "full" and self.export != "adapter"

    @property
    def checkpoint_path(self) -> str:
        """Where in the output this job's checkpoints of this plan lie; a recreated job never meets them."""
        return f"checkpoints/{self.job_uid[:8]}-{self.plan_fingerprint[:8]}"


class Artifact(ApiModel):
    """The finished model in the store."""

    uri: str
    manifest_sha256: str
    size_bytes: int
    files: int
    base_model: str
    method: Method
    report_uri: str


class Accuracy(ApiModel):
    """Answers to validation rows that are the dataset's own, but for case and a final full stop."""

    rows: int
    before: float = Field(description="Share of the rows, before training.")
    after: float


_IN_THE_FILE_ALONE = ("gpu", "predicted_memory_bytes", "model_revision", "data_fingerprint", "seed")


class RunReport(ApiModel):
    """The answer of an attempt that finished."""

    version: Literal[1] = 1
    job_name: str
    job_uid: str
    steps: int = Field(description="Optimizer steps taken in all attempts together.")
    resumed_from_step: int | None = None
    stopped_early: bool = False
    best_step: int | None = Field(default=None, description="Step whose weights were exported, where not the last.")
    train_loss: float
    eval_loss_before: float | None = None
    eval_loss: float | None = Field(default=None, description="Validation loss of the exported weights.")
    merged_loss_difference: Number | None = Field(
        default=None, description="Loss of the merged model less that of the adapter on the base it was trained on."
    )
    perplexity_before: float | None = Field(default=None, description="exp of the validation loss.")
    perplexity: float | None = None
    accuracy: Accuracy | None = Field(default=None, description="Of classification jobs with validation rows.")
    supervised_tokens: int
    seconds: float
    gpu: str | None = Field(default=None, description="The card, as its driver calls it.")
    gpus: int = 1
    tokens_per_second: float | None = Field(
        default=None, description="Of all GPUs, prompts included; evaluation, checkpoints and loading left out."
    )
    model_flops_utilization: float | None = Field(
        default=None, description="Model FLOPs over what the catalogue says the GPUs can do in 16 bits."
    )
    peak_memory_bytes: int | None = Field(default=None, description="Measured, of the first GPU.")
    predicted_memory_bytes: int | None = None
    model_revision: str | None = Field(default=None, description="Commit of a model from the hub.")
    data_fingerprint: str | None = Field(default=None, description="SHA-256 of all that the prepared tokens depend on.")
    seed: int | None = None
    truncated_rows: int = Field(default=0, description="Training rows longer than the cutoff.")
    ended_early_rows: int = Field(default=0, description="Of them, those that lost whole answers.")
    unfinished_rows: int = Field(default=0, description="Of them, those that were cut within an answer.")
    left_out_rows: int = Field(default=0, description="Rows with nothing to learn before the cutoff.")
    versions: dict[str, str] = Field(default_factory=dict, description="In run-report.json alone.")
    artifact: Artifact | None = None
    pushed: bool | None = Field(default=None, description="Whether the result is on the hub too; None: not asked for.")
    push_problem: str | None = Field(default=None, description="Why it is not.")

    def answer(self) -> str:
        """The termination message: without what nobody reads there, so that the longest locations fit."""
        return self.model_copy(update=dict.fromkeys(_IN_THE_FILE_ALONE) | {"versions": {}}).to_json()
