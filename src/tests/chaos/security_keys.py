"""Keys are nowhere: rows of the fault matrix in which something gives a key back."""

from __future__ import annotations

import html
import json
from urllib.parse import quote, quote_plus

from tests.chaos.matrix import row
from tests.chaos.proxy import Answered, Asked, Proxy
from tests.chaos.terminal import on_a_terminal
from tests.chaos.world import LIST, SECRET, Ran, World, good
from tests.support.api import Call, Reply, json_reply, redirect_reply

ALL = 13
"""A listing and 12 items."""
URL = quote(SECRET, safe="")
SPELLINGS = {
    "plain": SECRET,
    "URL": URL,
    "form": quote_plus(SECRET).lower(),
    "URL in a URL": quote(URL, safe=""),
    "JSON": "".join(f"\\u{ord(c):04x}" for c in SECRET),
    "JSON with escaped slashes": SECRET.replace("/", "\\/"),
    "JSON in JSON": SECRET.replace("/", "\\\\/").replace("'", "\\\\u0027"),
    "HTML": html.escape(SECRET).replace("/", "&#47;"),
    "HTML in HTML": html.escape(html.escape(SECRET)),
    "another case": SECRET.swapcase(),
}
OTHERS = {"OTHER_KEY": "0123-of-another-source", "AWS_SESSION_TOKEN": "FwoGZXIvYXdzEBYaDExample=="}
PAGES = LIST + 'records = "rows"\npaging = {{ kind = "{kind}"{more} }}\n'


@row(
    "security",
    "the key echoed in an answer",
    made="an item holds it, spelled plain, as URLs, forms, JSON or HTML have it, or one of these "
    "twice, until the next run",
    promised="that answer does not land, the others do; the next run asks for it alone",
    exits=(4, 0),
    requests=ALL + 1,
    rounds=len(SPELLINGS),
)
def echoed(world: World) -> None:
    world.declare()
    world.serve()
    spelling = list(SPELLINGS.values())[world.round % len(SPELLINGS)]
    path, name = world.chance.choice(world.items())
    world.fault(path, [good(b'{"you": "are %s"}' % spelling.encode())], name)
    world.extract()
    world.is_reported("holds the source's key")
    world.is_partly_there(name)
    world.goes_on()


@row(
    "security",
    "the key echoed in error answers",
    made="each of 12 items answers with an error that holds it, in all spellings, whole and cut by "
    "the 300th or 500th character, once and 200 times, with 400, 403, 404, 410, 500 or 200",
    promised="the reader is told of each, and of the key in none",
    exits=(3,),
    requests=1 + 4 * 3 + 4 + 4 * 3,
)
def in_errors(world: World) -> None:
    world.declare(source='error = "error"\nbreaker = 100')
    world.serve()
    for number, (path, _name) in enumerate(world.items()):
        spelling = world.chance.choice(list(SPELLINGS.values()))
        # The reason of an error answer, and the excerpt of a body, are cut here. Of many keys in a
        # row little is left, and then it counts where the body was cut before.
        many = number % 2
        cut = 40 if many else (300, 500)[number % 4 // 2] - world.chance.randrange(len(spelling))
        body = b'{"error": "%s%s"}' % (b"x" * cut, spelling.encode() * (1 + 200 * many))
        status = (404, 500, 200)[number % 3]
        world.api.on(path, Reply(status if number else 410, body))
    world.extract("--log-level", "debug", "--json")
    attempt = world.is_reported("12 of 12 failed for good")
    excerpts = [failure["body"] for failure in attempt["failures"]]
    assert all("xxxx" in excerpt and len(excerpt) <= 500 for excerpt in excerpts), excerpts


@row(
    "security",
    "the key echoed in headers",
    made="each answer repeats it in ETag, Last-Modified, Content-Type, Date, Set-Cookie and "
    "others, beside control characters; in S3",
    promised="the answers land; receipts and the metadata of objects have *** in its place",
    exits=(0,),
    requests=ALL,
    s3=True,
)
def in_headers(world: World) -> None:
    world.declare()
    world.serve()
    spelling = world.chance.choice([SECRET, URL, SPELLINGS["HTML"]])
    names = ["ETag", "Last-Modified", "Date", "Set-Cookie", "WWW-Authenticate", "X-Request-Key"]
    headers = dict.fromkeys(names, f'"{spelling}\x7f\x1b[2J\t  é\x9b"')
    headers["Content-Type"] = f"application/json;\r\n key={spelling}"
    for path, name in world.items():
        world.api.on(path, Reply(body=world.truth[name], headers=headers))
    world.extract("--log-level", "debug")
    world.is_whole()
    receipts = next(b for p, b in world.everything("manifests/").items() if "receipts" in p)
    kept = [json.loads(line)["headers"] for line in receipts.splitlines()]
    assert sum("***" in each["etag"] for each in kept if "etag" in each) == ALL - 1
    assert all(b not in receipts for b in (b"\x7f", b"\x1b", b"\xc2\x9b")), receipts
    resumed(world)


def resumed(world: World) -> None:
    """Without its statements, the day is adopted from what the objects carry."""
    assert world.place is not None
    with_manifest = f"manifests/extraction_date={world.date}/source=shop/manifest.json"
    key = f"{world.to.removeprefix(f's3://{world.place.bucket}/')}/{with_manifest}"
    world.place.server.client().delete_object(Bucket=world.place.bucket, Key=key)
    again = world.look(*world.arguments())
    assert (again.status, again.requests) == (0, 0), again
    world.is_whole()


@row(
    "security",
    "the key echoed in redirects",
    made="each of 12 items leads to an address on the host that holds it as path, parameter and "
    "fragment",
    promised="they are followed, with the key once; receipts have *** in its place",
    exits=(0,),
    requests=1 + 2 * 12,
)
def in_redirects(world: World) -> None:
    world.declare()
    world.serve()
    for path, name in world.items():
        world.api.on(f"/there/{URL}{path}", good(world.truth[name]))
        world.api.on(path, redirect_reply(f"/there/{URL}{path}?key={URL}&was={URL}#{SECRET}"))
    world.extract("--log-level", "debug")
    world.is_whole()
    sent = [call for call in world.api.calls if call.path.startswith("/there")]
    assert all(carries_once(world, call) for call in sent), sent


def carries_once(world: World, call: Call) -> bool:
    """Whether a request carries the key once: as parameter, header or token, by the round."""
    return [
        call.query.get("key") == [SECRET],
        call.headers.get("x-api-key") == SECRET,
        call.headers.get("authorization") == f"Bearer {SECRET}",
    ][world.round % 3]


@row(
    "security",
    "the key echoed in a Link header",
    made="the addresses of the next pages hold it, as parameters",
    promised="they are asked, with the key once; receipts and notes have *** in its place",
    exits=(0,),
    requests=3,
)
def in_links(world: World) -> None:
    def answer(call: Call) -> Reply:
        page = int(call.query.get("page", ["1"])[0])
        link = f'</items?page={page + 1}&key={URL}&was={URL}>; rel="next"'
        headers = {"Link": link} if page < 3 else {}
        return Reply(body=world.truth[f"items/page={page}.json"], headers=headers)

    world.declare(PAGES.format(kind="link", more=""))
    world.truth |= {f"items/page={n}.json": b'{"rows": [%d]}' % n for n in (1, 2, 3)}
    world.api.on("/items", answer)
    world.extract("--log-level", "debug")
    world.is_whole()
    assert all(carries_once(world, call) for call in world.api.calls)


@row(
    "security",
    "the key echoed in the next page's address, in the body",
    made="the first of two pages names the next one with the key in it, until the next run",
    promised="nothing of the set lands; without it, the set does",
    exits=(4, 0),
    requests=1 + 2,
)
def in_next(world: World) -> None:
    world.declare(PAGES.format(kind="cursor", more=', next = "next"'))
    first = {"rows": [1], "next": "/items?page=2"}
    bodies = [json.dumps(each).encode() for each in (first, {"rows": [2]})]
    world.truth |= {f"items/page={n}.json": body for n, body in enumerate(bodies, start=1)}
    echo = json_reply({**first, "next": f"/items?page=2&key={URL}"})
    world.api.on("/items", [echo, *map(good, bodies)])
    world.extract()
    world.is_reported("holds the source's key")
    world.is_partly_there(*world.truth)
    world.extract()
    world.is_whole()


KEPT = "x" * 140
"""So much that the message of an expression would be cut in the key, were it cut at 200."""
FINDINGS: dict[str, dict[str, object]] = {
    'total = "total"': {"total": SECRET},
    'total = "total" ': {"total": [KEPT + "x" * 110, SECRET]},
    'records = "keys(rows)"': {"rows": KEPT + SECRET},
    'records = "sum(rows)"': {"rows": [KEPT, SECRET]},
    'paging = { kind = "page", param = "page", pages = "pages" }': {"pages": {"k": SECRET}},
    'paging = { kind = "cursor", next = "next", param = "after" }': {"next": [SECRET]},
}


@row(
    "security",
    "the key in what expressions find",
    made="total, pages, next or a function of records meets a text with the key in it, also cut by "
    "the 200th or 300th character",
    promised="says which expression met what, and not the key",
    exits=(4,),
    requests=1,
    rounds=len(FINDINGS),
)
def in_findings(world: World) -> None:
    declared, document = list(FINDINGS.items())[world.round % len(FINDINGS)]
    world.declare(f"{LIST}{declared}\n")
    world.api.on("/items", json_reply({"rows": [], **document}))
    world.extract("--log-level", "debug", "--json")
    world.is_reported(next(w for w in ("keys(rows)", "sum(rows)", *document) if w in declared))
    world.is_partly_there()


@row(
    "security",
    "keys while every command is run",
    made="an item answers 404 and one 200 with the key; extract with --json, debug and on a "
    "terminal, --check, plan, status, verify, catalog check and show; keys of others are set",
    promised="the key of this source, of another one and of AWS is in no output, file or name",
    exits=(4, 4),
    requests=13 + 2,
)
def in_all_commands(world: World) -> None:
    world.environment |= OTHERS
    world.declare(source='[source.other]\nbase_url = "http://127.0.0.1:9"\n' + OTHER)
    world.serve()
    (gone, _), (echo, _), *_ = world.items()
    world.api.on(gone, Reply(404, f"no such thing for {SECRET}".encode()))
    world.api.on(echo, good(b'{"you": "are %s"}' % SECRET.encode()))
    world.extract("shop", "--log-level", "debug", "--json")
    world.keep(["on a terminal"], on_a_terminal(world, *world.arguments("shop")))
    catalog = ("--catalog", str(world.folder / "catalog.toml"))
    to = ("--to", world.to)
    for arguments in [
        ("extract", "shop", "other", "--check", *catalog, *to),
        ("extract", "--help"),
        ("plan", *catalog, *to),
        ("status", *catalog, *to),
        ("verify", *to),
        ("catalog", "check", *catalog),
        ("catalog", "show", *catalog),
    ]:
        as_json = ("--json",) if world.round % 2 and arguments[-1] != "--help" else ()
        world.look(*arguments, *as_json)


OTHER = """auth = { header = "X-Key", env = "OTHER_KEY" }
[[source.other.endpoint]]
name = "things"
path = "things"
"""

BUG = """
import os
import ashore.fetch
def broken(sender, response, until):
    raise RuntimeError(f"{response.url} {response.request.headers} {dict(os.environ)}")
ashore.fetch.Sender._read = broken
"""


@row(
    "security",
    "a bug whose message holds the keys",
    made="the function that reads a body raises an error with the URL, the headers and the "
    "environment in its text (a double)",
    promised="the traceback, the log and the attempt have *** in their place",
    exits=(1, 0),
    requests=(ALL + 1, ALL + 8),
)
def a_bug(world: World) -> None:
    world.environment |= OTHERS | {"OTHER_KEY": None}
    world.declare()
    world.serve()
    ran = world.extract("--json", PYTHONPATH=world.double(BUG))
    assert "Traceback" in ran.err, ran
    assert "***" in ran.err, ran
    assert "***" in world.attempts()[0]["reason"]
    assert "report it" in world.attempts()[0]["next"]
    world.goes_on()


@row(
    "security",
    "a store that echoes the keys to it",
    made="a proxy before S3 answers each request with an error whose text is the request's headers "
    "and the keys of AWS",
    promised="nothing is asked; tells the error without the keys; with S3 itself, the day is whole",
    exits=(5, 0),
    requests=ALL,
    s3=True,
)
def a_store(world: World) -> None:
    assert world.place is not None
    world.declare()
    world.serve()
    keys = {
        "AWS_SESSION_TOKEN": OTHERS["AWS_SESSION_TOKEN"],
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
    }
    code = ("Unheard", "AccessDenied", f"Odd{keys['AWS_SESSION_TOKEN']}")[world.round % 3]

    def echo(_proxy: Proxy, asked: Asked) -> Answered:
        told = html.escape(f"{asked.headers} {keys}")
        text = f"<Error><Code>{html.escape(code)}</Code><Message>{told}</Message></Error>"
        return Answered(418, {"Content-Type": "application/xml"}, text.encode())

    with Proxy(world.place.server.endpoint) as between:
        between.fault(echo)
        world.environment |= keys
        ran = world.extract(AWS_ENDPOINT_URL=between.url)
    world.environment |= {"AWS_SESSION_TOKEN": None, **world.place.server.environment()}
    no_part_of(ran, *keys.values())
    world.goes_on()


def no_part_of(ran: Ran, *keys: str) -> None:
    """Assert that a command told nothing of keys that were only its own."""
    for key in keys:
        assert key[:9] not in ran.out + ran.err, ran
        assert key[-9:] not in ran.out + ran.err, ran
