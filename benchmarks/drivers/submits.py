"""A client of an AWS Batch: submits jobs of one definition, one after the other.

`submits.py URL ACCESS_KEY_ID SECRET_ACCESS_KEY REGION DEFINITION`
"""

import sys

import boto3
from talk import serve


def main() -> None:
    url, key, secret, region, definition = sys.argv[1:]
    batch = boto3.client(
        "batch", endpoint_url=url, aws_access_key_id=key, aws_secret_access_key=secret, region_name=region
    )

    def submit(count: int) -> None:
        for _ in range(count):
            batch.submit_job(jobName="bench", jobQueue="default", jobDefinition=definition)

    serve(submit)


if __name__ == "__main__":
    main()
