"""What a process asked of the disk, in its order: a trace of system calls by strace."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

STRACE = ("strace", "--follow-forks", "--seccomp-bpf", "--decode-fds=path", "--string-limit=0")
CALLS = (
    *("open", "openat", "creat", "write", "pwrite64", "writev", "truncate", "ftruncate"),
    *("fsync", "fdatasync", "sync_file_range", "link", "linkat", "rename", "renameat", "renameat2"),
    *("symlink", "symlinkat", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir"),
)
LINE = re.compile(
    r"(?P<thread>\d+) +(?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<name>\w+)\()(?P<rest>.*)"
)
UNFINISHED = " <unfinished ...>"
ENDED = re.compile(r"(?P<arguments>.*)\) += (?P<result>-?\d+)")
FILE = re.compile(r'^\d+<(?P<open>[^>]*)>|"(?P<named>[^"]*)"')


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that succeeded."""

    name: str
    """Without what only tells one spelling from another: `link` for linkat, too."""
    paths: tuple[str, ...]
    """The files that it names, or the one behind its descriptor."""
    result: int
    begin: int
    """When it was begun and when it had ended, in lines of the trace."""
    end: int
    creates: bool = False


def why_not() -> str:
    """Why nothing can be traced here; empty where it can."""
    if not shutil.which("strace"):
        return "strace is not installed"
    tried = subprocess.run([*STRACE, "true"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"strace may not trace: {tried.stderr.strip()}"


def traced(command: Sequence[str], file: Path) -> list[str]:
    """The command that runs another one and writes its trace into a file."""
    return [*STRACE, f"--trace=?{',?'.join(CALLS)}", f"--output={file}", *command]


def calls(files: Sequence[Path], root: Path) -> list[Call]:
    """All calls that succeeded and are about files below a folder, of traces one after another."""
    found: list[Call] = []
    first = 0
    for file in files:
        lines = file.read_text().splitlines()
        found += _calls(lines, first)
        first += len(lines) + 1
    return [each for each in found if any(Path(p).is_relative_to(root) for p in each.paths)]


def _calls(lines: Sequence[str], first: int) -> Iterator[Call]:
    begun: dict[str, tuple[int, str, str]] = {}
    for number, line in enumerate(lines, start=first):
        found = LINE.match(line)
        if found is None:
            continue  # a signal, or the end of a thread
        thread, name, text, begin = found["thread"], found["name"], found["rest"], number
        if found["resumed"]:
            begin, name, before = begun.pop(thread)
            text = before + text
        ended = ENDED.match(text)
        if ended is None:
            begun[thread] = begin, name, text.removesuffix(UNFINISHED)
        elif not ended["result"].startswith("-"):
            yield _call(name, ended["arguments"], int(ended["result"]), begin, number)
    for begin, name, text in begun.values():
        # Under way when the process was killed: that it gave a name has to be reckoned with.
        if name.startswith(("mkdir", "link")):
            yield _call(name, text, 0, begin, first + len(lines))


def _call(name: str, arguments: str, result: int, begin: int, end: int) -> Call:
    paths = tuple(each["open"] or each["named"] for each in FILE.finditer(arguments))
    plain = re.sub(r"at2?$|^p(?=write)|64$|v$", "", name)
    plain = {"fdatasync": "fsync", "creat": "open"}.get(plain, plain)
    if plain in ("write", "fsync"):
        paths = paths[:1]  # the other text is what is written
    return Call(plain, paths, result, begin, end, creates="O_CREAT" in arguments or name == "creat")
