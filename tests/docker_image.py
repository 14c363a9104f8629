"""The image of tests that run containers: Debian and a bare python3 of this minor, by `scripts/docker-test-image`."""

from __future__ import annotations

import os
import sys

IMAGE = os.environ.get("NBBATCH_TEST_IMAGE") or "nbbatch-test/python:{}.{}".format(*sys.version_info)
