"""The operator as Helm installs it."""

import json
from typing import Any

from e2e.cluster.cluster import Cluster, Json, wait_for
from e2e.cluster.places import REPOSITORY

RELEASE = NAMESPACE = "finetune-operator"
CHART = REPOSITORY / "charts" / "finetune-operator"
SELECTOR = f"app.kubernetes.io/name=finetune-operator,app.kubernetes.io/instance={RELEASE}"
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:{RELEASE}"
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}


LAB_CARD = {
    "name": "Lab-1",
    "memoryGiB": 30,
    "computeCapability": "8.0",
    "bf16": True,
    "tflops16": 100,
    "bandwidthGBs": 900,
    "pricePerHour": 1,
    "labels": {"lab.example/gpu": ["one"]},
    "resourceName": "lab.example/gpu",
}
"""A card that only this cluster knows of."""


class OperatorRelease:
    """The one release in the cluster: installed, changed, looked at."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._values: Json | None = None

    def install(self, **values: Any) -> None:
        """Install it, or change it to these values; returns when all replicas are ready and one leads."""
        if self._values != values:
            self._cluster.apply(namespace(NAMESPACE))
            self.helm("upgrade", "--install", **values)
            self._values = values
        self.wait_for_leader()

    def helm(self, *command: str, **values: Any) -> str:
        """Run a helm command on the release, with the values that every one has here and these."""
        registry = self._cluster.registry
        everything = {
            "image.repository": f"{registry}/finetune-operator",
            "trainer.image.repository": f"{registry}/finetune-trainer",
            "s3.endpointURL": self._cluster.s3_from_pods,
            "settings.pollSeconds": 1,
            "extraGpus": [LAB_CARD],
            "podAnnotations": {"e2e/image": self._cluster.operator_image_id},  # another image, other pods
            **values,
        }
        options = [word for key, value in everything.items() for word in ("--set-json", f"{key}={json.dumps(value)}")]
        where = ("--namespace", NAMESPACE, "--wait", "--timeout", "3m")
        return self._cluster.helm(*command, RELEASE, CHART, *where, *options)

    def rollback(self) -> None:
        """Back to the values of before."""
        self._values = None
        self._cluster.helm("rollback", RELEASE, "--namespace", NAMESPACE, "--wait")
        self.wait_for_leader()

    def settings(self) -> dict[str, str]:
        """Environment of its pods."""
        pod = self._cluster.get("deployment", RELEASE, "--namespace", NAMESPACE)["spec"]["template"]["spec"]
        return {variable["name"]: variable.get("value", "") for variable in pod["containers"][0]["env"]}

    def uninstall(self) -> None:
        """Remove it."""
        self._values = None
        self._cluster.helm("uninstall", RELEASE, "--namespace", NAMESPACE, "--wait", "--ignore-not-found")

    def pods(self) -> list[Json]:
        """Its replicas, without those that are ending."""
        found = self._cluster.get("pods", "--namespace", NAMESPACE, "--selector", SELECTOR)["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def leader(self) -> str | None:
        """Name of the pod that has the Lease and is there."""
        leases = self._cluster.get("leases", "--namespace", NAMESPACE)["items"]
        holders = {lease["spec"].get("holderIdentity") for lease in leases}
        return next((pod["metadata"]["name"] for pod in self.pods() if pod["metadata"]["name"] in holders), None)

    def wait_for_leader(self, other_than: str | None = None) -> str:
        """Its name, once there is one, or another one."""

        def found() -> str | None:
            leader = self.leader()
            return leader if leader != other_than else None

        return wait_for(found, 60)

    def kill(self, pod: str) -> None:
        """Kill it as fast as the API server can: kubelet gives it a second."""
        options = ("--grace-period=0", "--force", "--wait=false")
        self._cluster.kubectl("delete", "pod", pod, "--namespace", NAMESPACE, *options)


def namespace(name: str) -> Json:
    """A namespace that lets in only pods fit for the Pod Security level "restricted"."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}
