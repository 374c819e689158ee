"""The end of a running trainer's log: its newest step, how fast it goes, and whether it still says anything."""

from dataclasses import dataclass
from datetime import datetime

from finetune_core.contract import Progress, parse_progress
from finetune_operator.client import ApiError, Client
from finetune_operator.decide.observed import LogTail, Step
from finetune_operator.records import Key

TAIL_LINES = 40
_MEASURED = ("loss", "eval_loss", "learning_rate", "grad_norm", "tokens_per_second")


@dataclass(frozen=True)
class _Seen:
    pod_uid: str
    text: str
    tail: LogTail
    read_at: datetime


class LogReader:
    """Reads logs through the API server: that works behind any network policy, and needs no port in the pod."""

    def __init__(self) -> None:
        self._seen: dict[Key, _Seen] = {}

    def forget(self, key: Key) -> None:
        """Drop what is known of a job."""
        self._seen.pop(key, None)

    async def tail(self, client: Client, key: Key, step: Step, now: datetime, every_seconds: float) -> LogTail | None:
        """The tail of a running step's log, read at most every so often; None where it cannot be read."""
        pod = step.pod
        assert pod is not None
        seen = self._seen.get(key)
        if seen is not None and seen.pod_uid != pod.uid:
            seen = None
        if seen is not None and (now - seen.read_at).total_seconds() < every_seconds:
            return seen.tail
        try:
            text = await client.log_tail(key[0], pod.name, TAIL_LINES)
        except ApiError:
            return None  # the node cannot be asked now; what became of the pod is for the pod's status to say
        tail = seen.tail if seen is not None and text == seen.text else read_tail(text, now)
        self._seen[key] = _Seen(pod.uid, text, tail, now)
        return tail


def read_tail(text: str, now: datetime) -> LogTail:
    """What the last lines of a log say."""
    lines = [progress for line in text.splitlines() if (progress := parse_progress(line)) is not None]
    if not lines:
        return LogTail(progress=None, seconds_per_step=None, changed_at=now)
    first, last = lines[0], lines[-1]
    steps = last.step - first.step
    return LogTail(
        progress=last.model_copy(update={name: _newest(lines, name) for name in _MEASURED}),
        seconds_per_step=(last.time - first.time) / steps if steps > 0 else None,
        changed_at=now,
    )


def _newest(lines: list[Progress], name: str) -> float | None:
    """The newest measurement of that name: a line has only what was measured at its step."""
    return next((value for line in reversed(lines) if (value := getattr(line, name)) is not None), None)
