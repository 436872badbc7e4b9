"""Fixtures of the tests of the infrastructure: a local AWS, Terraform, and what it makes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from tests.infra.applied import Applied, applied
from tests.infra.stage import Stage, make_environment, stage
from tests.support.local_aws import LocalAws, NoLocalAwsError
from tests.support.terraform import NoTerraformError, program


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


@pytest.fixture(scope="session")
def terraform(outer_environment: Mapping[str, str]) -> None:
    """Terraform, which not everybody has."""
    try:
        program()
    except NoTerraformError as error:
        go_without(f"no Terraform: {error}", outer_environment)


@pytest.fixture(scope="session")
def everything(
    terraform: None, outer_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Applied]:
    """Bootstrap and dev, applied to a local AWS of their own."""
    try:
        with applied(tmp_path_factory.mktemp("applied")) as found:
            yield found
    except NoLocalAwsError as error:
        go_without(f"no local AWS: {error}", outer_environment)


@pytest.fixture
def scripts(
    local_aws: LocalAws,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Stage]:
    """All that scripts act on, but nothing made in the local AWS yet."""
    with stage(local_aws, tmp_path, monkeypatch, capfd) as found:
        yield found


@pytest.fixture
def dev(scripts: Stage) -> Stage:
    """All that scripts act on, with the environment dev, where one image was released."""
    make_environment(scripts.aws)
    return scripts


def go_without(reason: str, environment: Mapping[str, str] = os.environ) -> NoReturn:
    """Skip on a developer's machine, fail where nobody would notice the skip."""
    if environment.get("CI", "").lower() in ("1", "true"):
        pytest.fail(reason)
    pytest.skip(reason)
