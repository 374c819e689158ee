"""The Jobs of a preparation and of an attempt to train: created once, never changed."""

from typing import Any

from finetune_core.api import Plan
from finetune_core.contract import PrepareReport
from finetune_core.contract.build import prepare_config, trainer_config
from finetune_core.contract.environment import EXIT_TERMINATED
from finetune_core.planning import find_gpu
from finetune_operator.decide.numbers import child_name, service_name
from finetune_operator.decide.observed import StepKind
from finetune_operator.manifests.labels import child_labels, queue_label
from finetune_operator.manifests.parent import Parent
from finetune_operator.manifests.places import Mounts
from finetune_operator.manifests.pod import CONTAINER, Nodes, Resources, pod_template
from finetune_operator.settings import Settings

MIB = 2**20

_POD_FAILURE_POLICY = {
    "rules": [
        # Either rule puts its cause into the Job's own condition, which outlives the pod (decide/ending.py reads it).
        {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {
            "action": "FailJob",
            "onExitCodes": {"containerName": CONTAINER, "operator": "In", "values": [EXIT_TERMINATED]},
        },
    ]
}


def prepare_job(parent: Parent, number: int, settings: Settings) -> dict[str, Any]:
    """The Job that checks and tokenizes the data."""
    spec, mounts = parent.spec, Mounts(settings)
    config = prepare_config(parent.name, parent.uid, spec, mounts.place_of).model_copy(update={"measure_storage": True})
    template = pod_template(
        "prepare",
        spec,
        settings,
        config=config.to_json(),
        labels=child_labels(parent.name, "prepare", number),
        resources=Resources(
            cpu=settings.prepare_cpu,
            memory=settings.prepare_memory,
            scratch=settings.prepare_storage,
            scratch_limit=settings.prepare_storage,
        ),
        mounts=mounts,
        gpu=find_gpu(spec.gpu.type),
    )
    seconds = spec.failure_policy.pending_deadline_seconds + settings.prepare_deadline_seconds
    return _job(parent, "prepare", number, template, seconds)


def train_job(parent: Parent, number: int, settings: Settings, *, report: PrepareReport, plan: Plan) -> dict[str, Any]:
    """The Job of one attempt: everything it needs to know is in it.

    Over several nodes it is an Indexed one, whose pods have names by which they find each other; and as with one node,
    the first pod that fails is the end of the attempt: the Job controller stops the others.
    """
    spec, gpu = parent.spec, find_gpu(parent.spec.gpu.type)
    prepared = prepare_config(parent.name, parent.uid, spec, Mounts(settings).place_of)
    mounts = Mounts(settings)  # of the data's own Secrets and claims the trainer needs none
    mounts.place_of(spec.model, "model")
    mounts.place_of(spec.output, "output")
    config = trainer_config(prepared, spec, report, plan, "cpu" if gpu.is_cpu else "cuda")
    assert plan.pod is not None
    nodes = None
    if plan.gpu.nodes > 1:
        name = child_name(parent.name, parent.uid, "train", number)
        nodes = Nodes(count=plan.gpu.nodes, job=name, service=service_name(parent.name, parent.uid))
    template = pod_template(
        "train",
        spec,
        settings,
        config=config.to_json(),
        labels=child_labels(parent.name, "train", number),
        resources=Resources(
            cpu=str(plan.pod.cpu),
            memory=_mebibytes(plan.pod.memory_bytes),
            scratch=_mebibytes(plan.pod.ephemeral_storage_bytes),
            scratch_limit=_mebibytes(2 * plan.pod.ephemeral_storage_bytes),  # weights may be stored in 32 bits
            shm=_mebibytes(plan.pod.shm_bytes),
            gpus=plan.gpu.per_node,
            store_seconds=plan.pod.store_seconds,
        ),
        mounts=mounts,
        gpu=gpu,
        nodes=nodes,
    )
    seconds = spec.failure_policy.pending_deadline_seconds + settings.train_deadline_seconds
    return _job(parent, "train", number, template, seconds, plan.gpu.nodes)


def _job(
    parent: Parent, kind: StepKind, number: int, template: dict[str, Any], seconds: int, pods: int = 1
) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": child_name(parent.name, parent.uid, kind, number),
            "namespace": parent.namespace,
            "labels": queue_label(parent.labels, kind) | child_labels(parent.name, kind, number),
            "ownerReferences": parent.owner_references,
        },
        "spec": {
            "backoffLimit": 0,
            "completions": pods,
            "parallelism": pods,
            **({"completionMode": "Indexed"} if pods > 1 else {}),
            "podReplacementPolicy": "Failed",  # never two trainers at once
            "activeDeadlineSeconds": seconds,
            "podFailurePolicy": _POD_FAILURE_POLICY,
            "template": template,
        },
    }


def _mebibytes(size: int) -> str:
    return f"{-(-size // MIB)}Mi"
