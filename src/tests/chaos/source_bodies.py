"""The source misbehaves: bodies that are cut, broken, endless, or no answer at all."""

from __future__ import annotations

import gzip
import json

from tests.chaos.faulty import ALL, Fault, final, tried_again
from tests.chaos.matrix import row
from tests.chaos.world import TREE, World, good
from tests.support.api import Reply, html_reply

BOM = b"\xef\xbb\xbf"
# Long enough for whoever is well, also on a machine that has other things to do.
BRIEF_TOTAL = 'timeout = { total = "1s" }'
BRIEF_READ = 'timeout = { read = "1s" }'
ERROR = 'error = "error"'
ENVELOPE = b'{"error": {"code": 120, "text": "overloaded"}}'
XML = b'<?xml version="1.0" encoding="utf-8"?><error>overloaded</error>'


def cut(body: bytes, world: World) -> int:
    """Somewhere within a body."""
    return world.chance.randrange(1, len(body) - 1)


def gzipped(body: bytes) -> Reply:
    """An answer that says it is compressed."""
    return Reply(body=body, headers={"Content-Encoding": "gzip"})


def compressed(body: bytes) -> Reply:
    """A good answer by gzip."""
    return gzipped(gzip.compress(body))


def chunked(body: bytes) -> Reply:
    """A good answer in chunks."""
    return Reply(body=body, chunked=True)


def wrong_checksum(body: bytes) -> bytes:
    """A gzip whose checksum is that of another body."""
    return gzip.compress(body)[:-8] + gzip.compress(body + b" ")[-8:]


# --- how bodies end


tried_again(
    [
        Fault(
            "Content-Length larger than the body",
            "says 10 more bytes than there are, and hangs up after the last one",
            lambda body, _: Reply(body=body, content_length=len(body) + 10, cut_after=len(body)),
            "the body was cut off",
        ),
        Fault(
            "Content-Length larger than the body, and silence",
            "says 10 more bytes than there are, and keeps the connection; timeout.read is 1 s",
            lambda body, _: Reply(body=body, content_length=len(body) + 10),
            "no byte within timeout.read",
            source=BRIEF_READ,
            quick=0,
        ),
        Fault(
            "Content-Length smaller than the body",
            "says fewer bytes than there are; the rest follows at once",
            lambda body, world: Reply(body=body, content_length=cut(body, world)),
            "the body is not JSON",
        ),
        Fault(
            "a chunked body that is cut short",
            "hangs up in the middle of a chunk",
            lambda body, world: Reply(
                raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s"
                % (len(body), body[: cut(body, world)])
            ),
            "the body was cut off",
        ),
        Fault(
            "a chunked body without its end",
            "sends all of its body, and hangs up before the last chunk, which is empty",
            lambda body, _: Reply(body=body, chunked=True, cut_after=len(body)),
            "the body was cut off",
            quick=0,
        ),
        Fault(
            "chunks without a length",
            "sends chunks whose lengths are no numbers",
            lambda body, _: Reply(
                raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n" + body
            ),
            "the body was cut off",
            quick=0,
        ),
        Fault(
            "a broken gzip",
            "sends a gzip whose checksum is wrong",
            lambda body, _: gzipped(wrong_checksum(body)),
            "the content coding is damaged",
        ),
        Fault(
            "a gzip that is cut off",
            "sends some of a gzip, with a Content-Length that is right for it",
            lambda body, world: gzipped(gzip.compress(body)[: cut(body, world)]),
            "the content coding is cut off",
            quick=0,
        ),
        Fault(
            "a gzip that is none",
            "says gzip and sends plain JSON",
            lambda body, _: gzipped(body),
            "the content coding is damaged",
            quick=0,
        ),
        Fault(
            "a content coding that nobody asked for",
            "says br, zstd or nonsense",
            lambda body, world: Reply(
                body=body, headers={"Content-Encoding": ("br", "zstd", "x-y")[world.round % 3]}
            ),
            "was not asked for",
            quick=0,
        ),
        Fault(
            "a byte a second",
            "sends its body so; timeout.total is 2.5 s",
            lambda body, _: Reply(body=body, drip=1),
            "the answer took longer than it may",
            source='timeout = { total = "2500ms" }',
            quick=0,
        ),
        Fault(
            "headers, a byte at a time",
            "sends four bytes of them a second; timeout.total is 1 s",
            lambda *_: Reply(raw=b"HTTP/1.1 200 OK\r\nX-Filler: " + b"x" * 1000, drip=0.25),
            "the answer took longer than it may",
            source=BRIEF_TOTAL,
        ),
        Fault(
            "silence",
            "says nothing; timeout.read is 1 s",
            lambda *_: Reply(delay=60),
            "no byte within timeout.read",
            source=BRIEF_READ,
            quick=0,
        ),
        Fault(
            "an endless body, slowly",
            "sends a few blanks after its body, again and again; timeout.total is 1 s",
            lambda body, _: Reply(body=body, content_length=10**12, forever=b" " * 5, drip=0.01),
            "the answer took longer than it may",
            source=BRIEF_TOTAL,
            quick=0,
        ),
        Fault(
            "no end of interim answers",
            "says 100 Continue, again and again; timeout.total is 1 s",
            lambda *_: Reply(raw=b"", forever=b"HTTP/1.1 100 Continue\r\n\r\n", drip=0.001),
            "the answer took longer than it may",
            source=BRIEF_TOTAL,
            quick=0,
        ),
        Fault(
            "endless headers",
            "sends one header after the other, or one without an end",
            lambda _, world: Reply(
                raw=b"HTTP/1.1 200 OK\r\nX-Filler: ",
                forever=(b"x" * 4096, b"x\r\nX-Filler: ")[world.round % 2],
            ),
            "the headers have no end",
        ),
    ]
)
final(
    [
        Fault(
            "an endless body",
            "says 10^12 bytes, or chunks, and goes on sending them; max_body is 1 MiB",
            lambda body, world: endless(body, in_chunks=bool(world.round % 2)),
            "the body is larger than max_body = 1048576",
            source='max_body = "1MiB"',
        ),
        Fault(
            "an error envelope under 200 that is final",
            "sends one; the catalog has error, and retry.errors = false",
            lambda *_: good(ENVELOPE),
            "an error answer",
            source=ERROR,
            retry="retry = { errors = false }",
            quick=0,
        ),
    ]
)


def halved(part: bytes, *, says: bool) -> Reply:
    """A part of a body as if it were all: by its length, or by the end of the connection."""
    return good(part) if says else Reply(raw=b"HTTP/1.1 200 OK\r\n\r\n" + part)


def endless(body: bytes, *, in_chunks: bool) -> Reply:
    """A body that goes on for ever."""
    how = b"Transfer-Encoding: chunked" if in_chunks else b"Content-Length: 1000000000000"
    piece = b" " * 65536
    return Reply(
        raw=b"HTTP/1.1 200 OK\r\n" + how + b"\r\n\r\n" + (b"" if in_chunks else body),
        forever=b"%x\r\n%s\r\n" % (len(piece), piece) if in_chunks else piece,
    )


@row(
    "source",
    "bodies just at max_body, and one beyond",
    made="12 items of 1,000 bytes each, 6 of them sent by gzip or in chunks; max_body is 1,000 B; "
    "another of 1,001",
    promised="those land, the other does not; with a larger max_body, it alone is asked for",
    exits=(3, 0),
    requests=ALL + 1 + 1,
)
def at_max_body(world: World) -> None:
    world.declare(source='max_body = "1000B"')
    world.serve(items=13)
    ways = (good, compressed, chunked)
    *fitting, (path, name) = world.items()
    for number, (fits, item) in enumerate(fitting):
        world.truth[item] = world.truth[item].ljust(1000)
        world.api.on(fits, ways[number % 3](world.truth[item]))
    world.answer(path, name, world.truth[name].ljust(1001))
    world.extract()
    world.is_partly_there(name)
    world.is_reported("the body is larger than max_body = 1000")
    world.declare(source='max_body = "1001B"')
    world.goes_on()


@row(
    "source",
    "two answers to one request",
    made="each of 12 items sends another whole answer after its own, on the same connection",
    promised="what nobody asked for is not taken for the answer to another request",
    exits=(0,),
    requests=ALL,
)
def two_answers(world: World) -> None:
    world.declare()
    world.serve()
    for path, name in world.items():
        both = [world.truth[name], b'{"id": "somebody else"}']
        raw = b"".join(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(b), b) for b in both
        )
        world.api.on(path, Reply(raw=raw))
    world.extract()
    world.is_whole()


# --- what bodies say


tried_again(
    [
        Fault(
            "a web page under 200",
            "sends one",
            lambda *_: html_reply(),
            "the body is not JSON",
        ),
        Fault(
            "an error envelope under 200",
            "sends one; the catalog has error",
            lambda *_: good(ENVELOPE),
            "an error answer",
            source=ERROR,
        ),
        Fault(
            "XML after a byte order mark under 200",
            "sends such an error",
            lambda *_: Reply(body=BOM + XML, headers={"Content-Type": "text/xml"}),
            "the body is not JSON",
            quick=0,
        ),
        Fault(
            "invalid UTF-8",
            "sends a string with such bytes, or all of it in UTF-16",
            lambda body, world: good(
                (b'["\xff\xfe"]', b'["\xed\xa0\x80"]', body.decode().encode("utf-16"))[
                    world.round % 3
                ]
            ),
            "the body is not UTF-8",
            quick=0,
        ),
        Fault(
            "an empty body",
            "sends no byte, or blanks, or a byte order mark alone",
            lambda _, world: good((b"", b" \r\n", BOM)[world.round % 3]),
            "the body is empty",
            quick=0,
        ),
        Fault(
            "truncated JSON",
            "sends some of its body, with a Content-Length that is right for it, or none",
            lambda body, world: halved(body[: cut(body, world)], says=bool(world.round % 2)),
            "the body is not JSON",
        ),
        Fault(
            "JSON nested too deep",
            "sends 100,000 brackets, closed again",
            lambda *_: good(b"[" * 100_000 + b"]" * 100_000),
            "nested too deep",
            quick=0,
        ),
    ]
)


@row(
    "source",
    "what JSON is not judged for",
    made="a byte order mark, NaN, 77-bit and 5,000-digit integers, repeated keys, half a surrogate "
    "pair, blanks around; in the listing too",
    promised="all of it lands as it was sent",
    exits=(0,),
    requests=ALL,
    s3=True,
)
def odd_json(world: World) -> None:
    world.declare(TREE.replace("[].id", "ids"))
    listing = [f"i{number}" for number in range(1, 13)]
    text = f' {{"ids": 0, "n": {2**77 - 1}, "ids": {json.dumps(listing)}, "rate": NaN}} \n'
    world.answer("/items", "items/all.json", BOM + text.encode())
    for number, each in enumerate(listing):
        world.answer(f"/item/{each}", f"item/id={each}.json", ODD[number % len(ODD)])
    world.extract()
    world.is_whole()


ODD = [
    BOM + b'{"id": 1}',
    b"[NaN, Infinity, -Infinity]",
    b'{"n": %d}' % 2**77,
    b'{"n": ' + b"9" * 5000 + b"}",
    b'{"a": 1, "a": 2, "a": {"b": 1, "b": 1}}',
    b'["\\ud800", "\\u0000"]',
    b"\r\n\t 0.10 \n\n",
    b'"\xf0\x9f\x90\x9f"',
    b"-0.0",
    b"1E400",
]
