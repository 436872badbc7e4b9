"""The local S3 server does what the tests of the landing rely on."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import BotoCoreError, ClientError

import local_s3
from local_s3 import LocalS3, S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SOCKETS = Path("/tmp")  # the server's own choice, whatever TMPDIR says
BODY = b'[{"id": "FRA"}]'


def sha256(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def refusal(call: Callable[[], object]) -> tuple[int, str]:
    """The status and the code with which S3 refused a call."""
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


@pytest.fixture
def place(s3_location: str) -> tuple[str, str]:
    """The bucket and the key of an object that is not there yet."""
    parts = urlsplit(s3_location)
    return parts.netloc, parts.path.lstrip("/") + "/object"


def test_a_conditional_put_creates_and_never_replaces(
    s3_client: S3Client, place: tuple[str, str]
) -> None:
    bucket, key = place
    s3_client.put_object(Bucket=bucket, Key=key, Body=BODY, IfNoneMatch="*")
    again = refusal(
        lambda: s3_client.put_object(Bucket=bucket, Key=key, Body=b"x", IfNoneMatch="*")
    )
    assert again == (412, "PreconditionFailed")
    assert s3_client.get_object(Bucket=bucket, Key=key)["Body"].read() == BODY


def test_a_body_that_is_not_what_its_checksum_says_is_refused(
    s3_client: S3Client, place: tuple[str, str]
) -> None:
    bucket, key = place
    status, _ = refusal(
        lambda: s3_client.put_object(
            Bucket=bucket, Key=key, Body=BODY, ChecksumSHA256=sha256(b"another body")
        )
    )
    assert status == 400


def test_head_gives_the_checksum_and_the_metadata_back(
    s3_client: S3Client, place: tuple[str, str]
) -> None:
    bucket, key = place
    s3_client.put_object(
        Bucket=bucket, Key=key, Body=BODY, ChecksumSHA256=sha256(BODY), Metadata={"status": "200"}
    )
    head = s3_client.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    assert head["ChecksumSHA256"] == sha256(BODY)
    assert head["Metadata"] == {"status": "200"}


def test_a_missing_bucket_is_not_made_by_writing_to_it(s3_client: S3Client) -> None:
    put = refusal(lambda: s3_client.put_object(Bucket="not-made", Key="object", Body=BODY))
    assert put == (404, "NoSuchBucket")


def test_a_wrong_key_is_refused(s3: S3Server, place: tuple[str, str]) -> None:
    bucket, key = place
    stranger = S3Server(s3.endpoint, s3.access_key, "a wrong secret").client()
    status, _ = refusal(lambda: stranger.put_object(Bucket=bucket, Key=key, Body=BODY))
    stranger.close()
    assert status == 403


def test_each_test_gets_a_location_of_its_own(s3_location: str, s3: S3Server) -> None:
    assert s3_location.startswith("s3://")
    assert os.environ["AWS_ENDPOINT_URL"] == s3.endpoint
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == s3.secret_key


def socket_files(ports: tuple[int, ...]) -> list[Path]:
    return [path for path in SOCKETS.glob("seaweedfs-*.sock") if path.stem.endswith(ends(ports))]


def ends(ports: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"-{port}" for port in ports)


def is_up(endpoint: str) -> bool:
    address = urlsplit(endpoint)
    with socket.socket() as probe:
        return probe.connect_ex((address.hostname, address.port)) == 0


@pytest.fixture
def own_temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files in which only this test writes."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def program() -> Path:
    """The server's binary, which is not there on every platform."""
    try:
        return local_s3.find_program()
    except local_s3.NoServerError as error:
        pytest.skip(str(error))


@pytest.mark.s3
@pytest.mark.usefixtures("program")
def test_a_server_interrupted_while_it_starts_leaves_nothing_behind(
    own_temp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(client: S3Client) -> bool:
        assert is_up(server.endpoint)
        raise KeyboardInterrupt

    server = LocalS3()
    monkeypatch.setattr(local_s3, "takes_writes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        server.start()
    assert not is_up(server.endpoint)
    assert not socket_files(server._ports)
    assert not list(own_temp.iterdir())


def test_a_server_that_cannot_start_says_so_and_leaves_nothing_behind(
    own_temp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_s3, "find_program", lambda: Path(sys.executable))
    with pytest.raises(local_s3.NoServerError, match="ended while starting"):
        LocalS3().start()
    assert not list(own_temp.iterdir())


def test_without_the_package_there_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_s3, "PACKAGE", "no-such-package")
    with pytest.raises(local_s3.NoServerError, match="no-such-package is not installed"):
        LocalS3().start()


@pytest.mark.s3
@pytest.mark.usefixtures("program")
def test_the_script_serves_until_a_signal_and_cleans_up(own_temp: Path) -> None:
    command = [sys.executable, local_s3.__file__, "--bucket", "landing"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        told = exported(process)
        server = S3Server(
            told["AWS_ENDPOINT_URL"], told["AWS_ACCESS_KEY_ID"], told["AWS_SECRET_ACCESS_KEY"]
        )
        with contextlib.closing(server.client()) as client:
            buckets = [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=15)
    assert told == server.environment()
    assert buckets == ["landing"]
    assert (process.returncode, err) == (0, "serving; Ctrl-C ends it\n")
    assert not is_up(server.endpoint)
    assert not list(own_temp.iterdir())


def exported(process: subprocess.Popen[str]) -> dict[str, str]:
    """The variables that the script tells at its start."""
    assert process.stdout is not None
    lines = [process.stdout.readline().strip() for _ in S3Server().environment()]
    pairs = (line.removeprefix("export ").partition("=") for line in lines)
    return {name: value for name, _, value in pairs}


def test_a_server_that_was_killed_starts_again_over_what_it_had_stored() -> None:
    with LocalS3() as server:
        bucket = server.make_bucket("kept")
        with contextlib.closing(server.client()) as client:
            client.put_object(Bucket=bucket, Key="a", Body=b"1")
            server.kill()
            with pytest.raises(BotoCoreError):
                client.put_object(Bucket=bucket, Key="b", Body=b"2")
            server.restart()
            assert client.get_object(Bucket=bucket, Key="a")["Body"].read() == b"1"
