"""Every check, in the order in which a row meets them: first those of the row alone, then those that compare it with
earlier rows, then those of its tokens; what counts over the whole dataset comes last.

To add one: its code in ``finetune_core.api.findings``, the check in the file of its family, a line here.
"""

from collections.abc import Mapping
from typing import cast

from finetune_core.api.findings import ThresholdCode
from finetune_core.data.checks.amount import TOO_FEW_SAMPLES
from finetune_core.data.checks.balance import TOPIC_IMBALANCE
from finetune_core.data.checks.base import Check, Comparison, Context, Facts, Named, Numbers, SetCheck, Severity
from finetune_core.data.checks.belonging import UNRELATED_OUTPUT
from finetune_core.data.checks.brevity import TERSE_OUTPUT
from finetune_core.data.checks.diversity import REPEATED_OPENING
from finetune_core.data.checks.duplicates import CONFLICTING_OUTPUT, EXACT_DUPLICATE, VALIDATION_LEAK
from finetune_core.data.checks.echoes import ECHO
from finetune_core.data.checks.empty import EMPTY_INSTRUCTION, EMPTY_OUTPUT
from finetune_core.data.checks.hedging import HEDGED_OUTPUT
from finetune_core.data.checks.internal_references import INTERNAL_REFERENCE
from finetune_core.data.checks.language import LANGUAGE_MISMATCH
from finetune_core.data.checks.length import COURSE_CUTOFF_LENGTH, NO_SUPERVISED_TOKENS, OVER_LENGTH
from finetune_core.data.checks.near_duplicates import NEAR_DUPLICATE, common_pieces
from finetune_core.data.checks.personal_data import PII
from finetune_core.data.checks.refusals import REFUSAL
from finetune_core.data.checks.secrets import SECRET
from finetune_core.data.checks.spelling import TYPO
from finetune_core.data.checks.style import MIXED_STYLE
from finetune_core.data.checks.text import CONTROL_CHARACTERS, HTML_MARKUP, MOJIBAKE
from finetune_core.data.checks.turns import ROLE_ORDER
from finetune_core.data.checks.unusable import UNREADABLE_ROW, WRONG_SCHEMA

__all__ = [
    "CHECKS",
    "COURSE_CUTOFF_LENGTH",
    "DEFAULT_THRESHOLDS",
    "Check",
    "Comparison",
    "Context",
    "Facts",
    "Named",
    "Numbers",
    "SetCheck",
    "Severity",
    "common_pieces",
]

CHECKS: tuple[Check, ...] = (
    UNREADABLE_ROW,
    WRONG_SCHEMA,
    EMPTY_OUTPUT,
    EMPTY_INSTRUCTION,
    VALIDATION_LEAK,
    SECRET,
    HTML_MARKUP,
    CONTROL_CHARACTERS,
    MOJIBAKE,
    PII,
    INTERNAL_REFERENCE,
    ECHO,
    REFUSAL,
    ROLE_ORDER,
    HEDGED_OUTPUT,
    TERSE_OUTPUT,
    LANGUAGE_MISMATCH,
    TYPO,
    EXACT_DUPLICATE,
    CONFLICTING_OUTPUT,
    NEAR_DUPLICATE,
    NO_SUPERVISED_TOKENS,
    OVER_LENGTH,
    REPEATED_OPENING,
    TOPIC_IMBALANCE,
    MIXED_STYLE,
    UNRELATED_OUTPUT,
    TOO_FEW_SAMPLES,
)

DEFAULT_THRESHOLDS: Mapping[ThresholdCode, float] = {
    cast("ThresholdCode", check.code): check.threshold for check in CHECKS if check.threshold is not None
}
"""Of every check that decides by a number."""
