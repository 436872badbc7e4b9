"""The disk misbehaves: rows of the fault matrix whose location is a folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

from tests.chaos.matrix import CannotBeMadeError, row
from tests.chaos.world import Ran, World, good
from tests.support.api import Call, Reply
from tests.support.process import Running, environment

ALL = 13  # a listing and 12 items
GONE_ON = (ALL, 2 * ALL)
"""Requests of a run that failed half-way and of the one that went on."""


def set_out(world: World, size: int = 40) -> None:
    """Declare and serve the listing and its items."""
    world.declare()
    world.serve(size=size)


def at_an_item(world: World, happens: Callable[[], object]) -> None:
    """Let something happen while an item in the middle is being answered."""
    path, name = world.items()[5]
    left = [happens]

    def answer(_call: Call) -> Reply:
        if left:
            left.pop()()
        return good(world.truth[name])

    world.api.on(path, answer)


# --- a disk that is full


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """A small file system of its own in a folder; gone afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
    made = shutil.which("mount") and subprocess.run(mount, capture_output=True, check=False)
    if not made or made.returncode:
        raise CannotBeMadeError("a file system can be mounted by root only")
    try:
        yield
    finally:
        unmount(folder)


@contextlib.contextmanager
def bound(kept: Path, there: Path) -> Iterator[None]:
    """Show a file system in another folder as well."""
    there.mkdir(exist_ok=True)
    subprocess.run(["mount", "--bind", str(kept), str(there)], capture_output=True, check=True)
    try:
        yield
    finally:
        unmount(there)


def unmount(folder: Path) -> None:
    """Take a file system out of a folder, also while it is used; harmless when that is done."""
    subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)


def fill(folder: Path) -> Path:
    """Write until there is no room; removing the file makes room again."""
    file = folder / "somebody-elses"
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as out:
        while out.write(bytes(4096)):
            pass
    return file


def remount(folder: Path, options: str) -> None:
    """Change a file system under whoever uses it."""
    command = ["mount", "-o", f"remount,{options}", str(folder)]
    subprocess.run(command, capture_output=True, check=True)


@row(
    "store",
    "a full disk at the start",
    made="a file system without a free block (tmpfs)",
    promised="nothing is asked; says that the disk is full; with room again, the day is whole",
    exits=(5, 0),
    requests=ALL,
)
def full_at_the_start(world: World) -> None:
    set_out(world)
    with mounted(Path(world.to), "size=1m"):
        file = fill(Path(world.to))
        world.extract().says("No space left", "make room")
        file.unlink()
        world.goes_on()


@row(
    "store",
    "a disk that fills up in mid-run",
    made="the last free block goes while an item is being answered (tmpfs)",
    promised="no half object has a name; with room again, only what is missing is asked for",
    exits=(5, 0),
    requests=GONE_ON,
)
def full_in_mid_run(world: World) -> None:
    set_out(world, size=3000)
    with mounted(Path(world.to), "size=1m"):
        at_an_item(world, lambda: fill(Path(world.to)))
        world.extract().says("No space left", "make room")
        (Path(world.to) / "somebody-elses").unlink()
        world.goes_on()


@row(
    "store",
    "a disk without a free inode",
    made="a file system for 24 files and folders (tmpfs)",
    promised="says that the disk is full, of files as well; with room, the day is whole",
    exits=(5, 0),
    requests=GONE_ON,
)
def no_inodes(world: World) -> None:
    set_out(world)
    with mounted(Path(world.to), "size=1m,nr_inodes=24"):
        world.extract().says("No space left", "inodes")
        remount(Path(world.to), "nr_inodes=200")
        world.goes_on()


@row(
    "store",
    "no room for pages that wait",
    made="TMPDIR is a full file system; the listing has three pages (tmpfs)",
    promised="names TMPDIR; nothing of the set lands; with room again, the day is whole",
    exits=(5, 0),
    requests=(4, 6),
)
def no_room_aside(world: World) -> None:
    pages(world)
    with mounted(world.folder / "tmp", "size=1m"):
        file = fill(world.folder / "tmp")
        world.extract().says("TMPDIR", "room")
        assert world.landed() == {}
        file.unlink()
        world.is_not_stated()
        world.extract()
        world.is_whole()


@row(
    "store",
    "a TMPDIR that cannot be written",
    made="TMPDIR is a file system mounted read-only (tmpfs)",
    promised="nothing is asked; names TMPDIR; with another one, the day is whole",
    exits=(5, 0),
    requests=ALL,
)
def no_temporary_folder(world: World) -> None:
    set_out(world)
    with mounted(world.folder / "tmp", "size=1m,ro"):
        world.extract().says("TMPDIR")
    world.goes_on()


def pages(world: World) -> None:
    """Declare and serve a listing of three pages, which wait for each other."""
    world.declare(
        '[[source.shop.endpoint]]\nname = "items"\npath = "items"\nrecords = "rows"\n'
        'paging = { kind = "page", param = "page", pages = "pages" }\n'
    )
    bodies = [b'{"pages": 3, "rows": [%d, "%s"]}' % (page, b"x" * 3000) for page in (1, 2, 3)]
    world.truth |= {f"items/page={n}.json": body for n, body in enumerate(bodies, start=1)}
    world.api.on("/items", lambda call: good(bodies[int(call.query["page"][0]) - 1]))


# --- a location that may not be written, or is none


def unprivileged(world: World, *arguments: str) -> Ran:
    """Run a command, or extract, as somebody whom permissions bind: root without capabilities."""
    arguments = arguments or tuple(world.arguments())
    command = [sys.executable, "-m", "ashore", *arguments]
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            raise CannotBeMadeError("permissions do not bind root, and there is no setpriv")
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]
    before = len(world.api.calls)
    with Running(command, environment(world.environment), world.folder) as running:
        return world.keep(arguments, running.finish(90), before)


@row(
    "store",
    "a location that is read-only",
    made="the file system is mounted read-only (tmpfs)",
    promised="nothing is asked; says read-only; mounted for writing, the day is whole",
    exits=(5, 0),
    requests=ALL,
)
def read_only(world: World) -> None:
    set_out(world)
    with mounted(Path(world.to), "size=1m,ro"):
        world.extract().says("Read-only", "mount it for writing")
        remount(Path(world.to), "rw")
        world.goes_on()


@row(
    "store",
    "no permission in the middle of the tree",
    made="a folder of the day, of its bodies, statements or notes, may not be entered",
    promised="says which path and who; what landed stays; allowed again, the day is whole",
    exits=(3, 5, 0),
    requests=(2, 3 * ALL),
)
def no_permission(world: World) -> None:
    set_out(world)
    path, name = world.items()[5]
    world.fault(path, [Reply(404)], name)
    world.extract()
    folder = world.chance.choice(sorted(Path(world.to).rglob("*=*/")))
    folder.chmod(0o000)
    ran = unprivileged(world)
    folder.chmod(0o755)
    ran.says(str(folder), "Permission denied", "let user")
    world.goes_on()


@row(
    "store",
    "the permission to write goes in mid-run",
    made="every folder of the location is made read-only while an item is being answered",
    promised="says so; what landed stays; allowed again, only what is missing is asked for",
    exits=(5, 0),
    requests=GONE_ON,
)
def permission_goes(world: World) -> None:
    set_out(world)
    at_an_item(world, lambda: permit(world, 0o555))
    ran = unprivileged(world)
    permit(world, 0o755)
    ran.says("Permission denied", "let user")
    world.goes_on()


def permit(world: World, mode: int) -> None:
    """Give every folder of the location this mode."""
    for folder in [Path(world.to), *Path(world.to).rglob("*/")]:
        folder.chmod(mode)


@row(
    "store",
    "a location that is a file",
    made="--to names a file, or something below one",
    promised="nothing is asked; says so; in a folder, the day is whole",
    exits=(5, 0),
    requests=ALL,
)
def a_file(world: World) -> None:
    set_out(world)
    folder = world.to
    file = world.folder / "notes.txt"
    file.write_text("mine")
    world.to = str(world.chance.choice([file, file / "landing"]))
    world.extract().says("notes.txt", "is a file where a folder has to be")
    assert file.read_text() == "mine"
    world.to = folder
    world.goes_on()


@row(
    "store",
    "a file where a folder should be",
    made="a file is called raw, manifests, .ashore, or as the items' folder",
    promised="says which; it is not touched; moved away, the day is whole",
    exits=(5, 0),
    requests=(ALL, 2 * ALL),
)
def file_for_folder(world: World) -> None:
    set_out(world)
    day = f"raw/extraction_date={world.date}/source=shop"
    places = ["raw", "manifests", ".ashore", f"{day}/endpoint=item", f"{day}/endpoint=items"]
    file = Path(world.to) / places[world.round % len(places)]
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    world.extract().says(f"{file} is a file where a folder has to be", "move it away")
    assert file.read_text() == "mine"
    file.unlink()
    world.goes_on()


@row(
    "store",
    "a location that vanishes in mid-run",
    made="the folder is renamed while an item is being answered, and renamed back",
    promised="no new folder takes its place; renamed back, only what is missing is asked for",
    exits=(5, 0),
    requests=GONE_ON,
)
def vanishes(world: World) -> None:
    set_out(world)
    there, away = Path(world.to), world.folder / "away"
    at_an_item(world, lambda: there.rename(away))
    world.extract().says("gone")
    assert not there.exists(), "a new location was made where the old one had been"
    away.rename(there)
    world.goes_on()


@row(
    "store",
    "a file system that is unmounted in mid-run",
    made="a mounted location goes while an item is being answered, and comes back (tmpfs)",
    promised="nothing lands in the folder beneath; mounted again, only what is missing is asked",
    exits=(5, 0),
    requests=GONE_ON,
)
def unmounted(world: World) -> None:
    set_out(world)
    there, kept = Path(world.to), world.folder / "kept"
    with mounted(kept, "size=1m"), bound(kept, there):
        at_an_item(world, lambda: unmount(there))
        world.extract().says("gone")
        assert not list(there.iterdir()), "something landed beneath the mount"
        with bound(kept, there):
            world.goes_on()


# --- names


@row(
    "store",
    "a location whose path is too long",
    made="--to is so long that its own path, or that of an object, exceeds what the system takes",
    promised="says that it is too long; in a shorter one, the day is whole",
    exits=(5, 0),
    requests=(ALL, 2 * ALL),
)
def too_long(world: World) -> None:
    set_out(world)
    folder, most = world.to, os.pathconf("/", "PC_PATH_MAX")
    length = world.chance.choice([most - 110, most - 90, most + 1])
    world.to = deep(folder, length)
    world.extract().says("too long", "shorter")
    world.to = folder
    world.goes_on()


def deep(folder: str, length: int) -> str:
    """A path of so many characters below a folder."""
    part = "/" + "d" * 99
    left = length - len(folder)
    return folder + part * (left // 100) + "/" * (left % 100 > 1) + "d" * (left % 100 - 1)


@row(
    "store",
    "values with long names",
    made="items whose ids are 150 and 400 characters, of one, three and four bytes, and all but "
    "alike",
    promised="each lands under a name of its own",
    exits=(0,),
    requests=7,
)
def long_names(world: World) -> None:
    ids = ["a" * 150, "a" * 151, "a" * 400, "a" * 399 + "b", "\u20ac" * 150, "\U0001f41f" * 400]
    world.declare()
    world.answer("/items", "items/all.json", json.dumps([{"id": each} for each in ids]).encode())
    for each in ids:
        body = json.dumps({"id": each}).encode()
        world.answer(f"/item/{quote(each, safe='')}", f"item/id={encoded(each)}.json", body)
    world.extract()
    world.is_whole()


def encoded(value: str) -> str:
    """A value as its name holds it, worked out here once more."""
    text = quote(value, safe="").replace("~", "%7E")
    if len(text) <= 150:
        return text
    cut = text[:150]
    cut = cut[: cut.rindex("%")] if "%" in cut[-2:] else cut
    return f"{cut}~{hashlib.sha256(value.encode()).hexdigest()[:16]}"


# --- file systems of other kinds, by a double


FOLDS_CASE = """
import os
stat, link = os.stat, os.link
def twin(path):
    folder, _, name = os.fspath(path).rpartition("/")
    try:
        names = os.listdir(folder or "/")
    except OSError:
        return path
    same = [each for each in names if each.casefold() == name.casefold()]
    return f"{folder}/{same[0]}" if same else path
def folding_stat(path, *where, **more):
    return stat(twin(path) if isinstance(path, (str, os.PathLike)) else path, *where, **more)
def folding_link(aside, final):
    link(aside, twin(final))
os.stat, os.link = folding_stat, folding_link
"""
NO_LINKS = """
import errno, os
def link(aside, final):
    raise OSError(errno.{code}, os.strerror(errno.{code}))
os.link = link
"""
BAD_BLOCK = """
import errno, itertools, os
count, fsync = itertools.count(), os.fsync
def failing(descriptor):
    if next(count) >= 8:
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    fsync(descriptor)
os.fsync = failing
"""


def extract_on(world: World, code: str) -> Ran:
    """Extract where the program sees another file system."""
    return world.extract(PYTHONPATH=world.double(code))


@row(
    "store",
    "a file system that folds case",
    made="two of 12 ids differ in case only; a double of os.stat and os.link, since this system "
    "mounts no such file system",
    promised="refused with the name, never merged; where case is told apart, the day is whole",
    exits=(5, 0),
    requests=(ALL, 2 * ALL),
)
def folds_case(world: World) -> None:
    set_out(world)
    listing = [{"id": f"i{number}"} for number in range(1, 12)] + [{"id": "I7"}]
    world.answer("/items", "items/all.json", json.dumps(listing).encode())
    world.truth.pop("item/id=i12.json")
    world.answer("/item/I7", "item/id=I7.json", b'{"id": "I7"}')
    folded = world.folder / "folded"
    world.to, told_apart = str(folded), world.to
    ran = extract_on(world, FOLDS_CASE)
    ran.says("i7.json" if "i7.json" in ran.told else "I7.json", "case")
    world.is_not_stated()
    world.to = told_apart
    world.goes_on()


@row(
    "store",
    "a file system without hard links",
    made="os.link fails with EPERM, ENOTSUP or EMLINK (a double)",
    promised="nothing is asked; says what is wanting; elsewhere, the day is whole",
    exits=(5, 0),
    requests=ALL,
)
def no_links(world: World) -> None:
    set_out(world)
    code = world.chance.choice(["EPERM", "ENOTSUP", "ENOSYS"])
    ran = extract_on(world, NO_LINKS.format(code=code))
    ran.says("hard links")
    world.goes_on()


@row(
    "store",
    "a disk with a bad block",
    made="from the ninth on, every fsync fails with EIO (a double)",
    promised="what was not confirmed has no name; on a good disk, only what is missing is asked",
    exits=(5, 0),
    requests=GONE_ON,
)
def bad_block(world: World) -> None:
    set_out(world)
    extract_on(world, BAD_BLOCK).says("disk")
    world.goes_on()
