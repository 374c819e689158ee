"""Dashboard and alerts on a Prometheus that scrapes the operator."""

import json
import re
import time
from collections.abc import Iterator

import pytest
import yaml

from e2e.cluster.cluster import Cluster, wait_for
from e2e.jobs import Jobs, job
from e2e.operator_release import CHART

DASHBOARD = json.loads((CHART / "dashboards" / "finetune-jobs.json").read_text())
RULES = yaml.safe_load((CHART / "rules" / "finetune.yaml").read_text())

ABSENT_AT_THE_END = {"Time left"}
"""Panels that show nothing of a job that has ended."""


@pytest.fixture(autouse=True)
def prometheus(cluster: Cluster) -> None:
    if cluster.prometheus is None:
        pytest.skip("E2E_PROMETHEUS_URL names no Prometheus")


def panels() -> Iterator[tuple[str, str]]:
    """Title and query of each."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def test_every_panel_has_data_of_a_run_whose_pods_are_gone(cluster: Cluster, jobs: Jobs) -> None:
    jobs.apply(job("drawn"))
    status = jobs.wait_for_phase("drawn", "Succeeded")
    cluster.kubectl("delete", "pods", "--all", "--namespace", jobs.namespace)
    where = f'{{namespace="{jobs.namespace}", name="drawn"}}'
    wait_for(lambda: cluster.query(f'finetune_job_phase{where[:-1]}, phase="Succeeded"}} == 1'), 30)
    variables = {"$namespace": jobs.namespace, "$name": "drawn", "$__rate_interval": "1m"}
    empty = []
    for title, query in panels():
        expression = re.sub("|".join(map(re.escape, variables)), lambda found: variables[found[0]], query)
        if not cluster.query(expression) and title not in ABSENT_AT_THE_END:
            empty.append(f"{title}: {expression}")
    assert empty == []
    assert len(list(panels())) > 15
    loss = [float(series["value"][1]) for series in cluster.query(f"finetune_job_train_loss{where}")]
    assert loss == [pytest.approx(status["progress"]["loss"])]
    measured = [float(series["value"][1]) for series in cluster.query(f"finetune_job_peak_memory_bytes{where}")]
    assert measured == [status["progress"]["peakMemoryBytes"]]


def test_every_alert_is_loaded_and_evaluates(cluster: Cluster, jobs: Jobs) -> None:
    written = [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]
    assert len(written) >= 5
    for expression in written:
        cluster.query(expression)
    if not cluster.is_ours:
        return  # another Prometheus need not have them
    time.sleep(5)  # two evaluations
    loaded = [rule for group in cluster.ask_prometheus("/api/v1/rules")["groups"] for rule in group["rules"]]
    assert len(loaded) == len(written)
    assert {rule["health"] for rule in loaded} == {"ok"}


def test_a_failed_job_raises_the_alert(own_cluster: Cluster, jobs: Jobs) -> None:
    jobs.apply(job("alarming", gpu={"type": "GTX-480"}))
    jobs.wait_for_phase("alarming", "Failed")

    def firing() -> bool:
        alerts = own_cluster.ask_prometheus("/api/v1/alerts")["alerts"]
        labels = [alert["labels"] for alert in alerts if alert["state"] == "firing"]
        return any(one["alertname"] == "FineTuneJobFailed" and one["name"] == "alarming" for one in labels)

    wait_for(firing, 60)
