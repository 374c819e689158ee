"""Settings of the operator: one dataclass, filled from the environment."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from finetune_core.contract.environment import DEFAULT_DATASET_LIMIT_BYTES
from finetune_core.errors import InvalidSpec

PREFIX = "FTJ_OPERATOR_"
"""Not the name of a Service that is likely beside it: Kubernetes gives every pod variables named after Services."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Each field is the environment variable ``FTJ_OPERATOR_`` and its name in capitals."""

    trainer_image: str
    """Image of prepare and train pods, where a job names none."""

    image_pull_policy: str = "IfNotPresent"
    """Kubernetes' pull policy of that image."""

    namespaces: tuple[str, ...] = ()
    """Namespaces to serve, separated by commas; none: all. With any, the operator asks for nothing beyond them."""

    lease_namespace: str = "finetune-operator"
    """Namespace of the Lease by which replicas choose their leader."""

    lease_name: str = "finetune-operator"
    """Name of that Lease."""

    identity: str = ""
    """Name of this replica in the Lease; by default the host's name, which is the pod's."""

    lease_seconds: float = 15.0
    """How long a leader that says nothing is waited for."""

    port: int = 8080
    """Port of ``/metrics`` and ``/healthz``."""

    workers: int = 16
    """Jobs that are worked on at the same time; each has at most one request to the API server under way."""

    poll_seconds: float = 10.0
    """How often a running step is looked at: log, progress, hang."""

    progress_writes_per_second: float = 10.0
    """Progress of all jobs together: with more than this times ``poll_seconds`` jobs in training, each is looked at
    less often."""

    sweep_seconds: float = 300.0
    """How often everything is listed anew, against what a watch can miss."""

    prepare_cpu: str = "1"
    """CPU request of a prepare pod."""

    prepare_memory: str = "4Gi"
    """Memory request and limit of a prepare pod."""

    prepare_storage: str = "20Gi"
    """Scratch space of a prepare pod: the dataset, its tokens and the model's tokenizer."""

    max_dataset_bytes: int = DEFAULT_DATASET_LIMIT_BYTES
    """Largest dataset, as it lies there; the scratch space must hold it and its tokens."""

    internal_hosts: tuple[str, ...] = ()
    """Hosts, by name or address and separated by commas, that datasets may be read from over https though their
    addresses are internal ones."""

    prepare_deadline_seconds: int = 21_600
    """Longest preparation, besides the wait for its pod."""

    train_deadline_seconds: int = 2_592_000
    """Longest attempt (30 days), besides the wait for its pod."""

    grace_seconds: int = 300
    """What a trainer is given at least to store its state when it is asked to stop; a large one is given more."""

    gpus_file: str = ""
    """File of GPUs that the catalogue lacks, in the form of ``finetune_core/planning/gpus.yaml``'s list."""

    model_cache_claim: str = ""
    """Claim in each job's namespace that holds what jobs download from the hub, so that it is downloaded once; it must
    be ReadWriteMany. Empty: every pod downloads for itself."""

    s3_endpoint_url: str = ""
    """S3 endpoint of locations that name none; empty: AWS."""

    s3_region: str = ""
    """S3 region of locations that name none."""


def settings_from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings.

    Raises:
        InvalidSpec: one is missing, unknown, or not of its type.
    """
    known = {f"{PREFIX}{field.name.upper()}": field for field in fields(Settings)}
    unknown = sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise InvalidSpec(f"{unknown[0]} is no setting of the operator; there are {', '.join(sorted(known))}")
    values = {}
    for name, field in known.items():
        if name in environment:
            try:
                values[field.name] = _value(field.type, environment[name])
            except ValueError as error:
                raise InvalidSpec(f"{name}={environment[name]!r} is not of type {field.type}") from error
            if isinstance(values[field.name], int | float) and not 0 < values[field.name] < math.inf:
                raise InvalidSpec(f"{name}={environment[name]!r} is not more than 0")
    if not values.get("trainer_image"):
        raise InvalidSpec(f"{PREFIX}TRAINER_IMAGE is not set: name the image of the trainer")
    return Settings(**values)


def _value(kind: Any, text: str) -> Any:
    if kind is int:
        return int(text)
    if kind is float:
        return float(text)
    if kind is str:
        return text
    return tuple(part.strip() for part in text.split(",") if part.strip())
