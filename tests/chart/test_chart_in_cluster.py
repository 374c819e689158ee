"""The chart on a real API server, by Helm itself. No node runs a pod here: the end-to-end tests have one."""

import shutil
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from rendered import CHART, EVERYTHING, NAMESPACE, RELEASE, REPOSITORY, Helm, Json

from control_plane import ControlPlane, wait_for
from operator_process import OperatorProcess
from unit.jobs import JOB

DEFINITION = "customresourcedefinition/finetunejobs.finetune.dev"


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """A new namespace that enforces Pod Security "restricted", and warns of what a Deployment's pods would break."""
    with control_plane.namespace(f"ops-{uuid4().hex[:12]}") as name:
        labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
        control_plane.kubectl("label", "namespace", name, *(f"{label}={value}" for label, value in labels.items()))
        yield name


@pytest.fixture
def releases(helm: Helm, control_plane: ControlPlane, namespace: str) -> Iterator["Releases"]:
    """Installs in that namespace; afterwards nothing of it is left in the cluster."""
    made = Releases(helm, control_plane, namespace)
    try:
        yield made
    finally:
        made.clean_up()


class Releases:
    """Helm in one namespace of the cluster."""

    def __init__(self, helm: Helm, plane: ControlPlane, namespace: str) -> None:
        self._helm = helm
        self.plane = plane
        self.namespace = namespace

    def run(self, *arguments: str, check: bool = True) -> str:
        options = (f"--namespace={self.namespace}",)
        return self._helm.run(*arguments, *options, kubeconfig=self.plane.kubeconfig, check=check)

    def install(self, *options: str, chart: Path = CHART, check: bool = True) -> str:
        return self.run("install", RELEASE, str(chart), *options, check=check)

    def clean_up(self) -> None:
        if RELEASE in self.run("list", "--short"):
            self.run("uninstall", RELEASE)
        self.plane.kubectl("delete", DEFINITION, "--ignore-not-found")

    def operator(self, folder: Path) -> OperatorProcess:
        """The operator as the Deployment has it, with its account and settings, as a process on this machine."""
        deployment = self.plane.json("deployment", RELEASE, "--namespace", self.namespace)
        pod = deployment["spec"]["template"]["spec"]
        environment = {variable["name"]: variable.get("value", "") for variable in pod["containers"][0]["env"]}
        settings = {name.removeprefix("FTJ_OPERATOR_").lower(): value for name, value in environment.items()}
        account = self.plane.service_account_kubeconfig(self.namespace, pod["serviceAccountName"])
        return OperatorProcess(account, folder, "operator-0", **settings)


@pytest.fixture(scope="module")
def places(control_plane: ControlPlane) -> Iterator[None]:
    """The namespaces that are named in what is rendered, and the kinds of the Prometheus operator."""
    for kind in ("ServiceMonitor", "PrometheusRule"):
        _define_loosely(control_plane, kind)
    with control_plane.namespace("team-a"), control_plane.namespace("team-b"), control_plane.namespace(NAMESPACE):
        yield


@pytest.mark.usefixtures("places")
@pytest.mark.parametrize("values", [(), EVERYTHING], ids=["defaults", "everything"])
def test_the_api_server_takes_every_object(helm: Helm, control_plane: ControlPlane, values: tuple[str, ...]) -> None:
    rendered = helm.template(*values)
    answer = control_plane.kubectl(
        "apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename=-", input=rendered.text()
    )
    assert len(answer.stdout.splitlines()) == len(rendered.objects)
    assert not answer.stderr


def _define_loosely(plane: ControlPlane, kind: str) -> None:
    """The kind of the Prometheus operator, with any content: its real schema is not at hand."""
    plural, group = f"{kind.lower()}s", "monitoring.coreos.com"
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": anything}}
    definition: Json = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural}, "versions": [version],
        },
    }  # fmt: skip
    plane.kubectl("apply", "--server-side", "--filename=-", input=yaml.safe_dump(definition))
    plane.kubectl("wait", "--for=condition=Established", f"crd/{plural}.{group}")


def test_its_pods_are_restricted(helm: Helm, control_plane: ControlPlane, namespace: str) -> None:
    rendered = helm.template()
    account = rendered.pod["spec"]["serviceAccountName"]
    control_plane.kubectl("create", "serviceaccount", account, "--namespace", namespace)
    for spec in (rendered.pod["spec"], rendered.one("Pod")["spec"]):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": deepcopy(spec)}
        create = ("create", "--dry-run=server", "--namespace", namespace, "--filename=-")
        answer = control_plane.kubectl(*create, input=yaml.safe_dump(pod))
        assert not answer.stderr
        (container,) = pod["spec"]["containers"]
        del container["securityContext"]["allowPrivilegeEscalation"]
        refused = control_plane.kubectl(*create, input=yaml.safe_dump(pod), check=False)
        assert 'violates PodSecurity "restricted' in refused.stderr  # so the first answer meant something


@pytest.mark.parametrize("mode", ["cluster", "namespaces"])
def test_the_operator_leads_with_the_rights_and_settings_it_is_given(
    releases: Releases, tmp_path: Path, mode: str
) -> None:
    releases.install(*([f"--set=namespaces={{{releases.namespace}}}"] if mode == "namespaces" else []))
    releases.plane.kubectl("wait", "--for=condition=Established", DEFINITION)
    operator = releases.operator(tmp_path)
    try:
        operator.start().wait_until_leading()
        releases.plane.kubectl("apply", "--namespace", releases.namespace, "--filename=-", input=JOB)
        wait_for(lambda: releases.plane.json("jobs", "--namespace", releases.namespace)["items"])
    finally:
        operator.kill()
    assert not operator.complaints(), operator.log
    lease = releases.plane.json("lease", RELEASE, "--namespace", releases.namespace)
    assert lease["spec"]["holderIdentity"] == "operator-0"


def test_the_definition_is_upgraded_and_outlives_the_release_with_every_job(releases: Releases, tmp_path: Path) -> None:
    plane, older = releases.plane, tmp_path / "older"
    shutil.copytree(CHART, older)
    path = older / "files" / "finetunejobs.yaml"
    definition = yaml.safe_load(path.read_text())
    del definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["suspend"]
    del definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["x-kubernetes-validations"]
    path.write_text(yaml.safe_dump(definition))

    releases.install(chart=older)
    plane.kubectl("wait", "--for=condition=Established", DEFINITION)
    job = ("apply", "--namespace", releases.namespace, "--filename=-")
    plane.kubectl(*job, input=JOB)
    suspended = yaml.safe_load(JOB)
    suspended["spec"]["suspend"] = True
    assert "unknown field" in plane.kubectl(*job, input=yaml.safe_dump(suspended), check=False).stderr

    releases.run("upgrade", RELEASE, str(CHART), "--reset-then-reuse-values")
    wait_for(lambda: plane.kubectl(*job, input=yaml.safe_dump(suspended), check=False).returncode == 0)
    uid = plane.json("ftj", "support-bot", "--namespace", releases.namespace)["metadata"]["uid"]

    releases.run("uninstall", RELEASE)
    assert not plane.json("deployments,services,roles,rolebindings", "--namespace", releases.namespace)["items"]
    releases.install()
    kept = plane.json("ftj", "support-bot", "--namespace", releases.namespace)
    assert (kept["metadata"]["uid"], kept["spec"]["suspend"]) == (uid, True)


def test_a_definition_made_by_hand_is_taken_over_only_when_told(releases: Releases) -> None:
    releases.plane.kubectl("apply", "--filename", str(REPOSITORY / "crds" / "finetunejobs.yaml"))
    assert "invalid ownership metadata" in releases.install(check=False)
    releases.install("--take-ownership", "--force-conflicts")
    labels = releases.plane.json(DEFINITION)["metadata"]["labels"]
    assert labels["app.kubernetes.io/managed-by"] == "Helm"
