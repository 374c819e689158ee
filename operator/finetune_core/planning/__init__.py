"""How a job will be trained: a pure function of the job, the model's shape, the data's lengths and the GPU."""

from finetune_core.planning.gpus import Gpu, catalogue, find_gpu
from finetune_core.planning.plan import plan
from finetune_core.planning.shapes import shape_from_config, shipped_shape

__all__ = ["Gpu", "catalogue", "find_gpu", "plan", "shape_from_config", "shipped_shape"]
