"""Run the command line on a real terminal, and keep every byte that it would show."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
import time

from tests.chaos.world import World
from tests.support.process import Finished, environment

SECONDS = 90.0
COLUMNS = 240


def on_a_terminal(world: World, *arguments: str) -> Finished:
    """Run a command whose output and errors both go to a terminal; return what it showed."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 60, COLUMNS, 0, 0))
    shown = bytearray()
    reader = threading.Thread(target=_read, args=(ours, shown))
    reader.start()
    began = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "ashore", *arguments],
        env=environment({**world.environment, "TERM": "xterm-256color"}),
        cwd=world.folder,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        try:
            status = process.wait(SECONDS)
        finally:
            process.kill()
    reader.join()
    os.close(ours)
    return Finished(status, shown.decode(errors="replace"), "", time.monotonic() - began)


def _read(terminal: int, shown: bytearray) -> None:
    """Read until nobody holds the other side any more; Linux then says EIO."""
    with contextlib.suppress(OSError):
        while piece := os.read(terminal, 65536):
            shown.extend(piece)
