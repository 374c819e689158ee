"""Put the quickstart's base model and rows into a bucket, made if need be, for a cluster to find them there.

    python examples/quickstart/upload.py BUCKET

Where S3 is and who you are is said by the environment, as for any AWS tool: AWS_ENDPOINT_URL_S3, AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_REGION.
"""

import sys
from pathlib import Path

import boto3

HERE = Path(__file__).resolve().parent


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: upload.py BUCKET")
    if not (HERE / "base-model").exists():
        sys.exit("there is no base model yet: python examples/quickstart/base_model.py")
    s3 = boto3.client("s3")
    if sys.argv[1] not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=sys.argv[1])
    files = [HERE / "rows.jsonl", *sorted(file for file in (HERE / "base-model").iterdir() if file.is_file())]
    for file in files:
        key = str(file.relative_to(HERE))
        s3.upload_file(str(file), sys.argv[1], key)
        print(f"s3://{sys.argv[1]}/{key}")


if __name__ == "__main__":
    main()
