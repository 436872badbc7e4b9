"""Fixtures of all tests: a clean environment, an API to talk to, an S3 server."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from hypothesis import HealthCheck, settings

from local_s3 import LocalS3, NoServerError, S3Server
from tests.support.api import ScriptedApi

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FOREIGN_PREFIXES = ("ASHORE_", "AWS_")
FOREIGN_NAMES = frozenset(
    {
        "ALL_PROXY",
        "CURL_CA_BUNDLE",
        "FTP_PROXY",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NETRC",
        "NO_PROXY",
        "REQUESTS_CA_BUNDLE",
        "REST_COUNTRIES_API_KEY",
    }
)
NOWHERE = "http://127.0.0.1:9"

# `make test` searches the same examples every time, so that no change fails by
# chance over what it did not touch; `make fuzz` searches new ones, for longer.
settings.register_profile("usual", max_examples=40, deadline=None, derandomize=True)
settings.register_profile(
    "fuzz",
    max_examples=int(os.environ.get("ASHORE_TEST_EXAMPLES") or 2000),
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("usual")


def is_foreign(name: str) -> bool:
    """Whether a variable of this name could change what a test sees."""
    return name.upper().startswith(FOREIGN_PREFIXES) or name.upper() in FOREIGN_NAMES


def harmless(folder: Path) -> dict[str, str]:
    """Values with which a stray call finds neither keys nor an account."""
    absent = folder / "absent"
    return {
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing-to-see",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": NOWHERE,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(absent),
        "AWS_SHARED_CREDENTIALS_FILE": str(absent),
        "NETRC": str(absent),
    }


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need the S3 server, so that `-m "not s3"` leaves them out."""
    for item in items:
        if "s3" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.s3)


@pytest.fixture(scope="session", autouse=True)
def outer_environment() -> Mapping[str, str]:
    """The environment that the tests were started with, taken before any of it is cleaned."""
    return dict(os.environ)


@pytest.fixture(scope="session")
def nowhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which there is nothing."""
    return tmp_path_factory.mktemp("nowhere")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, nowhere: Path) -> None:
    """Every test starts without settings, keys and proxies of whoever runs it."""
    for name in filter(is_foreign, list(os.environ)):
        monkeypatch.delenv(name)
    for name, value in harmless(nowhere).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    """An API on loopback that the test scripts; what its handlers raise fails the test."""
    with ScriptedApi() as scripted:
        yield scripted
    if scripted.errors:
        raise scripted.errors[0]


@pytest.fixture(scope="session")
def s3(outer_environment: Mapping[str, str]) -> Iterator[S3Server]:
    """A real S3 server: the one that ASHORE_TEST_S3_ENDPOINT names, or one of our own."""
    with contextlib.ExitStack() as running:
        try:
            server = given_server(outer_environment) or running.enter_context(LocalS3())
        except NoServerError as error:
            go_without(f"no S3 server: {error}", outer_environment)
        yield server


@pytest.fixture(scope="session")
def s3_client(s3: S3Server) -> Iterator[S3Client]:
    """A boto3 client of the server."""
    with contextlib.closing(s3.client()) as client:
        yield client


@pytest.fixture(scope="session")
def s3_bucket(s3: S3Server, outer_environment: Mapping[str, str]) -> str:
    """One bucket for all tests: each new one would cost the server a fifth of a second."""
    try:
        return s3.make_bucket(f"ashore-test-{uuid.uuid4().hex[:12]}")
    except (BotoCoreError, ClientError) as error:
        go_without(f"the S3 server makes no bucket: {error}", outer_environment)


@pytest.fixture
def s3_location(s3: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A location on S3 that no other test uses; the environment points at its server."""
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    return f"s3://{s3_bucket}/{uuid.uuid4().hex}"


def given_server(environment: Mapping[str, str]) -> S3Server | None:
    """The server that the environment names."""
    endpoint = environment.get("ASHORE_TEST_S3_ENDPOINT")
    if not endpoint:
        return None
    access_key = environment.get("ASHORE_TEST_S3_ACCESS_KEY", "test")
    secret_key = environment.get("ASHORE_TEST_S3_SECRET", "testsecret")
    return S3Server(endpoint, access_key, secret_key)


def go_without(reason: str, environment: Mapping[str, str]) -> NoReturn:
    """Skip on a developer's machine, fail where nobody would notice the skip."""
    if environment.get("CI", "").lower() in ("1", "true"):
        pytest.fail(reason)
    pytest.skip(reason)
