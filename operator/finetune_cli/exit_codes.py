"""How ``ftj`` ends: the exit codes of the public contract."""

from finetune_core.errors import (
    DatasetRefused,
    DatasetUnavailable,
    FinetuneError,
    Infeasible,
    InvalidSpec,
    ModelUnavailable,
    NotFound,
    OutputOccupied,
    SecretMissing,
)

DONE = 0
FAILED = 1
BAD_INPUT = 2
INFEASIBLE = 3
DATA_REFUSED = 4
INTERRUPTED = 130
"""Ctrl-C, as shells have it: 128 + SIGINT."""

_CODES: dict[type[FinetuneError], int] = {
    InvalidSpec: BAD_INPUT,
    DatasetUnavailable: BAD_INPUT,
    ModelUnavailable: BAD_INPUT,
    SecretMissing: BAD_INPUT,
    OutputOccupied: BAD_INPUT,
    NotFound: BAD_INPUT,
    Infeasible: INFEASIBLE,
    DatasetRefused: DATA_REFUSED,
}


def exit_code(error: FinetuneError) -> int:
    """The exit code of an error: that of its nearest class in the table, else 1."""
    return next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), FAILED)
