"""The job's own S3 client: signatures as botocore makes them, credentials as ECS and EC2 hand them out."""

from __future__ import annotations

import calendar
import json
import time
from collections.abc import Iterator

import pytest
from answering import Server
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from nbbatch.client.aws.bootstrap import bootstrap_command
from nbbatch.client.spec import LONGEST_OVERRIDES
from nbbatch.runner import bucket
from nbbatch.runner.bucket import Bucket, BucketError, find_keys, sign

KEYS = {"key": "AKIDEXAMPLE", "secret": "wJalrXUtnFEMI/K7MDENG", "token": None}
_VARIABLES = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION",
    "NBBATCH_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_EC2_METADATA_SERVICE_ENDPOINT",
)  # fmt: skip


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    """A server, and no word on AWS in the environment; pauses take no time."""
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(bucket.random, "uniform", lambda *_: 0.0)
    one = Server()
    yield one
    one.close()


@pytest.fixture
def place(server, monkeypatch) -> Bucket:
    """A bucket on that server."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    return Bucket("s3://research/nb/bundles/b1")


def refusal(status: int, code: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return status, headers, f"<Error><Code>{code}</Code><Message>words</Message></Error>".encode()


@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE"]),
    key=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30).filter(
        lambda text: not set(text) & {"?", "#"} and text == text.strip()
    ),
    query=st.dictionaries(st.text("abcZ019-_~ /+=é", min_size=1), st.text("abcZ09-_~. /+=&é"), max_size=3),
    body=st.binary(max_size=64),
    token=st.none() | st.text("abcXYZ+/=", min_size=1),
    endpoint=st.sampled_from(["", "http://127.0.0.1:9000", "https://minio.example/"]),
    name=st.sampled_from(["research", "has.dots"]),
)
def test_a_signature_is_botocores(method, key, query, body, token, endpoint, name):
    """For any key, query, body and token, at any kind of address."""
    place = Bucket(f"s3://{name}/pre fix")
    place.endpoint, place.region = endpoint, "eu-central-1"
    url = place.locate(key)
    request = AWSRequest(method, url, data=body, params=query)
    S3SigV4Auth(Credentials("AKIDEXAMPLE", "wJalr/K7", token), "s3", "eu-central-1").add_auth(request)
    now = calendar.timegm(time.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ"))
    keys = {"key": "AKIDEXAMPLE", "secret": "wJalr/K7", "token": token}
    signed = sign(keys, "eu-central-1", method, url, query, body, now)
    assert signed["Authorization"] == request.headers["Authorization"]
    assert signed["x-amz-content-sha256"] == request.headers["X-Amz-Content-SHA256"]


def test_addresses_are_aws_own(server):
    """By virtual host, in China too; by path where the name has dots."""
    place = Bucket("s3://research")
    assert place.locate("a b") == "https://research.s3.us-east-1.amazonaws.com/a%20b"
    place.region = "cn-north-1"
    assert place.locate("k") == "https://research.s3.cn-north-1.amazonaws.com.cn/k"
    assert Bucket("s3://has.dots/x/").locate("k") == "https://s3.us-east-1.amazonaws.com/has.dots/x/k"


def test_a_passing_fault_is_sent_again(place, server):
    """Throttled, or the server's fault: until it goes well."""
    server.answers = [refusal(503, "SlowDown"), refusal(500, "InternalError"), (200, {}, b"there")]
    assert place.send("GET", "k")[1] == b"there"
    assert [path for _, path, _ in server.asked] == ["/research/nb/bundles/b1/k"] * 3


def test_a_refusal_says_what_and_what_to_do(place, server):
    """At once, with S3's words and the cure."""
    server.answers = [refusal(403, "AccessDenied")]
    with pytest.raises(BucketError, match=r"refused GET s3://research/nb/bundles/b1/k.*words.*docs/aws\.md"):
        place.send("GET", "k")
    assert len(server.asked) == 1


def test_a_bucket_in_another_region_is_found(place, server):
    """S3 names the region, and the request is signed for that one."""
    server.answers = [
        refusal(301, "PermanentRedirect", **{"x-amz-bucket-region": "eu-west-1"}),
        (200, {}, b"there"),
    ]
    assert place.send("GET", "k")[1] == b"there"
    assert "/eu-west-1/s3/" in server.asked[-1][2]["authorization"]


def test_no_answer_is_waited_for_and_then_told(place, server, monkeypatch):
    """As often as any other fault."""
    monkeypatch.setattr(bucket, "ATTEMPTS", 2)
    place.endpoint = "http://127.0.0.1:9"
    with pytest.raises(BucketError, match="does not answer"):
        place.send("GET", "k")


def handed_out(seconds: int, key: str = "ASIA1") -> bytes:
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
    return json.dumps({"AccessKeyId": key, "SecretAccessKey": "s", "Token": "t", "Expiration": end}).encode()


def test_credentials_come_from_the_container_and_are_renewed(place, server, monkeypatch):
    """The job role's, as ECS hands them out; before they end they are fetched again."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/creds")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "let me in")
    server.pages = {"/creds": handed_out(60), "/research/nb/bundles/b1/k": b"there"}
    place.send("GET", "k")
    server.pages["/creds"] = handed_out(3600, "ASIA2")
    place.send("GET", "k")
    place.send("GET", "k")
    paths = [path for _, path, _ in server.asked]
    assert paths.count("/creds") == 2
    assert server.asked[0][2]["authorization"] == "let me in"
    assert "Credential=ASIA1/" in server.asked[1][2]["authorization"]
    assert "Credential=ASIA2/" in server.asked[-1][2]["authorization"]
    assert server.asked[-1][2]["x-amz-security-token"] == "t"


def test_credentials_that_ended_early_are_fetched_again(place, server, monkeypatch):
    """S3 says so, and the request is repeated with new ones."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/creds")
    server.pages = {"/creds": handed_out(3600)}
    server.answers = [refusal(400, "ExpiredToken"), (200, {}, b"there")]
    assert place.send("GET", "k")[1] == b"there"
    assert [path for _, path, _ in server.asked].count("/creds") == 2


def test_the_token_of_a_pod_is_read_from_its_file(server, monkeypatch, tmp_path):
    """As EKS gives it."""
    (tmp_path / "token").write_text("from the file\n")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/creds")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
    server.pages = {"/creds": handed_out(3600)}
    assert find_keys()["key"] == "ASIA1"
    assert server.asked[0][2]["authorization"] == "from the file"


def test_credentials_are_not_taken_from_anywhere(server, monkeypatch):
    """Without TLS only from the places that the SDKs trust."""
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.com/creds")
    with pytest.raises(BucketError, match=r"example\.com/creds is not a place"):
        find_keys()


def test_a_host_lends_its_role_by_metadata_version_2(server, monkeypatch):
    """A token is fetched first."""
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url)
    roles = "/latest/meta-data/iam/security-credentials/"
    server.pages = {"/latest/api/token": b"tok", roles: b"host-role\n", f"{roles}host-role": handed_out(3600)}
    assert find_keys()["key"] == "ASIA1"
    assert server.asked[0][0] == "PUT"
    assert server.asked[-1][2]["x-aws-ec2-metadata-token"] == "tok"


def test_a_job_without_a_role_says_so(server):
    """And what to give it."""
    with pytest.raises(BucketError, match="Give the backend a job_role"):
        find_keys()


def test_the_first_step_leaves_half_of_the_overrides_to_the_user():
    """The signer travels in the job's command."""
    command = json.dumps(bootstrap_command("python3"))
    assert len(command) < LONGEST_OVERRIDES * 0.55
