"""The image of this checkout, and containers of it, in a real engine."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[3]
SCRIPT = CHECKOUT / "scripts" / "image.sh"
LIKE_IN_AWS = (
    "--read-only",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
    "--network=host",  # the servers of the tests are on loopback
    "--pull=never",
)
SECONDS = 600.0
"""A bound for each command of the engine; a build takes less than a minute."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Docker or Podman, as `make test-image` prepared it."""

    program: str

    def __call__(self, *words: str, status: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run a command of it that has to end with this status; None: with any."""
        ended = subprocess.run(
            [self.program, *words], capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert status is None or ended.returncode == status, ended.stderr
        return ended

    def inspect(self, name: str) -> dict[str, Any]:
        """Return what it knows of an image or a container."""
        (found,) = json.loads(self("inspect", name).stdout)
        known: dict[str, Any] = found
        return known

    def names(self) -> set[str]:
        """Return the names of all images, without `localhost/`, which Podman adds."""
        listed = self("images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split()
        return {name.removeprefix("localhost/") for name in listed}


@dataclass(frozen=True, slots=True)
class Image:
    """An image that was built."""

    engine: Engine
    name: str
    seconds: float
    """How long the build took."""
    options: tuple[str, ...] = ()
    """What each run of it is given."""

    def mounting(self, source: Path, target: str) -> Image:
        """Return the image whose runs find a file there, to be read."""
        volume = f"--volume={source}:{target}:ro"
        return dataclasses.replace(self, options=(*self.options, volume))

    def command(
        self, *words: str, env: Mapping[str, str] | None = None, options: Sequence[str] = ()
    ) -> list[str]:
        """Return the words that run ashore as the task in AWS does."""
        given = [f"--env={name}={value}" for name, value in (env or {}).items()]
        return ["run", *LIKE_IN_AWS, *given, *self.options, *options, self.name, *words]

    def run(
        self, *words: str, env: Mapping[str, str] | None = None, options: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run ashore to its end, with whatever status."""
        return self.engine(*self.command(*words, env=env, options=["--rm", *options]), status=None)

    def shell(self, text: str) -> str:
        """Return what a script of the shell prints there."""
        ended = self.run("-c", text, options=["--entrypoint=/bin/sh"])
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    @contextmanager
    def started(self, *words: str, env: Mapping[str, str]) -> Iterator[str]:
        """Start ashore and go on; its container goes when the block ends. Gives its name."""
        name = f"ashore-test-{uuid.uuid4().hex[:12]}"
        self.engine(*self.command(*words, env=env, options=["--detach", f"--name={name}"]))
        try:
            yield name
        finally:
            self.engine("rm", "--force", "--volumes", name)

    def until_first_line(self, *words: str, env: Mapping[str, str]) -> float:
        """Return the seconds from the engine's command to the first line of the log."""
        command = [self.engine.program, *self.command(*words, env=env, options=["--rm"])]
        began = time.monotonic()
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as running:
            assert running.stderr is not None
            lines = (line for line in running.stderr if line.startswith("{"))
            first = next(lines, "")
            seconds = time.monotonic() - began
            running.stderr.read()
        assert "event" in json.loads(first or "{}"), "it logged nothing"
        return seconds


def script(
    *words: str, env: Mapping[str, str | None] | None = None, checkout: Path = CHECKOUT
) -> subprocess.CompletedProcess[str]:
    """Run scripts/image.sh to its end."""
    merged = {**os.environ, **(env or {})}
    return subprocess.run(
        ["sh", "scripts/image.sh", *words],
        cwd=checkout,
        env={name: value for name, value in merged.items() if value is not None},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
