"""Alerts, dashboard, and how a Prometheus finds them. Prometheus' own tool reads every expression."""

import json
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from rendered import CHART, NAMESPACE, REPOSITORY, Helm

from finetune_core.api.status import FineTuneJobStatus
from finetune_operator.decide.observed import Observed
from finetune_operator.metrics import Metrics
from finetune_operator.queue import Queue
from finetune_operator.settings import Settings
from unit.jobs import job, plan_of

RULES = CHART / "rules" / "finetune.yaml"
RULES_TEST = Path(__file__).with_name("rules_test.yaml")
ALERTS = {rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}

DASHBOARD = json.loads((CHART / "dashboards" / "finetune-jobs.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
GRAFANA = {"$namespace": "team-a", "$name": "support-bot", "$__rate_interval": "4m"}
"""What Grafana puts in place of its variables."""


def promql(target: dict[str, Any]) -> str:
    """The query that Prometheus gets from a panel."""
    query: str = target["expr"]
    for variable, value in GRAFANA.items():
        query = query.replace(variable, value)
    assert "$" not in query
    return query


QUERIES = {f"{panel['title']} {target['refId']}": promql(target) for panel in PANELS for target in panel["targets"]}


def check(promtool: Path, *arguments: str | Path) -> None:
    ended = subprocess.run([promtool, *arguments], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_alerts_are_rules_and_fire_when_they_should(promtool: Path) -> None:
    check(promtool, "check", "rules", "--lint=all", "--lint-fatal", RULES)
    check(promtool, "test", "rules", RULES_TEST)


@pytest.mark.parametrize("alert", ALERTS)
def test_of_each_alert_is_tested_when_it_fires_and_when_not(alert: str) -> None:
    tests = yaml.safe_load(RULES_TEST.read_text())["tests"]
    expected = [case["exp_alerts"] for test in tests for case in test["alert_rule_test"] if case["alertname"] == alert]
    assert any(expected)
    assert not all(expected)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_what_it_means_and_where_help_is(alert: str) -> None:
    annotations, labels = ALERTS[alert]["annotations"], ALERTS[alert]["labels"]
    assert annotations.keys() == {"summary", "description", "runbook"}
    assert labels["severity"] in ("critical", "warning", "info")
    assert (REPOSITORY / annotations["runbook"]).read_text().startswith(f"# {alert}\n")


def test_the_alert_for_a_stale_watch_comes_before_kubelet_restarts_the_pod() -> None:
    sweep = Settings(trainer_image="any").sweep_seconds
    limit = float(ALERTS["FineTuneWatchStale"]["expr"].split(">")[1])
    assert 2 * sweep < limit
    assert limit + 60 < 3 * sweep + 60  # for: 1m; from there /healthz fails


def test_only_metrics_that_are_documented_are_asked_for() -> None:
    document = (REPOSITORY / "docs" / "operator.md").read_text(encoding="utf-8")
    known = set(re.findall(r"`(finetune_[a-z_]+)", document))
    expressions = [rule["expr"] for rule in ALERTS.values()] + list(QUERIES.values())
    asked = {name for expression in expressions for name in re.findall(r"finetune_\w+", expression)}
    assert {re.sub(r"_(bucket|count)$", "", name) for name in asked} <= known


def test_every_panel_shows_something_of_a_job_in_training(promtool: Path, tmp_path: Path) -> None:
    """Prometheus evaluates each query on what a real operator's `/metrics` says of such a job."""
    samples = [sample for family in text_string_to_metric_families(_scrape()) for sample in family.samples]
    series = [
        {"series": _series(sample.name, sample.labels | {"instance": "operator"}), "values": f"{sample.value}x20"}
        for sample in samples
    ]
    cases = [
        {"expr": f"count({query}) > bool 0", "eval_time": "10m", "exp_samples": [{"labels": "{}", "value": 1}]}
        for query in QUERIES.values()
    ]
    test = {"interval": "1m", "input_series": series, "promql_expr_test": cases}
    path = tmp_path / "dashboard_test.yaml"
    path.write_text(json.dumps({"evaluation_interval": "1m", "tests": [test]}))
    check(promtool, "test", "rules", path)


def _scrape() -> str:
    metrics = Metrics(Queue())
    metrics.leader = True
    metrics.seen("finetunejobs")
    metrics.duration.observe(0.1)
    metrics.latency.observe(0.1)
    progress = {
        "step": 340, "totalSteps": 1200, "steps": "340/1200", "epoch": 0.85, "loss": 1.2, "evalLoss": 1.3,
        "learningRate": 1e-4, "gradNorm": 0.5, "tokensPerSecond": 900.0, "etaSeconds": 1720,
        "peakMemoryBytes": 2**34, "updatedAt": datetime(2026, 3, 1, tzinfo=UTC),
    }  # fmt: skip
    dataset = {
        "rows": 100, "usedRows": 100, "rejectedRows": 0, "validationRows": 10, "tokens": 20_000,
        "supervisedTokens": 9_000, "lengthPercentiles": {"p50": 100, "p95": 200, "p99": 220, "max": 230},
        "reportURI": "s3://models/support-bot/dataset-report.json",
    }  # fmt: skip
    status = FineTuneJobStatus.model_validate(
        {"phase": "Training", "plan": plan_of(), "progress": progress, "dataset": dataset}
    )
    named = {"namespace": GRAFANA["$namespace"], "name": GRAFANA["$name"], "uid": "one", "generation": 1}
    metrics.tell((named["namespace"], named["name"]), Observed(**named, spec=job().spec, status=status), status)
    return metrics.text().decode()


def _series(name: str, labels: dict[str, str]) -> str:
    return name + "{" + ", ".join(f"{label}={json.dumps(value)}" for label, value in labels.items()) + "}"


def test_the_dashboard_shows_all_that_the_operator_tells_of_progress() -> None:
    text = " ".join(QUERIES.values())
    for metric in ("train_loss", "eval_loss", "tokens_per_second", "predicted_memory_bytes", "peak_memory_bytes"):
        assert f"finetune_job_{metric}{{" in text
    for metric in ("jobs", "leader", "queue_depth", "watch_age_seconds", "reconcile_errors_total"):
        assert f"finetune_{metric}" in text


def test_the_dashboard_works_with_any_prometheus_and_any_job() -> None:
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert list(variables) == ["datasource", "namespace", "name"]
    source = {"type": "prometheus", "uid": "${datasource}"}
    asking = [variables["namespace"], variables["name"], *PANELS, *(t for panel in PANELS for t in panel["targets"])]
    assert all(asked["datasource"] == source for asked in asking)


def test_panels_have_units_and_legends_and_lie_beside_each_other() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, f"{panel['title']} lies on another"
        taken |= cells
    for panel in PANELS:
        assert panel["description"]
        if panel["type"] == "timeseries":
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert all(target["legendFormat"] for target in panel["targets"])


def test_grafanas_sidecar_gets_the_dashboard_as_it_is(helm: Helm) -> None:
    found = helm.template().one("ConfigMap")
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(found["data"]["finetune-jobs.json"]) == DASHBOARD
    assert not helm.template("metrics.dashboard.enabled=false").all("ConfigMap")


def test_the_prometheus_operator_gets_the_alerts_as_they_are(helm: Helm) -> None:
    rule = helm.template("metrics.rules.enabled=true", "metrics.rules.labels.release=prometheus").one("PrometheusRule")
    assert rule["spec"] == yaml.safe_load(RULES.read_text())
    assert rule["metadata"]["labels"]["release"] == "prometheus"


def test_every_replica_is_scraped_once(helm: Helm) -> None:
    by_annotation = helm.template()
    assert not by_annotation.all("ServiceMonitor")
    assert not by_annotation.all("PrometheusRule")
    annotations = by_annotation.one("Service")["metadata"]["annotations"]
    port = by_annotation.one("Service")["spec"]["ports"][0]["port"]
    wanted = {"scrape": "true", "port": str(port), "path": "/metrics"}
    assert annotations == {f"prometheus.io/{name}": value for name, value in wanted.items()}
    assert "annotations" not in by_annotation.pod["metadata"]

    by_monitor = helm.template(
        "metrics.serviceMonitor.enabled=true", "metrics.serviceMonitor.labels.release=prometheus"
    )
    service, monitor = by_monitor.one("Service"), by_monitor.one("ServiceMonitor")
    assert "annotations" not in service["metadata"]
    assert monitor["metadata"]["namespace"] == service["metadata"]["namespace"] == NAMESPACE
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"] == [{"port": "metrics", "honorLabels": True}]  # else namespace is not the job's
