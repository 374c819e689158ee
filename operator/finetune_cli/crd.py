"""``ftj crd``: the CustomResourceDefinition of FineTuneJob."""

import yaml

from finetune_core.api.crd import crd as made

_HEAD = "# Generated from the models in finetune_core.api: ftj crd > crds/finetunejobs.yaml"


class _Dumper(yaml.SafeDumper):
    """Writes what occurs twice twice, without anchors: people read it."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def crd() -> None:
    """Print the CustomResourceDefinition, for kubectl apply -f -."""
    print(_HEAD)
    print(yaml.dump(made(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120), end="")
