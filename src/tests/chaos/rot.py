"""Data rots: rows of the fault matrix, in a folder and in S3 alike."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import random
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.chaos.bucket import place_of
from tests.chaos.disk import ALL, set_out
from tests.chaos.matrix import CannotBeMadeError, row
from tests.chaos.world import SOURCE, Ran, World

CHANGED = b'{"of": "another day"}'


# --- objects, wherever they lie


def by_turns(world: World) -> int:
    """Land in a folder in odd rounds, in S3 in even ones; return how often each had its turn."""
    if world.round % 2:
        world.place, world.to = None, str(world.folder / "landing")
    return (world.round - 1) // 2


def write(world: World, path: str, body: bytes) -> None:
    """Put bytes in the place of an object, as no command of ashore would."""
    if world.place is None:
        file = Path(world.to) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
        return
    with contextlib.closing(world.place.server.client()) as client:
        client.put_object(Bucket=world.place.bucket, Key=_key(world, path), Body=body)


def remove(world: World, path: str) -> None:
    """Take an object away."""
    if world.place is None:
        (Path(world.to) / path).unlink()
        return
    with contextlib.closing(world.place.server.client()) as client:
        client.delete_object(Bucket=world.place.bucket, Key=_key(world, path))


def _key(world: World, path: str) -> str:
    return f"{world.to.removeprefix(f's3://{place_of(world).bucket}/')}/{path}"


def body_of(world: World, name: str) -> str:
    """The path of a body, by its name in `truth`."""
    return f"raw/extraction_date={world.date}/source={SOURCE}/endpoint={name}"


def manifest_of(world: World) -> str:
    """The path of the day's manifest."""
    return f"manifests/extraction_date={world.date}/source={SOURCE}/manifest.json"


# --- ways to rot; each returns the paths that have to be named


def flipped(body: bytes, chance: random.Random) -> bytes:
    """The same bytes but for one bit."""
    bit = chance.randrange(len(body) * 8)
    changed = bytearray(body)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def digit_changed(body: bytes, chance: random.Random) -> bytes:
    """The same bytes but for one bit of a digit, of a time where there is one: it reads well."""
    digits = re.finditer(rb"[0-9]", body)
    times = re.finditer(rb'[0-9](?=Z")', body)
    place = chance.choice([found.start() for found in times] or [f.start() for f in digits])
    return body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]


def truncated(body: bytes, chance: random.Random) -> bytes:
    """The beginning of the bytes."""
    return body[: chance.randrange(1, len(body))]


def emptied(_body: bytes, _chance: random.Random) -> bytes:
    """Nothing."""
    return b""


def longer(body: bytes, _chance: random.Random) -> bytes:
    """One byte more: a line end, as editors add it."""
    return body + b"\n"


def line_gone(body: bytes, chance: random.Random) -> bytes:
    """All lines but one."""
    lines = body.splitlines(keepends=True)
    del lines[chance.randrange(len(lines))]
    return b"".join(lines)


def line_twice(body: bytes, chance: random.Random) -> bytes:
    """All lines, and one of them again."""
    lines = body.splitlines(keepends=True)
    lines.insert(chance.randrange(len(lines)), chance.choice(lines))
    return b"".join(lines)


Change = Callable[[bytes, random.Random], bytes]
Rot = Callable[[World], set[str]]


def change_body(change: Change) -> Rot:
    """Change a body."""

    def rot(world: World) -> set[str]:
        name = world.chance.choice(sorted(world.truth))
        write(world, body_of(world, name), change(world.truth[name], world.chance))
        return {body_of(world, name)}

    return rot


def change_statement(which: str, change: Change | None) -> Rot:
    """Change a file of the run, or the manifest; None takes it away."""

    def rot(world: World) -> set[str]:
        found = world.everything("manifests/")
        (path,) = [path for path in found if path.endswith(which)]
        if change is None:
            remove(world, path)
        else:
            write(world, path, change(found[path], world.chance))
        return {path}

    return rot


def missing(world: World) -> set[str]:
    """Take a body away."""
    path = body_of(world, world.chance.choice(sorted(world.truth)))
    remove(world, path)
    return {path}


def foreign(world: World) -> set[str]:
    """Put something into the day that nobody asked for."""
    names = ["item/id=i99.json", "other/all.json", "item/notes.txt", "items/all.json.bak"]
    path = body_of(world, world.chance.choice(names))
    write(world, path, world.chance.choice([b"", b"[]"]))
    return {path}


def exchanged(world: World) -> set[str]:
    """Put two bodies each in the place of the other."""
    # Of one size, so that only their checksums tell.
    one, other = world.chance.sample([f"item/id=i{number}.json" for number in range(1, 10)], 2)
    write(world, body_of(world, one), world.truth[other])
    write(world, body_of(world, other), world.truth[one])
    return {body_of(world, one), body_of(world, other)}


def of_another_day(world: World) -> set[str]:
    """Put a body in the place of that of another day, on which the source had said otherwise."""
    path, name = world.chance.choice(world.items())
    today, truth = world.date, dict(world.truth)
    world.date = day_before(today)
    world.answer(path, name, CHANGED)
    world.extract()
    body = world.everything("raw/")[body_of(world, name)]
    world.date, world.truth = today, truth
    write(world, body_of(world, name), body)
    return {body_of(world, name)}


def day_before(date: str, days: int = 1) -> str:
    """An earlier date."""
    return (dt.date.fromisoformat(date) - dt.timedelta(days=days)).isoformat()


# --- what has to be found


def finds(world: World, named: set[str], *options: str, only: bool = True) -> Ran:
    """Read days back: these paths are named (and only these); nothing is changed by looking."""
    before = world.everything()
    ran = world.verify(*options)
    told = problems(ran)
    assert told == named if only else told >= named, ran.err
    ran.says("nothing was changed")
    assert world.everything() == before, "verify changed something"
    return ran


def problems(ran: Ran) -> set[str]:
    """The paths that a command named, each on a line of its own."""
    lines = [line.removeprefix("ashore: ") for line in ran.err.splitlines()]
    return {
        line.split()[0].rstrip(":") for line in lines if line.startswith(("raw/", "manifests/"))
    }


def coreutils(world: World) -> set[str]:
    """The paths that `sha256sum -c` does not find as the sums have them."""
    if not shutil.which("sha256sum"):
        raise CannotBeMadeError("there is no sha256sum to compare with")
    copy = world.folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    objects = [(path, body) for path, body in world.everything().items() if path[-1] != "/"]
    for path, body in objects:
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_bytes(body)
    (sums,) = copy.glob(f"manifests/extraction_date={world.date}/**/SHA256SUMS")
    command = ["sha256sum", "-c", "--quiet", str(sums.relative_to(copy))]
    ended = subprocess.run(
        command,
        cwd=copy,
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    return {line.partition(": FAILED")[0] for line in ended.stdout.splitlines()}


def alike(
    fault: str,
    made: str,
    *rots: Rot,
    body: bool = True,
    only: bool = True,
    before: int = 0,
    quick: int = 1,
) -> None:
    """Enter the row of some ways to rot, each of which is played in a folder and in S3.

    `body` says whether it befalls bodies, which the sums cover, `only` whether nothing else can be
    named with it; `before` is how many other days have to land.
    """
    words = "verify names it" + (" and nothing else" if only else "") + ", changes nothing"
    words += "; sha256sum -c says the same" if body else ""

    @row(
        "rot",
        f"{fault}, in a folder and in S3",
        made=made,
        promised=f"{words}; with that brought back from a copy, the day holds",
        exits=(*[0] * (1 + before), 4),
        requests=ALL * (1 + before),
        rounds=max(6, 2 * len(rots)),
        quick=quick,
        s3=True,
    )
    def play(world: World) -> None:
        turn = by_turns(world)
        set_out(world)
        world.extract()
        copy = world.everything()
        named = rots[turn % len(rots)](world)
        finds(world, named, only=only)
        if body:
            assert coreutils(world) == named
        restore(world, copy)
        world.is_whole()


def restore(world: World, copy: dict[str, bytes]) -> None:
    """Bring back from a copy what changed since, and take away what came."""
    day = f"extraction_date={world.date}/"
    now = {path: body for path, body in world.everything().items() if day in path}
    for path in set(now) - set(copy):
        remove(world, path)
    for path, body in copy.items():
        if day in path and now.get(path) != body:
            write(world, path, body)


alike("a flipped bit in a body", "any bit of any body", change_body(flipped))
alike(
    "a body that is cut, empty or longer",
    "any body loses its end, all of itself, or has a line end more",
    *map(change_body, (truncated, emptied, longer)),
    quick=0,
)
alike("a missing body", "any body is deleted", missing, quick=2)
alike("two bodies exchanged", "each is put in the place of the other", exchanged)
alike(
    "a body of another day",
    "the source said otherwise on the day before, whose body is put in the place of today's",
    of_another_day,
    before=1,
    quick=0,
)
alike(
    "a foreign object",
    "an object of another name is put into the day, also an empty one",
    foreign,
    body=False,
)
alike(
    "a changed manifest",
    "any bit of the manifest flips, also of a digit only, or any line is gone or there twice",
    *(
        change_statement("manifest.json", change)
        for change in (digit_changed, flipped, line_gone, line_twice)
    ),
    body=False,
    only=False,
)
alike(
    "a manifest that is cut or gone",
    "the manifest loses its end, all of itself, or is deleted",
    *(change_statement("manifest.json", change) for change in (truncated, emptied, None)),
    body=False,
)
for _which in ("receipts.jsonl", "SHA256SUMS"):
    alike(
        f"a changed {_which}",
        "any bit flips, also of a digit only, the end or a line is gone, or the file is",
        *(
            change_statement(_which, change)
            for change in (digit_changed, flipped, line_gone, truncated, None)
        ),
        body=False,
        only=_which == "SHA256SUMS",
        quick=int(_which != "SHA256SUMS"),
    )
