"""Watch from within the program what it connects to and what it writes: by an audit hook.

The hook sees each system call of Python's before it is made, and keeps those from being made that
would lead to another host: https://docs.python.org/3/library/audit_events.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.world import World

_HOOK = """
import json, os, sys
log = os.open({log!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
hosts = {hosts!r}
written = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
def text(value):
    return os.fsdecode(value) if isinstance(value, (str, bytes, os.PathLike)) else str(value)
def told(kind, *values):
    os.write(log, (json.dumps([kind, *map(text, values)]) + "\\n").encode())
def watch(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        place = arguments[1] if event in ("socket.connect", "socket.sendto") else arguments
        host, port = (*place, "")[:2] if isinstance(place, tuple) else (place, "")
        told("connects", host, port)
        if [text(host), text(port)] not in hosts:
            raise PermissionError(f"this leads elsewhere: {{host}}")
    elif event == "open" and isinstance(arguments[2], int) and arguments[2] & written:
        told("writes", arguments[0])
    elif event in ("os.mkdir", "os.remove", "os.rmdir", "os.chmod") and arguments[-1] == -1:
        told("writes", arguments[0])  # not within a folder that was opened before
    elif event in ("os.link", "os.rename", "os.symlink"):
        told("writes", arguments[1])
sys.addaudithook(watch)
"""


@dataclass(frozen=True, slots=True)
class Watch:
    """What the hook noted, and what it lets pass."""

    log: Path
    path: str
    """The PYTHONPATH that brings the hook."""
    hosts: list[list[str]]

    @classmethod
    def over(cls, world: World, *hosts: str) -> Watch:
        """Watch the commands of a world: it may ask its source, under these names."""
        log = world.folder / "noted-by-the-hook.jsonl"
        pairs = [[host, str(world.api.port)] for host in (*hosts, "127.0.0.1")]
        return cls(log, world.double(_HOOK.format(log=str(log), hosts=pairs)), pairs)

    def asked_nobody_else(self) -> None:
        """Assert that the program tried to connect to its source, and to nothing else."""
        asked = [noted[1:] for noted in self._noted("connects")]
        assert asked, "the hook saw no connection at all"
        elsewhere = [each for each in asked if each not in self.hosts]
        assert not elsewhere, f"tried to reach {elsewhere}"

    def asked_nobody(self) -> None:
        """Assert that the program tried to connect to nothing at all."""
        assert self.log.exists(), "the hook was not there"
        assert not (asked := self._noted("connects")), f"tried to reach {asked}"

    def wrote_only_in(self, *folders: Path | str) -> None:
        """Assert that nothing was made, written or removed but in these folders."""
        written = {Path(noted[1]).resolve() for noted in self._noted("writes") if noted[1] != "-1"}
        assert written, "the hook saw nothing written at all"
        places = [Path("/dev"), *(Path(folder).resolve() for folder in folders)]
        outside = [
            path for path in written if not any(path.is_relative_to(place) for place in places)
        ]
        assert not outside, f"wrote elsewhere: {outside}"

    def _noted(self, kind: str) -> list[list[str]]:
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [noted for noted in map(json.loads, lines) if noted[0] == kind]
