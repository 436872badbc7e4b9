"""A local AWS on loopback: moto's server, which keeps everything in memory and is gone afterwards.

It starts no task and fires no rule, takes wrong signatures, and enforces no policy; what depends
on those is tested elsewhere.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.config import Config

from local_s3 import free_ports

HOST = "127.0.0.1"
REGION = "eu-west-1"
ACCOUNT = "123456789012"  # of everybody who calls without having assumed a role
START_SECONDS = 60.0
POLL_SECONDS = 0.05
STARTS = 3
PROGRAM = Path(sys.executable).parent / "moto_server"


class NoLocalAwsError(Exception):
    """There is no local AWS, and the message says why."""


class LocalAws:
    """A local AWS: it runs while the context is open."""

    def __init__(self) -> None:
        self.endpoint = ""
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the server
        self._process: subprocess.Popen[bytes] | None = None
        self._session: Any = boto3.session.Session(
            aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION
        )
        # To make one takes a good part of a second: the descriptions of services are large.
        self._clients: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> Self:
        """Start the server and return when it answers.

        Raises:
            NoLocalAwsError: it is not installed, or did not answer in time.
        """
        if not PROGRAM.is_file():
            self.close()
            raise NoLocalAwsError("moto is not installed; `make test-infra` installs it first")
        for attempt in range(1, STARTS + 1):
            try:
                self._start_once()
            except NoLocalAwsError:
                # Between our finding a port free and the server's taking it, another may.
                if attempt == STARTS:
                    raise
            else:
                break
        return self

    def close(self) -> None:
        """End the server; harmless when it was done before."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()  # it keeps everything in memory: there is nothing to save
            process.wait(timeout=10)
        for client in self._clients.values():
            client.close()
        self._log.close()

    def environment(self) -> dict[str, str]:
        """The variables that point boto3, Terraform or the AWS CLI at this server alone."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "CHECKPOINT_DISABLE": "1",  # Terraform would ask its vendor for a newer version
        }

    def client(self, service: str) -> Any:
        """A client of one of its services, whatever the environment says."""
        if service not in self._clients:
            self._clients[service] = self._session.client(
                service,
                endpoint_url=self.endpoint,
                config=Config(
                    s3={"addressing_style": "path"},
                    proxies={},  # else loopback addresses too would be asked of a proxy
                ),
            )
        return self._clients[service]

    def reset(self) -> None:
        """Forget everything, as if it had just been started."""
        assert self._ask("POST", "/moto-api/reset"), "the local AWS does not answer"

    def _start_once(self) -> None:
        (port,) = free_ports(1)
        self.endpoint = f"http://{HOST}:{port}"
        self._process = subprocess.Popen(
            [PROGRAM, "-H", HOST, "-p", str(port)],
            env={"PATH": os.defpath, "HOME": os.devnull},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us, who then end it
        )
        try:
            self._wait_until_it_answers(self._process)
        except BaseException:
            self._process.kill()
            self._process.wait(timeout=10)
            raise

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._ask("GET", "/moto-api/data.json"):
            if process.poll() is not None:
                raise NoLocalAwsError(f"the local AWS ended while starting: {self._last_words()}")
            if time.monotonic() > deadline:
                raise NoLocalAwsError(
                    f"no local AWS after {START_SECONDS:.0f} s: {self._last_words()}"
                )
            time.sleep(POLL_SECONDS)

    def _ask(self, method: str, path: str) -> bool:
        address = self.endpoint.removeprefix("http://")
        with contextlib.closing(http.client.HTTPConnection(address, timeout=10)) as connection:
            try:
                connection.request(method, path)
                return connection.getresponse().status == http.HTTPStatus.OK
            except (OSError, http.client.HTTPException):
                return False

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").splitlines()
        return " | ".join(lines[-5:]) or "it said nothing"
