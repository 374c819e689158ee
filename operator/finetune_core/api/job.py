"""The FineTuneJob: every field here works; a field enters with its behaviour.

Defaults that are objects are constructed and not validated: for that, pydantic would build each class by itself when
this is imported, which takes a twentieth of the time that ``ftj plan`` needs.
"""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from finetune_core.api.base import ApiModel
from finetune_core.api.findings import FindingCode, Policy, ThresholdCode
from finetune_core.api.location import DataLocation, HubUri, Location, parse_uri, public_uri
from finetune_core.errors import InvalidSpec

API_VERSION = "finetune.dev/v1alpha1"
KIND = "FineTuneJob"

Method = Literal["full", "lora", "qlora"]
Task = Literal["style", "classification", "knowledge", "reasoning"]
MethodChoice = Literal["auto", "full", "lora", "qlora"]
DatasetFormat = Literal["alpaca", "conversations", "sharegpt", "messages", "prompt-completion", "text"]
FormatChoice = Literal["auto", "alpaca", "conversations", "sharegpt", "messages", "prompt-completion", "text"]
Precision = Literal["bf16", "fp16", "fp32"]
Scheduler = Literal["cosine", "linear", "constant"]
MasterWeights = Literal["fp32", "none"]
Optimizer = Literal["adamw", "adamw-8bit"]
Sharding = Literal["none", "full"]
Preset = Literal["conservative", "recent"]
Export = Literal["adapter", "merged", "both"]

ALL_LINEAR = "all-linear"
"""As a LoRA target: every linear inside the layers."""

Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Threshold = Annotated[float, Field(ge=0, le=1_000_000)]
Seconds = Annotated[int, Field(ge=0, le=31_536_000)]
ColumnName = Annotated[str, Field(max_length=256)]
ModuleName = Annotated[str, Field(min_length=1, max_length=256)]
LearningRate = Annotated[float, Field(gt=0, le=1)]


LONGEST_NAME = 45
Name = Annotated[str, Field(max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
"""Of an object in the job's namespace, as Kubernetes allows it."""
Short = Annotated[str, Field(max_length=317)]
"""A label's or annotation's key with its prefix, or a value about as long."""


class Metadata(ApiModel):
    """The part of Kubernetes metadata that matters here; the rest is the cluster's and is passed over."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(
        max_length=LONGEST_NAME, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        description="Name of the job; children append up to 18 characters within the 63 that a label may have.",
    )  # fmt: skip


class ValidationFraction(ApiModel):
    """A share of the training rows, set aside before training."""

    fraction: Fraction = Field(description="Share of the rows kept for validation, of which 2,000 at most; 0 for none.")


def _validation_kind(value: Any) -> str:
    """Which of the two forms of ``dataset.validation`` a person meant: a location has a uri."""
    has_uri = "uri" in value if isinstance(value, dict) else isinstance(value, Location)
    return "a-location" if has_uri else "a-fraction"


Validation = Annotated[
    Annotated[ValidationFraction, Tag("a-fraction")] | Annotated[DataLocation, Tag("a-location")],
    Discriminator(_validation_kind),
]


class Dataset(DataLocation):
    """The training data."""

    format: FormatChoice = Field(default="auto", description="Detected from the first rows unless named.")
    columns: dict[ColumnName, ColumnName] = Field(
        default_factory=dict, max_length=16, description="Field of the format -> name of that field in the data."
    )
    task: Task | None = Field(default=None, description="Decides how much data is enough, and the LoRA rank.")
    max_rows: Count | None = Field(default=None, description="A pilot run on the first N good rows.")
    validation: Validation = Field(
        default=ValidationFraction(fraction=0.1), description="A share of the rows, or a dataset of its own."
    )
    quality: dict[FindingCode, Policy] = Field(default_factory=dict, description="Policy of single checks.")
    thresholds: dict[ThresholdCode, Threshold] = Field(
        default_factory=dict, description="The number that single checks decide by; docs/checks.md lists them."
    )


class Gpu(ApiModel):
    """The cards to train on: so many of one type on each node, and each with a process of its own."""

    type: str = Field(min_length=1, max_length=64, description='Catalogue name or alias, or "cpu".')
    per_node: Annotated[int, Field(ge=1, le=16)] = Field(default=1, description="Cards of each pod; processes on cpu.")
    nodes: Annotated[int, Field(ge=1, le=64)] = Field(default=1, description="Pods that train together.")

    @property
    def count(self) -> int:
        """All of them."""
        return self.per_node * self.nodes


class Lora(ApiModel):
    """Low-rank adapters (Hu et al. 2021, arXiv:2106.09685)."""

    rank: Annotated[int, Field(ge=1, le=1024)] | None = Field(default=None, description="Rank r of each adapter.")
    alpha: Annotated[int, Field(ge=1, le=4096)] | None = Field(default=None, description="Scale: alpha / rank.")
    dropout: Fraction | None = Field(default=None, description="Dropout before the adapter.")
    target_modules: Annotated[list[ModuleName], Field(min_length=1, max_length=64)] | None = Field(
        default=None, description="Names like [q_proj, v_proj], or [all-linear]."
    )

    @field_validator("target_modules")
    @classmethod
    def _all_or_named(cls, names: list[str] | None) -> list[str] | None:
        if names is not None and ALL_LINEAR in names and len(names) > 1:
            raise ValueError(f"{ALL_LINEAR} stands alone: write [{ALL_LINEAR}], or name linears")
        return names


class Quantization(ApiModel):
    """4-bit base weights of QLoRA (Dettmers et al. 2023, arXiv:2305.14314)."""

    type: Literal["nf4", "fp4"] | None = Field(default=None, description="4-bit data type.")
    double_quantization: bool | None = Field(default=None, description="Quantise the quantisation constants too.")


class Hyperparameters(ApiModel):
    """Every one optional: a given value always wins, or the plan is infeasible and says so."""

    preset: Preset = Field(default="conservative", description="Learning rates of the course, or of newer evidence.")
    epochs: Annotated[float, Field(gt=0, le=1000)] | None = Field(default=None, description="Passes over the data.")
    max_steps: Count | None = Field(default=None, description="Stop after so many optimizer steps.")
    learning_rate: LearningRate | None = Field(default=None, description="Peak learning rate.")
    lr_scheduler: Scheduler | None = Field(default=None, description="Shape of the decay after warm-up.")
    warmup_ratio: Fraction | None = Field(default=None, description="Share of the steps spent warming up.")
    weight_decay: Annotated[float, Field(ge=0, le=1)] | None = Field(default=None, description="AdamW weight decay.")
    max_grad_norm: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Clip the gradient norm here."
    )
    seed: Annotated[int, Field(ge=0, lt=2**31)] | None = Field(default=None, description="Seed of everything random.")
    effective_batch_size: Count | None = Field(default=None, description="Rows per optimizer step, packed or not.")
    micro_batch_size: Count | None = Field(
        default=None, description="Rows per forward pass; packed, as many as fit into the room of so many long ones."
    )
    gradient_accumulation_steps: Count | None = Field(
        default=None, description="Forward passes of each GPU per optimizer step; fewer where rows are packed."
    )
    cutoff_length: Annotated[int, Field(ge=16, le=2**20)] | None = Field(
        default=None, description="Longest row, in tokens."
    )
    packing: bool | None = Field(default=None, description="Fill each micro-batch with short rows; none sees another.")
    precision: Precision | None = Field(default=None, description="Number format computed with.")
    master_weights: MasterWeights | None = Field(
        default=None,
        description="full only. fp32: fp32 weights and states. none: bf16 weights with Kahan compensation.",
    )
    optimizer: Optimizer = Field(
        default="adamw", description="adamw-8bit: moments in 8 bits, on one GPU or with the whole model on each."
    )
    activation_checkpointing: bool | None = Field(
        default=None, description="Recompute activations instead of keeping them."
    )
    train_on_prompt: bool = Field(default=False, description="Supervise the prompt's tokens too.")
    logging_steps: Count | None = Field(default=None, description="A progress line every so many steps.")
    lora: Lora = Field(default=Lora.model_construct(), description="Used by lora and qlora.")
    quantization: Quantization = Field(default=Quantization.model_construct(), description="Used by qlora.")

    @model_validator(mode="after")
    def _batch_sizes_agree(self) -> "Hyperparameters":
        effective, micro, accumulation = (
            self.effective_batch_size,
            self.micro_batch_size,
            self.gradient_accumulation_steps,
        )
        if effective and (micro or accumulation) and effective % (micro or accumulation or 1):
            raise ValueError(
                f"effectiveBatchSize {effective} is not a multiple of "
                f"{'microBatchSize' if micro else 'gradientAccumulationSteps'} {micro or accumulation}"
            )
        return self


class Samples(ApiModel):
    """Answers generated before and after training, for people to compare."""

    count: Annotated[int, Field(ge=0, le=32)] = Field(default=4, description="Prompts taken from the validation rows.")
    prompts: list[Annotated[str, Field(min_length=1, max_length=4096)]] = Field(
        default_factory=list, max_length=32, description="Prompts of your own, instead."
    )
    max_new_tokens: Annotated[int, Field(ge=1, le=4096)] = Field(default=128, description="Longest answer, in tokens.")


class Evaluation(ApiModel):
    """Loss on the validation rows, and when to stop by it."""

    every_steps: Count | None = Field(default=None, description="Evaluate every so many optimizer steps.")
    early_stopping_patience: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=3, description="Stop after so many evaluations without improvement; 0 never stops."
    )
    min_delta: Annotated[float, Field(ge=0)] = Field(default=0.0, description="A smaller gain is no improvement.")
    samples: Samples = Field(default=Samples.model_construct(), description="Answers before and after.")


class Checkpoints(ApiModel):
    """Saved states that an interrupted run resumes from."""

    every_steps: Count = Field(default=100, description="Save every so many optimizer steps.")
    every_seconds: Count = Field(default=1800, description="And when the last one is so long ago.")
    keep: Annotated[int, Field(ge=1, le=100)] = Field(default=3, description="Keep the newest so many.")
    keep_after_success: bool = Field(default=False, description="Keep them beside the finished model.")


class Budget(ApiModel):
    """What training may take by its plan; a job beyond it is refused before a GPU is held."""

    max_cost: Annotated[float, Field(gt=0)] | None = Field(default=None, description="In USD.")
    max_duration_seconds: Count | None = Field(default=None, description="From the first step to the last.")


class Output(Location):
    """Where the result goes."""

    export: Export | None = Field(
        default=None,
        description="What lora and qlora leave: the adapter, a whole model with it merged into the 16-bit base, or "
        "both. Default: adapter. full always leaves a whole model.",
    )
    overwrite: bool = Field(default=False, description="Replace a model that lies there already.")
    push: Annotated[str, Field(max_length=256)] | None = Field(
        default=None,
        description="hf://org/name[@branch] to push the result to after it is stored, with HF_TOKEN of secretName. "
        "A new repository is private. A push that fails does not fail the job.",
    )

    @field_validator("push")
    @classmethod
    def _repository(cls, push: str | None) -> str | None:
        """A whole model repository: nothing else can be loaded by its name."""
        if push is None:
            return None
        try:
            where = parse_uri(push)
        except InvalidSpec as error:
            raise ValueError(str(error)) from error
        if not isinstance(where, HubUri) or where.kind != "model" or where.path:
            raise ValueError(f"{public_uri(push)!r} is no model repository of the hub: write hf://org/name")
        return push

    @model_validator(mode="after")
    def _writable(self) -> "Output":
        if self.uri.startswith("hf:"):
            raise ValueError(
                f"{self.uri!r} cannot be written to: write s3://bucket/prefix, pvc://claim/path or file:///path"
            )
        return self


class FailurePolicy(ApiModel):
    """What a job survives, and how long it waits. In a cluster; ``ftj run`` has a person beside it."""

    max_retries: Annotated[int, Field(ge=0, le=100)] = Field(
        default=3, description="New attempts after a fault of the job's own: out of memory, crash, no progress."
    )
    max_disruptions: Annotated[int, Field(ge=0, le=500)] = Field(
        default=50, description="New attempts after eviction, preemption or the loss of a node."
    )
    on_out_of_memory: Literal["stepDown", "fail"] = Field(
        default="stepDown", description="stepDown: halve the micro-batch and accumulate twice as long."
    )
    pending_deadline_seconds: Annotated[int, Field(ge=1, le=31_536_000)] = Field(
        default=86_400, description="Fail when a pod could not be started for so long."
    )
    no_progress_seconds: Annotated[int, Field(ge=1, le=31_536_000)] = Field(
        default=900, description="Start a new attempt when the trainer has said nothing for so long."
    )


class Toleration(ApiModel):
    """A taint that the pods accept, as in a pod's own spec."""

    key: Short | None = Field(default=None, description="Key of the taint; without one, every key.")
    operator: Literal["Exists", "Equal"] | None = Field(
        default=None, description="Exists takes any value; without one, Equal."
    )
    value: Annotated[str, Field(max_length=63)] | None = Field(default=None, description="Value of the taint.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="Effect of the taint; without one, every effect."
    )
    toleration_seconds: Seconds | None = Field(
        default=None, description="How long NoExecute is tolerated; without it, for ever."
    )


class PullSecret(ApiModel):
    """A Secret with the login of an image registry."""

    name: Name = Field(description="Name of the Secret, in the job's namespace.")


class EnvironmentVariable(ApiModel):
    """A variable for the trainer. It is readable by whoever may read the job: not for secrets."""

    name: str = Field(
        max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="Name of the variable; those that begin with FINETUNE_ are the trainer's own.",
    )  # fmt: skip
    value: str = Field(default="", max_length=4096, description="Its value.")


Named = TypeVar("Named", PullSecret, EnvironmentVariable)


class PodOptions(ApiModel):
    """What the prepare and train pods are given besides what the plan says."""

    image: Annotated[str, Field(min_length=1, max_length=512)] | None = Field(
        default=None, description="Trainer image, instead of the operator's."
    )
    image_pull_secrets: list[PullSecret] = Field(
        default_factory=list, max_length=8, description="Secrets to pull the image with."
    )
    service_account_name: Name | None = Field(
        default=None, description="For workload identity; its token is not mounted."
    )
    node_selector: dict[Short, Short] = Field(
        default_factory=dict, max_length=16, description="Replaces the affinity to nodes with the GPU asked for."
    )
    tolerations: list[Toleration] = Field(
        default_factory=list, max_length=16, description="Taints that the pods accept."
    )
    env: list[EnvironmentVariable] = Field(
        default_factory=list, max_length=32, description="Variables for the trainer; not for secrets."
    )
    labels: dict[Short, Short] = Field(default_factory=dict, max_length=32, description="Labels to add to the pods.")
    annotations: dict[Short, Annotated[str, Field(max_length=4096)]] = Field(
        default_factory=dict, max_length=32, description="Annotations to add to the pods."
    )
    runtime_class_name: Name | None = Field(default=None, description="RuntimeClass of the pods, such as nvidia.")

    @field_validator("env")
    @classmethod
    def _not_ours(cls, env: list[EnvironmentVariable]) -> list[EnvironmentVariable]:
        ours = next((variable.name for variable in env if variable.name.startswith("FINETUNE_")), None)
        if ours:
            raise ValueError(f"{ours}: names that begin with FINETUNE_ are the trainer's own")
        return env

    @field_validator("env", "image_pull_secrets")
    @classmethod
    def _named_once(cls, entries: list[Named]) -> list[Named]:
        """The API server takes each name once: these lists are maps to it."""
        names = [entry.name for entry in entries]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise ValueError(f"{twice} is given twice")
        return entries


class FineTuneJobSpec(ApiModel):
    """Four facts are enough: model, dataset, gpu, output."""

    model: Location
    dataset: Dataset
    gpu: Gpu
    output: Output
    method: MethodChoice = Field(default="auto", description="auto: the first that fits of full, lora, qlora.")
    hyperparameters: Hyperparameters = Field(default=Hyperparameters.model_construct())
    evaluation: Evaluation = Field(default=Evaluation.model_construct())
    checkpoints: Checkpoints = Field(default=Checkpoints.model_construct())
    budget: Budget = Field(default=Budget.model_construct())
    failure_policy: FailurePolicy = Field(default=FailurePolicy.model_construct())
    suspend: bool = Field(default=False, description="Stop what runs, keeping its state; false goes on from there.")
    ttl_seconds_after_finished: Seconds | None = Field(
        default=None, description="Remove the finished job after so long; its model stays."
    )
    priority_class_name: Name | None = Field(default=None, description="PriorityClass of the pods.")
    pod: PodOptions = Field(default=PodOptions.model_construct())

    @model_validator(mode="after")
    def _batch_sizes_agree(self) -> "FineTuneJobSpec":
        given, gpus = self.hyperparameters, self.gpu.count
        effective, micro, accumulation = (
            given.effective_batch_size,
            given.micro_batch_size,
            given.gradient_accumulation_steps,
        )
        if effective and micro and accumulation and effective != micro * accumulation * gpus:
            each = f" x {gpus} GPUs" if gpus > 1 else ""
            raise ValueError(
                f"hyperparameters.effectiveBatchSize {effective} is not microBatchSize {micro} x "
                f"gradientAccumulationSteps {accumulation}{each} = {micro * accumulation * gpus}: "
                "give two of the three"
            )
        return self


class FineTuneJob(ApiModel):
    """One fine-tuning job."""

    api_version: Literal["finetune.dev/v1alpha1"]
    kind: Literal["FineTuneJob"]
    metadata: Metadata
    spec: FineTuneJobSpec
