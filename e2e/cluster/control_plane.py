"""etcd, API server, controller-manager and scheduler."""

import json
import secrets
from pathlib import Path

from e2e.cluster.certificates import CERTIFICATE, KEY
from e2e.cluster.daemon import Daemon, command
from e2e.cluster.places import (
    API_PORT,
    AUDIT_LOG,
    KUBECONFIG,
    NAME,
    NODE_ADDRESS,
    POD_NETWORK,
    RUN,
    SERVICE_NETWORK,
)

ETCD = "http://127.0.0.1:2379"
"""Of the cluster's own network; it asks nobody who they are, so no pod may reach it."""
SERVER = f"https://{NODE_ADDRESS}:{API_PORT}"

_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    # Who asked for what, of service accounts alone: that their rights are the least is proven with it.
    "rules": [{"level": "Metadata", "userGroups": ["system:serviceaccounts"]}, {"level": "None"}],
}


def control_plane(binaries: dict[str, Path]) -> list[Daemon]:
    """The four, in the order of their start; writes the files that they read."""
    token = secrets.token_hex(16)
    tokens, policy = RUN / "tokens.csv", RUN / "audit-policy.json"
    tokens.write_text(f"{token},admin,admin,system:masters\n")
    policy.write_text(json.dumps(_AUDIT_POLICY))
    _write_kubeconfig(token)
    return [
        Daemon("etcd", _etcd(binaries["etcd"]), ETCD.removeprefix("http://")),
        Daemon("kube-apiserver", _api_server(binaries["kube-apiserver"], tokens, policy), f"{NODE_ADDRESS}:{API_PORT}"),
        Daemon("kube-controller-manager", _controller_manager(binaries["kube-controller-manager"])),
        Daemon("kube-scheduler", command(binaries["kube-scheduler"], kubeconfig=KUBECONFIG, leader_elect="false")),
    ]


def _etcd(binary: Path) -> list[str]:
    peers = "http://127.0.0.1:2380"
    return command(
        binary,
        data_dir=RUN / "etcd",
        listen_client_urls=ETCD,
        advertise_client_urls=ETCD,
        listen_peer_urls=peers,
        initial_advertise_peer_urls=peers,
        initial_cluster=f"default={peers}",
        unsafe_no_fsync="true",  # nothing in it outlives the cluster
    )


def _api_server(binary: Path, tokens: Path, policy: Path) -> list[str]:
    return command(
        binary,
        etcd_servers=ETCD,
        bind_address=NODE_ADDRESS,
        advertise_address=NODE_ADDRESS,
        secure_port=API_PORT,
        service_cluster_ip_range=SERVICE_NETWORK,
        authorization_mode="RBAC",
        token_auth_file=tokens,
        tls_cert_file=CERTIFICATE,
        tls_private_key_file=KEY,
        service_account_issuer="https://kubernetes.default.svc.cluster.local",
        service_account_signing_key_file=KEY,
        service_account_key_file=CERTIFICATE,
        kubelet_certificate_authority=CERTIFICATE,
        kubelet_client_certificate=CERTIFICATE,
        kubelet_client_key=KEY,
        kubelet_preferred_address_types="InternalIP",
        audit_policy_file=policy,
        audit_log_path=AUDIT_LOG,
        allow_privileged="true",
    )


def _controller_manager(binary: Path) -> list[str]:
    return command(
        binary,
        kubeconfig=KUBECONFIG,
        service_account_private_key_file=KEY,
        root_ca_file=CERTIFICATE,
        cluster_cidr=POD_NETWORK,
        leader_elect="false",
        use_service_account_credentials="true",  # so that the audit log tells which pod was asked to end, and when
    )


def _write_kubeconfig(token: str) -> None:
    """The admin's, for people, tests and the cluster's own parts."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": {"server": SERVER, "certificate-authority": str(CERTIFICATE)}}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": "admin"}}],
        "current-context": NAME,
    }
    KUBECONFIG.touch(mode=0o600)
    KUBECONFIG.write_text(json.dumps(content))
