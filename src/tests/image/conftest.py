"""Fixtures of the tests of the image: an engine, and the image of this checkout in it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

import pytest

from tests.conftest import go_without
from tests.image.containers import Engine, Image, script
from tests.infra.conftest import local_aws

__all__ = ["local_aws"]  # a fixture of these tests too


@pytest.fixture(scope="session")
def engine(outer_environment: Mapping[str, str]) -> Engine:
    """Docker or Podman."""
    program = os.environ.get("CONTAINER_ENGINE")
    if not program:
        go_without("no engine is prepared: make test-image", outer_environment)
    return Engine(program)


@pytest.fixture(scope="session")
def image(engine: Engine) -> Image:
    """The image of this checkout, built by the script that builds it everywhere."""
    began = time.monotonic()
    built = script("build", env={"CONTAINER_OPTIONS": "--network=host"})
    seconds = time.monotonic() - began
    assert built.returncode == 0, built.stderr
    return Image(engine, built.stderr.split()[-1], seconds)
