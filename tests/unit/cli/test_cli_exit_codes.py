"""Every error ends the command with the exit code that the contract gives it."""

import pytest

from finetune_cli.exit_codes import exit_code
from finetune_core import errors
from finetune_core.errors import FinetuneError

CODES = {
    "InvalidSpec": 2,
    "DatasetRefused": 4,
    "DatasetUnavailable": 2,
    "ModelUnavailable": 2,
    "SecretMissing": 2,
    "Infeasible": 3,
    "OutputOccupied": 2,
    "UploadFailed": 1,
    "StorageError": 1,
    "NotFound": 2,
    "OutOfMemory": 1,
    "Diverged": 1,
    "TrainerError": 1,
    "FinetuneError": 1,
}


@pytest.mark.parametrize(("name", "code"), CODES.items())
def test_an_error_has_the_exit_code_of_the_contract(name: str, code: int) -> None:
    assert exit_code(getattr(errors, name)("message")) == code


def test_every_error_is_in_the_table() -> None:
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, FinetuneError)}
    assert kinds == CODES.keys()


def test_an_error_below_another_ends_as_that_one_does() -> None:
    class Unreadable(errors.DatasetUnavailable):
        pass

    assert exit_code(Unreadable("message")) == 2
