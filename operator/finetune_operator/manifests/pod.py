"""The pod of a step, fit for the Pod Security level "restricted"."""

from dataclasses import dataclass
from typing import Any

from finetune_core.api.job import FineTuneJobSpec
from finetune_core.contract.environment import (
    CONFIG_VARIABLE,
    DATASET_LIMIT_VARIABLE,
    INTERNAL_HOSTS_VARIABLE,
    NODE_RANK_VARIABLE,
    NODES_VARIABLE,
    RENDEZVOUS_PORT,
    RENDEZVOUS_VARIABLE,
)
from finetune_core.planning import Gpu
from finetune_operator.decide.observed import StepKind
from finetune_operator.manifests.labels import INDEX
from finetune_operator.manifests.places import Mounts
from finetune_operator.settings import Settings

CONTAINER = "trainer"
USER = 10_001
SCRATCH = "/scratch"
WHOLE_CARD = "nvidia.com/gpu"


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a pod asks for, as Kubernetes quantities."""

    cpu: str
    memory: str
    scratch: str
    """What is asked of the node's disk."""
    scratch_limit: str
    """Where a runaway is stopped: evicted, with all that was not stored."""
    shm: str = "64Mi"
    """/dev/shm: it counts as memory of the container, within its limit."""
    gpus: int = 1
    """Cards, where the pod holds any."""
    store_seconds: int = 0
    """What storing its state is expected to take."""


@dataclass(frozen=True, kw_only=True)
class Nodes:
    """Pods that train together: an Indexed Job's, in a headless Service."""

    count: int
    job: str
    service: str

    @property
    def environment(self) -> list[dict[str, Any]]:
        """How a pod knows which it is, and where the first one is."""
        index = {"fieldRef": {"fieldPath": f"metadata.annotations['{INDEX}']"}}
        return [
            {"name": NODES_VARIABLE, "value": str(self.count)},
            {"name": NODE_RANK_VARIABLE, "valueFrom": index},
            {"name": RENDEZVOUS_VARIABLE, "value": f"{self.job}-0.{self.service}:{RENDEZVOUS_PORT}"},
        ]


def pod_template(
    kind: StepKind,
    spec: FineTuneJobSpec,
    settings: Settings,
    *,
    config: str,
    labels: dict[str, str],
    resources: Resources,
    mounts: Mounts,
    gpu: Gpu,
    nodes: Nodes | None = None,
) -> dict[str, Any]:
    """A pod template; ``config`` is what the step is told, JSON without secrets."""
    options = spec.pod
    holds_gpu = kind == "train" and gpu.resource_name is not None
    # A volume may be tied to the node where it is first used, and nodes that were named are meant for both pods: then
    # the preparation goes where the training can go. Else it is free to run anywhere, off the dear nodes.
    beside_gpu = gpu.resource_name is not None and (kind == "train" or mounts.has_claim or bool(options.node_selector))
    container = _container(kind, spec, settings, config, resources, mounts, gpu if holds_gpu else None)
    if nodes is not None:
        container["env"] += nodes.environment
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": (
            max(settings.grace_seconds, resources.store_seconds) if kind == "train" else 30
        ),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            {"name": "scratch", "emptyDir": {"sizeLimit": resources.scratch_limit}},
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": resources.shm}},
            *({"name": name} | source for name, source in mounts.volumes.items()),
        ],
        "tolerations": [toleration.model_dump(by_alias=True, exclude_none=True) for toleration in options.tolerations],
    }
    if beside_gpu:
        for key in _taints(gpu):
            pod["tolerations"].append({"key": key, "operator": "Exists", "effect": "NoSchedule"})
    if options.node_selector:
        pod["nodeSelector"] = dict(options.node_selector)
    elif beside_gpu:
        pod["affinity"] = {"nodeAffinity": _affinity(gpu)}
    optional = {
        "imagePullSecrets": [{"name": secret.name} for secret in options.image_pull_secrets],
        "serviceAccountName": options.service_account_name,
        "runtimeClassName": options.runtime_class_name if kind == "train" else None,
        "priorityClassName": spec.priority_class_name,
        "subdomain": nodes.service if nodes is not None else None,
    }
    pod |= {name: value for name, value in optional.items() if value}
    return {
        "metadata": {"labels": dict(options.labels) | labels, "annotations": dict(options.annotations)},
        "spec": pod,
    }


def _container(
    kind: StepKind,
    spec: FineTuneJobSpec,
    settings: Settings,
    config: str,
    resources: Resources,
    mounts: Mounts,
    gpu: Gpu | None,
) -> dict[str, Any]:
    # Memory has limit and request alike: a trainer that outgrows its share must not take others down with it.
    # CPU has no limit, which would only slow it down.
    limits = {"memory": resources.memory} | (
        {gpu.resource_name: str(resources.gpus)} if gpu and gpu.resource_name else {}
    )
    requests = {"cpu": resources.cpu, "ephemeral-storage": resources.scratch} | limits
    environment = {variable.name: variable.value for variable in spec.pod.env} | {
        CONFIG_VARIABLE: config.replace("$", "\\u0024"),  # kubelet would make $$ one, and expand $(NAME)
        # Libraries keep their caches below these; the root file system is read-only.
        "HOME": SCRATCH,
        "TMPDIR": SCRATCH,
        "XDG_CACHE_HOME": f"{SCRATCH}/.cache",
        "PYTHONUNBUFFERED": "1",
    }
    if kind == "prepare":
        environment[DATASET_LIMIT_VARIABLE] = str(settings.max_dataset_bytes)
        environment[INTERNAL_HOSTS_VARIABLE] = ",".join(settings.internal_hosts)
    environment |= mounts.environment
    return {
        "name": CONTAINER,
        "image": spec.pod.image or settings.trainer_image,
        "imagePullPolicy": settings.image_pull_policy,
        "command": ["finetune-trainer"],
        "args": [kind],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "resources": {"requests": requests, "limits": limits},
        "terminationMessagePolicy": "File",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "scratch", "mountPath": SCRATCH},
            {"name": "shm", "mountPath": "/dev/shm"},
            *mounts.mounts,
        ],
    }


def _taints(gpu: Gpu) -> list[str | None]:
    """By which nodes with the card keep others off. Those of MIG slices have the taint of whole cards."""
    return [gpu.resource_name, *([WHOLE_CARD] if gpu.is_slice else [])]


def _affinity(gpu: Gpu) -> dict[str, Any]:
    """Nodes that any of the labels calls by this card's name: each cloud has a label of its own."""
    terms = [
        {"matchExpressions": [{"key": key, "operator": "In", "values": list(values)}]}
        for key, values in gpu.node_labels.items()
    ]
    return {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
