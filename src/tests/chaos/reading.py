"""What reads landed data meets more than rot: rows of the fault matrix."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.chaos.bucket import between, somebody_without
from tests.chaos.disk import ALL, set_out, unprivileged
from tests.chaos.matrix import row
from tests.chaos.proxy import cut_answer, flip_answer, refuse
from tests.chaos.rot import body_of, by_turns, coreutils, day_before, problems, remove, write
from tests.chaos.world import SOURCE, World
from tests.support.api import Reply

# --- several days and sources

DEPOT = """
[source.depot]
base_url = "{url}"

[[source.depot.endpoint]]
name = "stock"
path = "stock"
"""


def three_days(world: World) -> list[str]:
    """Land two sources on three days; return the dates, the earliest first."""
    world.declare()
    world.serve(items=3)
    catalog = world.folder / "catalog.toml"
    catalog.write_text(catalog.read_text() + DEPOT.format(url=world.api.url))
    world.api.on("/stock", Reply(body=b"[7]"))
    today = world.date
    dates = [day_before(today, days) for days in (2, 1, 0)]
    for world.date in dates:
        world.extract("--allow-backdate")
    return dates


@row(
    "rot",
    "rot on one of several days, in a folder and in S3",
    made="two sources, three days; a body of one day changes, the manifest of another goes",
    promised="verify --all reads every complete day of every source and names the one body; "
    "--date and SOURCE read just that; a day without its manifest is not complete",
    exits=(0, 0, 0, 4),
    requests=3 * 5,
    rounds=6,
    s3=True,
)
def rot_on_one_day(world: World) -> None:
    by_turns(world)
    first, middle, today = three_days(world)
    rotten = f"raw/extraction_date={middle}/source=depot/endpoint=stock/all.json"
    write(world, rotten, b"[8]")
    gone = f"manifests/extraction_date={first}/source=shop/manifest.json"
    remove(world, gone)
    where = ("--to", world.to)
    ran = world.run("verify", *where, "--all", "--json")
    shown = {_day(each): each["problems"] for each in json.loads(ran.out)["days"]}
    depot = [("depot", date) for date in (first, middle, today)]
    assert list(shown) == [*depot, ("shop", middle), ("shop", today)]
    (problem,) = shown.pop(("depot", middle))
    assert problem.startswith(f"{rotten}: its bytes are not those that landed")
    assert not any(shown.values()), shown
    for options, status in (
        (["--all", "shop"], 0),
        ([], 0),
        (["--date", middle, "depot"], 4),
        (["--date", first], 4),
    ):
        looked = world.look("verify", *where, *options)
        assert looked.status == status, looked
    assert gone in looked.err
    catalog = ("--catalog", str(world.folder / "catalog.toml"))
    calendar = json.loads(world.look("status", *where, *catalog, "--json").out)["days"]
    states = {_day(each): each["state"] for each in calendar}
    assert (states["shop", first], states["shop", middle]) == ("incomplete", "complete")
    there = world.everything(f"raw/extraction_date={middle}/source={SOURCE}/")
    assert sorted(there.values()) == sorted(world.truth.values())
    world.compared += sum(map(len, there.values()))


def _day(told: dict[str, Any]) -> tuple[str, str]:
    return told["day"]["source"], told["day"]["extraction_date"]


# --- what is no rot, and what cannot be told


@row(
    "rot",
    "a day, or a location, that is not there, in a folder and in S3",
    made="verify of a location before and after the first day, of another day, source or place",
    promised="4 for a day or a source, 5 for a location; each is named",
    exits=(0, 4, 4, 5),
    requests=ALL,
    rounds=6,
    quick=0,
    s3=True,
)
def not_there(world: World) -> None:
    by_turns(world)
    set_out(world)
    where, nowhere = ["--to", world.to], ["--to", "s3://no-such-bucket-anywhere/x"]
    words, before = "the bucket does not exist", 4  # a prefix is there before its first object
    if world.place is None:
        nowhere, words, before = ["--to", str(world.folder / "nowhere")], "no such folder", 5
    assert world.look("verify", *where).status == before
    world.extract()
    missing = "manifest.json: it is missing"
    world.verify("--date", day_before(world.date)).says(missing)
    world.run("verify", *where, "depot").says("no day of depot has landed here")
    world.run("verify", *nowhere).says(words, nowhere[1])
    assert world.landed() == world.truth
    world.compared += sum(map(len, world.truth.values()))


@row(
    "rot",
    "what tools leave in a day, in a folder and in S3",
    made="hidden files, `_SUCCESS`, `$folder$`, empty objects or folders in place of a folder",
    promised="they are nobody's: the day holds",
    exits=(0, 0, 0),
    requests=ALL,
    rounds=6,
    quick=0,
    s3=True,
)
def ignored(world: World) -> None:
    by_turns(world)
    set_out(world)
    world.extract()
    day = f"raw/extraction_date={world.date}/source={SOURCE}/"
    for name in (".DS_Store", "_SUCCESS", "endpoint=item_$folder$", "endpoint=item/._i1.json"):
        write(world, day + name, b"x")
    if world.place:
        write(world, f"{day}endpoint=item/", b"")
    else:
        (Path(world.to) / day / "endpoint=item" / "empty").mkdir()
    assert world.verify().status == 0
    assert coreutils(world) == set()
    assert world.extract().requests == 0
    world.compared += sum(map(len, world.truth.values()))


@row(
    "rot",
    "a folder that may not be read",
    made="a body, a folder of bodies, or the receipts lose all permissions",
    promised="5, not 4: nothing is said of data that cannot be read; allowed again, the day holds",
    exits=(0, 5),
    requests=ALL,
)
def unreadable(world: World) -> None:
    set_out(world)
    world.extract()
    item = Path(world.to) / body_of(world, "item/id=i3.json")
    (receipts,) = Path(world.to).rglob("receipts.jsonl")
    path = (item, item.parent, receipts)[world.round % 3]
    mode = path.stat().st_mode
    path.chmod(0o000)
    ran = unprivileged(world, "verify", SOURCE, "--to", world.to)
    path.chmod(mode)
    ran.says(str(path), "Permission denied", "let user")
    world.is_whole()


@row(
    "rot",
    "a bucket that may not be read",
    made="verify runs as a user without s3:GetObject on raw/ or manifests/, or s3:ListBucket",
    promised="5, not 4; says what to allow; allowed again, the day holds",
    exits=(0, 5),
    requests=ALL,
    s3=True,
)
def denied(world: World) -> None:
    set_out(world)
    world.extract()
    lacking = [("s3:GetObject", "raw"), ("s3:GetObject", "manifests"), ("s3:ListBucket", "")]
    action, prefix = lacking[world.round % 3]
    with somebody_without(world, action, prefix):
        world.verify().says("access is denied", f"allow {action}", f"{world.to}/{prefix}")
    world.is_whole()


@row(
    "rot",
    "an S3 that fails while it is read back",
    made="from some read on S3 answers 503 SlowDown, or cuts every connection in the body's middle",
    promised="5, not 4, in seconds; with S3 back, the day holds",
    exits=(0, 5),
    requests=ALL,
    quick=0,
    s3=True,
)
def fails_meanwhile(world: World) -> None:
    set_out(world)
    world.extract()
    play = refuse(503, "SlowDown") if world.round % 2 else cut_answer
    with between(world) as proxy:
        proxy.fault(play, "GET", "/endpoint=", first=world.chance.randint(1, 10))
        world.verify().says("run again later")
    world.is_whole()


@row(
    "rot",
    "bytes that are damaged on their way to verify",
    made="the answers to five reads, of bodies and statements, arrive with a flipped bit or half",
    promised="they are read once more: the day holds",
    exits=(0, 0),
    requests=ALL,
    s3=True,
)
def damaged_on_the_way(world: World) -> None:
    set_out(world)
    world.extract()
    with between(world) as proxy:
        for key in ("/manifest.json", "/receipts.jsonl", "/SHA256SUMS", "id=i7.json", "id=i8.json"):
            proxy.fault(world.chance.choice([flip_answer, cut_answer]), "GET", key, times=1)
        world.verify()
        assert len(proxy.played) == 5
    world.is_whole()


# --- statements that cannot be read

GARBAGE = (b"", b"{", b"null", b"[" * 50_000, b"\xff\xfe\x00", b'{"format": 1}', b"\x1b[2J[/b]")


@row(
    "rot",
    "a damaged report of a run, in a folder and in S3",
    made="attempt.json or started.json of a run that failed is replaced by garbage",
    promised="status calls the day damaged, names the file and how to move it away; the next "
    "run goes on as ever",
    exits=(3, 0),
    requests=ALL + 1,
    rounds=6,
    s3=True,
)
def damaged_report(world: World) -> None:
    by_turns(world)
    set_out(world)
    path, name = world.items()[3]
    world.fault(path, [Reply(404)], name)
    world.extract()
    which = world.chance.choice(["/attempt.json", "/started.json"])
    (report,) = [path for path in world.everything("manifests/") if path.endswith(which)]
    write(world, report, GARBAGE[world.round % len(GARBAGE)])
    calendar = world.look("status", SOURCE, *read_options(world), "--days", "1", "--json")
    (day,) = json.loads(calendar.out)["days"]
    assert (calendar.status, day["state"]) == (0, "damaged")
    assert day["said"].startswith(f"{report} is damaged"), day
    assert " mv " in day["said"]
    assert world.look("plan", *read_options(world)).status == 0
    world.goes_on()


def read_options(world: World) -> list[str]:
    """Where a command reads, and by what catalog."""
    return ["--to", world.to, "--catalog", str(world.folder / "catalog.toml")]


RUBBISH = (
    "manifests/extraction_date=2026-13-45/source=shop/manifest.json",
    "manifests/extraction_date=today/source=shop/manifest.json",
    "manifests/extraction_date={date}/source=Shop/manifest.json",
    "manifests/extraction_date={date}/source=[b]x[/]/manifest.json",
    "manifests/extraction_date={date}/source=a b/runs/x/started.json",
    "manifests/extraction_date={date}/source=other/manifest.json",
    "manifests/extraction_date={date}/source=shop/runs/x/y/started.json",
    "manifests/extraction_date={date}/manifest.json",
    "manifests/manifest.json",
    "state/source=shop/budget.json",
    "notes.txt",
)


@row(
    "rot",
    "a location full of rubbish, in a folder and in S3",
    made="beside a good day: odd dates and sources, garbage in place of statements",
    promised="status, plan and verify say what is good and what is damaged; what cannot be "
    "ashore's is nobody's; no traceback",
    exits=(0, 4, 0),
    requests=ALL,
    rounds=6,
    s3=True,
)
def rubbish(world: World) -> None:
    by_turns(world)
    set_out(world)
    world.extract()
    for name in RUBBISH:
        write(world, name.format(date=world.date), GARBAGE[world.round % len(GARBAGE)])
    other = f"manifests/extraction_date={world.date}/source=other/manifest.json"
    calendar = world.look("status", *read_options(world), "--days", "1", "--json")
    states = {d["day"]["source"]: d["state"] for d in json.loads(calendar.out)["days"]}
    assert states == {SOURCE: "complete", "other": "damaged"}
    looked = world.look("plan", *read_options(world))
    assert looked.status == 0, looked
    ran = world.run("verify", "--to", world.to)
    assert problems(ran) == {other}, ran
    assert world.extract().requests == 0
    world.is_whole()
