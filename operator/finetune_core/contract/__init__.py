"""What crosses the pod border, as versioned JSON.

``PrepareConfig`` and ``TrainerConfig`` go in by the environment; ``PrepareReport``, ``RunReport`` or a ``Failure``
come back as the termination message; ``Progress`` lines come back on standard output; ``Manifest`` lies in the store.
"""

from finetune_core.contract.failure import Failure
from finetune_core.contract.manifest import MANIFEST_NAME, Manifest, ManifestFile
from finetune_core.contract.place import Place
from finetune_core.contract.prepare import DATASET_REPORT, FindingCount, PrepareConfig, PrepareReport
from finetune_core.contract.progress import Progress, format_progress, format_stage, parse_progress, parse_stage
from finetune_core.contract.shape import ModelShape
from finetune_core.contract.statistics import LENGTH_EDGES, DataStatistics, LengthPercentiles
from finetune_core.contract.train import Accuracy, Artifact, RunReport, TrainerConfig

__all__ = [
    "DATASET_REPORT",
    "LENGTH_EDGES",
    "MANIFEST_NAME",
    "Accuracy",
    "Artifact",
    "DataStatistics",
    "Failure",
    "FindingCount",
    "LengthPercentiles",
    "Manifest",
    "ManifestFile",
    "ModelShape",
    "Place",
    "PrepareConfig",
    "PrepareReport",
    "Progress",
    "RunReport",
    "TrainerConfig",
    "format_progress",
    "format_stage",
    "parse_progress",
    "parse_stage",
]
