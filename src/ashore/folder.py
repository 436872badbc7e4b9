"""A folder as a location: every name appears at once and whole, and is never replaced."""

import contextlib
import errno
import fcntl
import hashlib
import io
import itertools
import json
import os
import re
import shlex
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ashore.errors import LocationUnusable
from ashore.spool import Spool
from ashore.store import Body, Description, Entry, Metadata

_PIECE = 2**20
_STALE = 86_400.0  # seconds after which a temporary file belongs to a run that was killed
_TEMPORARY = re.compile(r"probe-[0-9a-f]{32}|[0-9a-f]{32}-[0-9]+")
_ROOM = "make room, of bytes or of inodes"
_MENDS = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EIO: "the disk fails: look at it, or land elsewhere",
    errno.EROFS: "mount it for writing",
    errno.EACCES: f"let user {os.geteuid()} read and write there",
    errno.ENOENT: "the folder is gone: bring it back, or mount it again",
    errno.ESTALE: "mount it again",
    errno.EISDIR: "it is a folder where a file has to be: move it away",
    errno.ENAMETOOLONG: "land in a location with a shorter path",
}
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}
_encode = json.JSONEncoder(separators=(",", ":")).encode


class Folder:
    """A location in a folder of this machine."""

    def __init__(self, root: Path) -> None:
        """Use a folder, which need not be there yet."""
        self.root = str(root)
        self.folds_case = False
        self._root = root.absolute()
        self._own = self._root / ".ashore"
        # Where each object passes, paths are plain text: pathlib would cost more than the writing.
        self._temporary = f"{self._own}/temporary"
        self._unique = uuid.uuid4().hex
        self._numbers = itertools.count()
        self._known: set[str] = set()
        self._journals: dict[str, _Journal] = {}
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Make the folder, look whether it folds case, and clear what killed runs left behind."""
        with self._usable(self._own):
            temporary = Path(self._temporary)
            self._make_folder(self._temporary)
            probe = temporary / f"probe-{uuid.uuid4().hex}"
            probe.touch()
            self.folds_case = probe.with_name(probe.name.upper()).exists()
            probe.unlink()
            for left in filter(_is_temporary, temporary.iterdir()):
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - left.lstat().st_mtime > _STALE:
                        left.unlink()

    def create(self, path: str, body: Body, metadata: Metadata | None = None) -> bool:
        """Write aside, make it last, then link: whoever sees the name sees all of it."""
        final = f"{self._root}/{path}"
        # What this instance noted of a file that it made itself must not be taken back.
        if os.path.lexists(final):
            return False
        with self._usable(final), self._aside(body) as aside:
            if metadata is not None:
                self._journal(path).add(path, metadata)
            self._make_folder(final.rpartition("/")[0])
            try:
                _link(aside, final)
            except FileExistsError:
                if metadata is not None:
                    self._journal(path).void(path, body.sha256)
                return False
            return True

    def read(self, path: str) -> bytes | None:
        """Return a file's bytes, or None where there is none."""
        name = f"{self._root}/{path}"
        with self._usable(name):
            try:
                with open(name, "rb") as file:
                    return file.read()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def stream(self, path: str) -> Iterator[bytes]:
        """Yield a file's bytes in pieces of a mebibyte."""
        final = f"{self._root}/{path}"
        with self._usable(final):
            try:
                # Without a buffer of its own: it is read in large pieces.
                file = io.FileIO(final)
            except (FileNotFoundError, NotADirectoryError):
                return
            with file:
                while piece := file.read(_PIECE):
                    yield piece

    def describe(self, path: str) -> Description | None:
        """Read a file for its SHA-256, and find its metadata in the journals of all runs."""
        final = f"{self._root}/{path}"
        with self._usable(final):
            try:
                with open(final, "rb", buffering=0) as file:
                    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                    size = file.tell()
            except (FileNotFoundError, NotADirectoryError):
                return None
            return Description(size, sha256, self._journal(path).find(path, sha256))

    def list(self, prefix: str) -> Iterator[Entry]:
        """Yield every file below a folder."""
        top = self._root / prefix
        with self._usable(top):
            above = len(f"{self._root}/")
            for folder, below, names in os.walk(top, onerror=_raise_unless_missing):
                # A link to a folder is not followed, so it is something by itself.
                links = [name for name in below if os.path.islink(f"{folder}/{name}")]
                for name in (*names, *links):
                    file = f"{folder.rstrip('/')}/{name}"
                    yield Entry(file[above:], os.lstat(file).st_size)

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the folders directly in a folder."""
        top = f"{self._root}/{prefix}"
        with self._usable(top):
            if not os.path.isdir(self._root):
                raise LocationUnusable(f"{self.root}: there is no such folder")
            with contextlib.suppress(FileNotFoundError), os.scandir(top) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if entry.is_dir():
                        yield f"{prefix}{entry.name}/"

    def read_version(self, path: str) -> tuple[bytes, str] | None:
        """Return a file's bytes and their SHA-256, which is its version."""
        body = self.read(path)
        return None if body is None else (body, hashlib.sha256(body).hexdigest())

    def replace(self, path: str, body: bytes, version: str | None) -> bool:
        """Replace a file under a lock, if it is still the version that was read."""
        whole = Body.of(body)
        with self._usable(self._root / path), self._locked(), self._aside(whole) as aside:
            current = self.read_version(path)
            if (current[1] if current else None) != version:
                return False
            self._make_folder(str((self._root / path).parent))
            os.replace(aside, self._root / path)
            _sync_folder(f"{self._root}/{path}".rpartition("/")[0])
            return True

    def settle(self, prefix: str) -> None:
        """Make every folder below one, and those above it, last; their files did already."""
        with self._usable(self._root / prefix):
            for folder, _, _ in os.walk(self._root / prefix):
                _sync_folder(folder)
            _sync_above(self._root / prefix, self._root)

    def how_to_move(self, path: str) -> str:
        """Return the shell's command that moves a file out of the way."""
        away = self._root / "_aside" / path
        old, new = shlex.quote(str(self._root / path)), shlex.quote(str(away))
        return f"mkdir -p {shlex.quote(str(away.parent))} && mv {old} {new}"

    @contextlib.contextmanager
    def _usable(self, path: Path | str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LocationUnusable(_told(error, str(path))) from error

    @contextlib.contextmanager
    def _aside(self, body: Body) -> Iterator[str]:
        """A temporary file that holds the body, on disk; gone at the end of the block."""
        self._make_folder(self._temporary)
        aside = f"{self._temporary}/{self._unique}-{next(self._numbers)}"
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            try:
                _write(descriptor, body)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            yield aside
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(aside)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._make_folder(str(self._own))
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW
        lock = os.open(self._own / "lock", flags, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _make_folder(self, folder: str) -> None:
        if folder not in self._known:
            if not self._known:
                self._root.mkdir(parents=True, exist_ok=True)
            self._refuse_links(folder)
            _make_below(str(self._root), folder)
            self._known.add(folder)

    def _refuse_links(self, folder: str) -> None:
        """Let no link within the location lead out of it; the location itself may be behind one."""
        there = os.path.realpath(self._root) + folder.removeprefix(str(self._root))
        if os.path.realpath(folder) == there:
            return
        places = (Path(folder), *Path(folder).parents)
        links = [p for p in places if self._root in p.parents and p.is_symlink()]
        raise LocationUnusable(
            f"{links[0] if links else folder} is a link, and ashore follows none within a "
            "location; put the folder itself there, or land in another location"
        )

    def _journal(self, path: str) -> "_Journal":
        day = "/".join(path.split("/")[1:3])
        with self._lock:
            if day not in self._journals:
                self._refuse_links(str(self._own / "metadata" / day))
                self._journals[day] = _Journal(self._own / "metadata" / day, self._root)
            return self._journals[day]


class _Journal:
    """The metadata of one day's files: a file for each run, a line for each object.

    A line is on the disk before its file gets its name, so that no file is ever without one.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        self._folder, self._root = folder, root
        self._own: int | None = None
        self._own_name = folder / f"{time.time_ns():020}-{uuid.uuid4().hex}.jsonl"
        self._written = self._flushed = 0
        self._flushing = threading.Lock()
        self._read: dict[Path, int] = {}
        self._found = Spool()
        self._lock = threading.Lock()

    def add(self, path: str, metadata: Metadata) -> None:
        """Note something, and return when the note would survive a loss of power."""
        written = self._write(path, metadata)
        with self._flushing:
            # Whoever waited here finds its line flushed with that of the one who went before.
            if self._flushed < written and self._own is not None:
                flushed = self._written
                os.fsync(self._own)
                self._flushed = flushed

    def void(self, path: str, sha256: str) -> None:
        """Take a note back: the name was taken by another run's file."""
        self._write(path, {"sha256": sha256, "void": True})

    def _write(self, path: str, metadata: Metadata) -> int:
        # A line end before it as well: a line that a full disk cut off must not spoil this one.
        line = b"\n%b\n" % _encode({"path": path, **metadata}).encode()
        with self._lock:
            if self._own is None:
                _make_below(str(self._root), str(self._folder))
                self._own = os.open(
                    self._own_name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL, 0o666
                )
                _sync_above(self._own_name, self._root)
            _write_all(self._own, line)
            self._written += 1
            return self._written

    def find(self, path: str, sha256: str) -> Metadata | None:
        """Return what was noted for a file with just these bytes, or else for one of this name."""
        with self._lock:
            exact = self._noted(f"{path}\n{sha256}")
            if exact is None:
                self._catch_up()
                exact = self._noted(f"{path}\n{sha256}")
            return exact or self._noted(path)

    def _noted(self, key: str) -> Metadata | None:
        """The latest note that was not taken back, in the journals of all runs.

        There are several where an object was moved away and fetched again, with the same bytes.
        """
        for journal in sorted(self._read, reverse=True):
            if found := self._found.get(f"{journal.name}\n{key}"):
                note: Metadata = json.loads(found)
                return note
        return None

    def _catch_up(self) -> None:
        """Read what other runs, and this one, have written since the last time."""
        for file in self._journals():
            begin = self._read.get(file, 0)
            if file.stat().st_size == begin:
                continue
            with file.open("rb") as lines:
                lines.seek(begin)
                for line in lines:
                    if line.endswith(b"\n"):
                        begin += len(line)
                        self._take(file.name, line)
            self._read[file] = begin

    def _journals(self) -> list[Path]:
        # Not by glob: it takes a folder that may not be read for an empty one.
        try:
            with os.scandir(self._folder) as entries:
                return sorted(Path(each.path) for each in entries if each.name.endswith(".jsonl"))
        except FileNotFoundError:
            return []

    def _take(self, journal: str, line: bytes) -> None:
        try:
            note: dict[str, Any] = json.loads(line)
            path, sha256 = note.pop("path"), note["sha256"]
            kept = "" if note.get("void") else _encode(note)
            self._found.put(f"{journal}\n{path}\n{sha256}", kept)
            self._found.put(f"{journal}\n{path}", kept)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return  # a line that a machine did not finish: its file, if any, has no metadata


def _is_temporary(file: Path) -> bool:
    """Tell whether a file's name is one that ashore gives; what others keep there stays."""
    return _TEMPORARY.fullmatch(file.name) is not None


def _make_below(root: str, folder: str) -> None:
    """Make a folder and those above it, but never the location's own again: it may be away."""
    place = root
    for name in folder.removeprefix(root).strip("/").split("/"):
        place = f"{place}/{name}"
        try:
            os.mkdir(place)
        except FileExistsError:
            if not os.path.isdir(place):
                raise


def _link(aside: str, final: str) -> None:
    try:
        os.link(aside, final)
    except OSError as error:
        if error.errno in _NO_LINKS:
            mend = "this file system has no hard links, which ashore needs: land on one that has"
        elif error.errno == errno.EXDEV:
            mend = ".ashore/ and raw/ have to lie on one file system"
        else:
            raise
        raise LocationUnusable(f"{final}: {error.strerror}; {mend}") from error


def _told(error: OSError, path: str) -> str:
    """What happened where, and what the operator can do about it."""
    if error.errno in {errno.ENOTDIR, errno.EEXIST} and (
        file := _in_the_way(str(error.filename or path))
    ):
        return f"{file} is a file where a folder has to be; move it away, or land elsewhere"
    if error.errno == errno.EACCES and isinstance(error.filename, str):
        path = error.filename
    if error.errno == errno.ENAMETOOLONG:
        path = f"{path[:200]}..."
    reason, mend = error.strerror or type(error).__name__, _MENDS.get(error.errno or 0)
    return f"{path}: {reason}; {mend}" if mend else f"{path}: {reason}"


def _in_the_way(path: str) -> Path | None:
    places = [Path(path), *Path(path).parents]
    return next((place for place in places if os.path.isfile(place)), None)


def _write(descriptor: int, body: Body) -> None:
    if isinstance(body.content, bytes):
        _write_all(descriptor, body.content)
        return
    with body.content.open("rb") as source:
        while piece := source.read(_PIECE):
            _write_all(descriptor, piece)


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_above(folder: Path, root: Path) -> None:
    """Make the names of a path last: its own, and those of all folders above it."""
    for above in folder.parents:
        # What lies above the location may be another's, or of a kind that cannot be flushed.
        beyond = () if above.is_relative_to(root) else (OSError,)
        with contextlib.suppress(*beyond):
            _sync_folder(str(above))


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
