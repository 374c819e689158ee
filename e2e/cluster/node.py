"""The one node: containerd, kubelet and kube-proxy."""

import json
from pathlib import Path

from e2e.cluster.certificates import CERTIFICATE, KEY
from e2e.cluster.daemon import Daemon, command
from e2e.cluster.places import (
    IMAGES,
    KUBECONFIG,
    KUBELET_PORT,
    NAME,
    NODE_ADDRESS,
    POD_NETWORK,
    RUN,
    SOCKET,
)
from e2e.images import PAUSE

KUBELET_FOLDER = RUN / "kubelet"
"""Mounted over /var/lib/kubelet, of which kubelet is told and still has parts of its own there."""
CNI_FOLDER = RUN / "cni"
CNI_BINARIES = Path("/usr/lib/cni")
"""Where Debian has them."""
CGROUP = f"/{NAME}"
CORES = 8
"""What the node says it has at least, whatever is true."""


def container_runtime() -> Daemon:
    """containerd, as it works without CAP_SYS_RESOURCE and without a service manager."""
    CNI_FOLDER.mkdir()
    (CNI_FOLDER / "10-bridge.conflist").write_text(json.dumps(_network()))
    config = RUN / "containerd.toml"
    config.write_text(
        f"""\
version = 2
root = "{IMAGES}"
state = "/run/containerd"
[grpc]
address = "{SOCKET}"
[plugins."io.containerd.internal.v1.opt"]
path = "{RUN}/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE}"
restrict_oom_score_adj = true
disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{CNI_BINARIES}"
conf_dir = "{CNI_FOLDER}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
"""
    )
    return Daemon("containerd", ["containerd", "--config", str(config)], str(SOCKET))


def node_agents(binaries: dict[str, Path]) -> list[Daemon]:
    """kubelet and kube-proxy."""
    KUBELET_FOLDER.mkdir()
    kubelet, proxy = RUN / "kubelet.json", RUN / "kube-proxy.json"
    kubelet.write_text(json.dumps(_kubelet()))
    proxy.write_text(json.dumps(_proxy()))
    options = {"config": kubelet, "kubeconfig": KUBECONFIG, "hostname_override": NAME, "node_ip": NODE_ADDRESS}
    return [
        Daemon("kubelet", command(binaries["kubelet"], **options), f"{NODE_ADDRESS}:{KUBELET_PORT}"),
        Daemon("kube-proxy", command(binaries["kube-proxy"], config=proxy)),
    ]


def _network() -> dict[str, object]:
    """A bridge in the cluster's own network namespace; nothing leaves it, so nothing is masqueraded."""
    return {
        "cniVersion": "0.4.0",
        "name": NAME,
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": True,
                "hairpinMode": True,
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(RUN / "cni-addresses"),
                    "ranges": [[{"subnet": POD_NETWORK}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }
        ],
    }


def _kubelet() -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_ADDRESS,
        "port": KUBELET_PORT,
        "healthzBindAddress": NODE_ADDRESS,
        "tlsCertFile": str(CERTIFICATE),
        "tlsPrivateKeyFile": str(KEY),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": str(CERTIFICATE)},
        },
        "authorization": {"mode": "AlwaysAllow"},  # of those who have the certificate: the API server alone
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "clusterDomain": "cluster.local",
        "clusterDNS": [NODE_ADDRESS],
        "resolvConf": "",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": CGROUP,
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "makeIPTablesUtilChains": False,
        "volumePluginDir": str(RUN / "volume-plugins"),
        # A disk that is fuller than the defaults like is no reason to throw the images away.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {"memory.available": "200Mi", "nodefs.available": "1Gi", "imagefs.available": "1Gi"},
    }


def _proxy() -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(KUBECONFIG)},
        "hostnameOverride": NAME,
        "bindAddress": NODE_ADDRESS,
        "mode": "iptables",
        "clusterCIDR": POD_NETWORK,
        "conntrack": {"maxPerCore": 0, "min": 0},
        "iptables": {"localhostNodePorts": False},
        "oomScoreAdj": 0,
    }
