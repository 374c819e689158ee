"""Who may do what after an installation."""

import re

import pytest
from rendered import NAMESPACE, RELEASE, REPOSITORY, Helm, Json, Rendered

from operator_process import RULES

TABLE = re.compile(r"^\| `([a-z/]+)`[^|]*\| ([^|]+) \|$", re.MULTILINE)
MODES = pytest.mark.parametrize("values", [(), ("namespaces={team-a,team-b}",)], ids=["cluster", "namespaces"])
Rights = dict[tuple[str, str], set[str]]


def documented() -> dict[str, set[str]]:
    """Verbs by resource, from the table of docs/operator.md."""
    text = (REPOSITORY / "docs" / "operator.md").read_text(encoding="utf-8")
    section = text.split("## What it may do")[1].split("\n## ")[0]
    found = {
        name: set(re.sub(r"\([^)]*\)", "", verbs).replace(" ", "").split(",")) for name, verbs in TABLE.findall(section)
    }
    assert len(found) == 8
    return found


def rights(roles: list[Json]) -> Rights:
    """Verbs by group and resource; nothing is said with a wildcard."""
    found: Rights = {}
    for rule in (rule for role in roles for rule in role["rules"]):
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found.setdefault((group, resource), set()).update(rule["verbs"])
    return found


def own_roles(rendered: Rendered) -> list[Json]:
    """Roles that are bound to the operator's account; every binding is to it, and to a role that is there."""
    account = {"kind": "ServiceAccount", "name": rendered.pod["spec"]["serviceAccountName"], "namespace": NAMESPACE}
    bound = []
    for binding in rendered.all("RoleBinding") + rendered.all("ClusterRoleBinding"):
        assert binding["subjects"] == [account]
        place = binding["metadata"].get("namespace")
        (role,) = [
            role
            for role in rendered.all(binding["roleRef"]["kind"])
            if role["metadata"]["name"] == binding["roleRef"]["name"] and role["metadata"].get("namespace") == place
        ]
        bound.append(role)
    return bound


@MODES
def test_the_operator_may_do_what_the_documents_list_and_nothing_else(helm: Helm, values: tuple[str, ...]) -> None:
    found = rights(own_roles(helm.template(*values)))
    assert {resource: verbs for (_, resource), verbs in found.items()} == documented()
    assert found == rights([{"rules": RULES}])  # with which all other tests of the operator pass
    assert not any(resource.startswith("secrets") for _, resource in found)


@MODES
def test_a_lease_is_its_own_alone(helm: Helm, values: tuple[str, ...]) -> None:
    rendered = helm.template(*values)
    for role in own_roles(rendered):
        leases = [rule for rule in role["rules"] if "leases" in rule["resources"]]
        if role["metadata"]["name"].endswith("-lease"):
            assert role["metadata"]["namespace"] == rendered.environment["FTJ_OPERATOR_LEASE_NAMESPACE"] == NAMESPACE
            names = [rule["resourceNames"] for rule in leases if rule["verbs"] != ["create"]]
            assert names == [[rendered.environment["FTJ_OPERATOR_LEASE_NAME"]]]
        else:
            assert not leases


def test_with_namespaces_named_it_has_no_right_in_the_cluster(helm: Helm) -> None:
    rendered = helm.template("namespaces={team-a,ops}", "rbac.aggregateRoles=false", "crd.install=false")
    assert not [kind for kind in rendered.kinds() if kind.startswith(("Cluster", "Custom"))]
    places = sorted((role["metadata"]["namespace"], role["metadata"]["name"]) for role in rendered.all("Role"))
    assert places == [("ops", RELEASE), ("ops", f"{RELEASE}-lease"), ("team-a", RELEASE)]


def test_the_token_goes_to_the_operator_alone(helm: Helm) -> None:
    rendered = helm.template()
    assert rendered.one("ServiceAccount")["automountServiceAccountToken"] is False
    assert rendered.pod["spec"]["automountServiceAccountToken"] is True
    assert rendered.one("Pod")["spec"]["automountServiceAccountToken"] is False


def test_people_get_jobs_with_the_clusters_own_roles(helm: Helm) -> None:
    roles = {role["metadata"]["name"]: role for role in helm.template().all("ClusterRole")}
    viewer, editor = roles["finetune-operator-viewer"], roles["finetune-operator-editor"]
    aggregate = "rbac.authorization.k8s.io/aggregate-to-"
    into = {
        name: {label.removeprefix(aggregate) for label in role["metadata"]["labels"] if aggregate in label}
        for name, role in roles.items()
    }
    assert into == {
        "finetune-operator": set(),
        "finetune-operator-viewer": {"view"},
        "finetune-operator-editor": {"edit", "admin"},
    }
    reading = {"get", "list", "watch"}
    assert rights([viewer]) == {("finetune.dev", "finetunejobs"): reading}
    changing = {"create", "update", "patch", "delete", "deletecollection"}
    assert rights([editor]) == {("finetune.dev", "finetunejobs"): reading | changing}
    assert len(helm.template("rbac.aggregateRoles=false").all("ClusterRole")) == 1
