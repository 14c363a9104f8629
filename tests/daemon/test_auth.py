from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from botocore.auth import SIGNED_HEADERS_BLACKLIST, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nbbatch.daemon.auth import RefusedError, Scope, SignedRequest, Verifier, canonical_request

KEY, SECRET = "AKIALOCAL", "a secret/with+signs"
HOST = "127.0.0.1:8042"
SIGNER = SigV4Auth(Credentials(KEY, SECRET), "batch", "eu-west-1")
VISIBLE = st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="#?\x7f")
PARTS = st.sampled_from([".", "..", "", "v1", "tags", "%2F", "%C3%BC", "~", "a b".replace(" ", "+")])
PATHS = st.lists(PARTS | st.text(VISIBLE, max_size=8), max_size=6).map(lambda parts: "/" + "/".join(parts))
QUERIES = st.lists(st.text(VISIBLE | st.sampled_from("&=?"), max_size=12), max_size=4).map("&".join)
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,12}", fullmatch=True).filter(
    lambda name: name not in {*SIGNED_HEADERS_BLACKLIST, "x-amz-content-sha256", "host"}
)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF) | st.just("\t"), max_size=12)
HEADERS = st.dictionaries(NAMES, st.lists(VALUES, min_size=1, max_size=3), max_size=5)


def signed(
    method="POST",
    path="/v1/submitjob",
    body=b'{"a":1}',
    *,
    key=KEY,
    secret=SECRET,
    service="batch",
    headers=None,
) -> SignedRequest:
    """A request as botocore signs and sends it now."""
    request = AWSRequest(method=method, url=f"http://{HOST}{path}", data=body, headers=headers or {})
    SigV4Auth(Credentials(key, secret), service, "eu-west-1").add_auth(request)
    prepared = request.prepare()
    sent = {name.lower(): [str(value)] for name, value in prepared.headers.items()}
    url = urlsplit(prepared.url)
    target = url.path + (f"?{url.query}" if url.query else "")
    return SignedRequest(method=method, target=target, headers=sent | {"host": [HOST]}, body=body)


def with_header(request: SignedRequest, name: str, *values: str) -> SignedRequest:
    return replace(request, headers=request.headers | {name: list(values)})


def without(request: SignedRequest, name: str) -> SignedRequest:
    return replace(request, headers={key: value for key, value in request.headers.items() if key != name})


def verifier(ahead: float = 0.0) -> Verifier:
    return Verifier(KEY, SECRET, lambda: datetime.now(UTC).timestamp() + ahead)


def refusal(request: SignedRequest, ahead: float = 0.0) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        verifier(ahead).verify(request)
    assert SECRET not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("service", ["batch", "logs"])
def test_a_good_signature_gives_its_scope(service):
    """Region and service are those of the credential scope."""
    assert verifier().verify(signed(service=service)) == Scope(region="eu-west-1", service=service)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/tags/arn%3Aaws%3Abatch%3Aus-east-1%3A1%3Ajob%2Fx"),
        ("DELETE", "/v1/tags/arn:aws:batch?tagKeys=b&tagKeys=a%20c&tagKeys=a"),
        ("POST", "/"),
        ("POST", "/a/../b//c/./d"),
        ("POST", "/%C3%BC/ü"),
    ],
)
def test_paths_and_queries_are_canonical(method, path):
    """Whatever botocore signs, the same comes out here."""
    verifier().verify(signed(method, path, b""))


@settings(max_examples=500, deadline=None)
@example("GET", "/", "", {}, b"")
@example("POST", "//a/./../b/", "b=2&a&a=&=&b=1&&c==d?e", {"x-a": [" a  b\t", "", "\xa0c"]}, b"{}")
@given(st.sampled_from(["GET", "POST", "DELETE", "PUT"]), PATHS, QUERIES, HEADERS, st.binary(max_size=64))
def test_the_canonical_form_is_botocores(method, path, query, headers, body):
    """Over any request: so a signature that botocore makes is one that is found here."""
    target = f"{path}?{query}" if query else path
    request = AWSRequest(method=method, url=f"http://{HOST}{target}", data=body)
    request.headers = HTTPHeaders()
    for name, value in [("host", HOST), *((name, one) for name, many in headers.items() for one in many)]:
        request.headers.add_header(name, value)
    sent = SignedRequest(method=method, target=target, headers={**headers, "host": [HOST]}, body=body)
    order = sorted(sent.headers, reverse=True)
    assert canonical_request(sent, order) == canonical_of(request, sent)


def canonical_of(request: AWSRequest, sent: SignedRequest) -> str:
    """By the parts of botocore's signer; all values of a header, which `headers_to_sign` would lose."""
    url = urlsplit(request.url)
    return "\n".join(
        (
            request.method,
            SIGNER._normalize_url_path(url.path),
            SIGNER.canonical_query_string(request),
            SIGNER.canonical_headers(request.headers) + "\n",
            SIGNER.signed_headers(request.headers),
            SIGNER.payload(request.prepare()) if sent.body else SIGNER.payload(AWSRequest(url="http://x")),
        )
    )


def test_extra_signed_headers_count():
    """What a client chose to sign must be there unchanged."""
    request = signed(headers={"X-Amz-Target": "Logs_20140328.GetLogEvents", "X-Twice": "a  b"})
    verifier().verify(request)
    assert refusal(with_header(request, "x-twice", "c")).code == "InvalidSignatureException"
    assert refusal(without(request, "x-twice")).code == "InvalidSignatureException"


def test_nothing_signed_may_change():
    """Body, path, method, host, date and signature are all covered."""
    good = signed()
    verifier().verify(good)
    date = good.headers["x-amz-date"][0]
    other_second = f"{date[:-2]}{(int(date[-2]) + 1) % 10}Z"
    changed = [
        replace(good, body=b'{"a":2}'),
        replace(good, target="/v1/terminatejob"),
        replace(good, target="/v1/submitjob?x=1"),
        replace(good, method="DELETE"),
        with_header(good, "host", "localhost:8042"),
        with_header(good, "x-amz-date", other_second),
    ]
    assert {refusal(request).code for request in changed} == {"InvalidSignatureException"}


def test_a_wrong_secret_is_refused():
    """The key id alone is not enough."""
    assert refusal(signed(secret="guess")).code == "InvalidSignatureException"


def test_an_unknown_key_is_refused():
    """Other credentials of the user's are not taken."""
    assert refusal(signed(key="AKIAOTHER")).code == "UnrecognizedClientException"


def test_an_unsigned_request_is_refused():
    """No Authorization header."""
    assert refusal(without(signed(), "authorization")).code == "MissingAuthenticationTokenException"


@pytest.mark.parametrize("ahead", [-301, 301])
def test_a_signature_holds_five_minutes(ahead):
    """A recorded request cannot be played back later, nor be made ahead."""
    error = refusal(signed(), ahead)
    assert error.code == "InvalidSignatureException"
    assert error.message.startswith("Signature expired")
    verifier(ahead * 0.9).verify(signed())


def test_other_services_are_refused():
    """A signature made for S3 opens nothing here."""
    assert refusal(signed(service="s3")).code == "InvalidSignatureException"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "localhost@evil", "127.0.0.1:x"]
)
def test_only_loopback_hosts_are_served(host):
    """A web page that rebinds its name to 127.0.0.1 still sends that name."""
    request = with_header(signed(), "host", host)
    assert refusal(request).code == "AccessDeniedException"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1", "LOCALHOST", "[::1]:80"])
def test_loopback_has_several_names(host):
    """They get as far as the signature, which covers another one."""
    assert refusal(with_header(signed(), "host", host)).code == "InvalidSignatureException"


@pytest.mark.parametrize(
    "value",
    [
        "Basic dXNlcjpwYXNz",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=x",
        "AWS4-HMAC-SHA256 Credential=AKIALOCAL/20260101/r/batch/aws4_request, SignedHeaders=host;x-amz-date, Signature="
        + "0" * 63,
        "",
        "x" * 100_000,
    ],
)
def test_a_malformed_header_is_refused(value):
    """Anything that is not SigV4's form."""
    assert refusal(with_header(signed(), "authorization", value)).code == "IncompleteSignatureException"


def test_headers_that_say_who_and_when_must_be_signed():
    """A signature that leaves out the host or the date is none."""
    request = signed()
    header = request.headers["authorization"][0]
    for name in ("host;", ";x-amz-date"):
        weaker = with_header(request, "authorization", header.replace(name, ""))
        assert "must be signed" in refusal(weaker).message


@pytest.mark.parametrize("date", ["20269901T000000Z", "yesterday", "20260101", "20260101T0000000"])
def test_a_date_that_is_none_is_refused(date):
    """Dates are read strictly."""
    request = signed()
    header = request.headers["authorization"][0]
    moved = with_header(request, "x-amz-date", date)
    day = header.split("/")[1]
    moved = with_header(moved, "authorization", header.replace(day, date[:8].ljust(8, "0")))
    assert refusal(moved).code in ("InvalidSignatureException", "IncompleteSignatureException")


def test_two_headers_of_one_kind_are_refused():
    """Nothing is chosen between two dates, two hosts or two signatures."""
    request = signed()
    for name in ("host", "x-amz-date", "authorization"):
        refusal(with_header(request, name, *request.headers[name] * 2))


def test_an_unsigned_payload_is_no_way_around():
    """The body is hashed here, whatever a header says of it."""
    request = signed(headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
    assert refusal(request).code == "InvalidSignatureException"
