"""Several runs at once: rows of the fault matrix."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.chaos import moments, shelves
from tests.chaos.matrix import row
from tests.chaos.shelves import ALL
from tests.chaos.world import SOURCE, SWIFT, Ran, World, good
from tests.support.api import Call, Reply, ScriptedApi

FEWEST, MOST = 2, 5
"""Runs that go on at once."""
SECONDS = 60.0
"""Within which every run ends, however many there are on a slow machine: none waits for another."""
LISTING = "items/all.json"
WINDOW = 8
"""Seconds in which a budget is spent."""
DEPOT = """
[source.depot]
base_url = "{url}"
{retry}
[[source.depot.endpoint]]
name = "stock"
path = "stock"
"""
Start = Callable[[World], Ran]


# --- how runs are made to meet


def how_many(world: World) -> int:
    """Two to five, in turn."""
    return FEWEST + world.round % (MOST - FEWEST + 1)


def plainly(*options: str) -> Start:
    """Extract to the end; where that is 0, a manifest has to stand at that very moment."""

    def start(world: World) -> Ran:
        arguments = world.arguments(*options)
        with world.begin(*arguments) as running:
            ran = world.keep(arguments, running.finish(SECONDS))
        assert ran.status != 0 or world.manifest() is not None, "0 is said and no manifest stands"
        return ran

    return start


def at_once(world: World, starts: Sequence[Start], apart: float = 0.0) -> list[Ran]:
    """Let runs go on at once, each begun at some moment of so many seconds."""

    def begin(start: Start, pause: float) -> Ran:
        time.sleep(pause)
        return start(world)

    with ThreadPoolExecutor(len(starts)) as executor:
        pauses = [world.chance.uniform(0, apart) for _ in starts]
        return list(executor.map(begin, starts, pauses))


def slowly(world: World, call: Call) -> Reply:
    """Answer a little later, so that runs overlap."""
    time.sleep(0.02)
    return shelves.answer(world, call)


def ends_as_one(world: World, runs: Sequence[Ran]) -> None:
    """Assert that all of these runs completed one and the same day, which one of them stated."""
    assert [ran.status for ran in runs] == [0] * len(runs), runs
    world.is_whole()
    manifest = world.manifest()
    assert manifest is not None
    stated = [ran for ran in runs if f"complete: {manifest['objects']} objects" in ran.told]
    assert len(stated) <= 1, f"{len(stated)} runs say that the manifest is theirs"
    again = world.extract()
    assert (again.status, again.requests) == (0, 0)


# --- the same answers for all


def meet(world: World) -> None:
    """Begin two to five runs, at once or in the course of one."""
    shelves.set_out(world)
    world.api.answer(lambda call: slowly(world, call))
    apart = moments.life(world.place) if world.round % 2 else 0.0
    ends_as_one(world, at_once(world, [plainly()] * how_many(world), apart))


@row(
    "together",
    "two to five runs at once, on a folder",
    made="begun together, or each at a random moment of another one's life",
    promised="one day and one manifest; each run ends with 0 and only when the manifest stands; "
    "nobody waits; a further run asks for nothing",
    exits=None,
    requests=(ALL, MOST * ALL),
    rounds=12,
    quick=2,
)
def meet_in_a_folder(world: World) -> None:
    meet(world)


@row(
    "together",
    "two to five runs at once, on S3",
    made="the same",
    promised="the same",
    exits=None,
    requests=(ALL, MOST * ALL),
    rounds=8,
    s3=True,
)
def meet_in_s3(world: World) -> None:
    meet(world)


def meet_a_victim(world: World) -> None:
    """Begin two to five runs, of which one is killed or told to end."""
    shelves.set_out(world)
    world.api.answer(lambda call: slowly(world, call))
    sent = signal.SIGTERM if world.round % 4 == 3 else signal.SIGKILL

    def victim(world: World) -> Ran:
        return moments.at_any(world, world.round, sent)

    apart = moments.life(world.place) if world.round % 2 else 0.0
    killed, *others = at_once(world, [victim, *[plainly()] * (how_many(world) - 1)], apart)
    assert killed.status in (0, -signal.SIGKILL, 143), killed
    ends_as_one(world, others)


@row(
    "together",
    "two to five runs at once of which one is killed, on a folder",
    made="the same; SIGKILL, or now and then SIGTERM, befalls one of them at a random moment",
    promised="the others complete the day, each with 0; nobody waits for the dead one",
    exits=None,
    requests=(ALL, MOST * ALL),
    rounds=12,
    quick=2,
)
def meet_a_victim_in_a_folder(world: World) -> None:
    meet_a_victim(world)


@row(
    "together",
    "two to five runs at once of which one is killed, on S3",
    made="the same",
    promised="the same",
    exits=None,
    requests=(ALL, MOST * ALL),
    rounds=8,
    s3=True,
)
def meet_a_victim_in_s3(world: World) -> None:
    meet_a_victim(world)


# --- other answers for each


TREE = """
[[source.shop.endpoint]]
name = "items"
path = "items"

[[source.shop.endpoint]]
name = "item"
path = "item/{id}"
for_each = { endpoint = "items", select = "[].id", as = "id" }
"""


def differ(world: World) -> None:
    """Answer every call in its own way; the listings all wait until every run has asked."""
    number = how_many(world)
    together = threading.Barrier(number)
    sent: dict[str, set[bytes]] = defaultdict(set)

    def answer(call: Call) -> Reply:
        if call.path == "/items":
            with contextlib.suppress(threading.BrokenBarrierError):
                together.wait(timeout=10)
            ids = [f"c{call.number}", "common", *(f"c{call.number}-{n}" for n in range(3))]
            name, document = LISTING, [{"id": each} for each in ids]
        else:
            name = f"item/id={call.path.rpartition('/')[2]}.json"
            document = [{"asked": call.path, "the": str(call.number)}]
        body = json.dumps(document).encode()
        sent[name].add(body)
        return good(body)

    world.declare(TREE)
    world.api.answer(answer)
    runs = at_once(world, [plainly()] * number)
    landed = world.landed()
    ids = [each["id"] for each in json.loads(landed[LISTING])]
    assert sorted(landed) == sorted([LISTING, *(f"item/id={each}.json" for each in ids)])
    assert all(body in sent[name] for name, body in landed.items())
    world.truth |= landed
    ends_as_one(world, runs)


@row(
    "together",
    "runs at once that are answered differently, on a folder",
    made="each call gets an answer of its own; all runs have asked for the listing before any "
    "gets it",
    promised="one listing lands, and all take it over and ask for its children only; each answer "
    "lands as it was sent",
    exits=None,
    requests=(7, MOST * 7),
    quick=2,
)
def differ_in_a_folder(world: World) -> None:
    differ(world)


@row(
    "together",
    "runs at once that are answered differently, on S3",
    made="the same",
    promised="the same",
    exits=None,
    requests=(7, MOST * 7),
    s3=True,
)
def differ_in_s3(world: World) -> None:
    differ(world)


PAGED = """
[[source.shop.endpoint]]
name = "items"
path = "items"
paging = { kind = "page", param = "page", pages = "pages" }
records = "rows"

[[source.shop.endpoint]]
name = "item"
path = "item/{id}"
for_each = { endpoint = "items", select = "rows[].id", as = "id" }
"""
PAGES = 4


def page(edition: str, number: int, alike: int) -> bytes:
    """A page of an edition of the listing; the first ones are the same in all editions."""
    of = edition if number > alike else "all"
    rows = [{"id": f"{of}-{number}"}]
    return json.dumps({"pages": PAGES, "rows": rows, "edition": of}).encode()


def in_edition(alike: int, call: Call) -> Reply:
    """Answer a caller from the edition of the listing that it is shown."""
    time.sleep(0.01)
    if call.path == "/items":
        return good(page(call.headers["x-edition"], int(call.query["page"][0]), alike))
    return good(json.dumps({"asked": call.path}).encode())


def catalog_of(world: World, edition: str) -> str:
    """Write a catalog whose source is shown an edition of the listing; return its file."""
    world.declare(PAGED, source=f'headers = {{ "X-Edition" = "{edition}" }}')
    file = world.folder / f"{edition}.toml"
    (world.folder / "catalog.toml").rename(file)
    return str(file)


def is_edition(world: World, editions: Sequence[str], alike: int) -> None:
    """Assert that the day is one edition as a whole: its pages, and the children of just these."""
    landed = world.landed()
    pages = {edition: [page(edition, n + 1, alike) for n in range(PAGES)] for edition in editions}
    there = [landed[f"items/page={n + 1}.json"] for n in range(PAGES)]
    assert there in pages.values(), "pages of several editions lie together"
    world.truth = {f"items/page={n + 1}.json": body for n, body in enumerate(there)}
    for body in there:
        for each in json.loads(body)["rows"]:
            asked = json.dumps({"asked": f"/item/{each['id']}"}).encode()
            world.truth[f"item/id={each['id']}.json"] = asked
    world.is_whole()


def show_editions(world: World) -> None:
    """Show each of several runs at once another edition of a listing of several pages."""
    editions = [f"e{number}" for number in range(how_many(world))]
    alike = world.chance.choice((0, 0, 1, 2))
    world.api.answer(lambda call: in_edition(alike, call))
    files = [catalog_of(world, edition) for edition in editions]

    runs = at_once(world, [plainly("--catalog", file) for file in files])
    statuses = [ran.status for ran in runs]
    assert set(statuses) <= {0, 4}, statuses
    assert 0 in statuses, runs
    for ran in runs:
        if ran.status == 4:
            ran.says("does not hold up", "other records", "_aside/")
    is_edition(world, editions, alike)


@row(
    "together",
    "runs at once that are shown different editions of a set of several pages, on a folder",
    made="the listing of four pages is another one for each run, from the first, second or third "
    "page on",
    promised="one edition lands as a whole, with its children; a run that was shown another one "
    "ends with 4 and says how to move away what is there, or with 0 where the day is complete",
    exits=None,
    requests=(2 * PAGES, MOST * 2 * PAGES),
    rounds=10,
    quick=2,
)
def show_editions_in_a_folder(world: World) -> None:
    show_editions(world)


@row(
    "together",
    "runs at once that are shown different editions of a set of several pages, on S3",
    made="the same",
    promised="the same",
    exits=None,
    requests=(2 * PAGES, MOST * 2 * PAGES),
    s3=True,
)
def show_editions_in_s3(world: World) -> None:
    show_editions(world)


@row(
    "together",
    "a set that was killed while it landed, and has changed since",
    made="SIGKILL after one, two or three of four pages landed; then another edition is shown",
    promised="nothing lands beside it, and each page is named; once they are moved away as shown, "
    "the new edition lands as a whole",
    exits=(-signal.SIGKILL, 4, 0),
    requests=4 * PAGES,
)
def changed_since(world: World) -> None:
    world.api.answer(lambda call: in_edition(0, call))
    before, now = (catalog_of(world, edition) for edition in ("before", "now"))
    Path(before).rename(world.folder / "catalog.toml")
    landed = world.chance.randint(1, PAGES - 1)
    moments.at_operation(world, 1, since=f"items/page={landed + 1}.json")
    part = world.landed()
    assert len(part) == landed, part
    ran = world.extract("--catalog", now)
    ran.says("does not hold up", "other records")
    assert world.landed() == part, "something landed beside it"
    move_away(world, len(part))
    world.extract("--catalog", now)
    is_edition(world, ["now"], 0)


def move_away(world: World, objects: int) -> None:
    """Do what the latest attempt says of so many objects that are in the way."""
    violations = world.attempts()[-1]["violations"]
    assert len(violations) == objects, violations
    for text in violations:
        subprocess.run(["sh", "-c", text[text.index("mkdir -p") :]], check=True)


# --- other catalogs, budgets, hosts


@row(
    "together",
    "runs at once with different catalogs",
    made="two to five runs, each with another parameter in the addresses of the 12 items",
    promised="never a manifest over answers to different addresses; 4 names every object of "
    "another address; moved away as shown, only these are asked for, and the day is whole",
    exits=None,
    requests=(13, MOST * 13 + 12),
    rounds=10,
    quick=2,
)
def other_addresses(world: World) -> None:
    files = []
    for version in range(how_many(world)):
        world.declare(f'{TREE}params = {{ version = "{version}" }}\n')
        files.append(world.folder / f"{version}.toml")
        (world.folder / "catalog.toml").rename(files[-1])
    world.serve()
    runs = at_once(world, [plainly("--catalog", str(file)) for file in files])
    assert {ran.status for ran in runs} <= {0, 4}, runs
    for ran in runs:
        if ran.status == 4:
            ran.says("another URL", "_aside/")
    files[0].rename(world.folder / "catalog.toml")
    if world.manifest() is None:
        mend(world)
    urls = [each["url"] for name, each in shelves.receipts(world).items() if name != LISTING]
    assert len({url.partition("version=")[2] for url in urls}) == 1, urls
    world.is_whole()


def mend(world: World) -> None:
    """Move away what a run names that was asked with another address, and run again."""
    ran = world.extract()
    assert ran.status == 4, ran
    named = len(world.attempts()[-1]["violations"])
    move_away(world, named)
    ran = world.extract()
    assert (ran.status, ran.requests) == (0, named), ran


def spend(world: World) -> None:
    """Let runs at once spend a budget that is just enough for some of them."""
    number = how_many(world)
    requests = world.chance.choice((ALL - 10, ALL, ALL + 20, number * ALL))
    shelves.set_out(world, f'budget = {{ requests = {requests}, per = "{WINDOW}s" }}')
    world.api.answer(lambda call: slowly(world, call))
    runs = at_once(world, [plainly()] * number)
    within_budget(world, requests)
    for ran in runs:
        if ran.status:
            assert ran.status in (2, 3), ran
            come_back = "run again after" if ran.status == 3 else "wait until"
            ran.says("the budget of", str(requests), come_back)
    if requests == number * ALL:
        assert {ran.status for ran in runs} == {0}, runs
    for _ in range(MOST):
        if world.manifest() is not None:
            break
        time.sleep(WINDOW + 2)
        world.extract()
    within_budget(world, requests)
    world.is_whole()


def within_budget(world: World, requests: int) -> None:
    """Assert that in no window more requests arrived than the budget has."""
    moments = sorted(call.at for call in world.api.calls)
    for first, beyond in zip(moments, moments[requests:], strict=False):
        assert beyond - first > WINDOW - 0.5, f"{requests} + 1 requests in {beyond - first:.1f} s"


@row(
    "together",
    "runs at once that share a budget, on a folder",
    made="two to five runs of 40 requests; a budget of 30 to all that they may need, in 8 s",
    promised="never more requests in any window, whoever sends them; who finds it used up ends "
    "with 3, or with 2 before it begins, and says when to come back; then the day is whole",
    exits=None,
    requests=(ALL, MOST * ALL),
    rounds=8,
)
def spend_on_a_folder(world: World) -> None:
    spend(world)


@row(
    "together",
    "runs at once that share a budget, on S3",
    made="the same",
    promised="the same",
    exits=None,
    requests=(ALL, MOST * ALL),
    quick=0,
    s3=True,
)
def spend_on_s3(world: World) -> None:
    spend(world)


@row(
    "together",
    "runs at once of two sources at two hosts",
    made="two to five runs of both sources, in different orders; one host answers slowly",
    promised="each source has one day and one manifest; each run ends with 0",
    exits=None,
    requests=(ALL, MOST * ALL),
    rounds=5,
)
def two_hosts(world: World) -> None:
    shelves.set_out(world)
    body = json.dumps([{"id": "d1"}]).encode()
    with ScriptedApi() as depot:
        depot.on("/stock", lambda _: Reply(body=body, delay=world.chance.random() / 4))
        file = world.folder / "catalog.toml"
        file.write_text(file.read_text() + DEPOT.format(url=depot.url, retry=SWIFT))
        orders = [plainly(SOURCE, "depot"), plainly("depot", SOURCE)]
        runs = at_once(world, [orders[turn % 2] for turn in range(how_many(world))])
        assert 1 <= len(depot.calls) <= len(runs)
        ends_as_one(world, runs)
    there = world.everything()
    landed = f"raw/extraction_date={world.date}/source=depot/endpoint=stock/all.json"
    assert there[landed] == body
    assert f"manifests/extraction_date={world.date}/source=depot/manifest.json" in there
    checked = world.look("verify", "depot", "--to", world.to)
    assert checked.status == 0, checked
