"""FineTuneJobs in a namespace of the cluster, as kubectl shows them."""

import json
from typing import Any
from uuid import uuid4

from e2e.cluster.cluster import Cluster, Json, wait_for

BUCKET = "quickstart"
SECRET = "s3"
FINISHED = ("Succeeded", "Failed")
JOB_SECONDS = 240


def job(name: str, /, **spec: Any) -> Json:
    """A job on the quickstart's model and rows that trains for some seconds; ``spec`` replaces fields or adds them."""
    return {
        "apiVersion": "finetune.dev/v1alpha1",
        "kind": "FineTuneJob",
        "metadata": {"name": name},
        "spec": {
            "model": place("base-model"),
            "dataset": place("rows.jsonl"),
            "gpu": {"type": "cpu"},
            "output": place(f"models/{name}-{uuid4().hex[:8]}"),
            "method": "lora",
            "hyperparameters": {"learningRate": 3e-3, "effectiveBatchSize": 8, "maxSteps": 20, "loggingSteps": 2},
            "evaluation": {"samples": {"count": 1, "maxNewTokens": 8}},
            **spec,
        },
    }


def place(key: str, **fields: Any) -> Json:
    """A location in the quickstart's bucket."""
    return {"uri": f"s3://{BUCKET}/{key}", "secretName": SECRET, **fields}


class Jobs:
    """The jobs of one namespace."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self.namespace = namespace
        self._where = ("--namespace", namespace)

    def apply(self, made: Json) -> None:
        """Create a job, or change it."""
        self._cluster.kubectl("apply", "--filename", "-", *self._where, input=json.dumps(made))

    def patch(self, name: str, **spec: Any) -> None:
        """Change fields of the spec."""
        self._cluster.kubectl("patch", "ftj", name, *self._where, "--type=merge", "--patch", json.dumps({"spec": spec}))

    def annotate(self, name: str, annotation: str) -> None:
        """Change a job in what is nobody's business here."""
        self._cluster.kubectl("annotate", "ftj", name, annotation, "--overwrite", *self._where)

    def get(self, name: str) -> Json:
        """The resource."""
        return self._cluster.get("ftj", name, *self._where)

    def names(self) -> list[str]:
        """All jobs."""
        return [found["metadata"]["name"] for found in self._cluster.get("ftj", *self._where)["items"]]

    def status(self, name: str) -> Json:
        """What the operator says of it."""
        found: Json = self.get(name).get("status", {})
        return found

    def wait_for_phase(self, name: str, *phases: str, seconds: float = JOB_SECONDS) -> Json:
        """The status, once the job is in one of these phases; a job that ends otherwise is not waited for."""

        def reached() -> Json | None:
            status = self.status(name)
            now = status.get("phase")
            assert now in phases or now not in FINISHED, f"{name} is {now}: {condition(status, 'Ready')}"
            return status if now in phases else None

        try:
            return wait_for(reached, seconds)
        except TimeoutError as error:
            raise AssertionError(f"{name} is not {phases} after {seconds:.0f} s: {self.story(name)}") from error

    def wait_until_trained(self, name: str, step: int, seconds: float = JOB_SECONDS) -> Json:
        """The status, once it tells of that step."""

        def reached() -> Json | None:
            status = self.wait_for_phase(name, "Training", *FINISHED)
            return status if status.get("progress", {}).get("step", 0) >= step else None

        return wait_for(reached, seconds)

    def pods(self, name: str, step: str = "train") -> list[Json]:
        """The pods of a job's step: of the oldest attempt first, and of the first node."""
        selector = f"finetune.dev/job={name},finetune.dev/step={step}"
        found: list[Json] = self._cluster.get("pods", "--selector", selector, *self._where)["items"]
        return sorted(found, key=lambda pod: (int(pod["metadata"]["labels"]["finetune.dev/number"]), index(pod)))

    def wait_until_seen(self, name: str) -> Json:
        """The first train pod, wherever it is."""
        return wait_for(lambda: self.pods(name), 120)[0]

    def wait_for_pod(self, name: str, step: str = "train", number: int = 1) -> Json:
        """The pod of that step, once it has been put on a node."""

        def bound() -> Json | None:
            found = [
                pod for pod in self.pods(name, step) if pod["metadata"]["labels"]["finetune.dev/number"] == str(number)
            ]
            return next((pod for pod in found if pod["spec"].get("nodeName")), None)

        return wait_for(bound, 120)

    def events(self, name: str) -> list[str]:
        """Reasons of its events, in order."""
        found = self._cluster.get("events", "--field-selector", f"involvedObject.name={name}", *self._where)["items"]
        return [event["reason"] for event in sorted(found, key=lambda event: event["metadata"]["name"])]

    def story(self, name: str) -> str:
        """All that a person could find out about it."""
        kinds = f"pods,jobs.batch,events --namespace {self.namespace}"
        return "\n".join(
            self._cluster.run("kubectl", *command.split(), check=False).stdout
            for command in (f"describe ftj {name} --namespace {self.namespace}", f"get {kinds}")
        )


def index(pod: Json) -> int:
    """Which node a pod is, of those that train together."""
    return int(pod["metadata"].get("annotations", {}).get("batch.kubernetes.io/job-completion-index", 0))


def condition(status: Json, kind: str) -> Json:
    """One of the conditions; empty if it is not there."""
    return next((one for one in status.get("conditions", []) if one["type"] == kind), {})
