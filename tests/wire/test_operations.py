import subprocess
import sys

import botocore.session
import pytest

from nbbatch.wire.operations import load_model


@pytest.mark.parametrize("service", ["batch", "logs"])
def test_the_table_is_what_botocore_itself_loads(service):
    """Operations and shapes are those of botocore's own loader."""
    reference = botocore.session.Session().get_service_model(service)
    model = load_model(service)
    assert sorted(model.operations) == sorted(reference.operation_names)
    for name, operation in model.operations.items():
        expected = reference.operation_model(name)
        assert operation.method == expected.http["method"]
        assert operation.input_shape == (expected.input_shape.name if expected.input_shape else None)


def test_every_batch_operation_is_found_by_its_route():
    """A request line leads to the operation that botocore sends it for."""
    reference = botocore.session.Session().get_service_model("batch")
    model = load_model("batch")
    for name in reference.operation_names:
        http = reference.operation_model(name).http
        path = http["requestUri"].replace("{resourceArn}", "arn%3Aaws%3Abatch%3Aus-east-1%3A1%3Ajob%2Fx")
        operation, members = model.route(http["method"], path)
        assert operation.name == name
        assert members in ({}, {"resourceArn": "arn:aws:batch:us-east-1:1:job/x"})


def test_an_arn_in_a_path_may_be_written_raw():
    """Colons and slashes of an ARN need not be percent-encoded."""
    operation, members = load_model("batch").route("GET", "/v1/tags/arn:aws:batch:us-east-1:1:job-queue/q")
    assert operation.name == "ListTagsForResource"
    assert members == {"resourceArn": "arn:aws:batch:us-east-1:1:job-queue/q"}


def test_query_members_come_from_the_model():
    """UntagResource names its keys in the query."""
    assert load_model("batch").operations["UntagResource"].query == ("tagKeys",)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/nope"), ("GET", "/v1/submitjob"), ("GET", "/v1/tags/"), ("POST", ""), ("POST", "/")],
)
def test_an_unknown_route_is_none(method, path):
    """What the model does not have is not routed."""
    found = load_model("batch").route(method, path)
    assert found is None or not found[1]


def test_reading_the_models_does_not_import_botocore():
    """The tables cost no import of the AWS SDK."""
    code = "import sys; from nbbatch.wire.operations import load_model; load_model('batch'); print('botocore' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
