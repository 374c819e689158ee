"""How a failed step says why."""

from finetune_core.api.base import ApiModel
from finetune_core.errors import FinetuneError


class Failure(ApiModel):
    """The termination message of a step that failed."""

    reason: str
    message: str

    def as_error(self) -> FinetuneError:
        """The error of that reason; an unknown reason is a TrainerError."""
        kinds = {kind.__name__: kind for kind in _subclasses(FinetuneError)}
        return kinds.get(self.reason, kinds["TrainerError"])(self.message)


def _subclasses(kind: type[FinetuneError]) -> list[type[FinetuneError]]:
    direct = kind.__subclasses__()
    return direct + [below for child in direct for below in _subclasses(child)]
