"""What may be set, what is said of it, and what is refused."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from rendered import CHART, EVERYTHING, REPOSITORY, Helm

README = (CHART / "README.md").read_text(encoding="utf-8")
VALUES = (CHART / "values.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("values", [(), EVERYTHING], ids=["defaults", "everything"])
def test_helm_has_nothing_to_complain_of(helm: Helm, values: tuple[str, ...]) -> None:
    helm.run("lint", "--strict", str(CHART), *(f"--set={value}" for value in values))


def test_the_chart_has_the_version_of_the_project(helm: Helm) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["version"] == chart["appVersion"] == project["version"]


def test_a_package_holds_the_definition_as_it_is_generated(helm: Helm, tmp_path: Path) -> None:
    helm.run("package", str(CHART), "--destination", str(tmp_path))
    (package,) = tmp_path.glob("*.tgz")
    definition = yaml.safe_load((REPOSITORY / "crds" / "finetunejobs.yaml").read_text(encoding="utf-8"))
    (rendered,) = (
        found
        for found in yaml.safe_load_all(helm.run("template", str(package)))
        if found["kind"] == "CustomResourceDefinition"
    )
    assert rendered["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    assert rendered["metadata"].pop("labels")["app.kubernetes.io/name"] == "finetune-operator"
    assert rendered == definition


def test_the_definition_can_be_left_to_others(helm: Helm) -> None:
    assert not helm.template("crd.install=false").all("CustomResourceDefinition")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("replicas=two", "at '/replicas': got string, want integer"),
        ("imag.tag=edge", "additional properties 'imag' not allowed"),
        ("settings.polSeconds=3", "at '/settings': additional properties 'polSeconds' not allowed"),
        ("settings.pollSeconds=0", "at '/settings/pollSeconds'"),
        ("settings.pollSeconds=soon", "at '/settings/pollSeconds': 'soon' does not match"),
        ("settings.prepareMemory=4GB", "at '/settings/prepareMemory': '4GB' does not match"),
        ("image.digest=0123", "at '/image/digest': '0123' does not match"),
        ("image.pullPolicy=Sometimes", "at '/image/pullPolicy'"),
        ("namespaces={Team_A}", "at '/namespaces/0': 'Team_A' does not match"),
        ("namespaces=team-a", "at '/namespaces': got string, want array"),
        ("s3.endpointURL=s3.example", "at '/s3/endpointURL': 's3.example' does not match"),
        ("modelCache.claimName=Models", "at '/modelCache/claimName': 'Models' does not match"),
        ("nodeSelector.gpu=true", "at '/nodeSelector/gpu': got boolean, want string"),
        ("metrics.rules.enabled=yes", "at '/metrics/rules/enabled': got string, want boolean"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_by_name(helm: Helm, value: str, message: str) -> None:
    assert message in helm.refusal(value)


def test_the_chart_can_be_part_of_another(helm: Helm) -> None:
    helm.template("global.imageRegistry=registry.example")


def test_every_value_is_described_in_the_readme_as_beside_it() -> None:
    table = ["| value | default | meaning |", "|---|---|---|", *_rows(yaml.compose(VALUES))]
    assert README.split("\n\n")[-1] == "\n".join(table) + "\n"


def _rows(mapping: yaml.MappingNode, prefix: str = "") -> Iterator[str]:
    """A row for each key with a comment above it; a key without one holds others, and each of them has its own."""
    for key, value in mapping.value:
        path, comment = prefix + key.value, _comment_above(key.start_mark.line, key.start_mark.column)
        if comment:
            default = json.dumps(yaml.safe_load(yaml.serialize(value)))
            yield f"| `{path}` | `{default}` | {comment} |"
        else:
            assert isinstance(value, yaml.MappingNode), f"{path} is not described"
            assert value.value, f"{path} is not described"
            yield from _rows(value, f"{path}.")


def _comment_above(line: int, indent: int) -> str:
    words: list[str] = []
    for above in reversed(VALUES.splitlines()[:line]):
        if not above.startswith(" " * indent + "# "):
            break
        words.insert(0, above.strip("# "))
    return " ".join(words)


def test_the_notes_say_what_to_do_next_and_name_the_images(helm: Helm, tmp_path: Path) -> None:
    notes = helm.run(
        "install", "fine", str(CHART), "--namespace=ops", "--dry-run=client", "--output=json",
        "--set=trainer.image.repository=registry.example/trainer", "--set=namespaces={team-a}",
    )  # fmt: skip
    text = json.loads(notes)["info"]["notes"]
    assert "registry.example/trainer:0.1.0" in text
    assert "helm test fine --namespace ops" in text
    assert "kubectl get ftj --namespace team-a --watch" in text
    job = yaml.safe_load(text.split("<<EOF\n")[1].split("\nEOF\n")[0])
    assert job["spec"].keys() == {"model", "dataset", "gpu", "output"}
