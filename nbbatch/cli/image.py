"""`nbbatch image ...`: images with this environment's packages, built, listed, shown, removed."""

from __future__ import annotations

from pathlib import Path

import click

from nbbatch.client.images.environment import sources_of
from nbbatch.client.images.facts import facts_of_local
from nbbatch.client.images.image import Wish, images, remove_image
from nbbatch.client.images.image import build as build_image
from nbbatch.client.packing.capture import size_text


@click.group()
def image() -> None:
    """Images with the packages of this Python environment, for jobs on any machine."""


@image.command()
@click.argument("sources", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--packages",
    help="imported (by SOURCES), all, or names: pandas,torch==2.4. [default: imported, else all]",
)
@click.option("--system", default="", help="Packages of the base's distribution, such as ffmpeg,jq.")
@click.option("--base", help="Image to start from. [default: the official slim image of this Python]")
@click.option("--files", default="", help="Files that every job finds below /data.")
@click.option("--name", help="Part of the image's tag. [default: the folder's name]")
@click.option("--repository", help="Push it to this repository of Amazon ECR.")
@click.option("--create-repository", is_flag=True, help="Create the repository if it is not there.")
@click.option("--backend", help="Whose account and region the repository is in.")
@click.option("--rebuild", is_flag=True, help="Build it although it is there.")
def build(
    sources: tuple[Path, ...],
    packages: str | None,
    system: str,
    base: str | None,
    files: str,
    name: str | None,
    repository: str | None,
    create_repository: bool,  # noqa: FBT001 - click passes flags so
    backend: str | None,
    rebuild: bool,  # noqa: FBT001
) -> None:
    """Build an image with this environment's packages, or with those that SOURCES import.

    SOURCES are notebooks and Python files.
    """
    wish = Wish(
        packages=[word.strip() for word in (packages or ("imported" if sources else "all")).split(",")],
        system=system,
        base=base,
        files=files,
        name=name,
        repository=repository,
        creates_repository=create_repository,
        backend=backend,
        sources=[text for path in sources for text in sources_of(path)],
    )
    built = build_image(wish, rebuild=rebuild, say=lambda line: click.echo(line, err=True))
    click.echo(str(built))


@image.command("list")
def list_images() -> None:
    """List the images that were built here, newest first."""
    for tag, size, made in images():
        click.echo(f"{tag:<50} {size_text(size):>8}  {made:%Y-%m-%d %H:%M}")


@image.command()
@click.argument("name")
def show(name: str) -> None:
    """Say what an image on this machine has: its Python and its packages."""
    facts = facts_of_local(name)
    if facts is None:
        raise click.ClickException(f"There is no image {name} on this machine.")
    click.echo(f"python {facts.python}" if facts.python else "no python3")
    for package, version in sorted(facts.versions.items()):
        click.echo(f"{package}=={version}")


@image.command()
@click.argument("names", nargs=-1, required=True)
def remove(names: tuple[str, ...]) -> None:
    """Remove images of this machine by their tags."""
    for name in names:
        remove_image(name)
        click.echo(f"{name} is gone.")
