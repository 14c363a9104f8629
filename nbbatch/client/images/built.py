"""What `nbbatch.image` gives: the name of an image, and what is known of how it was made."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that can be given as `image=`, and as `--image NAME` of a variable that holds it.

    Parameters
    ----------
    tag : str
        Its name on this machine.
    uri : str
        Its name in a registry; empty where it was not pushed.
    base : str
        The image it was built on.
    python : str
        Minor version.
    packages : tuple of str
        Python packages, as requirements.
    system : tuple of str
        Packages of the system that were added.
    is_new : bool
        It was built just now.
    """

    tag: str
    uri: str = ""
    base: str = ""
    python: str = ""
    packages: tuple[str, ...] = field(default=(), repr=False)
    system: tuple[str, ...] = ()
    is_new: bool = True

    def __str__(self) -> str:
        """The name that a job definition takes."""
        return self.uri or self.tag
