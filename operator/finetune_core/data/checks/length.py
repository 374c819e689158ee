"""Checks that count tokens."""

from finetune_core.data.checks.base import Check, Context, TokenCheck
from finetune_core.data.example import Tokenized

COURSE_CUTOFF_LENGTH = 2048
"""过长的文本（>2048 tokens）: the course's cleaning list, part 3.2."""


def no_supervised_tokens(context: Context) -> TokenCheck:
    """The chat template leaves nothing to learn. An estimate cannot know that, so without a tokenizer it is silent."""

    def check(tokens: Tokenized) -> str | None:
        return "the chat template supervises no token" if context.exact and not tokens.supervised else None

    return check


def over_length(context: Context) -> TokenCheck:
    """Longer than the cutoff: the end, which is the answer's, would be cut off."""

    def check(tokens: Tokenized) -> str | None:
        length = tokens.length
        if length <= context.cutoff_length:
            return None
        return f"{'' if context.exact else 'about '}{length:,} tokens, over {context.cutoff_length:,}"

    return check


NO_SUPERVISED_TOKENS = Check(
    code="no-supervised-tokens",
    policy="drop",
    message="the row has no token to learn from",
    fix="end the row with an answer of the assistant, in a form that the model's chat template keeps",
    tokens=no_supervised_tokens,
)

OVER_LENGTH = Check(
    code="over-length",
    policy="warn",
    message="the row is longer than the cutoff and will be truncated",
    fix="split or shorten it, or raise hyperparameters.cutoffLength (--cutoff-length)",
    tokens=over_length,
)
