"""decide() has a safe answer for every state, those that should not be included, and leads every job to an end."""

import random
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from jobs import job
from observed_jobs import (
    INFEASIBLE,
    NAME,
    NOW,
    PLAN,
    PREPARED,
    TRAINED,
    UID,
    attempt,
    complete,
    crashed,
    failure,
    log,
    observed,
    planned,
    pod,
    running,
    step,
)  # fmt: skip

from finetune_core.api import FineTuneJobSpec
from finetune_core.api.status import FINISHED, Attempt, FineTuneJobStatus, Phase
from finetune_operator.decide import decide
from finetune_operator.decide.decision import StartPreparation, StartTraining, StopStep
from finetune_operator.decide.numbers import child_name
from finetune_operator.decide.observed import LogTail, Observed, Pod, Step, StepKind, Waiting

REASONS = ("OutOfMemory", "Diverged", "TrainerError", "ModelUnavailable", "SecretMissing", "Nonsense" * 20, "")
ANSWERS = st.sampled_from(
    ["", "garbage", "{}", "null", PREPARED, TRAINED, *(failure(reason, "x" * 3_000) for reason in REASONS)]
)
ENDS = st.sampled_from(
    [
        ("BackoffLimitExceeded", "Job has reached the specified backoff limit"),
        (
            "PodFailurePolicy",
            "Container trainer for pod a/b failed with exit code 143 matching FailJob rule at index 1",
        ),
        ("PodFailurePolicy", "Pod a/b has condition DisruptionTarget matching FailJob rule at index 0"),
        ("DeadlineExceeded", "Job was active longer than specified deadline"),
        ("SomethingNew", ""),
    ]
)
times = st.integers(-(10**7), 10**7).map(lambda seconds: NOW + timedelta(seconds=seconds))
counters = st.integers(0, 3) | st.sampled_from([49, 1_000, 10**6])

SPECS: list[FineTuneJobSpec | None] = [
    None,
    *(
        job(*changes).spec
        for changes in (
            [],
            ["suspend=true"],
            ["ttlSecondsAfterFinished=60"],
            ["suspend=true", "ttlSecondsAfterFinished=0"],
            ["gpu.type=A11"],
            ["gpu.type=RTX-3070"],
            ["gpu.type=cpu", "hyperparameters.maxSteps=1"],
            ["failurePolicy.maxRetries=0", "failurePolicy.maxDisruptions=0", "failurePolicy.onOutOfMemory=fail"],
            ["failurePolicy.pendingDeadlineSeconds=1", "failurePolicy.noProgressSeconds=1"],
        )
    ),
]

pods = st.builds(
    Pod,
    name=st.just("a-pod"),
    uid=st.just("pod-1"),
    phase=st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Unknown"]),
    waiting=st.none() | st.sampled_from([Waiting("ImagePullBackOff", ""), Waiting("FailedMount", "no Secret")]),
    exit_code=st.sampled_from([None, 0, 1, 137, 143]),
    out_of_memory=st.booleans(),
    answer=ANSWERS,
    disruption=st.sampled_from(["", "preempted"]),
)


@st.composite
def steps(draw: st.DrawFn, kind: StepKind) -> tuple[Step, ...]:
    return tuple(
        step(
            kind, number, created_at=draw(times), deleting=draw(st.booleans()), held=draw(st.booleans()),
            result=(result := draw(st.sampled_from([None, "Complete", "Failed"]))),
            **(dict(zip(("reason", "message"), draw(ENDS), strict=True)) if result == "Failed" else {}),
            finished_at=draw(st.none() | times) if result else None, pod=draw(st.none() | pods),
        )
        for number in sorted(draw(st.sets(st.integers(1, 4), max_size=3)))
    )  # fmt: skip


@st.composite
def attempts(draw: st.DrawFn) -> list[Attempt]:
    """Up to ten, their numbers rising; only the newest may be open."""
    numbers = sorted(draw(st.sets(st.integers(1, 12), max_size=10)))
    outcomes = st.sampled_from(["Succeeded", "Failed", "Disrupted", "Suspended"])
    return [
        Attempt(
            number=number, method="lora", micro_batch_size=4, start_time=draw(times), end_time=draw(st.none() | times),
            outcome=draw(outcomes if number != numbers[-1] else st.none() | outcomes),
        )
        for number in numbers
    ]  # fmt: skip


statuses = st.builds(
    FineTuneJobStatus,
    phase=st.sampled_from([None, "Pending", "Preparing", "Queued", "Training", "Succeeded", "Failed", "Suspended"]),
    completion_time=st.none() | times,
    plan=st.sampled_from([None, PLAN, INFEASIBLE]),
    prepare_report=st.sampled_from([None, PREPARED]),
    attempts=attempts(),
    preparation=st.integers(0, 4),
    retries=counters,
    disruptions=counters,
)
names = st.sets(
    st.builds(child_name, st.just(NAME), st.just(UID), st.sampled_from(["prepare", "train"]), st.integers(1, 6))
)
floats = st.none() | st.floats()
logs = st.builds(
    lambda tail, seconds, loss, epoch: replace(
        tail, seconds_per_step=seconds, progress=tail.progress.model_copy(update={"loss": loss, "epoch": epoch})
    ),
    st.builds(log, st.integers(-10_000, 10_000)),
    floats,
    floats,
    st.floats(0, 1e6),  # a line whose epoch or time is not finite is not read
)


@st.composite
def states(draw: st.DrawFn) -> Observed:
    return observed(
        status=draw(statuses),
        spec=draw(st.sampled_from(SPECS)),
        problem="spec.model: required, but not given",
        deleting=draw(st.sampled_from([False, False, False, True])),
        preparations=draw(steps("prepare")),
        trainings=draw(steps("train")),
        taken=frozenset(draw(names)),
        output_holder=draw(st.sampled_from(["", "", "", "team-b/first"])),
        log=draw(st.none() | logs),
    )


@pytest.mark.parametrize("found", [running(), complete(TRAINED), crashed()], ids=["running", "complete", "failed"])
def test_a_job_that_lost_its_status_finds_its_training_again(found: Step) -> None:
    """Restored from a backup, or read by a version that cannot read the plan."""
    seen = observed("suspend=true", trainings=(found,), status=planned(plan=None))
    assert decide(seen, NOW).status.phase is not None


@given(states(), times)
@settings(max_examples=200, deadline=None)
def test_every_state_has_a_safe_answer(seen: Observed, now: object) -> None:
    decision = decide(seen, now)
    status, actions = decision.status, decision.actions
    event(f"{status.phase} {[type(action).__name__ for action in actions]}")
    starts = [action for action in actions if isinstance(action, StartPreparation | StartTraining)]
    finished, suspended = seen.status.phase in FINISHED, seen.spec is not None and seen.spec.suspend
    active = [one for one in seen.steps if one.active]

    still = status.phase == "Suspended" and not active
    assert status.phase in FINISHED or seen.deleting or actions or decision.requeue_after is not None or still
    assert decision.requeue_after is None or 0 <= decision.requeue_after < float("inf")
    assert not (starts and (seen.deleting or finished or suspended or seen.spec is None))
    assert len(starts) <= 1
    for start in starts:
        kind: StepKind = "prepare" if isinstance(start, StartPreparation) else "train"
        name = child_name(seen.name, seen.uid, kind, start.number)
        assert name not in seen.taken | {one.name for one in seen.steps}
        assert not [one for one in active if one.kind == "train" and kind == "train"]
    assert {action.name for action in actions if isinstance(action, StopStep)} <= {one.name for one in active}

    assert FineTuneJobStatus.model_validate_json(status.to_json()) == status
    assert len({condition.type for condition in status.conditions}) == len(status.conditions)
    numbers = [attempt.number for attempt in status.attempts]
    assert numbers == sorted(set(numbers))
    assert len(numbers) <= 10
    if finished:
        assert status.phase == seen.status.phase
    elif status.progress is not None and status.phase != "Training":
        assert status.progress.eta is None


@given(logs, st.integers(0, 10**6), st.integers(0, 10**6))
@settings(max_examples=200, deadline=None)
def test_whatever_a_trainer_logs_the_status_is_one(tail: LogTail, step: int, total_steps: int) -> None:
    newest = tail.progress.model_copy(update={"step": step, "total_steps": total_steps})
    seen = observed(status=planned(attempt()), trainings=(running(),), log=replace(tail, progress=newest))
    status = decide(seen, NOW).status
    assert FineTuneJobStatus.model_validate_json(status.to_json()) == status


@dataclass
class Cluster:
    """Does what decide() says; its Jobs begin, run and end as chance has it."""

    chance: random.Random
    faults: int
    """How many endings may be bad."""
    vanishing: bool
    """Whether Jobs may be deleted by somebody."""
    forgetful: bool
    """Whether the operator is sometimes killed before it has written the status."""
    spec: FineTuneJobSpec
    status: FineTuneJobStatus = field(default_factory=FineTuneJobStatus)
    steps: dict[str, Step] = field(default_factory=dict)
    created: list[str] = field(default_factory=list)
    now = NOW
    phases: list[Phase | None] = field(default_factory=list)

    def look(self) -> Observed:
        of_kind = {kind: tuple(one for one in self.steps.values() if one.kind == kind) for kind in ("prepare", "train")}
        silent = self.chance.choice([0, 0, 0, 1_000]) if self.faults and not self.forgetful else 0
        self.faults -= silent > 0
        return observed(
            status=self.status, spec=self.spec, preparations=of_kind["prepare"], trainings=of_kind["train"],
            log=replace(log(), changed_at=self.now - timedelta(seconds=silent)),
        )  # fmt: skip

    def work(self) -> None:
        decision = decide(self.look(), self.now)
        for action in decision.actions:
            if isinstance(action, StopStep):
                self.steps[action.name] = replace(self.steps[action.name], deleting=True)
                continue
            assert isinstance(action, StartPreparation | StartTraining)
            made = step("prepare" if isinstance(action, StartPreparation) else "train", action.number)
            if made.name not in self.steps:  # else the API server says that it is there already
                self.created.append(made.name)
                self.steps[made.name] = replace(made, created_at=self.now)
        if not (self.forgetful and self.chance.random() < 0.3):
            self.status = FineTuneJobStatus.model_validate_json(decision.status.to_json())
            self.phases.append(self.status.phase)
        self.now += timedelta(seconds=max(1, min(decision.requeue_after or 1, 60)))

    def go_on(self) -> None:
        for one in list(self.steps.values()):
            if one.deleting:
                del self.steps[one.name]
            elif one.pod is None:
                self.steps[one.name] = replace(one, pod=pod("Running"))
            elif one.active and self.chance.random() < 0.3:
                self._end(one)

    def _end(self, one: Step) -> None:
        answer = PREPARED if one.kind == "prepare" else TRAINED
        if self.faults and self.chance.random() < 0.7:
            self.faults -= 1
            if self.vanishing and self.chance.random() < 0.3:
                del self.steps[one.name]
                return
            answer = self.chance.choice(["", failure("OutOfMemory"), failure("TrainerError"), "garbage"])
            ended = pod("Failed", answer=answer, exit_code=self.chance.choice([1, 143]))
            message = "Job has reached the specified backoff limit"
            self.steps[one.name] = replace(one, result="Failed", message=message, finished_at=self.now, pod=ended)
        else:
            self.steps[one.name] = replace(
                one, result="Complete", finished_at=self.now, pod=pod("Succeeded", answer=answer)
            )


@given(seed=st.integers(0, 2**32), faults=st.integers(0, 12), vanishing=st.booleans(), forgetful=st.booleans())
@settings(max_examples=60, deadline=None)
def test_every_job_comes_to_an_end_and_no_child_is_made_twice(
    seed: int, faults: int, vanishing: bool, forgetful: bool
) -> None:
    cluster = Cluster(random.Random(seed), faults, vanishing, forgetful, job("failurePolicy.maxRetries=4").spec)
    for _ in range(1_000):
        cluster.work()
        assert sum(one.kind == "train" and one.active for one in cluster.steps.values()) <= 1
        if cluster.status.phase in FINISHED:
            break
        cluster.go_on()
    assert cluster.status.phase in FINISHED
    if not vanishing:  # what somebody deleted before it stood in the status is made again under its own name
        assert len(cluster.created) == len(set(cluster.created))
    if faults == 0 and not forgetful:
        assert cluster.status.phase == "Succeeded"


@given(seed=st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_a_job_may_be_suspended_and_resumed_at_any_moment(seed: int) -> None:
    chance = random.Random(seed)
    going, suspended = job().spec, job("suspend=true").spec
    cluster = Cluster(chance, 0, False, False, going)
    for turn in range(400):
        cluster.spec = suspended if turn < 300 and chance.random() < 0.4 else going
        cluster.work()
        if cluster.status.phase in FINISHED:
            break
        assert (cluster.status.phase == "Suspended") == cluster.spec.suspend or cluster.steps
        cluster.go_on()
    assert cluster.status.phase in FINISHED
    trainings = [name for name in cluster.created if "-train-" in name]
    assert len(trainings) == len(set(trainings))
