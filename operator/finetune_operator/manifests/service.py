"""The headless Service by which pods that train together find the first of them."""

from typing import Any

from finetune_core.contract.environment import RENDEZVOUS_PORT
from finetune_operator.decide.numbers import service_name
from finetune_operator.manifests.labels import JOB, STEP, job_labels
from finetune_operator.manifests.parent import Parent


def train_service(parent: Parent) -> dict[str, Any]:
    """The Service of a job's train pods, of every attempt: it goes with the job.

    Pods' names in it are those of their Jobs, so attempts never meet; one that is deleted comes back with the next
    attempt, and the operator needs no right to delete any. Not-ready addresses are published, since pods meet before
    anything of theirs could be ready.
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": service_name(parent.name, parent.uid),
            "namespace": parent.namespace,
            "labels": job_labels(parent.name),
            "ownerReferences": parent.owner_references,
        },
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {JOB: parent.name, STEP: "train"},
            "ports": [{"name": "rendezvous", "port": RENDEZVOUS_PORT}],
        },
    }
