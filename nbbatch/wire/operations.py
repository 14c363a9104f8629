"""Operations, routes and shapes, read from botocore's own service models.

A newer botocore brings new operations by itself; they are routed, and answered with a clear error
until somebody implements them. The model files are read directly, because importing botocore's
loader costs twenty times as much as reading the two files; where they lie and how they are named
is botocore's documented loader layout, and a test compares the result with the loader's. Each
service is parsed when its first request comes.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

import msgspec

from nbbatch.errors import ConfigurationError
from nbbatch.wire import later_operations

Service = Literal["batch", "logs"]
Shapes = Mapping[str, Mapping[str, Any]]

_URI_MEMBER = "/{"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of a service.

    Parameters
    ----------
    name : str
        AWS's name, such as `SubmitJob`.
    method, path : str
        HTTP method and path; of a path that ends in a `{member}` only what stands before it.
    member : str or None
        Input member that the rest of the path holds.
    query : tuple of str
        Input members that come as (repeated) query arguments, all of them lists.
    input_shape, output_shape : str or None
        Names in `Model.shapes`.
    """

    service: Service
    name: str
    method: str
    path: str
    member: str | None
    query: tuple[str, ...]
    input_shape: str | None
    output_shape: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A service: its operations by name and by route, and its shapes by name."""

    service: Service
    operations: Mapping[str, Operation]
    routes: Mapping[tuple[str, str], Operation]
    shapes: Shapes

    def route(self, method: str, path: str) -> tuple[Operation, dict[str, Any]] | None:
        """The operation behind a request line, and the input members found in its path.

        Parameters
        ----------
        method : str
            HTTP method, upper case.
        path : str
            Path as sent, without the query; an ARN in it may be percent-encoded or not.
        """
        found = self.routes.get((method, path))
        if found is not None:
            return found, {}
        cut = path.find("/", path.find("/", 1) + 1) + 1
        found = self.routes.get((method, path[:cut]))
        if found is None or found.member is None or cut == len(path):
            return None
        return found, {found.member: unquote(path[cut:])}


@cache
def load_model(service: Service) -> Model:
    """Read the newest version of a service's model that the installed botocore has.

    Raises
    ------
    ConfigurationError
        When botocore's data folder holds no such model.
    """
    return parse_model(service, _model_text(service))


def parse_model(service: Service, text: bytes) -> Model:
    """Read a `service-2.json`; operations of AWS Batch that it is too old for are added."""
    data = msgspec.json.decode(text)
    shapes: Shapes = data["shapes"]
    known: Mapping[str, Any] = data["operations"]
    if service == "batch":
        shapes = {**later_operations.SHAPES, **shapes}
        known = {**later_operations.OPERATIONS, **known}
    operations = {name: _operation(service, raw, shapes) for name, raw in known.items()}
    routes = {(known.method, known.path): known for known in operations.values()}
    return Model(service=service, operations=operations, routes=routes, shapes=shapes)


def _operation(service: Service, raw: Mapping[str, Any], shapes: Shapes) -> Operation:
    path, brace, member = raw["http"]["requestUri"].partition(_URI_MEMBER)
    input_shape = raw.get("input", {}).get("shape")
    members = shapes[input_shape]["members"] if input_shape else {}
    return Operation(
        service=service,
        name=raw["name"],
        method=raw["http"]["method"],
        path=f"{path}/" if brace else path,
        member=member.rstrip("}") if brace else None,
        query=tuple(name for name, known in members.items() if known.get("location") == "querystring"),
        input_shape=input_shape,
        output_shape=raw.get("output", {}).get("shape"),
    )


def _model_text(service: Service) -> bytes:
    """Text of the newest `service-2.json`; distributions may have unpacked it."""
    spec = find_spec("botocore")
    folder = Path(spec.origin).parent / "data" / service if spec is not None and spec.origin else Path()
    for version in sorted(folder.iterdir(), reverse=True) if folder.is_dir() else ():
        packed, plain = version / "service-2.json.gz", version / "service-2.json"
        if packed.exists():
            return gzip.decompress(packed.read_bytes())
        if plain.exists():
            return plain.read_bytes()
    raise ConfigurationError(
        f"The installed botocore has no model of {service} under {folder}.", cure="Install boto3 again."
    )
