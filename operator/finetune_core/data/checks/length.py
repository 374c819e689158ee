"""Checks that count tokens."""

from finetune_core.data.checks.base import Candidate, Check, Context, RowCheck

COURSE_CUTOFF_LENGTH = 2048
"""过长的文本（>2048 tokens）: the course's cleaning list, part 3.2."""


def no_supervised_tokens(context: Context) -> RowCheck:
    """The chat template leaves nothing to learn. An estimate cannot know that, so without a tokenizer it is silent."""

    def check(candidate: Candidate) -> str | None:
        return "the chat template supervises no token" if context.exact and not candidate.tokens.supervised else None

    return check


def over_length(context: Context) -> RowCheck:
    """Longer than the cutoff: the end, which is the answer's, would be cut off."""

    def check(candidate: Candidate) -> str | None:
        length = candidate.tokens.length
        if length <= context.cutoff_length:
            return None
        return f"{'' if context.exact else 'about '}{length:,} tokens, over {context.cutoff_length:,}"

    return check


NO_SUPERVISED_TOKENS = Check(
    code="no-supervised-tokens",
    policy="drop",
    message="the row has no token to learn from",
    fix="end the row with an answer of the assistant, in a form that the model's chat template keeps",
    row=no_supervised_tokens,
)

OVER_LENGTH = Check(
    code="over-length",
    policy="warn",
    message="the row is longer than the cutoff and will be truncated",
    fix="split or shorten it, or raise hyperparameters.cutoffLength (--cutoff-length)",
    row=over_length,
)
