"""What is created in the cluster, as plain dicts: pure functions of the job and the operator's settings."""

from finetune_operator.manifests.event import event
from finetune_operator.manifests.job import Parent, prepare_job, train_job

__all__ = ["Parent", "event", "prepare_job", "train_job"]
