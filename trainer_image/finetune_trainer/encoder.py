"""A model's encoder for ``ftj lint --tokenizer``: the one thing of the trainer that the command line imports."""

from pathlib import Path

from finetune_core.contract import Place
from finetune_core.errors import ModelUnavailable, blamed_on
from finetune_storage import fetch
from finetune_trainer.template import ChatEncoder, load_tokenizer


def fetch_encoder(place: Place, scratch: Path) -> ChatEncoder:
    """Fetch a model's tokenizer and chat template, without its weights.

    Raises:
        InvalidSpec: the place names something that cannot be fetched.
        ModelUnavailable: it could not be read.
    """
    with blamed_on(ModelUnavailable):
        model = fetch(place, scratch / "model", weights=False)
    return ChatEncoder(load_tokenizer(model))
