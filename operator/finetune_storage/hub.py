"""The Hugging Face hub: the only file that knows huggingface_hub. Read only.

The library's own settings hold: HF_HOME and HF_HUB_CACHE, HF_HUB_OFFLINE, HF_ENDPOINT, the token of a login.
"""

from pathlib import Path

from huggingface_hub import constants, errors, hf_hub_download, snapshot_download

from finetune_core.api.location import HubUri
from finetune_core.contract import Place
from finetune_core.errors import InvalidSpec, NotFound, StorageError
from finetune_storage.credentials import read_credentials
from finetune_storage.folder import WEIGHTS_SUFFIX
from finetune_storage.local import os_errors

# Weights, configuration, tokenizer and chat template. No pickle (*.bin, *.pt) and no code (*.py): loading runs them.
MODEL_FILES = ["*.safetensors", "*.json", "*.model", "*.txt", "*.jinja"]

# The same weights once more, in the layout of the publisher's own software.
MODEL_DUPLICATES = ["consolidated*.safetensors", "original/*"]

_HTTP_ERROR: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]  # of whichever HTTP library it stands on


def fetch(place: Place, repository: HubUri, weights: bool = True) -> Path:
    """The folder of a model, or one file of a dataset, in the hub's cache; downloaded where it is not there yet.

    Raises:
        InvalidSpec: the place names a file of a model, or a dataset without a file.
        NotFound: the hub has no such repository, revision or file.
        StorageError: the hub cannot be reached, or does not let us in.
    """
    token = read_credentials(place.credentials).hf_token
    repo, revision = repository.repo, repository.revision
    if repository.kind == "model" and repository.path:
        raise InvalidSpec(f"{place.uri} names a file of a model: write hf://{repo}, the whole model")
    if repository.kind == "dataset" and not repository.path:
        raise InvalidSpec(
            f"{place.uri} names a dataset without a file: write hf://datasets/{repo}/FILE, such as "
            f"hf://datasets/{repo}/train.jsonl"
        )
    with os_errors(Path(constants.HF_HUB_CACHE)):
        try:
            if repository.kind == "dataset":
                return Path(hf_hub_download(repo, repository.path, repo_type="dataset", revision=revision, token=token))
            return Path(
                snapshot_download(
                    repo,
                    revision=revision,
                    token=token,
                    allow_patterns=MODEL_FILES,
                    ignore_patterns=MODEL_DUPLICATES if weights else [*MODEL_DUPLICATES, f"*{WEIGHTS_SUFFIX}"],
                )
            )
        except (errors.LocalEntryNotFoundError, errors.HFValidationError, _HTTP_ERROR) as error:
            # The hub was asked first, and the cache only then: why the hub did not give it is the cause.
            cause = error.__cause__ if isinstance(error, errors.LocalEntryNotFoundError) else None
            raise _explained(cause or error, place.uri) from error


def _explained(error: BaseException, uri: str) -> StorageError:
    """The error in one line; the library's own have many."""
    match error:
        case errors.GatedRepoError():
            return StorageError(
                f"{uri} is gated: accept its terms on the hub, and give HF_TOKEN of that account in its Secret"
            )
        case errors.RepositoryNotFoundError():
            return NotFound(f"the hub shows no {uri}: check the name, or give HF_TOKEN in its Secret if it is private")
        case errors.RevisionNotFoundError():
            return NotFound(f"the hub has no such revision of {uri}: name a branch, tag or commit of it")
        case errors.RemoteEntryNotFoundError():
            return NotFound(f"the hub has no such file, {uri}: check its name, with the folder it lies in")
        case errors.HFValidationError():
            return NotFound(f"the hub can have no {uri}: check the name")
        case errors.HfHubHTTPError():
            return StorageError(
                f"{uri}: the hub answered {error.response.status_code}: check HF_TOKEN, and try again later"
            )
    if constants.HF_HUB_OFFLINE:
        return StorageError(
            f"{uri} is not whole in the cache {constants.HF_HUB_CACHE}, and HF_HUB_OFFLINE forbids to download it: "
            "download it there once, or unset HF_HUB_OFFLINE"
        )
    return StorageError(
        f"{uri}: no answer from {constants.ENDPOINT} ({type(error).__name__}): check the network, "
        "or download it into the cache and set HF_HUB_OFFLINE=1"
    )
