"""Runs in the forked process of a step, so it imports nothing but the standard library."""

import os
import sys


def run_step(name: str, environment: dict[str, str], stdout: str, stderr: str) -> None:
    """What ``python -m finetune_trainer.main NAME`` does, with the imports already done."""
    for path, descriptor in ((os.devnull, 0), (stdout, 1), (stderr, 2)):
        opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.environ.update(environment)
    sys.argv = ["finetune-trainer", name]
    from finetune_trainer.main import main

    main()


def divide(environment: dict[str, str], folder: str, config: str, answer: str) -> None:
    """Load a model as one of several processes that divide it; what it took and what came of it, as JSON."""
    os.environ.update(environment)
    import ctypes
    import json
    import threading
    from pathlib import Path

    import torch

    from finetune_core.contract import TrainerConfig
    from finetune_trainer.group import Group
    from finetune_trainer.loss import WithLoss
    from finetune_trainer.mapped import map_model
    from finetune_trainer.sharding import shard, whole

    def anonymous_bytes() -> int:
        """Memory that is no file's: what is mapped is shared by all, and given back when it is needed."""
        status = Path("/proc/self/status").read_text()
        return int(status.partition("RssAnon:")[2].split()[0]) * 1024

    map_threshold = -3
    ctypes.CDLL(None).mallopt(map_threshold, 2**16)  # a layer's memory goes back at once, as it does from 32 MiB on
    group = Group.join(torch.device("cpu"))
    before = peak = anonymous_bytes()
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.002):
            peak = max(peak, anonymous_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    loaded, values = map_model(Path(folder), TrainerConfig.model_validate_json(config))
    shard(WithLoss(loaded), values, group, torch.device("cpu"), torch.float32)
    done.set()
    watcher.join()
    weights = whole(loaded.state_dict())
    if group.leads:
        torch.save(weights, f"{answer}.pt")
    Path(answer).write_text(json.dumps(peak - before))
    group.leave()
