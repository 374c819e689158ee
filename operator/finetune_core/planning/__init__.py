"""How a job will be trained: a pure function of the job, the model's shape, the data's lengths and the GPU."""

from finetune_core.planning.estimate import in_words
from finetune_core.planning.flops import flops_per_token
from finetune_core.planning.gpus import Gpu, add_gpus, catalogue, find_gpu
from finetune_core.planning.memory import LOGITS_AT_A_TIME
from finetune_core.planning.plan import infeasible_line, plan, plans_for_all
from finetune_core.planning.shapes import shape_from_config, shipped_shape
from finetune_core.planning.step_down import step_down

__all__ = [
    "LOGITS_AT_A_TIME",
    "Gpu",
    "add_gpus",
    "catalogue",
    "find_gpu",
    "flops_per_token",
    "in_words",
    "infeasible_line",
    "plan",
    "plans_for_all",
    "shape_from_config",
    "shipped_shape",
    "step_down",
]
