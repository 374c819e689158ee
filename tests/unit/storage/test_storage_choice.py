"""Which files of a folder are the dataset: as a person who put them there would say, or a question back."""

import pytest

from finetune_core.errors import NotFound, StorageError
from finetune_storage.choice import MOST_FILES, choose
from finetune_storage.folder import Entry


def chosen(*paths: str, split: str = "train", named: bool = False) -> list[str]:
    entries = [Entry(path, 1) for path in paths]
    return [entry.path for entry in choose(entries, split, "s3://bucket/a", named=named)]


@pytest.mark.parametrize(
    ("paths", "taken"),
    [
        (["rows.jsonl"], ["rows.jsonl"]),
        (["README.md", ".gitattributes", "_SUCCESS", "rows.csv.gz", "LICENSE"], ["rows.csv.gz"]),
        (["rows.JSONL.ZST"], ["rows.JSONL.ZST"]),
        (["b.jsonl", "a.jsonl", "c.jsonl"], ["a.jsonl", "b.jsonl", "c.jsonl"]),
        (["客服.jsonl", "退货.jsonl"], ["客服.jsonl", "退货.jsonl"]),
        (["rows.jsonl", ".cache/old.jsonl", "_temporary/part.jsonl"], ["rows.jsonl"]),
        (["dataset_infos.json", "train.json"], ["train.json"]),
        (["train.jsonl", "test.jsonl"], ["train.jsonl"]),
        (["alpaca_training.jsonl", "alpaca-dev.jsonl"], ["alpaca_training.jsonl"]),
        (["train/a.parquet", "train/b.parquet", "test/a.parquet"], ["train/a.parquet", "train/b.parquet"]),
        (["test.jsonl"], ["test.jsonl"]),
        (["客服训练集.jsonl", "客服测试集.jsonl", "验证数据.jsonl"], ["客服训练集.jsonl"]),
        (["训练/甲.csv", "测试/甲.csv"], ["训练/甲.csv"]),
        (["测试工程师问答.jsonl"], ["测试工程师问答.jsonl"]),
        (["trainers-guide.jsonl"], ["trainers-guide.jsonl"]),
        (["train-test.jsonl"], ["train-test.jsonl"]),
        (["train.jsonl", "labels.json"], ["train.jsonl"]),
        (
            ["a/train-00001-of-00002.csv", "a/train-00000-of-00002.csv", "a/test-00000-of-00001.csv"],
            ["a/train-00000-of-00002.csv", "a/train-00001-of-00002.csv"],
        ),
        (["a/train-00000-of-00001-a09b74b3ef9c3b56.csv"], ["a/train-00000-of-00001-a09b74b3ef9c3b56.csv"]),
    ],
)  # fmt: skip
def test_the_training_data_is_told_by_names(paths: list[str], taken: list[str]) -> None:
    assert chosen(*paths) == taken


def test_the_validation_data_is_its_own_split() -> None:
    paths = ["train.jsonl", "valid.jsonl", "test.jsonl"]
    assert chosen(*paths, split="validation") == ["valid.jsonl"]
    assert chosen("held-out.jsonl", split="validation") == ["held-out.jsonl"]


def test_a_split_that_is_named_is_taken_alone() -> None:
    parts = ["data/train_sft-00000-of-00001.parquet", "data/train_gen-00000-of-00001.parquet"]
    assert chosen(*parts, split="train_gen", named=True) == parts[1:]
    with pytest.raises(
        NotFound, match="has no split 'test': there are the splits train_gen, train_sft; name a file or"
    ):
        chosen(*parts, split="test", named=True)
    with pytest.raises(NotFound, match="has no split 'test': there are the splits train; name"):
        chosen("train.jsonl", split="test", named=True)
    with pytest.raises(NotFound, match="has no split 'test': there are no splits; name"):
        chosen("rows.jsonl", split="test", named=True)


@pytest.mark.parametrize(
    ("paths", "kind", "said"),
    [
        ([], NotFound, "holds no data: put a file there that ends with .jsonl"),
        (["README.md", "model.safetensors"], NotFound, "holds no data"),
        (["a.jsonl", "b.csv"], StorageError, r"files of several kinds \(.csv, .jsonl\): name one file"),
        (["a.jsonl", "a.jsonl.gz"], StorageError, r"several kinds \(.jsonl, .jsonl.gz\)"),
        (["en/a.jsonl", "zh/a.jsonl"], StorageError, r"data in several folders \(en, zh\): name one of them"),
        (["a.jsonl", "old/a.jsonl"], StorageError, r"data in several folders \(., old\)"),
        (["train.jsonl", "faq.jsonl"], StorageError, "train.jsonl and, of no split, faq.jsonl lie beside each other"),
        (["test.jsonl", "valid.jsonl"], NotFound, "has no split 'train': there are the splits test, validation; name"),
        (["test.jsonl", "faq.jsonl"], NotFound, "has no split 'train': there are the splits test; name"),
        (["train-00000-of-00003.parquet"], StorageError, "lacks part 00001 of 00003 and 1 more: upload it again"),
        (["train-00001-of-00002.csv"], StorageError, "lacks part 00000 of 00002: upload it again"),
        (
            ["train-00000-of-00001.csv", "train-00000-of-00002.csv", "train-00001-of-00002.csv"],
            StorageError, "mixes parts of several exports",
        ),
        (["train-00000-of-00001.csv", "train.csv"], StorageError, "mixes parts of several exports"),
        ([f"{n}.csv" for n in range(MOST_FILES + 1)], StorageError, "holds more than 10,000 files: name one of them"),
    ],
    ids=str,
)  # fmt: skip
def test_what_names_leave_open_is_asked_back(paths: list[str], kind: type[StorageError], said: str) -> None:
    with pytest.raises(StorageError, match=f"^s3://bucket/a:? .*{said}|^s3://bucket/a:? {said}") as caught:
        chosen(*paths)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
