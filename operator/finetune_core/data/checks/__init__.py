"""Every check, in the order in which a row meets them: cheap ones first, those that need its tokens last.

To add one: its code in ``finetune_core.api.findings``, the check in the file of its family, a line here.
"""

from finetune_core.data.checks.amount import TOO_FEW_SAMPLES
from finetune_core.data.checks.base import Candidate, Check, Context, RowCheck, SetCheck, Severity
from finetune_core.data.checks.duplicates import EXACT_DUPLICATE, VALIDATION_LEAK
from finetune_core.data.checks.empty import EMPTY_INSTRUCTION, EMPTY_OUTPUT
from finetune_core.data.checks.length import COURSE_CUTOFF_LENGTH, NO_SUPERVISED_TOKENS, OVER_LENGTH
from finetune_core.data.checks.unusable import UNREADABLE_ROW, WRONG_SCHEMA

__all__ = ["CHECKS", "COURSE_CUTOFF_LENGTH", "Candidate", "Check", "Context", "RowCheck", "SetCheck", "Severity"]

CHECKS: tuple[Check, ...] = (
    UNREADABLE_ROW,
    WRONG_SCHEMA,
    EMPTY_OUTPUT,
    EMPTY_INSTRUCTION,
    EXACT_DUPLICATE,
    VALIDATION_LEAK,
    NO_SUPERVISED_TOKENS,
    OVER_LENGTH,
    TOO_FEW_SAMPLES,
)
