"""S3 misbehaves, or the way to it: rows of the fault matrix whose location is a bucket."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from botocore.auth import S3SigV4Auth

from local_s3 import LocalS3, free_ports
from tests.chaos.disk import ALL, GONE_ON, at_an_item, set_out
from tests.chaos.matrix import row
from tests.chaos.proxy import (
    Answered,
    Asked,
    Play,
    Proxy,
    cut,
    cut_answer,
    flip_answer,
    flip_request,
    hang,
    ignore_conditions,
    late,
    lose_answer,
    refuse,
    signed,
    small_pages,
)
from tests.chaos.world import Place, Ran, World
from tests.support.api import Reply

if TYPE_CHECKING:
    from botocore.awsrequest import AWSRequest

ITEM = "/endpoint=item/"
BUDGET = 'budget = { requests = 500, per = "30d" }'
TROUBLES = {
    "500 InternalError": refuse(500, "InternalError"),
    "503 SlowDown": refuse(503, "SlowDown"),
    "400 RequestTimeout": refuse(400, "RequestTimeout"),
}
WRITTEN = {
    "a body": ITEM,
    "started.json": "/started.json",
    "the receipts": "/receipts.jsonl",
    "the manifest": "/manifest.json",
    "the budget": "/budget.json",
}
"""What a run writes, and how its key is known."""
PATIENCE = 40.0
"""Seconds after which a run has given S3 up, on a machine that has much else to do."""


def place_of(world: World) -> Place:
    """Where a row that asked for S3 lands."""
    assert world.place is not None
    return world.place


@contextlib.contextmanager
def between(world: World) -> Iterator[Proxy]:
    """A proxy on the way to S3, in this block."""
    server = place_of(world).server
    with Proxy(server.endpoint) as proxy:
        world.environment["AWS_ENDPOINT_URL"] = proxy.url
        yield proxy
    world.environment["AWS_ENDPOINT_URL"] = server.endpoint


def refused(world: World, *words: str) -> Ran:
    """Extract, and try out, where the location cannot be used: both say so, and ask nothing."""
    if world.round % 2:
        checked = world.look(*world.arguments("--check"))
        assert checked.status == 5, checked
        checked.says(*words)
    ran = world.extract()
    ran.says(*words, "nothing was requested", "mend the location")
    assert ran.requests == 0
    return ran


def half_a_day(world: World) -> None:
    """Land all but one item, which a run to come has to ask for."""
    set_out(world)
    path, name = world.chance.choice(world.items())
    world.fault(path, [Reply(404)], name)
    world.extract()


# --- S3 is in trouble


def in_trouble(name: str, play: Play) -> None:
    """Enter the rows of one trouble: it passes, or it lasts."""

    @row(
        "store",
        f"S3 answers {name} now and then",
        made="two calls in a row of each kind (list and read, look, write), sooner or later",
        promised="they are repeated after a wait; the day is whole",
        exits=(0,),
        requests=ALL,
        quick=int(name.startswith("503")),
        s3=True,
    )
    def passes(world: World) -> None:
        set_out(world)
        with between(world) as proxy:
            for method in ("GET", "PUT"):
                proxy.fault(play, method, first=world.chance.randint(1, 3), times=2)
            proxy.fault(play, "PUT", ITEM, first=world.chance.randint(1, 10), times=2)
            world.extract()
            assert len(proxy.played) >= 4
        world.is_whole()

    @row(
        "store",
        f"S3 answers {name} for ever",
        made="every call, from some moment in mid-run on",
        promised="each call is tried five times, then the run ends, in seconds; what landed stays, "
        "and the next run asks only for what is missing",
        exits=(5, 0),
        requests=GONE_ON,
        quick=int(name.startswith("503")),
        s3=True,
    )
    def lasts(world: World) -> None:
        set_out(world)
        with between(world) as proxy:
            at_an_item(world, lambda: proxy.fault(play))
            ran = world.extract()
            ran.says("S3 is in trouble", "run again later", "confirmed by this run")
            assert ran.seconds < PATIENCE
            assert 5 <= len(proxy.played) <= 5 * (8 + 2), f"{len(proxy.played)} calls"
        world.goes_on()


for _name, _play in TROUBLES.items():
    in_trouble(_name, _play)


@row(
    "store",
    "no connection to S3",
    made="nobody listens at the address of S3",
    promised="nothing is asked; says where nobody answers, in seconds; then the day is whole",
    exits=(5, 0),
    requests=ALL,
    quick=0,
    s3=True,
)
def nobody_listens(world: World) -> None:
    set_out(world)
    (port,) = free_ports(1)
    world.environment["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
    ran = refused(world, "Could not connect", str(port), "AWS_ENDPOINT_URL")
    assert ran.seconds < PATIENCE
    world.environment["AWS_ENDPOINT_URL"] = place_of(world).server.endpoint
    world.goes_on()


@contextlib.contextmanager
def server_of_its_own(world: World) -> Iterator[LocalS3]:
    """An S3 server that this world may end."""
    server = LocalS3()
    world._ends.enter_context(server)
    world.place = Place(server, server.make_bucket("landing"))
    world.to = f"s3://landing/{world.folder.name}"
    world.environment |= server.environment()
    yield server


@row(
    "store",
    "S3 goes away in mid-run",
    made="the server is killed (SIGKILL) while an item is being answered, and later started again",
    promised="the run ends in seconds; with S3 back, only what is missing is asked for",
    exits=(5, 0),
    requests=GONE_ON,
    quick=0,
    s3=True,
)
def goes_away(world: World) -> None:
    set_out(world)
    with server_of_its_own(world) as server:
        at_an_item(world, server.kill)
        ran = world.extract()
        ran.says("Could not connect", "run again later")
        assert ran.seconds < PATIENCE
        server.restart()
        world.goes_on()


@row(
    "store",
    "S3 goes away for a second",
    made="from an item on, connections are cut for a second (by the clock)",
    promised="the run waits for it; every answer is asked for once, the day is whole",
    exits=(0,),
    requests=ALL,
    s3=True,
)
def away_for_a_second(world: World) -> None:
    set_out(world)

    def away(proxy: Proxy, asked: Asked) -> Answered | None:
        return proxy.forward(asked) if time.monotonic() > until[0] else None

    until = [float("inf")]
    with between(world) as proxy:

        def go() -> None:
            until[0] = time.monotonic() + 1
            proxy.fault(away)

        at_an_item(world, go)
        world.extract()
        assert proxy.played
    world.is_whole()


@row(
    "store",
    "a slow S3",
    made="every answer of S3 comes 0.2 s late",
    promised="nothing is given up, asked twice or lost",
    exits=(0,),
    requests=ALL,
    quick=0,
    s3=True,
)
def slow(world: World) -> None:
    set_out(world)
    with between(world) as proxy:
        proxy.fault(late(0.2))
        world.extract()
    world.is_whole()


@row(
    "store",
    "an S3 that hangs",
    made="writes of bodies, or all calls, are never answered; --deadline 4s",
    promised="the run ends at most 15 s after its deadline and says so; the next one goes on",
    exits=(3, 0),
    requests=(ALL, 2 * ALL),
    s3=True,
)
def hangs(world: World) -> None:
    set_out(world)
    with between(world) as proxy:
        if world.round % 2:
            proxy.fault(hang, "PUT", ITEM, first=world.chance.randint(1, 5))
            words = ("the deadline of the run has passed", "look at the location")
        else:
            proxy.fault(hang)
            words = ("did not answer in time", "what landed stays")
        if world.round == 2:
            checked = world.look(*world.arguments("--deadline", "1s", "--check"))
            assert (checked.status, words[0] in checked.err) == (5, True), checked
        ran = world.extract("--deadline", "4s")
        ran.says(*words)
        # The deadline, what is added to it, and what a start may take on a busy machine.
        assert ran.seconds < 4 + 15 + 5
    world.goes_on()


# --- a connection is lost


@row(
    "store",
    "a connection lost before S3 stored something",
    made="once or twice the connection ends without an answer: at a body, started.json, the "
    "receipts, the manifest, the budget",
    promised="it is written again; one manifest, nothing violated, every request counted once",
    exits=(0,),
    requests=ALL,
    s3=True,
)
def lost_before(world: World) -> None:
    what = list(WRITTEN)[world.round % len(WRITTEN)]
    lose(world, cut, WRITTEN[what])


def lost_after(what: str, key: str) -> None:
    """Enter the row of a write that is done, and whose answer is lost."""

    @row(
        "store",
        f"a connection lost after S3 stored {what}",
        made="the write is handed on, and the connection ends without its answer, once or twice",
        promised="the run that writes again meets its own object and knows it; one manifest, "
        "nothing violated, every request counted once",
        exits=(0,),
        requests=ALL,
        s3=True,
    )
    def lost(world: World) -> None:
        lose(world, lose_answer, key)


for _what, _key in WRITTEN.items():
    lost_after(_what, _key)


def lose(world: World, play: Play, key: str) -> None:
    """Extract a day in which the answer to a write gets lost."""
    world.declare(source=BUDGET)
    world.serve()
    writes = 1 if key in {WRITTEN["the manifest"], WRITTEN["the receipts"]} else 2
    times = world.chance.randint(1, 2)
    with between(world) as proxy:
        proxy.fault(play, "PUT", key, first=1 + (world.round - 1) % writes, times=times)
        ran = world.extract()
        assert len(proxy.played) == times
    ran.says(f"complete: {ALL} objects")
    world.is_whole()
    manifest = world.manifest()
    assert manifest is not None
    assert manifest["requests"]["adopted"] == 0, "an object of its own was taken for another's"
    assert world.attempts() == []
    budget = json.loads(world.everything("state/")["state/source=shop/budget.json"])
    assert sum(count for _, count in budget["used"]) == ALL


@row(
    "store",
    "connections lost after a store, by two runs at once",
    made="the answers to ten writes of bodies, and to two of the manifest, are lost",
    promised="both end with the one day; a run takes no other's object for its own",
    exits=(0, 0),
    requests=GONE_ON,
    s3=True,
)
def lost_by_two(world: World) -> None:
    set_out(world)
    with between(world) as proxy:
        proxy.fault(lose_answer, "PUT", ITEM, first=world.chance.randint(1, 8), times=10)
        proxy.fault(lose_answer, "PUT", WRITTEN["the manifest"], times=2)
        at_once(world, [world.arguments(), world.arguments()])
        assert len(proxy.played) >= 3
    world.is_whole()
    assert world.attempts() == []


def at_once(world: World, commands: Sequence[Sequence[str]]) -> None:
    """Run commands at the same time to their ends."""
    with contextlib.ExitStack() as ends:
        started = [ends.enter_context(world.begin(*each)) for each in commands]
        for command, running in zip(commands, started, strict=True):
            world.keep(command, running.finish(90))


# --- answers and bodies are damaged on their way


@row(
    "store",
    "bytes from S3 are damaged on their way",
    made="a half day's listing arrives with a flipped bit or only half, its names only half",
    promised="it is read again; only the item that is missing is asked for",
    exits=(3, 0),
    requests=ALL + 1,
    s3=True,
)
def damaged_answers(world: World) -> None:
    half_a_day(world)
    with between(world) as proxy:
        play = world.chance.choice([flip_answer, cut_answer])
        proxy.fault(play, "GET", "items/all.json", times=2)
        proxy.fault(cut_answer, "GET", "list-type=2", times=2)
        ran = world.extract()
        assert (ran.requests, len(proxy.played)) == (1, 4)
    world.is_whole()


@row(
    "store",
    "bytes from S3 are always damaged on their way",
    made="of a half day, the listing's body always arrives with a flipped bit",
    promised="it is not adopted; says whose bytes they are not, and how to move it away; once "
    "they arrive well, only what is missing is asked for",
    exits=(3, 4, 0),
    requests=ALL + 1,
    quick=0,
    s3=True,
)
def damaged_for_ever(world: World) -> None:
    half_a_day(world)
    with between(world) as proxy:
        proxy.fault(flip_answer, "GET", "items/all.json")
        ran = world.extract()
        ran.says("items/all.json does not hold up", "checksum S3 keeps", "aws s3 mv")
        assert len(proxy.played) < 10
    assert world.is_reported()["outcome"] == "violated"
    world.goes_on()


@row(
    "store",
    "bytes to S3 are damaged on their way",
    made="a bit of some bodies flips on their way; S3 holds them against the SHA-256 that was sent",
    promised="S3 refuses them, they are sent again, the day is whole",
    exits=(0,),
    requests=ALL,
    s3=True,
)
def damaged_bodies(world: World) -> None:
    set_out(world)
    with between(world) as proxy:
        proxy.fault(flip_request, "PUT", ITEM, first=world.chance.randint(1, 9), times=4)
        world.extract()
        assert len(proxy.played) == 4
    world.is_whole()


@row(
    "store",
    "bytes to S3 are always damaged on their way",
    made="a bit of every body flips on its way",
    promised="none lands; says that they are damaged on the way; then the day is whole",
    exits=(5, 0),
    requests=GONE_ON,
    quick=0,
    s3=True,
)
def damaged_bodies_for_ever(world: World) -> None:
    set_out(world)
    with between(world) as proxy:
        proxy.fault(flip_request, "PUT", ITEM)
        ran = world.extract()
        ran.says("damaged on the way")
        assert ran.seconds < PATIENCE
        assert max(Counter(asked.key for asked in proxy.played).values()) <= 20
    assert list(world.landed()) == ["items/all.json"]
    assert world.is_reported()["outcome"] == "location"
    world.goes_on()


# --- S3 and its conditions


@row(
    "store",
    "a store that ignores conditional writes",
    made="the condition is taken out of each write on its way",
    promised="found out before anything is asked; where conditions hold, the day is whole",
    exits=(5, 0),
    requests=ALL,
    s3=True,
)
def no_conditions(world: World) -> None:
    set_out(world)
    with between(world) as proxy:
        proxy.fault(ignore_conditions, "PUT")
        refused(world, "does not honour conditional writes", "If-None-Match")
    world.goes_on()


@row(
    "store",
    "S3 answers 409 ConditionalRequestConflict",
    made="writes of bodies meet other writers three times, or always",
    promised="tried again; where it never ends the run does, in seconds, and the next one goes on",
    exits=None,
    requests=GONE_ON,
    s3=True,
)
def conflict(world: World) -> None:
    set_out(world)
    lasts = world.round % 2 == 0
    with between(world) as proxy:
        play = refuse(409, "ConditionalRequestConflict")
        proxy.fault(play, "PUT", ITEM, **({} if lasts else {"times": 3}))
        ran = world.extract()
        assert ran.status == (5 if lasts else 0), ran
        assert max(Counter(asked.key for asked in proxy.played).values()) <= 20
    if lasts:
        ran.says("other writers were in the way")
        world.goes_on()
    world.is_whole()


@row(
    "store",
    "S3 says of an object that it is not there",
    made="of a half day, a look at one object that is listed is answered with 404",
    promised="it is neither asked for again nor replaced; the next run adopts it",
    exits=(3, 4, 0),
    requests=ALL + 1,
    quick=0,
    s3=True,
)
def gone_for_a_moment(world: World) -> None:
    half_a_day(world)
    with between(world) as proxy:
        proxy.fault(refuse(404, "NoSuchKey"), "HEAD", ITEM, times=1)
        ran = world.extract()
        ran.says("it went away while it was looked at")
        assert ran.requests == 1
    assert world.is_reported()["outcome"] == "violated"
    world.goes_on()


@row(
    "store",
    "S3 says of a complete day that it has no manifest",
    made="the first read of the manifest is answered with 404",
    promised="the run adopts what is there and meets the manifest; nothing is asked",
    exits=(0, 0),
    requests=ALL,
    s3=True,
)
def no_manifest_for_a_moment(world: World) -> None:
    set_out(world)
    world.extract()
    with between(world) as proxy:
        proxy.fault(refuse(404, "NoSuchKey"), "GET", WRITTEN["the manifest"], times=1)
        assert world.extract().requests == 0
        assert len(proxy.played) == 1
    world.is_whole()


@row(
    "store",
    "a listing that comes in small pages",
    made="S3 lists five names a page; a half day is completed and read back",
    promised="all pages are read: nothing is asked twice, foreign, or overlooked",
    exits=(3, 0),
    requests=ALL + 1,
    s3=True,
)
def listed_in_pages(world: World) -> None:
    half_a_day(world)
    with between(world) as proxy:
        proxy.fault(small_pages, "GET", "list-type=2")
        assert world.extract().requests == 1
        assert len(proxy.played) > 4
        world.is_whole()


# --- who may do what


@row(
    "store",
    "credentials that expire in mid-run",
    made="from some call on, S3 answers 400 ExpiredToken",
    promised="one call each, no retry; says to renew them; the next run goes on",
    exits=(5, 0),
    requests=GONE_ON,
    s3=True,
)
def expired(world: World) -> None:
    set_out(world)
    with between(world) as proxy:
        at_an_item(world, lambda: proxy.fault(refuse(400, "ExpiredToken")))
        world.extract().says("the credentials have expired", "renew them", "ExpiredToken")
        assert len(proxy.played) <= 8 + 8
    world.goes_on()


def wrong(fault: str, made: str, environment: dict[str, str | None], *words: str) -> None:
    """Enter the row of credentials that S3 does not take."""

    @row(
        "store",
        fault,
        made=made,
        promised="nothing is asked; says which; with the right ones, the day is whole",
        exits=(5, 0),
        requests=ALL,
        quick=int("secret" in fault),
        s3=True,
    )
    def play(world: World) -> None:
        set_out(world)
        right = dict(world.environment)
        world.environment |= environment
        refused(world, *words)
        world.environment = right
        world.goes_on()


wrong(
    "a wrong secret key",
    "AWS_SECRET_ACCESS_KEY is another one",
    {"AWS_SECRET_ACCESS_KEY": "not-the-secret-of-anybody"},
    "the secret key is wrong",
    "AWS profile",
)
wrong(
    "an unknown access key",
    "AWS_ACCESS_KEY_ID is nobody's",
    {"AWS_ACCESS_KEY_ID": "AKIANOBODYKNOWSTHIS1"},
    "the access key is not known",
    "AWS profile",
)
wrong(
    "no credentials at all",
    "no key in the environment, no profile, no metadata service",
    {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None},
    "there are no AWS credentials",
    "AWS_PROFILE",
)


@row(
    "store",
    "a missing bucket",
    made="--to names a bucket that nobody made",
    promised="nothing is asked, no bucket is made; says so; with the right one, the day is whole",
    exits=(5, 0),
    requests=ALL,
    quick=0,
    s3=True,
)
def no_bucket(world: World) -> None:
    set_out(world)
    right = world.to
    world.to = f"s3://no-such-{world.folder.name.replace('_', '-').lower()}/landing"
    refused(world, world.to, "the bucket does not exist", "create it")
    world.to = right
    world.goes_on()


class Skewed(S3SigV4Auth):
    """Signs as a machine does whose clock is wrong."""

    def __init__(self, by: dt.timedelta, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._by = by

    def _modify_request_before_signing(self, request: AWSRequest) -> None:
        moment = dt.datetime.now(dt.UTC) + self._by
        request.context["timestamp"] = moment.strftime("%Y%m%dT%H%M%SZ")
        super()._modify_request_before_signing(request)  # type: ignore[misc]


def skewed(by: dt.timedelta) -> Play:
    """Hand on with a signature of another moment."""
    return lambda proxy, asked: proxy.forward(signed(asked, lambda *more: Skewed(by, *more)))


@row(
    "store",
    "a clock that is wrong",
    made="every call is signed for a moment 20 minutes to a day ago, or to come; S3 looks at it",
    promised="nothing is asked; says that the clock is wrong; set right, the day is whole",
    exits=(5, 0),
    requests=ALL,
    s3=True,
)
def wrong_clock(world: World) -> None:
    set_out(world)
    by = dt.timedelta(minutes=world.chance.choice([-1440, -20, 20, 1440]))
    with between(world) as proxy:
        proxy.fault(skewed(by))
        refused(world, "this machine's clock is wrong", "RequestTimeTooSkewed")
    world.goes_on()


PERMISSIONS = (
    ("s3:PutObject", "raw"),
    ("s3:PutObject", "manifests"),
    ("s3:PutObject", "state"),
    ("s3:GetObject", "raw"),
    ("s3:GetObject", "manifests"),
    ("s3:GetObject", "state"),
    ("s3:ListBucket", ""),
)
_users = threading.Lock()
"""The server changes its list of users as a whole."""


@contextlib.contextmanager
def somebody_without(world: World, action: str, prefix: str) -> Iterator[None]:
    """Let the program run as a user who lacks one of the permissions that it needs."""
    bucket, _, below = world.to.removeprefix("s3://").partition("/")
    top = f"arn:aws:s3:::{bucket}"
    granted = [
        {
            "Effect": "Allow",
            "Action": [each],
            "Resource": [f"{top}/{below}/{folder}/*" if folder else top],
        }
        for each, folder in PERMISSIONS
        if (each, folder) != (action, prefix)
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": granted})
    name, right = world.folder.name, dict(world.environment)
    with contextlib.closing(place_of(world).server.iam()) as iam, _users:
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="landing", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
    world.environment |= {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
    yield
    world.environment = right


def denied(action: str, *prefixes: str, late: bool = False) -> None:
    """Enter the row of a permission that is missing, on one of some prefixes."""
    where = f" on {' or '.join(f'{prefix}/' for prefix in prefixes)}" if prefixes[0] else ""

    @row(
        "store",
        f"no {action}{where}",
        made="a user of the server's own whose policy lacks this one permission",
        promised=("found with the first body" if late else "found before anything is asked")
        + "; says what to allow, and where; allowed, the day is whole",
        exits=(5, 0),
        requests=ALL + 1 if late else ALL,
        rounds=6,
        s3=True,
    )
    def play(world: World) -> None:
        prefix = prefixes[world.round % len(prefixes)]
        world.declare(source=BUDGET)
        world.serve()
        words = [f"{world.to}/{prefix}", "access is denied", f"allow {action}"]
        with somebody_without(world, action, prefix):
            checked = world.look(*world.arguments("--check"))
            ran = world.extract()
        assert checked.status == (0 if late else 5), checked
        ran.says(*words)
        if not late:
            checked.says(*words)
        if action == "s3:PutObject" and prefix != "manifests":
            world.is_reported(f"allow {action}")
        world.goes_on()


denied("s3:PutObject", "raw", late=True)
denied("s3:PutObject", "manifests", "state")
denied("s3:GetObject", "raw", "manifests", "state")
denied("s3:ListBucket", "")
