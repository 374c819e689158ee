"""After an out-of-memory: the same training in smaller bites."""

from finetune_core.api.plan import Plan, Reason


def step_down(plan: Plan) -> Plan | None:
    """The plan with about half the micro-batch and as much more accumulation; None where the micro-batch is one row.

    The effective batch, and with it what is learned, stays the same: checkpoints of the plan before fit.
    """
    settings = plan.hyperparameters
    if settings is None or settings.micro_batch_size == 1:
        return None
    share, half = settings.effective_batch_size // plan.gpu.count, settings.micro_batch_size // 2
    micro = max(size for size in range(1, half + 1) if share % size == 0)
    because = f"{settings.micro_batch_size} rows at a time ran out of memory"
    reasons = [reason for reason in plan.reasons if reason.field not in ("microBatchSize", "gradientAccumulationSteps")]
    return plan.model_copy(
        update={
            "hyperparameters": settings.model_copy(
                update={"micro_batch_size": micro, "gradient_accumulation_steps": share // micro}
            ),
            "reasons": [
                *reasons,
                Reason(field="microBatchSize", value=str(micro), because=because),
                Reason(field="gradientAccumulationSteps", value=str(share // micro), because=because),
            ],
        }
    )
