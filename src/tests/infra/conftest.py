"""Fixtures of the tests of the infrastructure: a local AWS."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import NoReturn

import pytest

from tests.support.local_aws import LocalAws, NoLocalAwsError


@pytest.fixture(scope="session")
def local_aws(outer_environment: Mapping[str, str]) -> Iterator[LocalAws]:
    """A local AWS of this run's own."""
    server = LocalAws()
    try:
        server.start()
    except NoLocalAwsError as error:
        go_without(f"no local AWS: {error}", outer_environment)
    yield server
    server.close()


def go_without(reason: str, environment: Mapping[str, str] = os.environ) -> NoReturn:
    """Skip on a developer's machine, fail where nobody would notice the skip."""
    if environment.get("CI", "").lower() in ("1", "true"):
        pytest.fail(reason)
    pytest.skip(reason)
