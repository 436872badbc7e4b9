"""The source misbehaves: by the status of its answers, and by how connections end."""

from __future__ import annotations

from tests.chaos.faulty import ALL, Fault, all_well, every_item, final, tried_again
from tests.chaos.matrix import row
from tests.chaos.world import SWIFT, TREE, World
from tests.support.api import Reply, html_reply

OUTAGES = (500, 502, 503, 504)
HEALING = 'retry = { attempts = 3, max_wait = "10ms", statuses = [400, 403] }'


@row(
    "source",
    "a burst of 500, 502, 503 and 504",
    made="each of 12 items answers with one of these, twice, and then well",
    promised="every answer lands",
    exits=(0,),
    requests=ALL + 2 * 12,
    s3=True,
)
def burst(world: World) -> None:
    world.declare()
    world.serve()
    for number, (path, name) in enumerate(world.items()):
        world.fault(path, [html_reply(OUTAGES[number % 4]), Reply(OUTAGES[-number % 4])], name)
    world.extract()
    world.is_whole()


@row(
    "source",
    "a burst that outlasts the tries",
    made="6 of 12 items answer 5xx in every try of the first run, the others well",
    promised="the others land; the next run asks for these 6 alone",
    exits=(3, 0),
    requests=ALL + 2 * 6 + 6,
    quick=0,
)
def long_burst(world: World) -> None:
    world.declare()
    world.serve()
    down = world.chance.sample(world.items(), 6)
    for path, name in down:
        statuses = [world.chance.choice(OUTAGES) for _ in range(3)]
        world.fault(path, [Reply(status) for status in statuses], name)
    world.extract()
    world.is_partly_there(*(name for _, name in down))
    assert len(world.is_reported("item: 6 of 12 failed for good")["failures"]) == 6
    world.goes_on()


@row(
    "source",
    "400 and 403 that heal",
    made="each of 12 items answers with one of these and an HTML page, twice, and then well; the "
    "catalog has both in retry.statuses",
    promised="every answer lands",
    exits=(0,),
    requests=ALL + 2 * 12,
)
def healing(world: World) -> None:
    world.declare(retry=HEALING)
    world.serve()
    for path, name in world.items():
        statuses = world.chance.choices((400, 403), k=2)
        world.fault(path, [html_reply(status) for status in statuses], name)
    world.extract()
    world.is_whole()


@row(
    "source",
    "401 and 403",
    made="the fifth of 12 items answers so until the next run, or 403 in JSON though the catalog "
    "has it in retry.statuses; one worker",
    promised="the whole source ends at once; the next run asks for what is missing",
    exits=(3, 0),
    requests=ALL + 1,
)
def refusal(world: World) -> None:
    refused = (html_reply(401), html_reply(403), Reply(403, b'{"error": "not yours"}'))
    reply = refused[world.round % 3]
    world.declare(source="workers = 1", retry=HEALING if reply.body.startswith(b"{") else SWIFT)
    world.serve()
    path, name = world.items()[4]
    world.fault(path, [reply], name)
    ran = world.extract()
    assert ran.requests <= 1 + 5 + 1, "more than the one at hand was asked afterwards"
    world.is_reported(f"HTTP {reply.status}", "the source refuses", "look at the source's key")
    world.goes_on()


@row(
    "source",
    "401 and 403 with many workers",
    made="every item answers so; 200 items, 8 workers, until the next run",
    promised="at most what was under way was asked; the next run asks for what is missing",
    exits=(3, 0),
    requests=(1 + 1 + 200, 1 + 16 + 200),
    quick=0,
)
def refusal_to_many(world: World) -> None:
    world.declare()
    world.serve(items=200)
    every_item(world, Reply((401, 403)[world.round % 2]))
    world.extract()
    world.is_reported("the source refuses")
    all_well(world)
    world.goes_on()


@row(
    "source",
    "an item that is gone for good",
    made="one of 12 items answers 404 or 410, in this run and the next",
    promised="all others land, no manifest; the next run asks for that one alone",
    exits=(3, 3),
    requests=ALL + 1,
)
def gone(world: World) -> None:
    world.declare()
    world.serve()
    path, name = world.chance.choice(world.items())
    status = (404, 410)[world.round % 2]
    world.api.on(path, Reply(status, b'{"error": "no such item"}'))
    for _ in range(2):
        world.extract()
        world.is_partly_there(name)
        world.is_reported("item: 1 of 12 failed for good", f"HTTP {status}")


@row(
    "source",
    "an item that is gone for good, and may be",
    made="one of 12 items answers 404; allow_missing = 1",
    promised="the day is complete without it, and its manifest names it",
    exits=(0,),
    requests=ALL,
)
def may_be_gone(world: World) -> None:
    world.declare(TREE + "expect = { allow_missing = 1 }\n")
    world.serve()
    path, name = world.chance.choice(world.items())
    world.api.on(path, Reply(404))
    del world.truth[name]
    world.extract()
    world.is_whole()
    manifest = world.manifest() or {}
    assert [each.rpartition("endpoint=")[2] for each in manifest["missing_objects"]] == [name]


# --- one request that fails

final(
    [
        Fault(
            "a success other than 200",
            "answers 201, 202, 204 or 206",
            lambda body, world: Reply((201, 202, 204, 206)[world.round % 4], body),
            "HTTP 20",
        ),
        Fault(
            "400 that says why",
            "answers so, in JSON; the catalog has 400 in retry.statuses",
            lambda *_: Reply(400, b'{"error": "no such country"}'),
            "HTTP 400",
            retry=HEALING,
            quick=0,
        ),
    ]
)
tried_again(
    [
        Fault(
            "408, 425 and 429",
            "answers with one of these",
            lambda _, world: html_reply((408, 425, 429)[world.round % 3]),
            "HTTP 4",
            quick=0,
        ),
        Fault(
            "a reset before the headers",
            "resets the connection",
            lambda *_: Reply(reset=True),
            "the connection was reset",
        ),
        Fault(
            "a reset in the middle of the headers",
            "sends some of its headers and resets the connection",
            lambda *_: Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Le", reset=True),
            "the connection was reset",
            quick=0,
        ),
        Fault(
            "a reset in the middle of the body",
            "sends some of its body and resets the connection",
            lambda body, world: Reply(
                body=body, cut_after=world.chance.randrange(1, len(body) - 1), reset=True
            ),
            "the connection was reset",
        ),
        Fault(
            "a reset at the end of the body",
            "sends all of its body but the last byte and resets the connection",
            lambda body, _: Reply(body=body, cut_after=len(body) - 1, reset=True),
            "the connection was reset",
            quick=0,
        ),
        Fault(
            "a connection closed without an answer",
            "closes the connection when it is asked",
            lambda *_: Reply(raw=b""),
            "closed without an answer",
            quick=0,
        ),
        Fault(
            "nonsense instead of an answer",
            "greets as another protocol does",
            lambda *_: Reply(raw=b"SSH-2.0-OpenSSH_9.6\r\n"),
            "what came is no HTTP",
            quick=0,
        ),
    ]
)
