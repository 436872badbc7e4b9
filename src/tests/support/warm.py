"""Run the command line in a process of its own that need not load the program first.

Loading takes most of the time of a short command. Here a process that has loaded everything is
kept, and forks for each command. What happens while a program is loaded is not seen here:
`process` starts it from nothing.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

from tests.support.process import Environment, Finished, environment

_LOADED = ["ashore.cli", "ashore.command", "ashore.display", "ashore.s3", "ashore.status"]
_LOADED += ["ashore.verify", "tests.support.warm"]


def ashore(*arguments: str, env: Environment, cwd: Path, timeout: float = 60) -> Finished:
    """Run `ashore` to its end, in the test's own environment plus `env`.

    Raises:
        AssertionError: it did not end in time; it was killed.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_LOADED)
    with tempfile.TemporaryDirectory(prefix="warm-") as folder:
        left = Path(folder)
        target = (["ashore", *arguments], environment(env), cwd, left)
        process = context.Process(target=_become, args=target)
        began = time.monotonic()
        process.start()
        process.join(timeout)
        seconds = time.monotonic() - began
        in_time = process.exitcode is not None
        if not in_time:
            process.kill()
            process.join(10)
        told, complained = (_text(left / name) for name in ("out", "err"))
        assert in_time, f"still running after {timeout} s\n--- out\n{told}\n--- err\n{complained}"
        # What a thread learns of its process, another thread may have read away: it says so itself.
        status = _text(left / "status") or process.exitcode
        assert status is not None
        return Finished(int(status), told, complained, seconds)


def _become(arguments: list[str], env: dict[str, str], cwd: Path, left: Path) -> None:
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for number, name in ((1, "out"), (2, "err")):
        with (left / name).open("wb") as opened:
            os.dup2(opened.fileno(), number)
    sys.argv = arguments
    leave = os._exit

    def leave_word(status: int) -> NoReturn:
        (left / "status").write_text(str(status), encoding="utf-8")
        leave(status)

    os._exit = leave_word
    from ashore.__main__ import run  # noqa: PLC0415 - it listens to signals from here on

    run()


def _text(file: Path) -> str:
    return file.read_text("utf-8", errors="replace") if file.exists() else ""
