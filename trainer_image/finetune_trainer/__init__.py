"""The trainer: prepare a dataset, train a model on it. The only room that knows torch.

``main`` starts a step, ``prepare`` and ``train`` are the steps; every other module serves one of them.
"""
