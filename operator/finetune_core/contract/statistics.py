"""What planning needs to know of a dataset: counts and lengths, never a row."""

from pydantic import Field

from finetune_core.api.base import ApiModel

LENGTH_EDGES = (16, 32, 64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 8192, 16384, 32768)
"""Upper edges in tokens, inclusive, of the length histogram's buckets; one more bucket holds what is longer."""


class LengthPercentiles(ApiModel):
    """Row lengths in tokens."""

    p50: int
    p95: int
    p99: int
    max: int


class DataStatistics(ApiModel):
    """The training rows, tokenized and not truncated."""

    rows: int = Field(description="Training rows, validation left out.")
    validation_rows: int = 0
    tokens: int
    supervised_tokens: int
    lengths: LengthPercentiles
    supervised_max: int = Field(description="Most supervised tokens in one row.")
    histogram: list[int] = Field(default_factory=list, description="Rows per bucket of LENGTH_EDGES.")
    exact: bool = Field(default=True, description="False: lengths are estimated, no tokenizer was at hand.")
