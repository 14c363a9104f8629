"""Where `secrets` of a definition come from: a private file of the home, then AWS, if that is set up.

`secrets.json` maps names or ARNs to values; nobody but its owner may read it. What it does not hold
is asked of Secrets Manager or SSM where the daemon's environment names an endpoint of theirs, or
says `NBBATCH_SECRETS=aws`. A value goes to the attempt's process and nowhere else: not into rows,
events, logs or Describe calls; errors name the secret only. Lookups block, so they are for threads.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nbbatch.daemon.home import write_private
from nbbatch.errors import ConfigurationError, CouldNotStartError

SECRETS = "secrets.json"

_FAILED = "ResourceInitializationError: unable to pull secrets or registry auth: "
_ENDPOINTS = {"secretsmanager": "AWS_ENDPOINT_URL_SECRETS_MANAGER", "ssm": "AWS_ENDPOINT_URL_SSM"}
_REGION = "us-east-1"
_OTHERS_MAY = 0o077
_CONNECT_SECONDS, _READ_SECONDS, _TRIES = 5, 10, 2
_SUFFIX = 7
"""A dash and six characters, which Secrets Manager puts behind a name in its ARNs."""
_SECRET_PARTS = 3
"""Behind the name in a `valueFrom`: JSON key, version stage, version id."""


class SecretStore:
    """The secrets of one home.

    Parameters
    ----------
    home : Path
        Where `secrets.json` is, if there is one.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / SECRETS

    def names(self) -> list[str]:
        """What the file holds, without values."""
        return sorted(self._read())

    def put(self, name: str, value: str) -> None:
        """Keep a value in the file."""
        write_private(self._path, {**self._read(), name: value})

    def delete(self, name: str) -> bool:
        """Let a value go; whether there was one."""
        known = self._read()
        if name not in known:
            return False
        del known[name]
        write_private(self._path, known)
        return True

    def resolve(self, wanted: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """Look up what a container wants.

        Parameters
        ----------
        wanted : sequence of (str, str)
            Variable and `valueFrom`: a name, or an ARN of Secrets Manager or SSM.

        Returns
        -------
        tuple of (str, str)
            Variable and value.

        Raises
        ------
        CouldNotStartError
            In ECS's words; names the secret that cannot be had.
        """
        try:
            known = self._read()
        except ConfigurationError as error:
            raise CouldNotStartError(f"{_FAILED}{error}") from None
        return tuple((variable, _value_of(source, known)) for variable, source in wanted)

    def _read(self) -> dict[str, str]:
        try:
            if self._path.stat().st_mode & _OTHERS_MAY:
                raise ConfigurationError(
                    f"{self._path} can be read by others.", cure=f"Close it: chmod 600 {self._path}"
                )
            known = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            # the text of a JSON error may quote the file
            raise ConfigurationError(f"{self._path} cannot be read ({type(error).__name__}).") from None
        if not isinstance(known, dict) or not all(isinstance(value, str) for value in known.values()):
            raise ConfigurationError(f"{self._path} is not an object of names and texts.")
        return known


def _value_of(source: str, known: Mapping[str, str]) -> str:
    name, key = _take_apart(source)
    service = "secretsmanager" if ":secretsmanager:" in source else "ssm"
    for spelling in (source, name, name[:-_SUFFIX] if service == "secretsmanager" else name.lstrip("/")):
        if spelling in known:
            value = known[spelling]
            return value if spelling == source else _member(value, key, source)
    if os.environ.get("NBBATCH_SECRETS") != "aws" and not os.environ.get(_ENDPOINTS[service]):
        raise CouldNotStartError(
            f"{_FAILED}{source} is not in {SECRETS} (nbbatch local secrets set), and no AWS endpoint is set up"
        )
    return _member(_ask_aws(service, source, name), key, source)


def _take_apart(source: str) -> tuple[str, str]:
    """The name in a `valueFrom`, and the JSON key behind it (ECS: `<arn>:<key>:<stage>:<id>`)."""
    if not source.startswith("arn:"):
        return source, ""
    _, _, service, _, _, rest = (*source.split(":", 5), "", "", "", "", "")[:6]
    if service != "secretsmanager":
        return rest.removeprefix("parameter"), ""
    name, key = (*rest.removeprefix("secret:").split(":"), "", "")[:2]
    return name, key


def _member(value: str, key: str, source: str) -> str:
    if not key:
        return value
    try:
        return str(json.loads(value)[key])
    except (ValueError, KeyError, TypeError):
        raise CouldNotStartError(f"{_FAILED}{source} has no JSON key {key!r}") from None


def _ask_aws(service: str, source: str, name: str) -> str:
    """Ask AWS, or whoever stands at its endpoint; the client is made only now, which costs much."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - few homes ever come here

    client = _client(service, source)
    try:
        if service == "ssm":
            reply: Any = client.get_parameter(Name=name, WithDecryption=True)
            return str(reply["Parameter"]["Value"])
        return _secret(client, source)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise CouldNotStartError(f"{_FAILED}{code}: {source} cannot be had from {service}") from None
    except (BotoCoreError, KeyError) as error:
        raise CouldNotStartError(
            f"{_FAILED}{type(error).__name__}: {service} did not give {source}"
        ) from None
    finally:
        client.close()


def _secret(client: Any, source: str) -> str:
    """Version stage and id may be given behind the ARN, each of them empty for the default."""
    parts = source.split(":")
    whole, (_, stage, version) = ":".join(parts[:7]), (*parts[7:], "", "", "")[:_SECRET_PARTS]
    wanted = {"SecretId": whole, "VersionStage": stage, "VersionId": version}
    reply = client.get_secret_value(**{name: value for name, value in wanted.items() if value})
    return str(reply["SecretString"])


def _client(service: str, source: str) -> Any:
    import botocore.session  # noqa: PLC0415 - see above
    from botocore.config import Config  # noqa: PLC0415

    region = source.split(":")[3] if source.startswith("arn:") else os.environ.get("AWS_DEFAULT_REGION", "")
    config = Config(
        connect_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS, retries={"total_max_attempts": _TRIES}
    )
    return botocore.session.get_session().create_client(service, region_name=region or _REGION, config=config)
