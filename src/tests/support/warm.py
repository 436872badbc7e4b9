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
        out, err = Path(folder) / "out", Path(folder) / "err"
        target = (["ashore", *arguments], environment(env), cwd, out, err)
        process = context.Process(target=_become, args=target)
        began = time.monotonic()
        process.start()
        process.join(timeout)
        seconds = time.monotonic() - began
        in_time = process.exitcode is not None
        if not in_time:
            process.kill()
            process.join(10)
        told, complained = (each.read_text("utf-8", errors="replace") for each in (out, err))
        assert in_time, f"still running after {timeout} s\n--- out\n{told}\n--- err\n{complained}"
        assert process.exitcode is not None
        return Finished(process.exitcode, told, complained, seconds)


def _become(arguments: list[str], env: dict[str, str], cwd: Path, out: Path, err: Path) -> None:
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for number, file in ((1, out), (2, err)):
        with file.open("wb") as opened:
            os.dup2(opened.fileno(), number)
    sys.argv = arguments
    from ashore.__main__ import run  # noqa: PLC0415 - it listens to signals from here on

    run()
