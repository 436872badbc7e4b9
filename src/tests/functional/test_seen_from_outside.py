"""What a run tells those who watch it: log lines, metrics, and what to do when it failed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ashore.errors import ExitStatus
from tests.support.api import Reply, ScriptedApi, json_reply
from tests.support.process import ashore, environment
from tests.support.shop import Ran, Shop


def metrics(ran: Ran) -> list[dict[str, object]]:
    return [event for event in ran.events if "_aws" in event]


def test_every_line_of_a_run_is_one_event_and_has_its_run_id(shop: Shop) -> None:
    shop.declare()
    shop.api.on("/items", [Reply(503), json_reply([{"id": 1}])])
    ran = shop.extract("--log-level", "debug")
    events = [json.loads(line) for line in ran.err.splitlines()]
    assert [event["event"] for event in events] == [
        "run_began",
        "tried_again",
        "landed",
        "run_ended",
    ]
    assert {event["run_id"] for event in events} == {shop.manifest()["run_id"]}
    summary = events[-1]
    assert (summary["requests"], summary["retries"], summary["objects"]) == (2, 1, 1)


def test_a_day_that_was_complete_already_is_told_as_well(shop: Shop) -> None:
    shop.declare()
    shop.api.on("/items", json_reply([{"id": 1}]))
    shop.extract()
    again = shop.extract()
    (ended,) = again.events
    assert (ended["event"], ended["outcome"], ended["requests"]) == ("run_ended", "complete", 0)
    assert "no request was sent" in ended["reason"]


def test_without_being_asked_no_metrics_are_told(shop: Shop) -> None:
    shop.declare()
    shop.api.on("/items", json_reply([{"id": 1}]))
    assert metrics(shop.extract()) == []


def test_metrics_of_each_run_are_told_also_when_the_day_was_complete(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASHORE_METRICS_NAMESPACE", "data")
    shop.declare()
    shop.api.on("/items", [Reply(404), json_reply([{"id": 1}])])
    runs = [shop.extract("--log-level", "error") for _ in range(3)]
    told = [metrics(ran) for ran in runs]
    assert [len(each) for each in told] == [1, 1, 1]
    assert [each[0]["DayComplete"] for each in told] == [0, 1, 1]
    assert [each[0]["Requests"] for each in told] == [1, 1, 0]


def test_a_wrong_namespace_is_a_mistake_and_nothing_is_asked(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASHORE_METRICS_NAMESPACE", "AWS/Mine")
    shop.declare()
    ran = shop.extract()
    assert (ran.status, shop.api.calls) == (2, [])
    assert "ASHORE_METRICS_NAMESPACE" in ran.err


def failing(api: ScriptedApi, status: ExitStatus) -> None:
    answers = {
        ExitStatus.INCOMPLETE: Reply(404),
        ExitStatus.VIOLATED: json_reply([]),
    }
    api.on("/items", answers[status])


@pytest.mark.parametrize("status", [ExitStatus.INCOMPLETE, ExitStatus.VIOLATED])
def test_every_failure_tells_what_is_safe_and_what_to_do(shop: Shop, status: ExitStatus) -> None:
    shop.declare()
    failing(shop.api, status)
    ran = shop.extract("--json")
    assert ran.status == status
    attempt, ended, told = shop.attempt(), ran.events[-1], ran.source
    for document in (attempt, ended, told):
        assert "what landed stays as it is" in document["safe"]
        assert "run the same command again" in document["next"]
        assert document["reason"]


def test_a_location_that_cannot_be_begun_with_is_told_like_that(shop: Shop) -> None:
    shop.declare()
    shop.landing.write_text("a file")
    ran = shop.extract()
    assert ran.status == ExitStatus.LOCATION
    assert "nothing was requested" in ran.events[-1]["safe"]
    assert "mend the location" in ran.events[-1]["next"]


def test_metrics_go_to_standard_error_of_the_process_and_leave_its_output_alone(
    shop: Shop,
) -> None:
    shop.declare()
    shop.api.on("/items", json_reply([{"id": 1}]))
    in_ecs = {"ECS_CONTAINER_METADATA_URI_V4": shop.api.url}
    ended = ashore(*shop.arguments("--json"), env=in_ecs)
    assert json.loads(ended.out)["exit_status"] == 0
    lines = [json.loads(line) for line in ended.err.splitlines()]
    assert [line["event"] for line in lines] == ["run_began", "run_ended", "metrics"]
    assert lines[-1]["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "ashore"
    assert shop.api.paths() == ["/items"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is full")
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_standard_output_that_is_full_is_told_in_a_line(
    shop: Shop, options: tuple[str, ...]
) -> None:
    shop.declare()
    shop.api.on("/items", json_reply([{"id": 1}]))
    command = [sys.executable, "-m", "ashore", *shop.arguments(*options)]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, env=environment(), text=True, check=False
        )
    assert ended.returncode == ExitStatus.UNEXPECTED
    assert "standard output cannot be written" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert shop.manifest()["objects"] == 1


def test_verify_tells_what_is_safe_and_what_to_do(shop: Shop) -> None:
    shop.declare()
    shop.api.on("/items", json_reply([{"id": 1}]))
    shop.extract()
    shop.file("items/all.json").write_bytes(b"[]")
    ran = shop.verify()
    assert ran.status == ExitStatus.VIOLATED
    assert "nothing was changed" in ran.err
    assert "bring what is named back from a copy" in ran.err


TWO = """
[[source.shop.endpoint]]
name = "items"
path = "items"

[source.other]
base_url = "{url}"
retry = {{ attempts = 1 }}

[[source.other.endpoint]]
name = "things"
path = "things"
"""


def test_a_source_that_the_deadline_left_no_time_for_says_so(shop: Shop) -> None:
    shop.declare(TWO.format(url=shop.api.url))
    shop.api.on("/items", json_reply([{"id": 1}], delay=30))
    ran = shop.extract("shop", "other", "--deadline", "300ms", "--json")
    first, second = ran.document["sources"]
    assert (ran.status, first["exit_status"], second["exit_status"]) == (3, 3, 3)
    assert second["reason"] == "the deadline of the run has passed before this source was begun"
    assert shop.api.paths() == ["/items"]


def test_a_pause_that_ended_one_source_ends_the_next_one_of_the_host_unasked(shop: Shop) -> None:
    shop.declare(TWO.format(url=shop.api.url))
    shop.api.on("/items", Reply(429, headers={"Retry-After": "86400"}))
    ran = shop.extract("shop", "other", "--json")
    first, second = ran.document["sources"]
    assert (first["exit_status"], second["exit_status"]) == (3, 3)
    assert "come back after" in first["reason"]
    assert "come back after" in second["reason"]
    assert shop.api.paths() == ["/items"]


def test_sources_of_one_host_keep_each_other_s_rates(shop: Shop) -> None:
    shop.declare(TWO.format(url=shop.api.url), source='rate = "1/s"')
    shop.api.on("/items", json_reply([{"id": 1}]))
    shop.api.on("/things", json_reply([{"id": 1}]))
    assert shop.extract("shop", "other").status == 0
    first, second = (call.at for call in shop.api.calls)
    assert second - first > 1.0
