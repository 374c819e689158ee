"""The one pydantic base of everything that is JSON for other people."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class ApiModel(BaseModel):
    """camelCase outside, snake_case inside; unknown fields and silently converted types are refused.

    Strict, because the API server is: ``"5"`` is no integer there, and must not become one in ``ftj`` either.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        populate_by_name=True,
        protected_namespaces=(),
        defer_build=True,
    )

    def to_json(self, indent: int | None = None) -> str:
        """JSON as the public contract spells it, without the fields that were not set."""
        return self.model_dump_json(by_alias=True, exclude_none=True, indent=indent, ensure_ascii=False)
