"""The dataset report: ``dataset-report.json``, and what ``ftj lint -o json`` prints."""

from collections.abc import Mapping, Sequence

from pydantic import Field

from finetune_core.api.base import ApiModel
from finetune_core.api.findings import FindingCode, Policy
from finetune_core.api.job import DatasetFormat
from finetune_core.contract.prepare import FindingCount
from finetune_core.contract.statistics import DataStatistics
from finetune_core.data.checks import Severity
from finetune_core.data.reading import Encoding
from finetune_core.errors import DatasetRefused
from finetune_core.sufficiency import Sufficiency


class Finding(ApiModel):
    """Something wrong with the dataset, and where."""

    code: FindingCode
    severity: Severity
    policy: Policy = Field(description="The policy that was applied.")
    count: int = Field(description="Rows it was found in; 1 where it is about the dataset as a whole.")
    rows: list[int] = Field(description="The first 50 of them: line numbers, or element numbers of a JSON array.")
    message: str
    fix: str


class Piece(ApiModel):
    """A run of a row's tokens, as text."""

    text: str
    supervised: bool = Field(description="The loss is on it.")


class ShownRow(ApiModel):
    """A training row as the model gets it, chat template and all."""

    row: int
    tokens: int
    supervised_tokens: int
    pieces: list[Piece] = Field(description="Cut in the middle where they are long.")


class LabelCount(ApiModel):
    """An answer that many rows share."""

    label: str
    rows: int


class DatasetReport(ApiModel):
    """What was found in a dataset. ``rows`` is ``usedRows`` and ``rejectedRows`` together."""

    rows: int = Field(description="Rows read.")
    used_rows: int = Field(description="Rows kept, validation rows included.")
    rejected_rows: int
    format: DatasetFormat
    format_reason: str
    encoding: Encoding = Field(description="Of the file; anything but UTF-8 was converted.")
    refused: bool = Field(description="An enforced check failed, or no row is left.")
    findings: list[Finding]
    statistics: DataStatistics
    unlocated_answers: int = Field(
        default=0,
        description="Answers in used rows that are not trained on, since the chat template drops or rewrites them.",
    )
    sufficient: Sufficiency
    labels: list[LabelCount] = Field(
        default_factory=list, description="Where the answers are labels, their training rows; most first."
    )
    examples: list[ShownRow] = Field(default_factory=list, description="A few training rows, where tokenized.")

    def with_training_rows(
        self, statistics: DataStatistics, *, labels: Mapping[str, int], examples: Sequence[ShownRow]
    ) -> "DatasetReport":
        """The same report with what the training rows come to, once validation rows are set aside."""
        counted = sorted(labels.items(), key=lambda entry: (-entry[1], entry[0]))
        return self.model_copy(
            update={
                "statistics": statistics,
                "labels": [LabelCount(label=label, rows=rows) for label, rows in counted],
                "examples": list(examples),
            }
        )

    def finding_counts(self) -> list[FindingCount]:
        """The findings without their rows."""
        return [
            FindingCount(code=found.code, severity=found.severity, policy=found.policy, count=found.count)
            for found in self.findings
        ]

    def raise_if_refused(self) -> None:
        """Raise the error of a refused dataset.

        Raises:
            DatasetRefused: one line that names each enforced finding, or says that no row is left.
        """
        if not self.refused:
            return
        causes = []
        for found in self.findings:
            if found.policy == "enforce":
                how_many = f", {found.count:,} of {self.rows:,} rows" if found.rows else ""
                causes.append(f"{found.code}{how_many} ({found.message}): {found.fix}")
        if not self.used_rows:
            causes.append(f"no usable row is left of {self.rows:,}")
        raise DatasetRefused("; ".join(causes))
