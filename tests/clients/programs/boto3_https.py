"""boto3 putting objects into S3, https. Of a refusal it tells the status and the headers alone."""

import json

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

config = Config(
    region_name="eu-north-1",
    s3={"addressing_style": "path"},
    request_checksum_calculation="when_required",  # else it sends content-encoding: aws-chunked
    retries={"total_max_attempts": 1},
)
s3 = boto3.client(
    "s3",
    endpoint_url="https://s3.example",
    aws_access_key_id="none",
    aws_secret_access_key="none",
    config=config,
)
texts = []
for bucket in ("evidence", "payroll", "evidence"):
    try:
        texts.append(s3.put_object(Bucket=bucket, Key="2026/a b.bin", Body=b"\0what happened\n" * 100)["ETag"])
    except ClientError as refused:
        answer = refused.response["ResponseMetadata"]
        texts.append(f"{answer['HTTPStatusCode']} {answer['HTTPHeaders']['x-aegis-decision']}")
print(json.dumps({"allowed": texts[0], "denied": texts[1], "again": texts[2]}))
