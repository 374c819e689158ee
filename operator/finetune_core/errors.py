"""Every error a user can meet, in one tree.

::

    FinetuneError
    ├── InvalidSpec          the job file, an argument or a flag is wrong
    ├── DatasetRefused       the data was read, and an enforced check failed
    ├── DatasetUnavailable   the data could not be read
    ├── ModelUnavailable     the base model could not be read
    ├── SecretMissing        secretName names nothing, or nothing with a key that we know
    ├── Infeasible           no plan fits the GPU asked for
    ├── OutputOccupied       the output place holds another job's model
    ├── UploadFailed         the result could not be stored
    ├── StorageError         a location could not be read or written (the caller says whose it was)
    │   └── NotFound
    ├── OutOfMemory          the card or the machine ran out of memory
    ├── Diverged             the loss is no longer a finite number
    └── TrainerError         anything else that ended training

The message is one line that says what happened, with which value, and what to do. The class name is the failure
reason that status, events and exit codes use. Anything that is not a FinetuneError is a defect of ours.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class FinetuneError(Exception):
    """An error with a message for the person who wrote the job."""

    @property
    def reason(self) -> str:
        """The failure reason of the public contract: the class's own name."""
        return type(self).__name__


class InvalidSpec(FinetuneError):
    """The job file, an argument or a flag is wrong."""


class DatasetRefused(FinetuneError):
    """The data was read, and an enforced check failed."""


class DatasetUnavailable(FinetuneError):
    """The data could not be read."""


class ModelUnavailable(FinetuneError):
    """The base model could not be read."""


class SecretMissing(FinetuneError):
    """The Secret or folder that ``secretName`` names is not there, or holds none of the known keys.

    No StorageError: whose secret it was does not change the reason.
    """


class Infeasible(FinetuneError):
    """No plan fits the GPU asked for."""


class OutputOccupied(FinetuneError):
    """The output place holds another job's model."""


class UploadFailed(FinetuneError):
    """The result could not be stored."""


class StorageError(FinetuneError):
    """A location could not be read or written."""


class NotFound(StorageError):
    """Nothing lies at the location."""


class OutOfMemory(FinetuneError):
    """The card or the machine ran out of memory."""


class Diverged(FinetuneError):
    """The loss is no longer a finite number."""


class TrainerError(FinetuneError):
    """Anything else that ended training."""


@contextmanager
def blamed_on(kind: type[FinetuneError]) -> Iterator[None]:
    """Storage does not know whose file it was reading; its caller does, and names the failure reason here."""
    try:
        yield
    except StorageError as error:
        raise kind(str(error)) from error


def first_line(error: Exception) -> str:
    """What a library's error says first; its name where it says nothing. Users' messages have one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
