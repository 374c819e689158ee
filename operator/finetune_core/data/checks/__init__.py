"""Every check, in the order in which a row meets them: cheap ones first, those that need its tokens last.

To add one: its code in ``finetune_core.api.findings``, the check in the file of its family, a line here.
"""

from finetune_core.data.checks.amount import TOO_FEW_SAMPLES
from finetune_core.data.checks.base import Candidate, Check, Context, RowCheck, SetCheck, Severity
from finetune_core.data.checks.diversity import REPEATED_OPENING
from finetune_core.data.checks.duplicates import CONFLICTING_OUTPUT, EXACT_DUPLICATE, VALIDATION_LEAK
from finetune_core.data.checks.empty import EMPTY_INSTRUCTION, EMPTY_OUTPUT
from finetune_core.data.checks.leakage import INTERNAL_REFERENCE, PII, SECRET
from finetune_core.data.checks.length import COURSE_CUTOFF_LENGTH, NO_SUPERVISED_TOKENS, OVER_LENGTH
from finetune_core.data.checks.manner import ECHO, HEDGED_OUTPUT, REFUSAL, TERSE_OUTPUT
from finetune_core.data.checks.text import CONTROL_CHARACTERS, HTML_MARKUP, MOJIBAKE
from finetune_core.data.checks.turns import ROLE_ORDER
from finetune_core.data.checks.unusable import UNREADABLE_ROW, WRONG_SCHEMA

__all__ = ["CHECKS", "COURSE_CUTOFF_LENGTH", "Candidate", "Check", "Context", "RowCheck", "SetCheck", "Severity"]

CHECKS: tuple[Check, ...] = (
    UNREADABLE_ROW,
    WRONG_SCHEMA,
    EMPTY_OUTPUT,
    EMPTY_INSTRUCTION,
    EXACT_DUPLICATE,
    VALIDATION_LEAK,
    SECRET,
    HTML_MARKUP,
    CONTROL_CHARACTERS,
    MOJIBAKE,
    CONFLICTING_OUTPUT,
    PII,
    INTERNAL_REFERENCE,
    ECHO,
    REFUSAL,
    ROLE_ORDER,
    HEDGED_OUTPUT,
    TERSE_OUTPUT,
    NO_SUPERVISED_TOKENS,
    OVER_LENGTH,
    REPEATED_OPENING,
    TOO_FEW_SAMPLES,
)
