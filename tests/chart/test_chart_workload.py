"""The operator's pods, as a platform engineer would check them."""

import json
from dataclasses import fields

import yaml
from rendered import NAMESPACE, Helm

from finetune_operator.main import STOP_SECONDS
from finetune_operator.settings import Settings, settings_from_environment

CARD = """{"name": "Lab-1", "memoryGiB": 30, "computeCapability": "8.0", "bf16": true, "tflops16": 100,
    "bandwidthGBs": 900, "pricePerHour": 1, "labels": {"lab/gpu": ["one"]}, "resourceName": "lab/gpu"}"""
OTHER = (
    "trainer.image.repository=registry.example/trainer", "trainer.image.pullPolicy=Always", "namespaces={a,b}",
    "s3.endpointURL=http://s3.example:9000/?a=1&b=2", "s3.region=eu-1", "settings.leaseSeconds=2.5",
    "settings.workers=3", "settings.pollSeconds=0.5", "settings.progressWritesPerSecond=3", "settings.sweepSeconds=33",
    "settings.prepareCpu=2", "settings.prepareMemory=5Gi", "settings.prepareStorage=6Gi",
    f"extraGpus:=[{CARD}]", "modelCache.claimName=models",
    "settings.maxDatasetBytes=9000000000", "settings.internalHosts=data.corp",
    "settings.prepareDeadlineSeconds=1000000", "settings.trainDeadlineSeconds=5000000", "settings.graceSeconds=7",
)  # fmt: skip
NO_VALUE = {"identity", "port"}
"""Settings that are a pod's own: its name, and a port that nobody else shares."""


def test_by_default_every_setting_has_its_own_default(helm: Helm) -> None:
    wanted = Settings(trainer_image="finetune-trainer:0.1.0", lease_namespace=NAMESPACE, lease_name="finetune-operator")
    assert settings_from_environment(helm.template().environment) == wanted


def test_every_setting_can_be_given(helm: Helm) -> None:
    given = settings_from_environment(helm.template(*OTHER, release="other").environment)
    default = Settings(trainer_image="finetune-trainer:0.1.0")
    same = {field.name for field in fields(Settings) if getattr(given, field.name) == getattr(default, field.name)}
    assert same == NO_VALUE
    assert given.train_deadline_seconds == 5_000_000
    assert (given.max_dataset_bytes, given.internal_hosts) == (9_000_000_000, ("data.corp",))
    assert given.s3_endpoint_url == "http://s3.example:9000/?a=1&b=2"
    assert given.namespaces == ("a", "b")


def test_gpus_that_the_catalogue_lacks_lie_where_the_operator_reads_them(helm: Helm) -> None:
    rendered = helm.template(f"extraGpus:=[{CARD}]")
    folder = rendered.container["volumeMounts"][0]["mountPath"]
    assert rendered.environment["FTJ_OPERATOR_GPUS_FILE"] == f"{folder}/gpus.yaml"
    (volume,) = rendered.pod["spec"]["volumes"]
    config = next(found for found in rendered.all("ConfigMap") if "gpus.yaml" in found["data"])
    assert volume["configMap"]["name"] == config["metadata"]["name"]
    assert yaml.safe_load(config["data"]["gpus.yaml"]) == [json.loads(CARD)]
    other = helm.template(f"extraGpus:=[{CARD.replace('30', '31')}]")
    assert rendered.pod["metadata"]["annotations"] != other.pod["metadata"]["annotations"], "it would not start again"


def test_two_releases_in_a_namespace_have_different_names_and_leases(helm: Helm) -> None:
    one, other = helm.template(), helm.template(release="other")
    assert settings_from_environment(one.environment) != settings_from_environment(other.environment)
    names = [{(found["kind"], found["metadata"]["name"]) for found in of.objects} for of in (one, other)]
    assert names[0] & names[1] == {("CustomResourceDefinition", "finetunejobs.finetune.dev")}


def test_names_are_short_enough_for_the_longest_name_of_a_release(helm: Helm) -> None:
    everything = helm.template("metrics.rules.enabled=true", release="r" * 53)
    assert max(len(found["metadata"]["name"]) for found in everything.objects) <= 63


def test_an_image_is_named_by_tag_or_digest(helm: Helm) -> None:
    digest = "sha256:" + "0" * 64
    assert helm.template().container["image"] == "finetune-operator:0.1.0"
    assert helm.template("image.tag=edge").container["image"] == "finetune-operator:edge"
    assert helm.template(f"image.digest={digest}", "image.tag=edge").container["image"] == f"finetune-operator@{digest}"
    trainer = helm.template(f"trainer.image.digest={digest}").environment["FTJ_OPERATOR_TRAINER_IMAGE"]
    assert trainer == f"finetune-trainer@{digest}"


def test_the_probes_ask_the_port_that_the_operator_listens_on(helm: Helm) -> None:
    rendered = helm.template()
    (port,) = rendered.container["ports"]
    assert port == {"name": "metrics", "containerPort": Settings(trainer_image="any").port}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert rendered.container[probe]["httpGet"] == {"path": "/healthz", "port": "metrics"}
    assert rendered.one("Service")["spec"]["ports"][0]["targetPort"] == "metrics"


def test_it_is_given_the_time_it_needs_to_stop(helm: Helm) -> None:
    pod = helm.template().pod["spec"]
    handing_the_lease_back = Settings(trainer_image="any").lease_seconds / 3
    assert pod["terminationGracePeriodSeconds"] > STOP_SECONDS + handing_the_lease_back


def test_no_service_nearby_can_give_it_a_setting_that_it_refuses(helm: Helm) -> None:
    assert helm.template().pod["spec"]["enableServiceLinks"] is False


def test_its_memory_has_a_limit_and_its_cpu_has_none(helm: Helm) -> None:
    assert helm.template().container["resources"] == {
        "requests": {"cpu": "100m", "memory": "200Mi"},
        "limits": {"memory": "512Mi"},
    }


def test_replicas_keep_apart_and_one_stays_through_a_drain(helm: Helm) -> None:
    rendered = helm.template()
    (spread,) = rendered.pod["spec"]["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "ScheduleAnyway")
    labels = rendered.pod["metadata"]["labels"]
    assert spread["labelSelector"]["matchLabels"].items() <= labels.items()
    budget = rendered.one("PodDisruptionBudget")["spec"]
    assert budget["minAvailable"] == 1
    assert budget["selector"]["matchLabels"].items() <= labels.items()
    assert not helm.template("replicas=1").all("PodDisruptionBudget")  # it would keep a node from being drained


def test_where_it_runs_is_the_clusters_own_affair(helm: Helm) -> None:
    rendered = helm.template(
        "nodeSelector.pool=system", "tolerations:=[{\"operator\": \"Exists\"}]", "priorityClassName=high",
        'affinity:={"nodeAffinity": {}}', 'imagePullSecrets:=[{"name": "registry"}]', "podLabels.team=ml",
        "podAnnotations.note=hello", "serviceAccount.annotations.role=arn",
    )  # fmt: skip
    wanted = {
        "nodeSelector": {"pool": "system"}, "tolerations": [{"operator": "Exists"}], "priorityClassName": "high",
        "affinity": {"nodeAffinity": {}}, "imagePullSecrets": [{"name": "registry"}],
    }  # fmt: skip
    assert wanted.items() <= rendered.pod["spec"].items()
    assert rendered.pod["metadata"]["labels"]["team"] == "ml"
    assert rendered.pod["metadata"]["annotations"] == {"note": "hello"}
    assert rendered.one("ServiceAccount")["metadata"]["annotations"] == {"role": "arn"}
    test = rendered.one("Pod")["spec"]  # the pod of `helm test` pulls the same image, and must land too
    assert {name: test[name] for name in ("nodeSelector", "tolerations", "imagePullSecrets")}.items() <= wanted.items()


def test_the_pod_of_helm_test_is_not_taken_for_an_operator(helm: Helm) -> None:
    rendered = helm.template(*("networkPolicy.enabled=true",))
    labels = rendered.one("Pod")["metadata"]["labels"]
    for selector in (
        rendered.one("Service")["spec"]["selector"],
        rendered.one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ):
        assert not selector.items() <= labels.items()
        assert selector.items() <= rendered.pod["metadata"]["labels"].items()


def test_a_network_policy_lets_metrics_in_and_dns_and_the_api_server_out(helm: Helm) -> None:
    assert not helm.template().all("NetworkPolicy")
    policy = helm.template("networkPolicy.enabled=true", "networkPolicy.apiServerPorts={16443}").one("NetworkPolicy")
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert policy["spec"]["ingress"] == [{"ports": [{"port": "metrics"}]}]
    out = {(port["protocol"], port["port"]) for rule in policy["spec"]["egress"] for port in rule["ports"]}
    assert out == {("UDP", 53), ("TCP", 53), ("TCP", 16443)}
