"""Locations: what each form means, and what is refused because it leads elsewhere or nowhere."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_core.api.location import (
    ConfigMapUri,
    DataLocation,
    FileUri,
    HttpsUri,
    HubUri,
    Location,
    S3Uri,
    Uri,
    parse_uri,
    public_uri,
)
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
    "https://example.com/rows.jsonl": HttpsUri("https://example.com/rows.jsonl", "rows.jsonl"),
    "https://example.com:8443/a/": HttpsUri("https://example.com:8443/a/", ""),
    "https://[2001:db8::1]/a@b.csv": HttpsUri("https://[2001:db8::1]/a@b.csv", "a@b.csv"),
    "https://example.com/%E6%95%B0%E6%8D%AE.jsonl": HttpsUri(
        "https://example.com/%E6%95%B0%E6%8D%AE.jsonl", "数据.jsonl"
    ),
    "https://example.com/a.csv?X-Amz-Signature=1#part": HttpsUri(
        "https://example.com/a.csv?X-Amz-Signature=1", "a.csv"
    ),
    "configmap://faq/rows.jsonl": ConfigMapUri("faq", "rows.jsonl"),
    "configmap://team.faq/a..b": ConfigMapUri("team.faq", "a..b"),
}

BAD = {
    "": "is not a location",
    "rows.jsonl": "is not a location",
    "/data/rows.jsonl": "is not a location",
    "C:\\rows.jsonl": "is not a location",
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
    # the web
    "http://example.com/rows.jsonl": "would be read unencrypted: write https://",
    "https://example.com": "is not a web address",
    "https:///rows.jsonl": "is not a web address",
    "https://example.com/数据.jsonl": "is not a web address",
    "https://example.com/my rows.jsonl": "is not a web address",
    "https://example.com:99999/a": "is not a web address",
    "https://[::1/a": "is not a web address",
    "https://example.com/a/../b": "'..' is not allowed",
    "https://example.com/a/%2e%2E/b": "'..' is not allowed",
    "https://example.com/a%2f..%2fb": "'..' is not allowed",
    "https://example.com/a%2Fb": "'..' is not allowed",
    "https://example.com/a%5Cb": "'..' is not allowed",
    # keys of ConfigMaps
    "configmap://faq": "does not name a key",
    "configmap://faq/": "does not name a key",
    "configmap://Faq/a": "does not name a key",
    "configmap://faq/a/b": "does not name a key",
    "configmap://faq/.": "does not name a key",
    "configmap://faq/..": "does not name a key",
    "configmap://faq/..data": "does not name a key",
    "configmap://faq/a b": "does not name a key",
    # what no name should hold
    "file:///a\0b": "control character",
    "file:///a%00b": "control character",
    "hf://Qwen/Qwen3-8B\n": "control character",
    "s3://bucket\n": "control character",
    "s3://bucket/a\nb": "control character",
}


@pytest.mark.parametrize(("uri", "meaning"), GOOD.items(), ids=GOOD)
def test_a_good_location_is_taken_apart(uri: str, meaning: Uri) -> None:
    assert parse_uri(uri) == meaning
    assert DataLocation(uri=uri, sha256="0" * 64).uri == uri
    if isinstance(meaning, HttpsUri | ConfigMapUri):
        with pytest.raises(ValueError, match="can only be a dataset: write hf://org/name"):
            Location(uri=uri)
    else:
        assert Location(uri=uri).uri == uri


@pytest.mark.parametrize(("uri", "message"), BAD.items(), ids=[repr(uri) for uri in BAD])
def test_a_bad_location_is_refused_with_its_name_in_one_line(uri: str, message: str) -> None:
    with pytest.raises(InvalidSpec, match=message) as caught:
        parse_uri(uri)
    assert str(caught.value).startswith(repr(public_uri(uri)))
    assert "\n" not in str(caught.value)


def test_what_the_web_sends_needs_a_checksum() -> None:
    with pytest.raises(ValueError, match="'https://host/rows' needs sha256 beside it") as caught:
        DataLocation(uri="https://host/rows?signature=hidden")
    assert "hidden" not in str(caught.value.errors()[0]["msg"])  # type: ignore[attr-defined]


SECRETIVE = (
    "https://user:hidden@example.com/a",
    "https://hidden@example.com/a",
    "http://user:hidden@example.com/a?b=hidden",
    "HTTPS://user:hidden@example.com/a",
    "https://user:hid?den@example.com/a",
    "https://user:hidden/a@example.com/a",
    "https://user:hidden#a@example.com/a",
    "https://example.com:hidden/a",
    "https://example.com/a b?c=hidden",
    "https://example.com/../a?c=hidden",
    "https://[::1?c=hidden",
    "https://example.com/a%00?c=hidden",
)


@pytest.mark.parametrize("uri", SECRETIVE)
def test_a_password_or_signature_is_not_repeated(uri: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        parse_uri(uri)
    assert "hid" not in str(caught.value)
    assert "hid" not in public_uri(uri)


def test_a_web_address_is_shown_without_its_query() -> None:
    assert public_uri("https://example.com:8443/a/b.csv?X-Amz-Signature=hidden#c") == "https://example.com:8443/a/b.csv"
    assert public_uri("https://[2001:db8::1]/a?b") == "https://[2001:db8::1]/a"
    assert public_uri("s3://bucket/a?b") == "s3://bucket/a?b"


@given(
    st.sampled_from(["hf://", "hf://datasets/", "s3://", "file://", "file:", "https://a/", "configmap://a/", ""]),
    st.text(max_size=30),
)
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
        case HttpsUri(name=name) | ConfigMapUri(key=name):
            assert "/" not in name
            assert name not in (".", "..")
