"""The Jobs that are made, as a platform engineer would check them."""

import json
import re
from typing import Any

import pytest
from jobs import job, plan_of
from observed_jobs import NAME, NOW, PREPARE_REPORT, UID

from finetune_core.contract import PrepareConfig, TrainerConfig
from finetune_core.planning import catalogue
from finetune_operator.decide.decision import Event
from finetune_operator.manifests import Parent, event, prepare_job, train_job, train_service
from finetune_operator.settings import Settings

SETTINGS = Settings(trainer_image="registry.local/trainer:1")
BOTH = pytest.mark.parametrize("kind", ["prepare", "train"])
CLAIMS = ("model.uri=pvc://data/models/qwen", "dataset.uri=pvc://data/rows.jsonl", "output.uri=pvc://results/bot")
CONFIG_MAPS = ("dataset.uri=configmap://faq/rows.jsonl", "dataset.validation.uri=configmap://faq/held-out.jsonl")
SECRETS = (
    "model.secretName=hub", "dataset.secretName=bucket", "dataset.validation.uri=s3://datasets/held-out.jsonl",
    "dataset.validation.secretName=held-out", "output.secretName=results",
)  # fmt: skip

Json = dict[str, Any]


def made(
    kind: str, *changes: str, labels: dict[str, str] | None = None, number: int = 1, name: str = NAME, **settings: Any
) -> Json:
    """The Job of that step, for the job with changes as ``--set`` takes them."""
    spec = job(*changes).spec
    parent = Parent("team-a", name, UID, labels or {}, spec)
    known = Settings(trainer_image="registry.local/trainer:1", **settings)
    if kind == "prepare":
        return prepare_job(parent, number, known)
    plan = plan_of(*(change for change in changes if "gpu" in change))
    return train_job(parent, number, known, report=PREPARE_REPORT, plan=plan)


def pod_of(manifest: Json) -> Json:
    return manifest["spec"]["template"]["spec"]


def container_of(manifest: Json) -> Json:
    (container,) = pod_of(manifest)["containers"]
    return container


def environment_of(manifest: Json) -> dict[str, str]:
    return {variable["name"]: variable.get("value", "") for variable in container_of(manifest)["env"]}


def config_of(manifest: Json) -> PrepareConfig | TrainerConfig:
    kind = PrepareConfig if container_of(manifest)["args"] == ["prepare"] else TrainerConfig
    return kind.model_validate_json(environment_of(manifest)["FINETUNE_CONFIG"])


@BOTH
def test_the_pod_is_restricted(kind: str) -> None:
    """Every field that the Pod Security level "restricted" looks at."""
    pod, container = pod_of(made(kind)), container_of(made(kind))
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] != 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(pod)
    allowed = {"name", "emptyDir", "secret", "persistentVolumeClaim", "configMap"}
    for changes in ((*CLAIMS, *SECRETS), CONFIG_MAPS):
        assert all(set(volume) <= allowed for volume in pod_of(made(kind, *changes))["volumes"])


@BOTH
def test_the_pod_has_no_way_to_the_api_server(kind: str) -> None:
    pod = pod_of(made(kind, "pod.serviceAccountName=trainer"))
    assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
    assert pod["serviceAccountName"] == "trainer"


@BOTH
def test_a_job_runs_one_pod_once_and_says_in_its_condition_why_it_failed(kind: str) -> None:
    spec = made(kind)["spec"]
    assert (spec["backoffLimit"], spec["completions"], spec["parallelism"]) == (0, 1, 1)
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    rules = spec["podFailurePolicy"]["rules"]
    assert [rule["action"] for rule in rules] == ["FailJob", "FailJob"]
    assert rules[0]["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
    assert rules[1]["onExitCodes"] == {
        "containerName": container_of(made(kind))["name"], "operator": "In", "values": [143],
    }  # fmt: skip


@pytest.mark.parametrize(("kind", "seconds"), [("prepare", 100 + 7), ("train", 100 + 9)])
def test_a_job_ends_in_time(kind: str, seconds: int) -> None:
    limits = {"prepare_deadline_seconds": 7, "train_deadline_seconds": 9}
    manifest = made(kind, "failurePolicy.pendingDeadlineSeconds=100", **limits)
    assert manifest["spec"]["activeDeadlineSeconds"] == seconds


@pytest.mark.parametrize(("kind", "seconds"), [("prepare", 30), ("train", 77)])
def test_a_trainer_is_given_time_to_store_its_state(kind: str, seconds: int) -> None:
    assert pod_of(made(kind, grace_seconds=77))["terminationGracePeriodSeconds"] == seconds


def test_a_trainer_with_a_large_state_is_given_more() -> None:
    """Full, without fp32 masters: weights, moments and compensation of 7.6 billion parameters, 8 bytes each."""
    large = made("train", "method=full", "gpu.type=A100-80GB", grace_seconds=77)
    seconds = pod_of(large)["terminationGracePeriodSeconds"]
    assert seconds == pytest.approx(60 + 8 * 7.616e9 / 50e6, rel=0.01)


@BOTH
def test_a_child_goes_with_its_job(kind: str) -> None:
    (owner,) = made(kind)["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"], owner["controller"]) == ("FineTuneJob", NAME, UID, True)
    assert owner["apiVersion"] == "finetune.dev/v1alpha1"


@BOTH
def test_names_fit_a_label(kind: str) -> None:
    first, second = (made(kind, name=letter * 45, number=999)["metadata"]["name"] for letter in "ab")
    assert len(first) <= 63
    assert first != second
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", first)


MINE = {
    "app.kubernetes.io/managed-by": "finetune-operator",
    "app.kubernetes.io/name": "finetune-trainer",
    "finetune.dev/job": NAME,
    "finetune.dev/number": "1",
}
QUEUE, PREPARE_QUEUE = "kueue.x-k8s.io/queue-name", "finetune.dev/prepare-queue-name"


@pytest.mark.parametrize(
    ("kind", "labels", "queue"),
    [
        ("train", {}, None),
        ("train", {"app.kubernetes.io/managed-by": "argocd", "team": "a"}, None),
        ("train", {QUEUE: "gpus"}, "gpus"),
        ("prepare", {QUEUE: "gpus"}, "gpus"),
        ("train", {QUEUE: "gpus", PREPARE_QUEUE: "cpus"}, "gpus"),
        ("prepare", {QUEUE: "gpus", PREPARE_QUEUE: "cpus"}, "cpus"),
        ("prepare", {PREPARE_QUEUE: "cpus"}, "cpus"),
        ("prepare", {QUEUE: "gpus", PREPARE_QUEUE: ""}, None),
    ],
)
def test_of_the_jobs_labels_only_the_queue_is_handed_on(kind: str, labels: dict[str, str], queue: str | None) -> None:
    manifest = made(kind, labels=labels)
    ours = MINE | {"finetune.dev/step": kind}
    assert manifest["metadata"]["labels"] == ours | ({QUEUE: queue} if queue else {})
    assert manifest["spec"]["template"]["metadata"]["labels"] == ours


@BOTH
def test_labels_and_annotations_asked_for_are_added_but_ours_win(kind: str) -> None:
    changes = ("pod.labels={team: a, finetune.dev/job: other}", "pod.annotations={sidecar.istio.io/inject: 'false'}")
    metadata = made(kind, *changes)["spec"]["template"]["metadata"]
    assert metadata["labels"] == MINE | {"finetune.dev/step": kind, "team": "a"}
    assert metadata["annotations"] == {"sidecar.istio.io/inject": "false"}


TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("kind", "changes", "holds", "placed"),
    [
        pytest.param("train", [], True, True, id="training holds a card"),
        pytest.param("prepare", [], False, False, id="preparing goes anywhere"),
        pytest.param("prepare", CLAIMS, False, True, id="with a claim it goes where training can"),
        pytest.param("train", ["gpu.type=cpu"], False, False, id="training on a CPU"),
        pytest.param("prepare", ["gpu.type=cpu", *CLAIMS], False, False, id="preparing for a CPU"),
    ],
)
def test_cards_are_held_only_by_training(kind: str, changes: list[str], holds: bool, placed: bool) -> None:
    manifest = made(kind, *changes)
    resources = container_of(manifest)["resources"]
    assert ("nvidia.com/gpu" in resources["limits"]) == ("nvidia.com/gpu" in resources["requests"]) == holds
    assert (TOLERATION in pod_of(manifest)["tolerations"]) == ("affinity" in pod_of(manifest)) == placed


def test_a_card_is_found_by_any_clouds_label() -> None:
    required = pod_of(made("train", "gpu.type=A100-40GB"))["affinity"]["nodeAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    (product,), (gke,) = (term["matchExpressions"] for term in required["nodeSelectorTerms"])
    assert (product["key"], product["operator"]) == ("nvidia.com/gpu.product", "In")
    assert "NVIDIA-A100-SXM4-40GB" in product["values"]
    assert gke == {"key": "cloud.google.com/gke-accelerator", "operator": "In", "values": ["nvidia-tesla-a100"]}


def test_a_slice_is_asked_for_by_its_own_resource_on_nodes_that_are_cut_so() -> None:
    manifest = made("train", "gpu.type=A100-80GB-3g.40gb")
    limits = container_of(manifest)["resources"]["limits"]
    assert {name: limit for name, limit in limits.items() if "/" in name} == {"nvidia.com/mig-3g.40gb": "1"}
    required = pod_of(manifest)["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (term,) = required["nodeSelectorTerms"]
    (product,) = term["matchExpressions"]
    assert product["key"] == "nvidia.com/mig-3g.40gb.product"
    assert "NVIDIA-A100-SXM4-80GB-MIG-3g.40gb" in product["values"]


@pytest.mark.parametrize("gpu", [gpu.name for gpu in catalogue() if gpu.node_labels or gpu.is_cpu])
def test_no_affinity_is_empty(gpu: str) -> None:
    parent = Parent("team-a", NAME, UID, {}, job(f"gpu.type={gpu}").spec)
    manifest = train_job(parent, 1, SETTINGS, report=PREPARE_REPORT, plan=plan_of())
    affinity = pod_of(manifest).get("affinity", {}).get("nodeAffinity", {})
    assert all(selector["nodeSelectorTerms"] for selector in affinity.values())


def test_a_node_selector_replaces_the_affinity() -> None:
    pod = pod_of(made("train", "pod.nodeSelector={pool: a10}"))
    assert pod["nodeSelector"] == {"pool": "a10"}
    assert "affinity" not in pod


@pytest.mark.parametrize(("kind", "changes"), [("prepare", []), ("train", ["gpu.type=cpu"])], ids=["prepare", "cpu"])
def test_a_node_selector_is_kept_on_pods_without_a_card(kind: str, changes: list[str]) -> None:
    pod = pod_of(made(kind, "pod.nodeSelector={kubernetes.io/arch: amd64}", *changes))
    assert pod.get("nodeSelector") == {"kubernetes.io/arch": "amd64"}


def test_tolerations_asked_for_come_first() -> None:
    pod = pod_of(made("train", "pod.tolerations=[{key: team, effect: NoExecute, tolerationSeconds: 5}]"))
    assert pod["tolerations"] == [{"key": "team", "effect": "NoExecute", "tolerationSeconds": 5}, TOLERATION]


@BOTH
def test_what_the_person_chose_for_the_pod_is_there(kind: str) -> None:
    changes = (
        "pod.image=own:2",
        "pod.imagePullSecrets=[{name: registry}]",
        "priorityClassName=low",
        "pod.env=[{name: A}]",
    )
    manifest = made(kind, *changes, image_pull_policy="Always")
    container = container_of(manifest)
    assert (container["image"], container["imagePullPolicy"]) == ("own:2", "Always")
    assert container_of(made(kind))["image"] == "registry.local/trainer:1"
    assert pod_of(manifest)["imagePullSecrets"] == [{"name": "registry"}]
    assert pod_of(manifest)["priorityClassName"] == "low"
    assert environment_of(manifest)["A"] == ""
    assert not {"imagePullSecrets", "priorityClassName", "serviceAccountName"} & set(pod_of(made(kind)))


def secrets_of(manifest: Json) -> dict[str, str]:
    """Folder -> Secret."""
    named = {volume["name"]: volume["secret"] for volume in pod_of(manifest)["volumes"] if "secret" in volume}
    mounts = [mount for mount in container_of(manifest)["volumeMounts"] if mount["name"] in named]
    assert all(mount["readOnly"] for mount in mounts)
    assert all(secret["defaultMode"] == 0o440 for secret in named.values())
    return {mount["mountPath"]: named[mount["name"]]["secretName"] for mount in mounts}


def test_each_secret_is_a_folder_of_its_role() -> None:
    root = "/var/run/finetune/secrets"
    assert secrets_of(made("prepare", *SECRETS)) == {
        f"{root}/model": "hub",
        f"{root}/dataset": "bucket",
        f"{root}/validation": "held-out",
        f"{root}/output": "results",
    }
    assert secrets_of(made("train", *SECRETS)) == {f"{root}/model": "hub", f"{root}/output": "results"}
    config = config_of(made("train", *SECRETS))
    assert (config.model.credentials, config.output.credentials) == (f"{root}/model", f"{root}/output")
    assert config.prepared.credentials == f"{root}/output"


def claims_of(manifest: Json) -> dict[str, str]:
    named = {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in pod_of(manifest)["volumes"]
        if "persistentVolumeClaim" in volume
    }
    return {
        mount["mountPath"]: named[mount["name"]]
        for mount in container_of(manifest)["volumeMounts"]
        if mount["name"] in named
    }


def test_claims_are_folders_each_mounted_once() -> None:
    root = "/var/run/finetune/claims"
    assert claims_of(made("prepare", *CLAIMS)) == {f"{root}/data": "data", f"{root}/results": "results"}
    assert claims_of(made("train", *CLAIMS)) == {f"{root}/data": "data", f"{root}/results": "results"}
    config = config_of(made("prepare", *CLAIMS))
    assert {config.dataset.root, config.model.root} == {f"{root}/data"}
    assert config.dataset.uri == f"file://{root}/data/rows.jsonl"
    assert config.model.uri == f"file://{root}/data/models/qwen"
    assert config.output.uri == f"file://{root}/results/bot"


def test_a_claim_of_the_data_alone_is_not_in_the_train_pod() -> None:
    assert claims_of(made("train", "dataset.uri=pvc://data/rows.jsonl")) == {}


CACHED = {"FINETUNE_MODEL_CACHE": "/var/run/finetune/model-cache", "HF_HUB_CACHE": "/var/run/finetune/model-cache"}


@BOTH
def test_what_comes_from_the_hub_is_kept_in_the_shared_cache(kind: str) -> None:
    manifest = made(kind, model_cache_claim="models")
    assert claims_of(manifest) == {"/var/run/finetune/model-cache": "models"}
    assert CACHED.items() <= environment_of(manifest).items()
    asked_otherwise = made(kind, "pod.env=[{name: HF_HUB_CACHE, value: /scratch}]", model_cache_claim="models")
    assert CACHED.items() <= environment_of(asked_otherwise).items()


@BOTH
@pytest.mark.parametrize(
    ("changes", "claim"), [((), ""), (("model.uri=s3://models/qwen",), "models"), (CLAIMS, "models")]
)
def test_what_does_not_come_from_the_hub_needs_no_cache(kind: str, changes: tuple[str, ...], claim: str) -> None:
    manifest = made(kind, *changes, model_cache_claim=claim)
    assert "/var/run/finetune/model-cache" not in claims_of(manifest)
    assert not CACHED.keys() & environment_of(manifest).keys()


def test_a_dataset_of_the_hub_is_kept_too() -> None:
    changes = ("model.uri=s3://models/qwen", "dataset.uri=hf://datasets/org/rows")
    assert claims_of(made("prepare", *changes, model_cache_claim="models"))
    assert not claims_of(made("train", *changes, model_cache_claim="models"))


def test_the_shared_cache_does_not_bind_a_preparation_to_nodes_with_cards() -> None:
    assert "affinity" not in pod_of(made("prepare", model_cache_claim="models"))
    assert "affinity" in pod_of(made("prepare", "dataset.uri=pvc://data/rows.jsonl", model_cache_claim="models"))


def test_a_key_of_a_config_map_is_a_file_of_its_role() -> None:
    manifest, root = made("prepare", *CONFIG_MAPS), "/var/run/finetune/configmaps"
    named = {volume["name"]: volume["configMap"] for volume in pod_of(manifest)["volumes"] if "configMap" in volume}
    mounts = [mount for mount in container_of(manifest)["volumeMounts"] if mount["name"] in named]
    assert [(mount["mountPath"], mount["readOnly"], named[mount["name"]]) for mount in mounts] == [
        (f"{root}/{role}", True, {"name": "faq", "items": [{"key": key, "path": key}], "defaultMode": 0o440})
        for role, key in (("dataset", "rows.jsonl"), ("validation", "held-out.jsonl"))
    ]
    config = config_of(manifest)
    assert (config.dataset.uri, config.dataset.root) == (f"file://{root}/dataset/rows.jsonl", f"{root}/dataset")
    assert config.validation.uri == f"file://{root}/validation/held-out.jsonl"
    assert not [volume for volume in pod_of(made("train", *CONFIG_MAPS))["volumes"] if "configMap" in volume]


def test_the_operators_limits_go_to_the_preparation() -> None:
    environment = environment_of(made("prepare", max_dataset_bytes=5, internal_hosts=("data.corp", "10.0.0.7")))
    assert environment["FINETUNE_MAX_DATASET_BYTES"] == "5"
    assert environment["FINETUNE_INTERNAL_HOSTS"] == "data.corp,10.0.0.7"


@BOTH
def test_volumes_and_mounts_agree_and_have_names_of_their_own(kind: str) -> None:
    manifest = made(kind, *CLAIMS, *SECRETS, *CONFIG_MAPS[:1])
    volumes = [volume["name"] for volume in pod_of(manifest)["volumes"]]
    mounts = container_of(manifest)["volumeMounts"]
    assert sorted(volumes) == sorted({mount["name"] for mount in mounts})
    assert len({mount["mountPath"] for mount in mounts}) == len(mounts)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ([], ("https://minio.local", "eu-1")),
        (["output.endpointURL=https://own", "output.region=us-1"], ("https://own", "us-1")),
        (["output.uri=pvc://data/bot"], (None, None)),
    ],
)
def test_s3_has_the_clusters_endpoint_where_the_job_names_none(changes: list[str], wanted: tuple[Any, Any]) -> None:
    config = config_of(made("train", *changes, s3_endpoint_url="https://minio.local", s3_region="eu-1"))
    assert (config.output.endpoint_url, config.output.region) == wanted
    assert (config.model.endpoint_url, config.model.region) == (None, None)


def test_a_step_is_told_all_it_needs() -> None:
    prepared, trained = config_of(made("prepare")), config_of(made("train"))
    assert (prepared.job_name, prepared.job_uid, prepared.dataset.uri) == (NAME, UID, "s3://datasets/support.jsonl")
    assert (trained.plan, trained.prepare_report, trained.device) == (plan_of(), PREPARE_REPORT, "cuda")
    assert trained.prepared == prepared.prepared
    assert prepared.measure_storage
    assert (prepared.model.uri, trained.model.uri) == (
        "hf://Qwen/Qwen2.5-7B-Instruct", f"hf://Qwen/Qwen2.5-7B-Instruct@{'c' * 40}"
    )  # fmt: skip
    assert config_of(made("train", "gpu.type=cpu")).device == "cpu"


def test_kubelet_leaves_dollars_as_they_are() -> None:
    """It expands $(NAME) in values of the environment, and makes one $ of two."""
    prompt = "Solve $$x^2 = 4$$ for $(HOME) and $5"
    manifest = made("train", f"evaluation.samples.prompts=['{prompt}']")
    assert "$" not in environment_of(manifest)["FINETUNE_CONFIG"]
    assert config_of(manifest).evaluation.samples.prompts == [prompt]


@BOTH
def test_libraries_can_write_where_they_must(kind: str) -> None:
    environment = environment_of(made(kind, "pod.env=[{name: HOME, value: /root}]"))
    writable = {mount["mountPath"] for mount in container_of(made(kind))["volumeMounts"]}
    assert environment["HOME"] == environment["TMPDIR"] == "/scratch"
    assert {"/scratch", "/dev/shm"} <= writable
    assert environment["PYTHONUNBUFFERED"] == "1"


def test_a_train_pod_has_the_sizes_of_the_plan() -> None:
    sizes, resources = plan_of().pod, container_of(made("train"))["resources"]
    memory = f"{sizes.memory_bytes // 2**20}Mi"
    assert resources["requests"]["cpu"] == str(sizes.cpu)
    assert resources["requests"]["memory"] == resources["limits"]["memory"] == memory
    assert resources["requests"]["ephemeral-storage"] == f"{-(-sizes.ephemeral_storage_bytes // 2**20)}Mi"
    assert "cpu" not in resources["limits"]
    (shm,) = (volume for volume in pod_of(made("train"))["volumes"] if volume["name"] == "shm")
    assert shm["emptyDir"] == {"medium": "Memory", "sizeLimit": f"{sizes.shm_bytes // 2**20}Mi"}


def test_a_prepare_pod_has_the_sizes_of_the_settings() -> None:
    resources = container_of(made("prepare", prepare_cpu="2", prepare_memory="3Gi", prepare_storage="9Gi"))["resources"]
    assert resources["requests"] == {"cpu": "2", "memory": "3Gi", "ephemeral-storage": "9Gi"}
    assert resources["limits"]["memory"] == "3Gi"


@BOTH
def test_the_same_job_is_the_same_manifest(kind: str) -> None:
    assert json.dumps(made(kind, *CLAIMS, *SECRETS)) == json.dumps(made(kind, *CLAIMS, *SECRETS))


def test_one_cause_is_one_event() -> None:
    def name(what: Event, version: str = "7") -> str:
        made = event("team-a", NAME, UID, version, what, NOW)
        assert made["involvedObject"]["uid"] == UID
        assert made["metadata"]["namespace"] == made["involvedObject"]["namespace"] == "team-a"
        assert (made["firstTimestamp"], made["type"]) == ("2026-03-01T12:00:00Z", what.type)
        return made["metadata"]["name"]

    first = Event("Normal", "Training", "attempt 1")
    assert name(first) == name(first)
    assert len({name(first), name(first, "8"), name(Event("Normal", "Training", "attempt 2"))}) == 3


class TestSeveralNodes:
    def test_are_an_indexed_job_whose_pods_know_each_other(self) -> None:
        manifest = made("train", "gpu.nodes=3", "gpu.perNode=2")
        spec = manifest["spec"]
        assert (spec["completions"], spec["parallelism"], spec["completionMode"]) == (3, 3, "Indexed")
        assert spec["backoffLimit"] == 0
        assert "backoffLimitPerIndex" not in spec
        service = service_of()["metadata"]["name"]
        assert pod_of(manifest)["subdomain"] == service
        variables = {variable["name"]: variable for variable in container_of(manifest)["env"]}
        assert variables["FINETUNE_NODES"]["value"] == "3"
        assert variables["FINETUNE_RENDEZVOUS"]["value"] == f"{manifest['metadata']['name']}-0.{service}:29500"
        path = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
        assert variables["FINETUNE_NODE_RANK"]["valueFrom"] == {"fieldRef": {"fieldPath": path}}

    def test_have_as_many_cards_each_as_were_asked_for(self) -> None:
        resources = container_of(made("train", "gpu.nodes=3", "gpu.perNode=2"))["resources"]
        assert resources["limits"]["nvidia.com/gpu"] == resources["requests"]["nvidia.com/gpu"] == "2"
        assert resources["requests"]["cpu"] == "6"

    @pytest.mark.parametrize("changes", [[], ["gpu.perNode=4"]], ids=["one card", "four cards"])
    def test_one_is_as_it_ever_was(self, changes: list[str]) -> None:
        manifest = made("train", *changes)
        assert "completionMode" not in manifest["spec"]
        assert "subdomain" not in pod_of(manifest)
        assert not {name for name in environment_of(manifest) if name in NODE_VARIABLES}

    def test_are_not_for_the_preparation(self) -> None:
        manifest = made("prepare", "gpu.nodes=3", "gpu.perNode=2")
        assert (manifest["spec"]["completions"], manifest["spec"]["parallelism"]) == (1, 1)
        assert not {name for name in environment_of(manifest) if name in NODE_VARIABLES}

    def test_are_found_by_a_headless_service_before_they_are_ready(self) -> None:
        service = service_of()
        assert service["spec"]["clusterIP"] == "None"
        assert service["spec"]["publishNotReadyAddresses"] is True
        assert service["spec"]["ports"] == [{"name": "rendezvous", "port": 29500}]
        (owner,) = service["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"], owner["controller"]) == ("FineTuneJob", UID, True)
        template = made("train", "gpu.nodes=2")["spec"]["template"]
        assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
        preparation = made("prepare", "gpu.nodes=2")["spec"]["template"]
        assert not service["spec"]["selector"].items() <= preparation["metadata"]["labels"].items()

    def test_names_fit_and_are_valid(self) -> None:
        """A pod's host name is its Job's and the index; a Service's name begins with a letter."""
        for name in ("a" * 45, "7" * 45):
            assert len(made("train", "gpu.nodes=64", name=name, number=999)["metadata"]["name"] + "-63") <= 63
            service = service_of(name)["metadata"]["name"]
            assert len(service) <= 63
            assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", service)


NODE_VARIABLES = {"FINETUNE_NODES", "FINETUNE_NODE_RANK", "FINETUNE_RENDEZVOUS"}


def service_of(name: str = NAME) -> Json:
    return train_service(Parent("team-a", name, UID, {}, job("gpu.nodes=2").spec))
