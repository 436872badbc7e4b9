"""What a run leaves proves itself, with ashore and without it."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.api import Reply, ScriptedApi, json_reply
from tests.support.shop import TREE, Shop, read, tree

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
RECEIPT = {
    "path", "url", "status", "fetched_at", "duration_ms", "attempts",
    "bytes", "sha256", "records", "adopted", "headers",
}  # fmt: skip
STATEMENT = {
    "format", "ashore", "source", "extraction_date", "run_id", "started_at", "finished_at",
    "scheduled_at", "requests", "objects", "bytes", "source_sha256", "accepted", "ledger",
}  # fmt: skip
ENTRY = {"expected", "landed", "missing", "records", "declared_total", "checks"}


@pytest.fixture
def done(shop: Shop, api: ScriptedApi) -> Shop:
    """A complete day of a list and three answers."""
    tree(api, ["a", "b b", "c"])
    shop.declare(TREE)
    assert shop.extract().status == 0
    return shop


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate"])
def test_content_codings_are_undone_and_nothing_else(
    shop: Shop, api: ScriptedApi, coding: str
) -> None:
    body = b'\xef\xbb\xbf [ {"id":1.0,  "id": 1e3} ]\r\n\n'
    sent = zlib.compress(body) if coding == "deflate" else gzip.compress(body)
    api.on("/items", Reply(body=sent, headers={"Content-Encoding": coding}, chunked=True))
    shop.declare()
    assert shop.extract().status == 0
    assert shop.landed() == {"items/all.json": body}


def test_nothing_but_bodies_lies_under_raw(done: Shop) -> None:
    assert len(list(done.landing.glob("raw/**/*.json"))) == 4
    assert {file.suffix for file in done.landing.glob("raw/**/*") if file.is_file()} == {".json"}
    tops = {entry.name for entry in done.landing.iterdir()}
    assert tops == {"raw", "manifests", ".ashore"}


def test_the_manifest_has_at_least_the_promised_fields(done: Shop) -> None:
    manifest = done.manifest()
    assert manifest.keys() >= STATEMENT | {"receipts", "sums"}
    assert (manifest["format"], manifest["source"]) == (1, "shop")
    assert manifest["extraction_date"] == done.date
    assert manifest["objects"] == 4
    assert manifest["bytes"] == sum(len(body) for body in done.landed().values())
    assert all(entry.keys() >= ENTRY for entry in manifest["ledger"].values())
    assert MOMENT.fullmatch(manifest["started_at"])
    assert MOMENT.fullmatch(manifest["finished_at"])


def test_manifests_are_sorted_indented_and_end_with_a_line(done: Shop) -> None:
    text = done.manifest_file.read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"


def test_a_receipt_tells_what_landed(done: Shop) -> None:
    receipts = done.receipts()
    assert receipts.keys() == done.landed().keys()
    for name, body in done.landed().items():
        receipt = receipts[name]
        assert receipt.keys() >= RECEIPT
        assert receipt["sha256"] == hashlib.sha256(body).hexdigest()
        assert receipt["bytes"] == len(body)
        assert MOMENT.fullmatch(receipt["fetched_at"])
    assert receipts["item/id=b%20b.json"]["url"] == f"{done.api.url}/item/b%20b"


def test_the_manifest_names_its_receipts_and_sums(done: Shop) -> None:
    manifest = done.manifest()
    for key in ("receipts", "sums"):
        data = (done.landing / manifest[key]["path"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == manifest[key]["sha256"]
        assert f"/runs/{manifest['run_id']}/" in manifest[key]["path"]
    assert (done.manifests / f"runs/{manifest['run_id']}/started.json").exists()


@pytest.mark.parametrize("away", [False, True], ids=["there", "copied"])
def test_coreutils_verify_a_day_without_ashore(done: Shop, tmp_path: Path, away: bool) -> None:
    root = done.landing
    if away:
        root = tmp_path / "copied"
        for name in ("raw", "manifests"):
            shutil.copytree(done.landing / name, root / name)
        assert done.run("verify", "--to", str(root)).status == 0
    sums = done.manifest()["sums"]["path"]
    program = shutil.which("sha256sum")
    if program is None:
        pytest.skip("no sha256sum here")
    subprocess.run([program, "-c", "--strict", "--quiet", sums], cwd=root, check=True)


def test_grep_and_coreutils_verify_a_manifest_without_ashore(done: Shop) -> None:
    if shutil.which("sha256sum") is None:
        pytest.skip("no sha256sum here")
    command = f"grep -v '^  \"manifest_sha256\"' {done.manifest_file} | sha256sum"
    ended = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert ended.stdout.split()[0] == done.manifest()["manifest_sha256"]


def test_a_run_tells_the_manifest_that_it_wrote(shop: Shop, api: ScriptedApi) -> None:
    tree(api, ["a"])
    shop.declare(TREE)
    assert shop.extract("--json").source["statement"] == shop.manifest()


def test_an_attempt_has_what_a_manifest_has_and_its_reasons(shop: Shop, api: ScriptedApi) -> None:
    tree(api, ["a", "b"])
    api.on("/item/a", Reply(404, b"gone \x1b[31m" + b"x" * 600))
    shop.declare(TREE)
    assert shop.extract().status == 3
    attempt = shop.attempt()
    assert attempt.keys() >= STATEMENT | {"outcome", "reason", "failures"}
    (failure,) = attempt["failures"]
    assert failure.keys() >= {"object", "attempts", "body"}
    assert "\x1b" not in failure["body"]
    assert not shop.manifest_file.exists()
    assert "item" in attempt["reason"]


def body(shop: Shop) -> Path:
    return shop.file("item/id=a.json")


def flip(shop: Shop) -> None:
    data = bytearray(body(shop).read_bytes())
    data[3] ^= 1
    body(shop).write_bytes(data)


def swap(shop: Shop) -> None:
    other = shop.file("item/id=c.json")
    mine, its = body(shop).read_bytes(), other.read_bytes()
    body(shop).write_bytes(its)
    other.write_bytes(mine)


def edit(key: str) -> Callable[[Shop], None]:
    def change(shop: Shop) -> None:
        file = shop.landing / shop.manifest()[key]["path"]
        file.write_text(file.read_text().replace("item", "itex", 1))

    return change


def restate(key: str, value: object) -> Callable[[Shop], None]:
    def change(shop: Shop) -> None:
        changed = {**shop.manifest(), key: value}
        shop.manifest_file.write_text(json.dumps(changed))

    return change


HARMS: dict[str, tuple[Callable[[Shop], object], str]] = {
    "flipped": (flip, "id=a.json"),
    "truncated": (lambda shop: body(shop).write_bytes(body(shop).read_bytes()[:-1]), "id=a.json"),
    "longer": (lambda shop: body(shop).write_bytes(body(shop).read_bytes() + b"\n"), "id=a.json"),
    "emptied": (lambda shop: body(shop).write_bytes(b""), "id=a.json"),
    "missing": (lambda shop: body(shop).unlink(), "id=a.json"),
    "extra": (lambda shop: shop.file("item/id=z.json").write_bytes(b"{}"), "id=z.json"),
    "swapped": (swap, "id=c.json"),
    "receipts changed": (edit("receipts"), "receipts.jsonl"),
    "sums changed": (edit("sums"), "SHA256SUMS"),
    "receipts gone": (
        lambda shop: (shop.landing / shop.manifest()["receipts"]["path"]).unlink(),
        "receipts.jsonl",
    ),
    "manifest of another day": (restate("extraction_date", "2020-01-01"), "manifest.json"),
    "manifest of another source": (restate("source", "other"), "manifest.json"),
    "manifest miscounts": (restate("objects", 5), "manifest.json"),
    "manifest misweighs": (restate("bytes", 5), "manifest.json"),
    "manifest of another licence": (restate("licence", "mine"), "manifest_sha256"),
    "manifest formatted anew": (
        lambda shop: shop.manifest_file.write_text(json.dumps(shop.manifest())),
        "manifest_sha256",
    ),
    "manifest with other line ends": (
        lambda shop: shop.manifest_file.write_bytes(
            shop.manifest_file.read_bytes().replace(b"\n", b"\r\n")
        ),
        "manifest_sha256",
    ),
    "manifest no JSON": (lambda shop: shop.manifest_file.write_bytes(b"{"), "manifest.json"),
    "manifest a list": (lambda shop: shop.manifest_file.write_bytes(b"[]"), "manifest.json"),
}


@pytest.mark.parametrize("harm", list(HARMS))
def test_verify_finds_and_names_what_changed(done: Shop, harm: str) -> None:
    change, named = HARMS[harm]
    change(done)
    ran = done.verify()
    assert ran.status == 4
    assert named in ran.out + ran.err
    shown = done.verify("--json")
    assert (shown.status, shown.document["exit_status"]) == (4, 4)


def test_verify_of_an_unharmed_day_is_0(done: Shop) -> None:
    for options in ([], ["--all"], ["shop"], ["--date", done.date]):
        assert done.verify(*options).status == 0


def test_verify_of_a_day_that_is_not_there_is_4_and_of_no_location_5(
    done: Shop, tmp_path: Path
) -> None:
    assert done.verify("--date", "2020-01-01").status == 4
    assert done.verify("another").status == 4
    assert done.run("verify", "--to", str(tmp_path / "nowhere")).status == 5
    (tmp_path / "empty").mkdir()
    assert done.run("verify", "--to", str(tmp_path / "empty")).status == 4


def test_a_damaged_manifest_is_no_reason_to_extract_again(done: Shop) -> None:
    done.manifest_file.write_bytes(b"{")
    done.api.calls.clear()
    ran = done.extract()
    assert (ran.status, done.api.calls) == (4, [])


def test_status_tells_complete_incomplete_and_killed(done: Shop, api: ScriptedApi) -> None:
    states = {d["day"]["extraction_date"]: d["state"] for d in calendar(done)}
    assert states[done.date] == "complete"
    manifest = read(done.manifest_file)
    done.manifest_file.unlink()
    shutil.rmtree(done.manifests / "runs" / manifest["run_id"])
    run = done.manifests / "runs/20261124T010000Z-00000000"
    run.mkdir(parents=True)
    (run / "started.json").write_text(
        json.dumps({"format": 1, "run_id": run.name, "started_at": manifest["started_at"]})
    )
    (day,) = [d for d in calendar(done) if d["day"]["extraction_date"] == done.date]
    assert (day["state"], "killed" in day["said"]) == ("incomplete", True)


def calendar(shop: Shop) -> list[dict[str, Any]]:
    ran = shop.run("status", "--to", str(shop.landing), "--catalog", str(shop.catalog), "--json")
    assert ran.status == 0
    found: list[dict[str, Any]] = ran.document["days"]
    return found


def test_status_check_is_4_for_a_source_that_never_landed(shop: Shop) -> None:
    shop.declare()
    shop.landing.mkdir()
    where = ["--to", str(shop.landing), "--catalog", str(shop.catalog)]
    assert shop.run("status", *where).status == 0
    checked = shop.run("status", "--check", *where, "--json")
    assert (checked.status, checked.document["exit_status"]) == (4, 4)


def test_plan_sends_nothing_and_counts_from_the_last_day(done: Shop) -> None:
    done.api.calls.clear()
    where = ["--to", str(done.landing), "--catalog", str(done.catalog)]
    planned = done.run("plan", *where, "--json")
    assert (planned.status, done.api.calls) == (0, [])
    (source,) = planned.document["plans"]
    assert (source["requests"], source["objects"]) == (4, 4)
    assert planned.document["cost"]["total"] > 0
    assert "USD a month" in done.run("plan", *where).out


def test_plan_of_a_location_that_is_not_there_makes_none(shop: Shop) -> None:
    shop.declare(TREE)
    ran = shop.run("plan", "--to", str(shop.landing), "--catalog", str(shop.catalog))
    assert (ran.status, shop.landing.exists()) == (0, False)


def test_the_whole_answer_is_asked_with_honest_headers(shop: Shop, api: ScriptedApi) -> None:
    api.on("/items", json_reply([{"id": 1}]))
    shop.declare(source='headers = { Accept-Language = "en" }')
    assert shop.extract().status == 0
    headers = api.calls[0].headers
    assert headers["user-agent"].startswith("ashore/")
    assert headers["accept-language"] == "en"
