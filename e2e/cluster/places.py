"""Where the cluster's parts are: files below one folder of the user's cache, addresses in a network of its own."""

import os
from pathlib import Path

NAME = "finetune-e2e"
"""Of the network namespace, of this machine's end of the cable to it, of the node, and of the cgroup of its pods."""

HOST_ADDRESS, NODE_ADDRESS, CABLE_BITS = "10.189.0.1", "10.189.0.2", 30
"""The two ends of that cable. All servers listen on the second; there is nothing but the first on this machine."""
NETWORK = "10.189.0.0/16"
POD_NETWORK = "10.189.64.0/18"
SERVICE_NETWORK = "10.189.128.0/18"
API_SERVICE_ADDRESS = "10.189.128.1"
"""The first of its network, where the API server puts the Service ``kubernetes``."""

API_PORT, S3_PORT, PROMETHEUS_PORT, KUBELET_PORT = 6443, 7070, 9090, 10250

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "finetune-operator"
ROOT = CACHE / "cluster"
IMAGES = ROOT / "containerd"
"""Kept from one cluster to the next: importing the trainer's image takes minutes."""
RUN = ROOT / "run"
"""Everything else; made anew at each start."""
SOCKET = RUN / "containerd.sock"
KUBECONFIG = RUN / "kubeconfig"
AUDIT_LOG = RUN / "audit.log"
LOGS = RUN / "logs"
KERNEL_SETTINGS = RUN / "kernel-settings.json"
REPOSITORY = Path(__file__).parent.parent.parent
