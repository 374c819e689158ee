"""How a step is started: by environment variables, and nothing on the command line but its name."""

CONFIG_VARIABLE = "FINETUNE_CONFIG"
"""JSON of PrepareConfig or TrainerConfig."""

TERMINATION_VARIABLE = "FINETUNE_TERMINATION_LOG"
"""File that the step's answer is written to: a report, or a Failure."""
TERMINATION_DEFAULT = "/dev/termination-log"
TERMINATION_BYTES = 4096
"""What kubelet keeps of a termination message."""

EXIT_FAILED = 1
"""The step failed; the termination message says why."""
EXIT_TERMINATED = 143
"""The step was asked to stop (SIGTERM), saved its state, and can be resumed."""

SECRETS_FOLDER = "/var/run/finetune/secrets"
"""In a pod: a folder for each role's Secret."""
CLAIMS_FOLDER = "/var/run/finetune/claims"
"""In a pod: a folder for each claim."""
