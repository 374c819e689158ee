"""How a step is started: by environment variables, and nothing on the command line but its name."""

CONFIG_VARIABLE = "FINETUNE_CONFIG"
"""JSON of PrepareConfig or TrainerConfig."""

TERMINATION_VARIABLE = "FINETUNE_TERMINATION_LOG"
"""File that the step's answer is written to: a report, or a Failure."""
TERMINATION_DEFAULT = "/dev/termination-log"
TERMINATION_BYTES = 4096
"""What kubelet keeps of a termination message."""

DATASET_LIMIT_VARIABLE = "FINETUNE_MAX_DATASET_BYTES"
"""Largest dataset that is fetched, as it lies there; a number of bytes."""
DEFAULT_DATASET_LIMIT_BYTES = 4 * 2**30
"""Seven times a million rows of 600 bytes; with its tokens it fits the 20 GiB of scratch that a prepare pod has."""

INTERNAL_HOSTS_VARIABLE = "FINETUNE_INTERNAL_HOSTS"
"""Hosts, by name or address and separated by commas, that https may read though their addresses are internal ones."""

MODEL_CACHE_VARIABLE = "FINETUNE_MODEL_CACHE"
"""The folder that the hub's cache is in, where it is shared and outlives the pod: the prepare step then downloads the
weights too, before a card is held for it."""

NODES_VARIABLE = "FINETUNE_NODES"
"""How many nodes (pods) train together, each with as many processes as ``plan.gpu.perNode``; absent: this one alone."""

NODE_RANK_VARIABLE = "FINETUNE_NODE_RANK"
"""Which of them this one is, counted from 0; absent: 0. The first answers, and tells of progress."""

RENDEZVOUS_VARIABLE = "FINETUNE_RENDEZVOUS"
"""``host:port`` of the first node, where all of them meet; absent: there is one node. The name may not resolve until
the first node's pod has an address."""
RENDEZVOUS_PORT = 29500
"""torchrun's own default."""

EXIT_FAILED = 1
"""The step failed; the termination message says why."""
EXIT_TERMINATED = 143
"""The step was asked to stop (SIGTERM), saved its state, and can be resumed."""

SECRETS_FOLDER = "/var/run/finetune/secrets"
"""In a pod: a folder for each role's Secret."""
CLAIMS_FOLDER = "/var/run/finetune/claims"
"""In a pod: a folder for each claim."""
CONFIG_MAPS_FOLDER = "/var/run/finetune/configmaps"
"""In a pod: a folder for each role's ConfigMap."""
MODEL_CACHE_FOLDER = "/var/run/finetune/model-cache"
"""In a pod: the claim of the shared cache."""
