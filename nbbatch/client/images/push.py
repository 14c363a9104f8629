"""An image into Amazon ECR: the repository found or created, Docker logged in by ECR's own token."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from nbbatch.client.aws.clients import AwsClients
from nbbatch.client.config import load_config
from nbbatch.client.images.facts import engine
from nbbatch.errors import AccessDeniedError, BackendError, OptionError, UnknownNameError

_REGISTRY_PARTS = 6
"""Of `<account>.dkr.ecr.<region>.amazonaws.com`."""


def push(tag: str, repository: str, *, create: bool, backend: str | None, say: Callable[[str], None]) -> str:
    """Push an image of this machine; returns its URI.

    Parameters
    ----------
    tag : str
        Its name here, with a tag that never changes: one that is in the repository is not pushed again.
    repository : str
        Name or URI of an ECR repository.
    create : bool
        Create it if it is not there.
    backend : str or None
        Whose profile and region to use.
    say : callable
        Gets what happens, line by line.

    Raises
    ------
    UnknownNameError
        There is no such repository.
    AccessDeniedError, BackendError
        ECR or the registry refuses.
    """
    client = ecr_client(backend, repository)
    uri = repository_uri(client, repository, create=create)
    label = tag.rpartition(":")[2]
    remote = f"{uri}:{label}"
    if has_tag(client, repository, label):
        say(f"{remote} is there already")
        return remote
    _push(tag, uri, label, login(client), say)
    return remote


def ecr_client(backend: str | None, repository: str) -> Any:
    """A client of ECR, by the backend's profile and region, or those of the repository's URI."""
    settings = load_config().find_backend(backend)
    host = repository.partition("/")[0].split(".")
    region = host[3] if len(host) >= _REGISTRY_PARTS else settings.region
    return AwsClients(settings).client("ecr", region=region)


def _own_name(repository: str) -> str:
    """A repository's name without its registry."""
    host, slash, name = repository.partition("/")
    return name if slash and "." in host else repository


def repository_uri(client: Any, repository: str, *, create: bool) -> str:
    """URI of a repository; see `push`."""
    name = _own_name(repository)
    if ":" in name:
        raise OptionError(
            f"{repository!r} has a tag.", cure="Name the repository alone: the tag is the image's own."
        )
    try:
        found = client.describe_repositories(repositoryNames=[name])["repositories"]
    except client.exceptions.RepositoryNotFoundException:
        if not create:
            raise UnknownNameError(
                f"There is no ECR repository {name!r} in {client.meta.region_name}.",
                cure="Say creates_repository=True (--create-repository) to create it.",
            ) from None
        found = [client.create_repository(repositoryName=name)["repository"]]
    except Exception as error:
        raise _refusal(error) from error
    return str(found[0]["repositoryUri"])


def has_tag(client: Any, repository: str, label: str) -> bool:
    """Whether the repository has an image of this tag."""
    name = _own_name(repository)
    try:
        return bool(
            client.describe_images(repositoryName=name, imageIds=[{"imageTag": label}])["imageDetails"]
        )
    except client.exceptions.ImageNotFoundException:
        return False
    except Exception as error:
        raise _refusal(error) from error


def login(client: Any) -> dict[str, str]:
    """User name and password for `docker push`, valid for twelve hours."""
    try:
        token = client.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    except Exception as error:
        raise _refusal(error) from error
    user, _, password = base64.b64decode(token).decode().partition(":")
    return {"username": user, "password": password}


def _refusal(error: Exception) -> BackendError:
    code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
    kind = AccessDeniedError if "AccessDenied" in code or "UnrecognizedClient" in code else BackendError
    return kind(
        f"ECR refuses: {error}.",
        cure="The profile needs ecr:DescribeRepositories, ecr:DescribeImages, "
        "ecr:GetAuthorizationToken and the rights to push.",
    )


def _push(tag: str, uri: str, label: str, auth: dict[str, str], say: Callable[[str], None]) -> None:
    import docker.errors  # noqa: PLC0415 - only images need it

    api = engine().api
    say(f"pushes {uri}:{label}")
    try:
        api.tag(tag, uri, label, force=True)
        for event in api.push(uri, label, stream=True, decode=True, auth_config=auth):
            if "error" in event:
                raise BackendError(f"{uri}:{label} cannot be pushed: {event['error']}.")
            if event.get("status") in ("Pushed", "Layer already exists"):
                say(f"layer {event.get('id', '')}: {str(event['status']).lower()}")
    except (docker.errors.DockerException, OSError) as error:
        raise BackendError(f"{uri}:{label} cannot be pushed: {error}.") from error
