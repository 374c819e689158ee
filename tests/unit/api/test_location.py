"""Locations: what each form means, and what is refused because it leads elsewhere or nowhere."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_core.api.location import FileUri, HubUri, Location, S3Uri, parse_uri
from finetune_core.errors import InvalidSpec

GOOD = {
    "hf://Qwen/Qwen2.5-7B-Instruct": HubUri("model", "Qwen/Qwen2.5-7B-Instruct", None, ""),
    "hf://Qwen/Qwen2.5-7B-Instruct@main": HubUri("model", "Qwen/Qwen2.5-7B-Instruct", "main", ""),
    "hf://a/b@0123abc": HubUri("model", "a/b", "0123abc", ""),
    "hf://datasets/a/b": HubUri("dataset", "a/b", None, ""),
    "hf://datasets/a/b/train.jsonl": HubUri("dataset", "a/b", None, "train.jsonl"),
    "hf://datasets/a/b@v1/data/train.jsonl": HubUri("dataset", "a/b", "v1", "data/train.jsonl"),
    "s3://bucket": S3Uri("bucket", ""),
    "s3://bucket/": S3Uri("bucket", ""),
    "s3://my.bucket-1/a/b.jsonl": S3Uri("my.bucket-1", "a/b.jsonl"),
    "s3://bucket/a/b/": S3Uri("bucket", "a/b"),
    "s3://bucket/a..b/数据": S3Uri("bucket", "a..b/数据"),
    "s3://bucket/100%": S3Uri("bucket", "100%"),
    "s3://" + "a" * 63: S3Uri("a" * 63, ""),
    "file:///data/rows.jsonl": FileUri("/data/rows.jsonl"),
    "file:/data/rows.jsonl": FileUri("/data/rows.jsonl"),
    "file:///my%20data/100%25": FileUri("/my data/100%"),
    "file:///data/a#b?c": FileUri("/data/a#b?c"),
    "file:///": FileUri("/"),
}

BAD = {
    "": "is not a location",
    "rows.jsonl": "is not a location",
    "/data/rows.jsonl": "is not a location",
    "C:\\rows.jsonl": "is not a location",
    "https://example.com/rows.jsonl": "is not a location",
    "gs://bucket/a": "is not a location",
    "S3://bucket/a": "is not a location",
    "hf:Qwen/Qwen3-8B": "is not a location",
    "s3:bucket/a": "is not a location",
    # the hub: nothing empty, nothing that climbs
    "hf://": "is not a hub location",
    "hf://Qwen": "is not a hub location",
    "hf://Qwen/": "is not a hub location",
    "hf:///Qwen3-8B": "is not a hub location",
    "hf://Qwen//Qwen3-8B": "is not a hub location",
    "hf://Qwen/Qwen3-8B/": "is not a hub location",
    "hf://Qwen/Qwen3-8B@": "is not a hub location",
    "hf://Qwen/Qwen3-8B?x=1": "is not a hub location",
    "hf://Qwen/..": "is not a hub location",
    "hf://../Qwen": "is not a hub location",
    "hf://./Qwen": "is not a hub location",
    "hf://a b/c": "is not a hub location",
    "hf://datasets/a": "is not a hub location",
    "hf://datasets/a/b/../../c": "is not a hub location",
    "hf://datasets/a/b/./c": "is not a hub location",
    "hf://datasets/a/b@main/../c": "is not a hub location",
    # buckets and keys
    "s3://": "is not a bucket name",
    "s3:///a": "is not a bucket name",
    "s3://ab/c": "is not a bucket name",
    "s3://Bucket/a": "is not a bucket name",
    "s3://my_bucket/a": "is not a bucket name",
    "s3://-bucket/a": "is not a bucket name",
    "s3://bucket-/a": "is not a bucket name",
    "s3://my..bucket/a": "is not a bucket name",
    "s3://user@bucket/a": "is not a bucket name",
    "s3://" + "a" * 64: "is not a bucket name",
    "s3://bucket/..": "'..' is not allowed",
    "s3://bucket/../other": "'..' is not allowed",
    "s3://bucket/a/../b": "'..' is not allowed",
    # files
    "file:": "is not an absolute file location",
    "file://": "is not an absolute file location",
    "file:rows.jsonl": "is not an absolute file location",
    "file://host/rows.jsonl": "is not an absolute file location",
    "file://[rows": "is not an absolute file location",
    # what no name should hold
    "file:///a\0b": "control character",
    "file:///a%00b": "control character",
    "hf://Qwen/Qwen3-8B\n": "control character",
    "s3://bucket\n": "control character",
    "s3://bucket/a\nb": "control character",
}


@pytest.mark.parametrize(("uri", "meaning"), GOOD.items(), ids=GOOD)
def test_a_good_location_is_taken_apart(uri: str, meaning: FileUri | S3Uri | HubUri) -> None:
    assert parse_uri(uri) == meaning
    assert Location(uri=uri).uri == uri


@pytest.mark.parametrize(("uri", "message"), BAD.items(), ids=[repr(uri) for uri in BAD])
def test_a_bad_location_is_refused_with_its_name_in_one_line(uri: str, message: str) -> None:
    with pytest.raises(InvalidSpec, match=message) as caught:
        parse_uri(uri)
    assert str(caught.value).startswith(repr(uri))
    assert "\n" not in str(caught.value)


@given(st.sampled_from(["hf://", "hf://datasets/", "s3://", "file://", "file:", ""]), st.text(max_size=30))
@settings(deadline=None)
def test_any_text_is_taken_apart_or_refused(scheme: str, rest: str) -> None:
    try:
        location = parse_uri(scheme + rest)
    except InvalidSpec:
        return
    match location:
        case S3Uri(key=path) | HubUri(path=path):
            assert ".." not in path.split("/")
        case FileUri(path):
            assert path.startswith("/")
