"""What stands beside Kubernetes: DNS, an S3 server, and Prometheus with the chart's rules."""

import json
import secrets
from dataclasses import asdict
from pathlib import Path
from typing import Any

from e2e.cluster.daemon import Daemon, command
from e2e.cluster.places import KUBECONFIG, NODE_ADDRESS, PROMETHEUS_PORT, REPOSITORY, RUN, S3_PORT
from servers import S3Server

RULES = REPOSITORY / "charts" / "finetune-operator" / "rules"
S3_NAMESPACE, S3_SERVICE = "storage", "s3"
S3_FROM_PODS = f"http://{S3_SERVICE}.{S3_NAMESPACE}.svc:{S3_PORT}"
_S3_FILE = RUN / "s3.json"


def beside_kubernetes(binaries: dict[str, Path]) -> list[Daemon]:
    """The three of them."""
    return [_dns(binaries["coredns"]), _s3(binaries["versitygw"]), _prometheus(binaries["prometheus"])]


def s3_server() -> S3Server:
    """The running S3 server, as this machine reaches it."""
    values = json.loads(_S3_FILE.read_text())
    return S3Server(**values | {"root": Path(values["root"])})


def s3_objects() -> list[dict[str, Any]]:
    """By which pods find the S3 server: a Service whose endpoint is on the node."""
    name = {"name": S3_SERVICE, "namespace": S3_NAMESPACE}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": S3_NAMESPACE}},
        {"apiVersion": "v1", "kind": "Service", "metadata": name, "spec": {"ports": [{"port": S3_PORT}]}},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": name | {"labels": {"kubernetes.io/service-name": S3_SERVICE}},
            "addressType": "IPv4",
            "ports": [{"port": S3_PORT}],
            "endpoints": [{"addresses": [NODE_ADDRESS]}],
        },
    ]


def _dns(binary: Path) -> Daemon:
    corefile = RUN / "Corefile"
    corefile.write_text(
        f"""\
. {{
    bind {NODE_ADDRESS}
    errors
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {KUBECONFIG}
    }}
}}
"""
    )
    return Daemon("coredns", [str(binary), "-conf", str(corefile)], f"{NODE_ADDRESS}:53")


def _s3(binary: Path) -> Daemon:
    root, metadata = RUN / "s3" / "buckets", RUN / "s3" / "metadata"
    root.mkdir(parents=True)
    metadata.mkdir()
    server = S3Server(f"http://{NODE_ADDRESS}:{S3_PORT}", secrets.token_hex(10), secrets.token_hex(20), root)
    _S3_FILE.touch(mode=0o600)
    _S3_FILE.write_text(json.dumps(asdict(server) | {"root": str(root)}))
    address = f"{NODE_ADDRESS}:{S3_PORT}"
    line = [str(binary), "--port", address, "--quiet", "posix", "--sidecar", str(metadata), str(root)]
    return Daemon(
        "versitygw",
        line,
        address,
        {"ROOT_ACCESS_KEY_ID": server.access_key, "ROOT_SECRET_ACCESS_KEY": server.secret_key},
    )


def _prometheus(binary: Path) -> Daemon:
    """Finds Services by the annotations that the chart gives them, as a Prometheus without an operator does."""
    path = RUN / "prometheus.json"
    path.write_text(json.dumps(_prometheus_config()))
    address = f"{NODE_ADDRESS}:{PROMETHEUS_PORT}"
    options = {"config.file": path, "storage.tsdb.path": RUN / "prometheus", "web.listen-address": address}
    return Daemon("prometheus", command(binary, **options), address)


def _prometheus_config() -> dict[str, Any]:
    annotation = "__meta_kubernetes_service_annotation_prometheus_io_"
    relabel = [
        {"source_labels": [f"{annotation}scrape"], "regex": "true", "action": "keep"},
        {
            "source_labels": ["__address__", f"{annotation}port"],
            "regex": r"([^:]+)(?::\d+)?;(\d+)",
            "replacement": "$1:$2",
            "target_label": "__address__",
        },
        {"source_labels": [f"{annotation}path"], "regex": "(.+)", "target_label": "__metrics_path__"},
        {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
        {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
    ]
    return {
        "global": {"scrape_interval": "2s", "evaluation_interval": "2s"},
        "rule_files": [f"{RULES}/*.yaml"],
        "scrape_configs": [
            {
                "job_name": "services",
                "honor_labels": True,  # docs/helm.md says why
                "kubernetes_sd_configs": [{"role": "endpointslice", "kubeconfig_file": str(KUBECONFIG)}],
                "relabel_configs": relabel,
            }
        ],
    }
