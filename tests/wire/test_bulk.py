"""The bulk operations' ids and outcomes, and their place in an older model."""

import msgspec
import pytest

from nbbatch.errors import ClientException, StoreError
from nbbatch.wire import later_operations
from nbbatch.wire.bulk import decode_job_ids, encode_bulk
from nbbatch.wire.operations import load_model, parse_model


def test_an_id_that_comes_twice_counts_once():
    """Ids keep their order."""
    assert decode_job_ids({"jobs": ["b", "a", "b"]}) == ["b", "a"]


@pytest.mark.parametrize("count", [0, 51])
def test_too_few_and_too_many_ids_are_refused(count):
    """1 to 50 jobs may be named."""
    with pytest.raises(ClientException, match=f"jobs: has {count} entries"):
        decode_job_ids({"jobs": [str(number) for number in range(count)]})


def test_each_job_has_its_own_outcome():
    """Errors name job, code and message; whose fault it is shows in the code."""
    reply = encode_bulk([("a", None), ("b", ClientException("no")), ("c", StoreError("full"))])
    assert reply == {
        "successful": ["a"],
        "errors": [
            {"job": "b", "code": "ClientException", "message": "no"},
            {"job": "c", "code": "ServerException", "message": "full"},
        ],
    }


def test_an_older_model_gets_the_bulk_operations():
    """What is added equals what a newer model says."""
    old = {"operations": {}, "shapes": {}}
    model = parse_model("batch", msgspec.json.encode(old))
    newest = load_model("batch")
    for name in later_operations.OPERATIONS:
        assert model.operations[name] == newest.operations[name]
        assert model.route("POST", f"/v1/{name.lower()}") == (model.operations[name], {})
    for name, shape in later_operations.SHAPES.items():
        assert shape["type"] == newest.shapes[name]["type"]
        assert shape.get("required") == newest.shapes[name].get("required")
        assert list(shape.get("members", {})) == list(newest.shapes[name].get("members", {}))
