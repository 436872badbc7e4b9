"""No name leaves the location: rows of the fault matrix about names, links and permissions."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from pathlib import Path
from urllib.parse import quote

from tests.chaos.disk import encoded
from tests.chaos.matrix import CannotBeMadeError, row
from tests.chaos.watch import Watch
from tests.chaos.world import LIST, World, good
from tests.support.api import Call, Reply
from tests.support.process import Running, environment

VALUES = [
    "../../etc/passwd",
    "..\\..\\windows\\system32",
    "/etc/passwd",
    "//server/share",
    "C:\\boot.ini",
    "~root/.ssh/id_rsa",
    "$HOME",
    "`id`",
    "$(id)",
    "; rm -rf ~",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "%252e%252e%252f",
    "..%00.json",
    "...",
    ".. ",
    "nul\0byte",
    "two\nlines",
    "tab\tand\rreturn",
    "\x1b[2J\x1b]52;c;ZXZpbA==\x07",
    "\u202egpj.exe",
    "\u200b",
    "\ufeffbom",
    ".hidden",
    "_hidden",
    "_$folder$",
    "$folder$",
    "page=1",
    "all",
    "all.json",
    "id=i1",
    "CON",
    "nul",
    "COM1.json",
    "a:stream",
    "trailing.",
    "trailing ",
    "-rf",
    "*",
    "?",
    "[ab]",
    "{id}",
    "a&key=x#y?z",
    "'\"<>|",
    "\u00e9",
    "e\u0301",
    "\u212bngstr\u00f6m",
    "\U0001f41f" * 60,
    "a" * 5000,
    "../" * 60,
]


def hostile_values(world: World) -> None:
    """Serve items under all these values, and know how each has to be asked for and to land."""
    world.declare()
    listing = json.dumps([{"id": value} for value in VALUES]).encode()
    world.answer("/items", "items/all.json", listing)
    for value in VALUES:
        body = json.dumps({"id": value}).encode()
        world.answer(f"/item/{quote(value, safe='')}", f"item/id={encoded(value)}.json", body)


@row(
    "security",
    "values that would lead out of a folder",
    made=f"{len(VALUES)} ids: paths, dots, encoded ones, control characters, names with a meaning "
    "to systems and shells, very long ones, the same in two normal forms",
    promised="each lands under a name of its own, as sent; nothing is written anywhere else (an "
    "audit hook)",
    exits=(0,),
    requests=1 + len(VALUES),
)
def names_in_a_folder(world: World) -> None:
    hostile_values(world)
    watch = Watch.over(world)
    world.extract(PYTHONPATH=watch.path)
    world.is_whole()
    watch.wrote_only_in(world.to, world.folder / "tmp")
    outside = [f for f in world.folder.iterdir() if f.name not in {"landing", "tmp"}]
    assert all(f.name.startswith(("double-", "noted-", "catalog")) for f in outside), outside


@row(
    "security",
    "values that would lead out of a prefix in S3",
    made="the same",
    promised="each lands under a key of its own below the prefix, as sent",
    exits=(0,),
    requests=1 + len(VALUES),
    s3=True,
)
def names_in_s3(world: World) -> None:
    assert world.place is not None
    hostile_values(world)
    world.extract()
    world.is_whole()
    prefix = world.to.removeprefix(f"s3://{world.place.bucket}/")
    keys = [key for key, _ in world.place.carried("") if world.folder.name in key]
    assert all(key.startswith(f"{prefix}/") for key in keys), keys


@row(
    "security",
    "values that no request can carry",
    made="the listing also has null, true, lists, objects, NaN, an empty text, one or two dots, "
    "half of a surrogate pair among its ids",
    promised="they are named and never asked for; all others land, the day is not stated",
    exits=(4,),
    requests=13,
)
def no_values(world: World) -> None:
    world.declare(TREE_OF_ALL)
    world.serve()
    ids = json.loads(world.truth["items/all.json"])
    more = '[null, true, false, [], {}, ["x"], {"a": 1}, NaN, -Infinity, "", ".", "..", "\\ud800"]'
    odd = json.loads(more)
    world.chance.shuffle(odd)
    world.answer("/items", "items/all.json", json.dumps([*ids, *({"id": x} for x in odd)]).encode())
    world.extract()
    world.is_reported("13 values cannot stand in a URL, the first is")
    world.is_partly_there()


TREE_OF_ALL = """
[[source.shop.endpoint]]
name = "items"
path = "items"

[[source.shop.endpoint]]
name = "item"
path = "item/{id}"
for_each = { endpoint = "items", select = "map(&id, @)", as = "id" }
"""


# --- links


def links(world: World) -> list[str]:
    """Where in a location a link may stand that leads out of it."""
    day = f"extraction_date={world.date}/source=shop"
    return [
        "raw",
        f"raw/{day}",
        f"raw/{day}/endpoint=item",
        "manifests",
        f"manifests/{day}/runs",
        ".ashore",
        ".ashore/temporary",
        ".ashore/metadata",
    ]


@row(
    "security",
    "a link in a location that leads out of it",
    made="raw, manifests, .ashore or a folder in them is a symbolic link to a folder with files of "
    "somebody else, some of them old",
    promised="says which; nothing there is written, changed or removed; without it, the day is "
    "whole",
    exits=(5, 0),
    requests=(13, 26),
    rounds=8,
)
def linked_folder(world: World) -> None:
    world.declare()
    world.serve()
    link = Path(world.to) / links(world)[world.round % 8]
    outside = world.folder / "of-somebody-else"
    outside.mkdir()
    for name in ("notes.txt", f"{'a' * 32}-0", f"probe-{'b' * 32}"):
        (outside / name).write_text("mine")
        os.utime(outside / name, (0, 0))
    before = state(outside)
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    ran = world.extract()
    ran.says(f"{link} is a link", "put the folder itself there")
    assert state(outside) == before, "something happened behind the link"
    link.unlink()
    world.goes_on()


def state(folder: Path) -> dict[str, tuple[str, int]]:
    """The files of a folder: what they hold, and when they changed."""
    return {f.name: (f.read_text(), f.stat().st_mtime_ns) for f in folder.iterdir()}


@row(
    "security",
    "a link in place of an object",
    made="the name of an object is a link to a file outside, or to nothing",
    promised="never written through; is named with the command that moves it away; then the day "
    "is whole",
    exits=(4, 0),
    requests=13,
)
def linked_object(world: World) -> None:
    world.declare()
    world.serve()
    link, body = object_of(world)
    outside = world.folder / "outside.json"
    if world.round % 2:
        outside.write_bytes(body)
    link.symlink_to(outside)
    world.extract().says(link.name, f"mv {link}")
    assert not outside.exists() or outside.read_bytes() == body
    link.unlink()
    world.goes_on()


def object_of(world: World) -> tuple[Path, bytes]:
    """Where an item will lie in the location, and its body; the folder is there."""
    _path, name = world.items()[3]
    file = Path(world.to) / f"raw/extraction_date={world.date}/source=shop/endpoint={name}"
    file.parent.mkdir(parents=True)
    return file, world.truth[name]


@row(
    "security",
    "a folder in place of an object",
    made="the name of an object is a folder, or a link to one outside",
    promised="nothing is written in it; is named; moved away, the day is whole",
    exits=(5, 0),
    requests=(13, 26),
)
def folder_for_object(world: World) -> None:
    world.declare()
    world.serve()
    place, _body = object_of(world)
    outside = world.folder / "outside"
    outside.mkdir()
    if world.round % 2:
        place.mkdir()
    else:
        place.symlink_to(outside)
    world.extract().says(str(place), "move it away")
    assert not list(outside.iterdir())
    place.rename(world.folder / "aside")
    world.goes_on()


@row(
    "security",
    "a location behind a link",
    made="--to names a symbolic link to a folder",
    promised="the day lands in that folder",
    exits=(0,),
    requests=13,
)
def linked_location(world: World) -> None:
    world.declare()
    world.serve()
    there = world.folder / "there"
    there.mkdir()
    Path(world.to).symlink_to(there)
    world.extract()
    world.is_whole()
    assert (there / "raw").is_dir()


# --- permissions


@row(
    "security",
    "permissions of what is written",
    made="the user's umask is 022, 027, 077, 002 or 000; a page waits in TMPDIR",
    promised="files and folders of the location have the umask's permissions; what waits in TMPDIR "
    "is its owner's alone",
    exits=(0,),
    requests=3,
)
def permissions(world: World) -> None:
    umask = (0o022, 0o027, 0o077, 0o002, 0o000)[world.round % 5]
    bodies = [b'{"pages": 3, "rows": [%d]}' % page for page in (1, 2, 3)]
    world.truth |= {f"items/page={n}.json": body for n, body in enumerate(bodies, start=1)}
    waiting: list[int] = []

    def answer(call: Call) -> Reply:
        page = int(call.query["page"][0])
        if page == 2:
            waiting.extend(_mode(file) for file in (world.folder / "tmp").iterdir())
        return good(bodies[page - 1])

    world.declare(
        f'{LIST}records = "rows"\npaging = {{ kind = "page", param = "page", pages = "pages" }}\n'
    )
    world.api.on("/items", answer)
    extract_with(world, umask)
    world.is_whole()
    assert waiting, "nothing waited in TMPDIR"
    assert all(not mode & 0o077 for mode in waiting), [oct(mode) for mode in waiting]
    for file in Path(world.to).rglob("*"):
        usual = (0o777 if file.is_dir() else 0o666) & ~umask
        assert _mode(file) == usual, f"{file} has {_mode(file):o}, not {usual:o}"


def extract_with(world: World, umask: int) -> None:
    """Extract as somebody with this umask."""
    if not shutil.which("sh"):
        raise CannotBeMadeError("there is no shell to set the umask in")
    command = ["sh", "-c", f'umask {umask:o}; exec "$@"', "sh", sys.executable, "-m", "ashore"]
    before = len(world.api.calls)
    with Running(
        [*command, *world.arguments()], environment(world.environment), world.folder
    ) as running:
        world.keep(world.arguments(), running.finish(90), before)


def _mode(file: Path) -> int:
    return stat.S_IMODE(file.lstat().st_mode)
