"""The source misbehaves, and is left in peace: pauses and rates."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from email.utils import format_datetime
from functools import partial
from itertools import pairwise

from tests.chaos.faulty import ALL, slowly
from tests.chaos.matrix import row
from tests.chaos.world import World, good
from tests.support.api import Call, Reply, html_reply, redirect_reply

BUSY = 40
"""Items that keep two workers busy for longer than a pause, when each takes a tenth of a second."""


# --- pauses


def ahead(seconds: float) -> str:
    """A moment as HTTP writes it; it knows no parts of a second."""
    return format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds), usegmt=True)


PAUSES: dict[str, tuple[str, float, Callable[[int], Reply]]] = {
    "429 with Retry-After in seconds": (
        "429 and Retry-After: 2",
        2.0,
        lambda _: Reply(429, headers={"Retry-After": "2"}),
    ),
    "429 with Retry-After as an HTTP-date": (
        "429 and Retry-After with a date 3 s ahead",
        2.0,
        lambda _: Reply(429, headers={"Retry-After": ahead(3)}),
    ),
    "a pause with another failure": (
        "503, a 403 that is tried again, or a web page under 200, and Retry-After: 2",
        2.0,
        lambda number: Reply((503, 200, 403)[number % 3], b"<html>", {"Retry-After": "2"}),
    ),
}


def _paused(seconds: float, pausing: Callable[[int], Reply], world: World) -> None:
    retry = 'retry = { attempts = 3, max_wait = "10ms", statuses = [403] }'
    world.declare(source="workers = 2", retry=retry)
    world.serve(BUSY)
    slowly(world, 0.1)
    path, name = world.items()[5]
    asked: list[float] = []

    def answer(call: Call) -> Reply:
        asked.append(call.at)
        return pausing(world.round) if call.number == 1 else good(world.truth[name])

    world.api.on(path, answer)
    world.extract()
    world.is_whole()
    begins, ends = silence(world.api.calls)
    assert ends - asked[0] >= seconds, "asked before the pause was over"
    assert ends - begins >= seconds - 0.5, "asked while the host wanted to be left in peace"


def silence(calls: list[Call]) -> tuple[float, float]:
    """The longest time in which nothing was asked: its beginning and its end."""
    moments = sorted(call.at for call in calls)
    return max(pairwise(moments), key=lambda pair: pair[1] - pair[0])


for name, (made, seconds, pausing) in PAUSES.items():
    row(
        "source",
        name,
        made=f"the sixth of 40 items answers {made}, once; the others take 0.1 s each; 2 workers",
        promised="nobody asks for anything in the pause, by the times of arrival; every answer "
        "lands",
        exits=(0,),
        requests=1 + BUSY + 1,
        quick=1 if "seconds" in name else 0,
    )(partial(_paused, seconds, pausing))


NONSENSE = [
    "-1",
    "soon",
    "",
    "1.5",
    "1e9",
    "\u00b2",
    "0x10",
    "1, 2",
    "Thu, 01 Jan 1970 00:00:00 GMT",
]
NONSENSE += ["99 Foo 2099", "2099-01-01T00:00:00Z", ";" * 5000]


@row(
    "source",
    "nonsense in Retry-After",
    made="each of 12 items answers 429 once; its Retry-After is no number, no date, or past",
    promised="the header counts as absent: every answer lands, without a pause",
    exits=(0,),
    requests=ALL + 12,
)
def nonsense(world: World) -> None:
    world.declare()
    world.serve()
    for (path, name), value in zip(world.items(), NONSENSE, strict=True):
        header = value.encode().decode("latin-1")
        world.fault(path, [Reply(429, headers={"Retry-After": header})], name)
    world.extract()
    world.is_whole()
    begins, ends = silence(world.api.calls)
    assert ends - begins < 3, f"a pause of {ends - begins:.1f} s"


TOO_LONG: dict[str, tuple[str, str, tuple[str, ...], str]] = {
    "429 with Retry-After of a day": (
        "86400",
        "longer than retry.max_pause, 5 s",
        (),
        "the host asks to wait 86400 s, longer than max_pause = 5s; come back after ",
    ),
    "429 with a date of tomorrow": (
        "tomorrow",
        "longer than retry.max_pause, 5 s",
        (),
        "longer than max_pause = 5s; come back after ",
    ),
    "a pause beyond the deadline": (
        "60",
        "of 60 s, shorter than retry.max_pause, but longer than --deadline 30s leaves",
        ("--deadline", "30s"),
        "the host asks to wait 60 s, beyond the deadline; come back after ",
    ),
}


def _too_long(header: str, options: tuple[str, ...], words: str, world: World) -> None:
    longest = "10m" if options else "5s"
    retry = f'retry = {{ attempts = 3, max_wait = "10ms", max_pause = "{longest}" }}'
    world.declare(source="workers = 1", retry=retry)
    world.serve()
    path, name = world.items()[4]
    value = ahead(86_400) if header == "tomorrow" else header
    world.fault(path, [Reply(429, headers={"Retry-After": value})], name)
    before = dt.datetime.now(dt.UTC)
    ran = world.extract(*options)
    assert ran.requests == 1 + 5
    reason = world.is_reported(words)["reason"]
    (when,) = re.findall(r"come back after (\S+Z)", reason)
    asked = 86_400 if header == "tomorrow" else int(header)
    late = dt.datetime.fromisoformat(when) - before - dt.timedelta(seconds=asked)
    assert -1 <= late.total_seconds() <= 20, reason
    (ended,) = ran.named("run_ended")
    assert ended["seconds"] < 3, "did not end at once"
    world.goes_on()


for name, (header, made, options, words) in TOO_LONG.items():
    row(
        "source",
        name,
        made=f"the fifth of 12 items answers 429 with a pause {made}, until the next run; 1 worker",
        promised="the run ends at once after 6 requests and says when to come back; the next one "
        "asks for what is missing",
        exits=(3, 0),
        requests=ALL + 1,
        quick=0 if "tomorrow" in name else 1,
        s3="day" in name,
    )(partial(_too_long, header, options, words))


# --- the declared rate


@row(
    "source",
    "a declared rate, under faults",
    made="each of 8 items fails once, then redirects, then answers well; rate = 12/3s, 6 workers",
    promised="never more than 12 requests in any window of 3 s, by the times of arrival; retries "
    "and redirects count",
    exits=(0,),
    requests=1 + 8 * 3,
    alone=True,
)
def rate(world: World) -> None:
    world.declare(source='rate = "12/3s"\nworkers = 6')
    world.serve(items=8)
    for path, name in world.items():
        moved = f"{path}/moved"
        world.fault(path, [html_reply(503), redirect_reply(moved)], name)
        world.answer(moved, name, world.truth[name])
    world.extract()
    world.is_whole()
    moments = sorted(call.at for call in world.api.calls)
    shortest = min(later - sooner for sooner, later in zip(moments, moments[12:], strict=False))
    assert shortest > 3, f"13 requests within {shortest:.3f} s"
