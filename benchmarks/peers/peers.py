"""Measure what a user would pick instead of ashore, and what becomes of it when things go wrong.

make bench-peers    one round; each peer at its current version, in .peers/ by pip; asks no network
                    but the package index, and this machine; a few minutes

Writes its blocks of docs/performance.md. A peer that cannot be installed here is named there.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import report
from bench import DOCUMENT
from bodies import digests, md5
from figures import Bar, Case, Measured, wall
from stage import Stage, stage

_HERE = Path(__file__).parent
_ENVIRONMENTS = _HERE.parents[1] / ".peers"
_CASES = (Case(1_000), Case(1_000, latency_ms=50))
_FAULTS = 200
_SAID = re.compile(rb'"id": ?"(\d{7})"')
_A_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A program that a user might pick instead."""

    name: str
    package: str
    """As pip knows it, with what it needs besides."""

    @property
    def python(self) -> str:
        """Where its Python is."""
        return str(_ENVIRONMENTS / self.name / "bin" / "python")

    def command(self, url: str, case: Case, location: str) -> list[str]:
        """Return the command that takes the items of an address into a folder."""
        program = str(_HERE / f"with_{self.name}.py")
        return [self.python, program, url, str(case.count), str(case.workers), location]

    def installed(self) -> str | None:
        """Install the current version, and return it; None if it cannot be had here."""
        try:
            folder = str(_ENVIRONMENTS / self.name)
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            pip = [self.python, "-m", "pip", "--disable-pip-version-check", "--quiet"]
            subprocess.run([*pip, "install", "--upgrade", self.package], check=True, timeout=600)
        except (subprocess.SubprocessError, OSError):
            return None
        name = self.package.partition("[")[0]
        asked = f"import importlib.metadata as m; print(m.version({name!r}))"
        return subprocess.check_output([self.python, "-c", asked], text=True).strip()


PEERS = (
    Peer("dlt", "dlt[filesystem]"),
    Peer("scrapy", "scrapy"),
    Peer("airbyte", "airbyte-cdk"),
    Peer("singer", "singer-sdk"),
)


@dataclass(frozen=True, slots=True)
class Arena:
    """All that are measured, by name, on one stage."""

    ready: Stage
    peers: Sequence[Peer]

    def names(self) -> list[str]:
        """Name all contenders."""
        return ["floor", "ashore", *[peer.name for peer in self.peers]]

    def command(self, name: str, case: Case, room: Path) -> tuple[list[str], str]:
        """Return the command of a contender, and where it lands."""
        location, url = str(room / "landing"), self.ready.url(case)
        if name == "ashore":
            return [*self.ready.extract(case, room), "--to", location], location
        if name == "floor":
            program = [sys.executable, str(_HERE.parent / "floor.py")]
            return [*program, url, str(case.count), str(case.workers), location], location
        (peer,) = (peer for peer in self.peers if peer.name == name)
        return peer.command(url, case, location), location

    def measured(self, case: Case) -> Measured:
        """Run each contender once; once before, so that all is compiled and read."""
        measured = Measured(case)
        for name in self.names():
            for asked in (Case(20), case):
                command, location = self.command(name, asked, self.ready.room())
                measured.runs[name] = [self.ready.run(command, asked, location)]
        return measured

    def faulty(self, name: str, fault: str) -> list[str]:
        """Return what becomes of a fault of the source: exit status, and what landed."""
        case = Case(_FAULTS, fault=fault)
        command, location = self.command(name, case, self.ready.room())
        run = self.ready.run(command, case, location)
        page = ", the page of HTML too" if _holds_page(location) else ""
        return [str(run.status), f"{_there(location)}{page}"]

    def killed(self, name: str) -> list[str]:
        """Return what is there after a kill in the middle, and what the next run does."""
        case = Case(_FAULTS, latency_ms=20)
        command, location = self.command(name, case, self.ready.room())
        self._kill(command, case)
        left, broken = _there(location), _broken(location, case) if _keeps(name) else 0
        run = self.ready.run(command, case, location)
        words = f"{left}{f', {broken} of them broken' if broken else ''}"
        return [words, f"{run.sent}", f"{run.status}", f"{_there(location)}"]

    def _kill(self, command: Sequence[str], case: Case) -> None:
        self.ready.figures()
        with subprocess.Popen(
            command,
            env=self.ready.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            sent, until = 0.0, time.monotonic() + _A_MINUTE
            while sent < case.count / 2 and process.poll() is None and time.monotonic() < until:
                sent += self.ready.figures()["requests"]
                time.sleep(0.005)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def _keeps(name: str) -> bool:
    """Tell whether a contender keeps the body of an answer as it came."""
    return name in {"floor", "ashore", "scrapy"}


def _files(location: str) -> Iterator[bytes]:
    """The content of what a reader would find: not what a program keeps for itself."""
    for file in Path(location).rglob("*"):
        hidden = any(part.startswith((".", "_")) for part in file.relative_to(location).parts)
        if file.is_file() and not hidden and "manifests" not in file.parts:
            yield file.read_bytes()


def _there(location: str) -> int:
    return len({number for body in _files(location) for number in _SAID.findall(body)})


def _broken(location: str, case: Case) -> int:
    return sum(md5(body) not in digests(case.count, case.size) for body in _files(location))


def _holds_page(location: str) -> bool:
    return any(b"<html>" in body.lower() for body in _files(location))


def main() -> None:
    """Install, measure, and write."""
    versions = {peer: peer.installed() for peer in PEERS}
    with stage(None) as ready:
        arena = Arena(ready, [peer for peer in PEERS if versions[peer]])
        cases = [arena.measured(case) for case in _CASES]
        blocks = {
            "peers": "\n\n".join([_introduced(versions), *map(report.case, cases), _ahead(cases)]),
            "faults": _faults(arena),
            "kills": _kills(arena),
        }
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(report.rewritten(text, blocks), encoding="utf-8")
    print(*blocks.values(), sep="\n\n")


def _introduced(versions: Mapping[Peer, str | None]) -> str:
    told = [
        f"{peer.package} {version or 'could not be installed here'}"
        for peer, version in versions.items()
    ]
    return f"Measured on {dt.datetime.now(dt.UTC).date()}: {', '.join(told)}."


def _ahead(cases: Sequence[Measured]) -> str:
    reached = [
        Bar(f"{each.case}: wall ÷ {name}'s", each.ratio(wall, "ashore", name), 1.0)
        for each in cases
        for name in each.runs
        if _keeps(name) and name not in {"floor", "ashore"}
    ]
    return report.bars(reached)


def _faults(arena: Arena) -> str:
    rows = [
        [name, *[cell for fault in ("short", "html") for cell in arena.faulty(name, fault)]]
        for name in arena.names()
    ]
    short, page = "a listing one record short", "a page of HTML with status 200"
    head = ["", f"{short}: exit", "answers there", f"{page}: exit", "answers there"]
    return report.table(head, rows)


def _kills(arena: Arena) -> str:
    rows = [[name, *arena.killed(name)] for name in arena.names()]
    head = ["", "answers there after a kill", "the next run: requests", "exit", "answers there"]
    return report.table(head, rows)


if __name__ == "__main__":
    main()
