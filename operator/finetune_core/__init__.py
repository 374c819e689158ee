"""The pure heart of finetune-operator: no network, no clock, no torch, no Kubernetes.

``api`` is what users write, ``contract`` is what crosses the pod border, ``planning`` decides, ``data`` checks
datasets and ``report`` draws the result.
"""

__version__ = "0.1.0"
