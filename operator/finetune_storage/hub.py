"""The Hugging Face hub: the only file that knows huggingface_hub.

The library's own settings hold: HF_HOME and HF_HUB_CACHE, HF_HUB_OFFLINE, HF_ENDPOINT, the token of a login.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants, errors, hf_hub_download, snapshot_download
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import tqdm  # type: ignore[attr-defined]

from finetune_core.api.location import HubUri
from finetune_core.contract import Place
from finetune_core.errors import InvalidSpec, NotFound, StorageError
from finetune_storage.choice import bounded, canonical, choose, is_data
from finetune_storage.credentials import read_credentials
from finetune_storage.dataset import Data, measured, refuse_oversize
from finetune_storage.folder import WEIGHTS_SUFFIX, Entry, checked_path
from finetune_storage.local import os_errors
from finetune_storage.meter import Meter, Tell

# Weights, configuration, tokenizer and chat template. No pickle (*.bin, *.pt) and no code (*.py): loading runs them.
MODEL_FILES = ["*.safetensors", "*.json", "*.model", "*.txt", "*.jinja"]

# The same weights once more, in the layout of the publisher's own software.
MODEL_DUPLICATES = ["consolidated*.safetensors", "original/*"]

_OLD_WEIGHTS = [f"*{WEIGHTS_SUFFIX}", f"*{WEIGHTS_SUFFIX}.index.json", "adapter_config.json"]

_HTTP_ERROR: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]  # of whichever HTTP library it stands on


def fetch(place: Place, repository: HubUri, weights: bool = True, tell: Tell | None = None) -> Path:
    """The folder of a model in the hub's cache; downloaded where it is not there yet, and named after the commit.

    Raises:
        InvalidSpec: the place names a file of a model, or a dataset.
        NotFound: the hub has no such repository or revision.
        StorageError: the hub cannot be reached, or does not let us in.
    """
    token = read_credentials(place.credentials).hf_token
    repo = repository.repo
    if repository.kind == "dataset":
        raise InvalidSpec(f"{place.uri} is a dataset, where a model is needed: write hf://org/name")
    if repository.path:
        raise InvalidSpec(f"{place.uri} names a file of a model: write hf://{repo}, the whole model")
    wanted: dict[str, Any] = {
        "revision": repository.revision,
        "token": token,
        "allow_patterns": MODEL_FILES,
        "ignore_patterns": MODEL_DUPLICATES if weights else [*MODEL_DUPLICATES, f"*{WEIGHTS_SUFFIX}"],
    }
    with _answers(place.uri):
        missing_bytes = 0
        if tell is not None:
            # Where nobody answers, the download itself says why, or finds that all is there.
            with suppress(errors.DryRunError):
                files = snapshot_download(repo, dry_run=True, **wanted)
                missing_bytes = sum(file.file_size for file in files if file.will_download)
        return Path(snapshot_download(repo, tqdm_class=_counted_by(Meter(missing_bytes, tell)), **wanted))


def _counted_by(meter: Meter) -> type[Any]:
    """A progress bar that shows nothing: the bytes that it counts go to the meter."""

    class Bar(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            # The library makes three: of the bytes of files, of what goes over the network for them, and of files.
            self._counts = options.get("name") == "huggingface_hub.snapshot_download"
            super().__init__(*args, **options | {"disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> None:
            if self._counts:
                meter.add(int(n or 0))

    return Bar


def fetch_dataset(place: Place, repository: HubUri, split: str) -> Data:
    """One file, or those of a folder or split, in the hub's cache; downloaded where they are not there yet.

    Only files are read: no script of a repository is run, and what its README says of configurations is not known.

    Raises:
        InvalidSpec: the place names a model.
        NotFound: the hub has no such repository, revision, file or split.
        StorageError: the hub cannot be reached or does not let us in, the data is too large, or names leave open
            what is meant.
    """
    token = read_credentials(place.credentials).hf_token
    repo, revision, path = repository.repo, repository.revision, repository.path
    if repository.kind == "model":
        raise InvalidSpec(f"{place.uri} is a model, where a dataset is needed: write hf://datasets/{repo}")
    if constants.HF_HUB_OFFLINE and not path:
        raise StorageError(
            f"{place.uri}: which files it has only the hub can tell, and HF_HUB_OFFLINE forbids to ask: "
            f"name a file, such as hf://datasets/{repo}/train.jsonl"
        )
    names = [path]
    if not is_data(path) and not constants.HF_HUB_OFFLINE:
        with _answers(place.uri):
            api = HfApi(token=token)
            revision = api.repo_info(repo, repo_type="dataset", revision=revision).sha
            tree = api.list_repo_tree(repo, repo_type="dataset", revision=revision, recursive=True)
            files_there = (Entry(file.path, file.size) for file in tree if isinstance(file, RepoFile))
            entries = bounded(files_there, place.uri)
        chosen = _named(entries, path, split, place.uri)
        refuse_oversize(sum(entry.size_bytes for entry in chosen), place.uri)
        names = [entry.path for entry in chosen]
    files = [_download(place.uri, repo, checked_path(name, place.uri), revision, token) for name in names]
    # In the cache a file is a link from snapshots/COMMIT/ to one beside snapshots, or to one that repositories share.
    snapshot = files[0].parents[names[0].count("/")]
    source = f"hf://datasets/{repo}@{snapshot.name}{f'/{path}' if path else ''}"
    return Data(source, measured(files, source, snapshot.parents[2]))


def push(place: Place, repository: HubUri, folders: dict[str, Path], message: str) -> str:
    """Put what lies in local folders into a repository, each as a commit; returns the address.

    A repository that is not there is made, and is private. A branch that is not there is made too. Weights that an
    earlier push left go with the same commit: a folder with those of two models is neither.

    Args:
        place: the repository, with its credentials.
        repository: its parts.
        folders: folder of the repository ("" is its root) -> the local one.
        message: title of the commits.

    Raises:
        StorageError: the hub cannot be reached, does not let us in, or did not take it.
    """
    if constants.HF_HUB_OFFLINE:
        raise StorageError(f"{place.uri}: HF_HUB_OFFLINE forbids to push there: unset it")
    api = HfApi(token=read_credentials(place.credentials).hf_token)
    repo, branch = repository.repo, repository.revision
    with _answers(place.uri):
        try:
            api.create_repo(repo, private=True, exist_ok=True)
            if branch is not None:
                api.create_branch(repo, branch=branch, exist_ok=True)
            for inside, folder in folders.items():
                api.upload_folder(
                    repo_id=repo,
                    folder_path=folder,
                    path_in_repo=inside,
                    revision=branch,
                    commit_message=message,
                    delete_patterns=_OLD_WEIGHTS,
                )
        except (errors.HfHubHTTPError, errors.HFValidationError):
            raise
        except Exception as error:  # of HTTP, LFS or Xet, which have no class in common
            raise StorageError(
                f"{place.uri}: {constants.ENDPOINT} did not take it ({type(error).__name__}): check the network, and "
                "push it again with `hf upload`"
            ) from error
    return f"{constants.ENDPOINT}/{repo}" + (f"/tree/{branch}" if branch else "")


def _download(uri: str, repo: str, name: str, revision: str | None, token: str | None) -> Path:
    with _answers(uri):
        about = hf_hub_download(repo, name, repo_type="dataset", revision=revision, token=token, dry_run=True)
        refuse_oversize(about.file_size or 0, uri)
        return Path(hf_hub_download(repo, name, repo_type="dataset", revision=revision, token=token))


def _named(entries: list[Entry], path: str, split: str, uri: str) -> list[Entry]:
    """The files meant by ``path``: that file, or folder, or a split of the folder above; empty: of the repository."""
    if not path:
        return choose(entries, split, uri)
    if exact := [entry for entry in entries if entry.path == path]:
        return exact
    if below := [entry for entry in entries if entry.path.startswith(f"{path}/")]:
        return choose(below, split, uri)
    folder, slash, name = path.rpartition("/")
    beside = [entry for entry in entries if entry.path.startswith(folder + slash)]
    return choose(beside, canonical(name), uri, named=True)


@contextmanager
def _answers(uri: str) -> Iterator[None]:
    """Turn what huggingface_hub raises into an error for people."""
    with os_errors(Path(constants.HF_HUB_CACHE)):
        try:
            yield
        except (errors.LocalEntryNotFoundError, errors.HFValidationError, _HTTP_ERROR) as error:
            # The hub was asked first, and the cache only then: why the hub did not give it is the cause.
            cause = error.__cause__ if isinstance(error, errors.LocalEntryNotFoundError) else None
            raise _explained(cause or error, uri) from error


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
