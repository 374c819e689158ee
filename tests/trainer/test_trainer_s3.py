"""A whole job whose output place is S3, with a store that fails, is slow, is full or hangs up."""

import hashlib
import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from trainer_jobs import METHODS
from trainer_steps import Bench, Ended, Run, assert_fails_clearly, prepare_config

from finetune_core.contract import Manifest, Place, PrepareReport, RunReport, TrainerConfig
from finetune_core.contract.build import trainer_config
from finetune_core.planning import find_gpu, plan, shipped_shape
from finetune_storage import open_folder
from finetune_trainer.store_speed import bytes_per_second
from go_binaries import GoMissing, go_binary
from servers import S3Server, proxy, s3_server


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A running S3 server; the tests are skipped where there is no Go to build it with."""
    try:
        binary = go_binary("versitygw", print)
    except GoMissing as error:
        pytest.skip(str(error))
    with s3_server(binary, tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def place(s3: S3Server, tmp_path: Path) -> Place:
    """A prefix in a new bucket."""
    bucket = f"test-{uuid4().hex[:12]}"
    (s3.root / bucket).mkdir()
    credentials = s3.credentials(tmp_path / "credentials")
    return Place(uri=f"s3://{bucket}/runs/one", credentials=str(credentials), endpoint_url=s3.url)


def prepared(bench: Bench, place: Place, tmp_path: Path) -> TrainerConfig:
    """The LoRA job of the other tests, prepared, with its output there."""
    job = bench.job(tmp_path / "unused", **METHODS["lora"])
    asked = prepare_config(job).model_copy(update={"output": place})
    report = PrepareReport.model_validate_json(bench.start(asked).end().good_answer)
    planned = plan(job.spec, report.model_shape, report.statistics, find_gpu("cpu"))
    return trainer_config(asked, job.spec, report, planned, "cpu")


def measured(bench: Bench, place: Place, tmp_path: Path, url: str) -> PrepareReport:
    """What the preparation of a job in a cluster answers; the place is reached by that way."""
    job = bench.job(tmp_path / "unused", **METHODS["lora"])
    there = place.model_copy(update={"endpoint_url": url})
    asked = prepare_config(job).model_copy(update={"output": there, "measure_storage": True})
    return PrepareReport.model_validate_json(bench.start(asked).end().good_answer)


def through(config: TrainerConfig, url: str) -> TrainerConfig:
    """The same, its place reached by another way."""
    update = {"endpoint_url": url}
    return config.model_copy(
        update={
            "output": config.output.model_copy(update=update),
            "prepared": config.prepared.model_copy(update=update),
        }
    )


def assert_whole(ended: Ended, s3: S3Server, place: Place, reference: Run) -> None:
    """The numbers of the undisturbed run, and every byte that the manifest lists."""
    report = RunReport.model_validate_json(ended.good_answer)
    told = {"steps", "best_step", "train_loss", "eval_loss", "eval_loss_before", "supervised_tokens"}
    assert report.model_dump(include=told) == reference.report.model_dump(include=told)
    root = s3.root / place.uri.removeprefix("s3://")
    manifest = Manifest.model_validate_json((root / "manifest.json").read_text())
    for file in manifest.files:
        assert hashlib.sha256((root / file.path).read_bytes()).hexdigest() == file.sha256, file.path
    weights = (root / "adapter" / "adapter_model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == reference.weights_digest


def test_one_request_in_ten_fails(
    bench: Bench, runs: dict[str, Run], s3: S3Server, place: Place, tmp_path: Path
) -> None:
    draw = random.Random(4)
    unlucky = 0

    def fails(_: int) -> bool:
        nonlocal unlucky
        failed = draw.random() < 0.1
        unlucky += failed
        return failed

    with proxy(s3.url, fails=fails) as url:
        config = prepared(bench, place.model_copy(update={"endpoint_url": url}), tmp_path)
        assert_whole(bench.start(config).end(), s3, place, runs["lora"])
    assert unlucky > 5


def test_every_request_is_slow(bench: Bench, runs: dict[str, Run], s3: S3Server, place: Place, tmp_path: Path) -> None:
    config = prepared(bench, place, tmp_path)
    with proxy(s3.url, delay_seconds=0.1) as url:
        assert_whole(bench.start(through(config, url)).end(), s3, place, runs["lora"])


def refuse_puts_after(allowed: int, status: int, where: str) -> Callable[[str, str], int | None]:
    """Refuse every upload to such a path but the first few."""
    counted = itertools.count(1)

    def refuses(method: str, path: str) -> int | None:
        return status if method == "PUT" and where in path and next(counted) > allowed else None

    return refuses


@pytest.mark.parametrize(
    ("where", "allowed"), [("checkpoints/", 4), ("adapter/", 1)], ids=["in a checkpoint", "in the result"]
)
@pytest.mark.parametrize(("status", "says"), [(507, "507"), (0, "")], ids=["full", "hangs up"])
def test_a_store_that_refuses_half_way_fails_the_run_and_the_next_goes_on(
    bench: Bench,
    runs: dict[str, Run],
    s3: S3Server,
    place: Place,
    tmp_path: Path,
    status: int,
    says: str,
    where: str,
    allowed: int,
) -> None:
    config = prepared(bench, place, tmp_path)
    with proxy(s3.url, refuses=refuse_puts_after(allowed, status, where)) as url:
        assert_fails_clearly(bench.start(through(config, url)).end(), "UploadFailed", place.uri, says)
    root = s3.root / place.uri.removeprefix("s3://")
    assert not (root / "manifest.json").exists()

    again = bench.start(config).end()
    assert_whole(again, s3, place, runs["lora"])
    assert (RunReport.model_validate_json(again.answer).resumed_from_step or 0) >= 5


# --- how fast it is ---------------------------------------------------------------------------------------------------

PREPARED = {"dataset-report.json", "prepare-report.json", "sample-prompts.json", "train.arrow", "validation.arrow"}


def stored_below(s3: S3Server, place: Place) -> set[str]:
    """Names of all files there."""
    return {path.name for path in (s3.root / place.uri.removeprefix("s3://")).rglob("*") if path.is_file()}


def test_a_pod_is_given_time_by_the_speed_of_the_store(
    bench: Bench, s3: S3Server, place: Place, tmp_path: Path
) -> None:
    throttle = 4_000_000
    with proxy(s3.url, bytes_per_second=throttle) as url:
        report = measured(bench, place, tmp_path, url)
    assert report.storage_bytes_per_second is not None
    assert 0.6 * throttle < report.storage_bytes_per_second <= throttle
    assert stored_below(s3, place) == PREPARED

    def seconds(speed: int | None) -> int:
        """For an adapter of 7B, by the plan."""
        spec, shape = bench.job(tmp_path / "unused", **METHODS["lora"]).spec, shipped_shape("hf://Qwen/Qwen2.5-7B")
        assert shape is not None
        pod = plan(spec, shape, report.statistics, find_gpu("A100-80GB"), speed).pod
        assert pod is not None
        return pod.store_seconds

    assert seconds(None) < 70
    assert 110 < seconds(throttle) <= seconds(report.storage_bytes_per_second) < 180


@pytest.mark.parametrize(("size_mib", "seconds"), [(16, 1.0), (64, 0.5), (640, 8.0)])
def test_where_the_tokens_tell_it_nothing_more_is_sent(tmp_path: Path, size_mib: int, seconds: float) -> None:
    output = tmp_path / "output"
    speed = bytes_per_second(open_folder(Place(uri=output.as_uri())), (size_mib * 2**20, seconds), tmp_path / "none")
    assert speed == size_mib * 2**20 / seconds
    assert not output.exists()


def test_a_fast_store_is_sent_more_and_all_of_it_is_removed(
    bench: Bench, s3: S3Server, place: Place, tmp_path: Path
) -> None:
    sent: list[str] = []

    def listens(method: str, path: str) -> None:
        sent.extend([path] if method == "PUT" and "speed-probe" in path else [])

    with proxy(s3.url, refuses=listens) as url:
        assert measured(bench, place, tmp_path, url).storage_bytes_per_second is not None
    assert len(sent) in (1, 5)  # parts of 16 MiB: more than the first where a second is not over with it
    assert stored_below(s3, place) == PREPARED


def test_a_speed_that_cannot_be_measured_does_not_fail_the_job(
    bench: Bench, s3: S3Server, place: Place, tmp_path: Path
) -> None:
    def refuses(method: str, path: str) -> int | None:
        return 507 if "speed-probe" in path else None

    with proxy(s3.url, refuses=refuses) as url:
        assert measured(bench, place, tmp_path, url).storage_bytes_per_second is None
    assert stored_below(s3, place) == PREPARED
