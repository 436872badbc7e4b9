"""See a day land, be proved, killed, resumed and shown: from recorded answers, without a network.

make demo             into a folder
make demo STORE=s3    into a local S3 server
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ashore.catalog_file import read_catalog, text_of
from ashore.standin import EDITIONS, Standin, catalog_text

RATE = "40/s"
_KILL_AFTER = 80  # requests of the run that is killed
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demonstration lands, and with which environment its commands run."""

    location: str
    second: str
    environment: Mapping[str, str]

    @property
    def report(self) -> str:
        """Where the page about the location is written: beside it, as ``landing-report.html``."""
        return f"{self.location.rpartition('/')[2]}-report.html"


def main() -> int:
    """Show everything; return 0 when all of it went as told."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", choices=["folder", "s3"], default="folder")
    store = parser.parse_args().store
    with (
        Standin(edition=EDITIONS[-1]) as standin,
        _stage(store) as stage,
        tempfile.TemporaryDirectory() as folder,
    ):
        catalog = Path(folder) / "standin.toml"
        catalog.write_text(catalog_text(standin.url, RATE, text_of(None)), encoding="utf-8")
        _introduce(standin)
        _land(standin, catalog, stage)
        _prove(catalog, stage)
        _kill_and_resume(standin, catalog, stage)
        _report(standin, catalog, stage)
        _conclude(stage)
    return 0


def _introduce(standin: Standin) -> None:
    real = read_catalog(None).sources["world_bank"]
    _say("A stand-in for the World Bank's API serves its recorded answers on this machine only.")
    print(f"  the real source: {real.base_url} at {real.rate}")
    print(f"  the stand-in:    {standin.url} at {RATE}, so that this takes seconds, not minutes")
    print("  data: The World Bank, World Development Indicators, CC BY 4.0")


def _land(standin: Standin, catalog: Path, stage: Stage) -> None:
    _say(f"1. Extract today into {stage.location}: a list, then one request for each economy")
    _ashore(["extract", "--catalog", str(catalog), "--to", stage.location], stage)
    asked = standin.counts().total
    _say("2. Extract again: the day is complete, so nothing is asked")
    _ashore(["extract", "--catalog", str(catalog), "--to", stage.location], stage)
    again = standin.counts().total - asked
    _require(again == 0, f"the second extraction sent {again} requests")
    print(f"  requests that reached the API: {asked} the first time, {again} the second")


def _prove(catalog: Path, stage: Stage) -> None:
    _say("3. Read every byte back, and hold it against the receipts")
    _ashore(["verify", "--to", stage.location], stage)
    if not stage.location.startswith("s3://") and shutil.which("sha256sum"):
        print("  and without ashore, by coreutils:")
        sums = max(Path(stage.location).glob("manifests/*/*/runs/*/SHA256SUMS"))
        relative = str(sums.relative_to(stage.location))
        _run(["sha256sum", "--check", "--quiet", relative], stage, folder=stage.location)
        print("  every file is as its line in SHA256SUMS says")
    _ashore(["status", "--catalog", str(catalog), "--days", "7", "--to", stage.location], stage)


def _kill_and_resume(standin: Standin, catalog: Path, stage: Stage) -> None:
    _say(f"4. Kill a run with SIGKILL in the middle of another location, {stage.second}")
    before = standin.counts().total
    command = ["extract", "--catalog", str(catalog), "--to", stage.second]
    _show(["ashore", *command])
    process = subprocess.Popen(
        [*_program(), *command], env=dict(stage.environment), stdout=subprocess.DEVNULL
    )
    until = time.monotonic() + _PATIENCE
    while standin.counts().total - before < _KILL_AFTER and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed = standin.counts().total - before
    print(f"\n  killed after {killed} requests; there is no manifest, so nobody takes it for a day")
    _say("5. Run it again, as a fresh container would: it goes on from what landed")
    _ashore(command, stage)
    resumed = standin.counts().total - before - killed
    print(f"  requests: {killed} before the kill, {resumed} after it, 218 needed in all")
    # What was under way when the run was killed is all that may be asked twice.
    _require(killed + resumed <= 218 + 8, "the resumed run asked for what had landed")
    _ashore(["verify", "--to", stage.second], stage)


def _report(standin: Standin, catalog: Path, stage: Stage) -> None:
    _say("6. Land the day before, as the API answered then, and see on a page what changed")
    standin.edition = EDITIONS[0]
    yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    where = ["--catalog", str(catalog), "--to", stage.location]
    _ashore(["extract", *where, "--date", str(yesterday)], stage)
    _ashore(["report", *where, "--output", stage.report], stage)


def _conclude(stage: Stage) -> None:
    _say("What you saw")
    print("  a day landed and was proved, a second run asked nothing, a killed run was resumed")
    print(f"  look around in {stage.location} and {stage.second}")
    if stage.location.startswith("s3://"):
        print("  (they were in a local S3 server, which is gone now)")
    print(f"  open in a browser: {Path(stage.report).absolute()}")
    print("Next")
    print("  make run                     today's real countries, into countries/ (internet)")
    print("  make run TO=s3://bucket/raw  the same into S3, with the AWS profile `dev`")
    print("  .venv/bin/ashore --help      every command; your own catalog: README.md")


@contextlib.contextmanager
def _stage(store: str) -> Iterator[Stage]:
    if store == "folder":
        yield Stage(_fresh("landing"), _fresh("landing-resumed"), os.environ)
        return
    from local_s3 import LocalS3  # noqa: PLC0415 - a folder needs no S3 server

    with LocalS3() as server:
        server.make_bucket("landing")
        environment = {**os.environ, **server.environment()}
        yield Stage("s3://landing/demo", "s3://landing/resumed", environment)


def _fresh(name: str) -> str:
    """The first of NAME, NAME-2, NAME-3 ... that is not there: what landed is never removed."""
    numbers = [name, *(f"{name}-{number}" for number in range(2, 1000))]
    return next(folder for folder in numbers if not Path(folder).exists())


def _ashore(arguments: list[str], stage: Stage) -> None:
    _show(["ashore", *arguments])
    _run([*_program(), *arguments], stage)


def _program() -> list[str]:
    return [sys.executable, "-m", "ashore"]


def _run(command: list[str], stage: Stage, folder: str | None = None) -> None:
    status = subprocess.run(command, env=dict(stage.environment), cwd=folder, check=False)
    _require(status.returncode == 0, f"{shlex.join(command)} ended with {status.returncode}")


def _show(command: list[str]) -> None:
    print(f"\n$ {shlex.join(command)}", flush=True)


def _say(text: str) -> None:
    print(f"\n== {text}", flush=True)


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - as assert
    if not holds:
        sys.exit(f"demo: {otherwise}")


if __name__ == "__main__":
    sys.exit(main())
