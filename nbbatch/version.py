"""The version, in one place: hatchling reads it, the daemon and the client compare it."""

__version__ = "0.1.0"
