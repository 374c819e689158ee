"""What is created in the cluster, as plain dicts: pure functions of the job and the operator's settings."""

from finetune_operator.manifests.event import event
from finetune_operator.manifests.job import prepare_job, train_job
from finetune_operator.manifests.parent import Parent
from finetune_operator.manifests.service import train_service

__all__ = ["Parent", "event", "prepare_job", "train_job", "train_service"]
