"""The FineTuneJob that children belong to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finetune_core.api.job import API_VERSION, KIND, FineTuneJobSpec


@dataclass(frozen=True)
class Parent:
    """What children take from it."""

    namespace: str
    name: str
    uid: str
    labels: Mapping[str, str]
    spec: FineTuneJobSpec

    @property
    def owner_references(self) -> list[dict[str, Any]]:
        """By which a child goes when its job goes."""
        return [
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": self.name,
                "uid": self.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
