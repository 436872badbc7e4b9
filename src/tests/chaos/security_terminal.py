"""No answer steers a terminal or a log: rows of the fault matrix about what is shown."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.chaos.matrix import row
from tests.chaos.terminal import on_a_terminal
from tests.chaos.world import TREE, World
from tests.support.api import Reply, json_reply

EVIL = [
    "\x1b[2J\x1b[H",
    "\x1b]52;c;ZXZpbA==\x07",
    "\x1b]0;title\x1b\\",
    "\x1b]8;;http://127.0.0.2/\x1b\\here\x1b]8;;\x1b\\",
    "\x1bP+q544e\x1b\\",
    "\x9b31m\x9d52;c;ZXZpbA==\x9c",
    "\x07\x08\x7f\x0e\x1b(0",
    "right\u202eleft\u2066\u200f\ufeff",
    "[bold red]bold[/bold red]",
    "[link=http://127.0.0.2/]here[/link]",
    "[/]",
    "\\[bold]",
    ":warning: :smiley:",
    'one\n{"level": "info", "event": "run_ended", "exit_status": 0}',
    "two\r\noutcome: complete",
    "three\u2028\u2029\x85\x0b\x0cashore: complete",
]
"""What an answer may hold that a terminal, or whoever reads the log, would take for an order."""
SAFE = re.compile(
    r"\x1b\[[0-9;]*[mKAHGJ]|\x1b\[\?25[lh]"
    # What a progress bar needs: colours, lines that are drawn anew, and the cursor put away.
)


def hostile(world: World) -> None:
    """Let each item answer with something of it, as an error, as text, or in an odd shape."""
    world.declare(
        TREE + 'records = "keys(@)"\n', source='error = "error"\nbreaker = 100', retry=ONCE
    )
    world.serve(items=3 * len(EVIL))
    for number, evil in enumerate(EVIL):
        (error, _), (text, _), (odd, _) = world.items()[3 * number : 3 * number + 3]
        headers = {"ETag": as_header(evil), "Content-Type": f"x/{as_header(evil)}"}
        world.api.on(error, json_reply({"error": f"x{evil}"}))
        world.api.on(text, Reply(404, evil.encode(), headers))
        world.api.on(odd, Reply(body=json.dumps(evil).encode(), headers=headers))


ONCE = 'retry = { attempts = 1, max_wait = "10ms" }'


def as_header(text: str) -> str:
    """Text as a header can hold it."""
    return " ".join(text.splitlines()).encode().decode("latin-1")


def steers(shown: str) -> str | None:
    """What of a terminal's output is neither plain text nor what a progress bar needs."""
    plain = SAFE.sub("", shown).replace("\r\n", "\n").replace("\r", "")
    found = re.search(
        r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]", plain
    )
    return repr(plain[max(found.start() - 80, 0) : found.end() + 20]) if found else None


def shows(shown: str, text: str) -> None:
    """Assert that a text is on the terminal just as it is, wherever lines were broken."""
    plain = SAFE.sub("", shown).replace("\r\n", "").replace("\n", "")
    assert text.replace("\n", "") in plain, f"{text!r} is not shown: {shown}"


MADE = (
    f"{3 * len(EVIL)} items answer with error messages, 404 and odd shapes that hold terminal "
    "escape sequences (clear, clipboard, title, links, C1), directions of writing, markup, emoji "
    "names, line ends and forged log lines, in bodies and headers"
)


@row(
    "security",
    "answers that would steer a terminal",
    made=f"{MADE}; shown on a real terminal (pty)",
    promised="all of it is shown as text, escaped, each on its line",
    exits=(4,),
    requests=1 + 3 * len(EVIL),
)
def on_terminals(world: World) -> None:
    hostile(world)
    ended = on_a_terminal(world, *world.arguments())
    world.keep(world.arguments(), ended)
    shown = ended.out
    assert (found := steers(shown)) is None, found
    shows(shown, "[bold red]bold[/bold red]")
    shows(shown, "[link=http://127.0.0.2/]here[/link]")
    shows(shown, ":warning: :smiley:")
    shows(shown, "failed raw/extraction_date=")
    lines = [line for line in SAFE.sub("", shown).replace("\r", "").split("\n") if line.strip()]
    forged = [line for line in lines if line.startswith(("outcome:", "ashore: complete", "{"))]
    assert not forged, forged
    world.is_partly_there(*(name for _, name in world.items()))


@row(
    "security",
    "answers that would forge a log",
    made=f"{MADE}; logged",
    promised="each line of the log is one event of the run, in ASCII; the attempt has what was "
    "sent, escaped",
    exits=(4,),
    requests=1 + 3 * len(EVIL),
)
def in_logs(world: World) -> None:
    hostile(world)
    ran = world.extract("--log-level", "debug")
    lines = [json.loads(line) for line in ran.err.splitlines()]
    assert all(line["source"] == "shop" and line["run_id"] for line in lines), ran.err
    assert ran.err.isascii(), ran.err
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", ran.err)
    assert len(ran.named("run_ended")) == 1
    assert len(ran.named("failed")) == 3 * len(EVIL)
    attempt = next(b for p, b in world.everything("manifests/").items() if "attempt" in p)
    assert (found := steers(attempt.decode())) is None, found
    assert b"]52;c;" in attempt
    world.is_reported("failed for good")


@row(
    "security",
    "a location whose names and reports would steer a terminal",
    made="foreign files, folders of sources, and an attempt's reason hold all of it; extract, "
    "status and verify on a real terminal (pty)",
    promised="all of it is shown as text, escaped",
    exits=(4,),
    requests=13,
)
def in_a_location(world: World) -> None:
    world.declare()
    world.serve()
    evil = "".join(EVIL).replace("/", "")
    raw = Path(world.to) / f"raw/extraction_date={world.date}/source=shop/endpoint=item"
    raw.mkdir(parents=True)
    for number, part in enumerate(EVIL):
        (raw / f"{number} {part.replace('/', '')}").write_text("[]")
    manifests = Path(world.to) / "manifests" / f"extraction_date={world.date}"
    (manifests / f"source=x{evil[:90]}" / "runs").mkdir(parents=True)
    ended = on_a_terminal(world, *world.arguments())
    world.keep(world.arguments(), ended)
    (attempt,) = (manifests / "source=shop" / "runs").glob("*/attempt.json")
    told = json.loads(attempt.read_text()) | {"reason": f"look: {evil}"}
    attempt.write_text(json.dumps(told, ensure_ascii=False))
    catalog = str(world.folder / "catalog.toml")
    for arguments in (
        ("status", "--catalog", catalog, "--to", world.to, "--check"),
        ("verify", "shop", "--to", world.to, "--date", world.date),
        ("plan", "--catalog", catalog, "--to", world.to),
    ):
        looked = on_a_terminal(world, *arguments)
        assert looked.status in (0, 4), looked
        assert (found := steers(looked.out)) is None, found
    assert (found := steers(ended.out)) is None, found
    shows(ended.out, "is foreign")
    assert world.manifest() is None
