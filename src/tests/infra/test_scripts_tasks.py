"""Tasks are started as the rule starts them, followed to their end, released only when tried."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import time
from collections.abc import Mapping
from typing import Any

import boto3
import pytest

import backfill
import logs
import release
import run_once
import tasks
from tests.infra.stage import (
    BEFORE,
    BUCKET,
    GROUP,
    REPOSITORY,
    Ending,
    Stage,
    make_environment,
    push_image,
    refusal,
)

pytestmark = pytest.mark.infra
TODAY = dt.datetime.now(dt.UTC).date()
LANDED = '{"time": "2026-11-24T01:02:03Z", "level": "info", "event": "run_ended", "run_id": "r", "objects": 3, "reason": "all there"}'  # noqa: E501 - one line, as in the log


def ago(days: int) -> str:
    """A day, as it is typed."""
    return (TODAY - dt.timedelta(days=days)).isoformat()


def variables(run: Mapping[str, Any]) -> dict[str, str]:
    """What a task was told besides its definition."""
    (override,) = run["overrides"]["containerOverrides"]
    assert override["name"] == "ashore"
    return {each["name"]: each["value"] for each in override["environment"]}


@pytest.fixture(autouse=True)
def same_day() -> None:
    """No test begins on one day and ends on another."""
    now = dt.datetime.now(dt.UTC)
    if now.hour == 23 and now.minute >= 58:
        pytest.skip("the day ends")


# --- run once


def test_the_task_is_the_one_that_the_rule_starts(dev: Stage) -> None:
    dev.fargate.endings = [Ending(lines=[LANDED, "plain text"])]
    done = dev.act(run_once, "dev")
    assert (done.status, done.err) == (0, "")
    (run,) = dev.fargate.runs
    (target,) = dev.rule()
    parameters = target["EcsParameters"]
    network = parameters["NetworkConfiguration"]["awsvpcConfiguration"]
    assert run["cluster"] == target["Arn"]
    assert run["taskDefinition"] == parameters["TaskDefinitionArn"]
    assert run["networkConfiguration"]["awsvpcConfiguration"] == {
        "subnets": network["Subnets"],
        "securityGroups": network["SecurityGroups"],
        "assignPublicIp": "ENABLED",
    }
    assert (run["launchType"], run["count"]) == ("FARGATE", 1)


def test_its_log_is_followed_and_made_readable(dev: Stage) -> None:
    dev.fargate.endings = [Ending(lines=[LANDED, "plain text\x1b[2J"])]
    lines = dev.act(run_once, "dev").out.splitlines()
    assert lines[0].startswith("Started task ")
    assert lines[1:3] == [
        '2026-11-24T01:02:03Z  INFO  run_ended  objects=3 reason="all there"',
        "plain text\\x1b[2J",
    ]
    assert lines[3].endswith("ended with exit status 0 (Essential container in task exited)")


@pytest.mark.parametrize("status", [0, 1, 3, 4, 143])
def test_its_exit_status_is_the_tasks_own(status: int, dev: Stage) -> None:
    dev.fargate.endings = [Ending(status)]
    assert dev.act(run_once, "dev").status == status


def test_the_day_is_that_of_the_moment_or_the_one_given(dev: Stage) -> None:
    dev.act(run_once, "dev")
    dev.act(run_once, "dev", "--date", ago(1))
    first, second = map(variables, dev.fargate.runs)
    moment = dt.datetime.fromisoformat(first.pop("ASHORE_SCHEDULED_AT"))
    assert abs(dt.datetime.now(dt.UTC) - moment) < dt.timedelta(minutes=2)
    assert first == {}
    assert second == {"ASHORE_DATE": ago(1)}


@pytest.mark.parametrize(
    ("date", "words"),
    [
        (ago(-1), "is in the future"),
        (ago(2), "is long past; make backfill tells what that means"),
        ("yesterday", '--date: "yesterday" is not a date; write it like'),
    ],
)
def test_a_day_that_ashore_would_refuse_starts_nothing(date: str, words: str, dev: Stage) -> None:
    done = dev.act(run_once, "dev", "--date", date)
    assert (done.status, len(done.err.splitlines())) == (2, 1)
    assert words in done.err
    assert dev.fargate.runs == []


def test_a_task_that_never_ran_says_why(dev: Stage) -> None:
    reason = "CannotPullContainerError: pull image manifest has been retried 5 time(s)"
    dev.fargate.endings = [Ending(None, reason, lines=[])]
    done = dev.act(run_once, "dev")
    assert done.status == 1
    assert f"never ran: {reason}" in done.err


def test_throttling_is_waited_for(dev: Stage) -> None:
    dev.fargate.throttled = 2
    assert dev.act(run_once, "dev").status == 0
    assert dev.fargate.throttled == 0


def test_what_may_not_be_done_is_told_in_one_line(dev: Stage) -> None:
    denied = refusal("AccessDeniedException", "You may not do that")
    dev.fargate.refused["RunTask"] = denied
    done = dev.act(run_once, "dev")
    assert (done.status, len(done.err.splitlines())) == (2, 1)
    assert "AccessDeniedException" in done.err


def test_a_task_that_is_lost_sight_of_goes_on(dev: Stage) -> None:
    dev.fargate.refused["DescribeTasks"] = refusal("ExpiredTokenException", "too old")
    done = dev.act(run_once, "dev")
    assert (done.status, len(done.err.splitlines())) == (1, 1)
    assert "lost sight of task" in done.err
    assert "which goes on" in done.err


def test_nobody_waits_for_ever(dev: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    follow = tasks.follow
    monkeypatch.setattr(tasks, "follow", lambda session, started: follow(session, started, 0.2))
    dev.fargate.endless = True
    done = dev.act(run_once, "dev")
    assert (done.status, dev.fargate.stops) == (1, 0)
    assert "goes on, after 0 min" in done.err


def test_a_refusal_of_ecs_is_told(dev: Stage) -> None:
    body = json.dumps({"tasks": [], "failures": [{"reason": "Capacity is unavailable"}]}).encode()
    reply = refusal("", "")
    dev.fargate.refused["RunTask"] = type(reply)(200, reply.kind, body)
    done = dev.act(run_once, "dev")
    assert done.status == 1
    assert "ECS did not start the task: Capacity is unavailable" in done.err


def test_before_the_first_release_there_is_nothing_to_run(scripts: Stage) -> None:
    make_environment(scripts.aws, "none")
    done = scripts.act(run_once, "dev")
    assert (done.status, scripts.fargate.runs) == (2, [])
    assert "nothing was released to dev yet; make deploy ENV=dev" in done.err


@pytest.mark.parametrize("words", [(run_once, "dev"), (logs, "dev")])
def test_an_environment_that_was_never_applied(words: tuple[Any, str], scripts: Stage) -> None:
    done = scripts.act(*words)
    assert (done.status, len(done.err.splitlines())) == (2, 1)
    assert "make tf-apply" in done.err


def test_an_environment_without_its_rule(dev: Stage) -> None:
    events = dev.aws.client("events")
    events.remove_targets(Rule="ashore-dev-daily", Ids=["task"])
    done = dev.act(run_once, "dev")
    assert (done.status, dev.fargate.runs) == (2, [])
    assert "there is no rule ashore-dev-daily" in done.err


# --- release


def test_a_release_is_tried_apart_and_then_pointed_at(dev: Stage) -> None:
    digest = push_image(dev.aws)
    done = dev.act(release, "dev", digest)
    assert (done.status, done.err) == (0, "")
    (run,) = dev.fargate.runs
    assert variables(run) == {
        "ASHORE_TO": f"s3://{BUCKET}/smoke/{digest.replace(':', '-')}",
        "ASHORE_METRICS_NAMESPACE": "ashore/smoke",
        "ASHORE_DEADLINE": "30m",
    }
    assert dev.digest() == digest
    assert dev.terraform.commands == ["init", "apply"]
    assert f"Released {digest} to dev; before: {BEFORE}" in done.out


def test_what_tries_it_out_is_the_scheduled_task_but_for_the_image(dev: Stage) -> None:
    digest = push_image(dev.aws)
    dev.act(release, "dev", digest)
    ecs = dev.aws.client("ecs")
    (run,) = dev.fargate.runs
    assert ":task-definition/ashore-dev-smoke:1" in run["taskDefinition"]
    tried = ecs.describe_task_definition(taskDefinition=run["taskDefinition"])["taskDefinition"]
    (target,) = dev.rule()
    arn = target["EcsParameters"]["TaskDefinitionArn"]
    scheduled = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    (container,) = tried.pop("containerDefinitions")
    (expected,) = scheduled.pop("containerDefinitions")
    assert container == {**expected, "image": f"{REPOSITORY}@{digest}"}
    own = {"taskDefinitionArn", "family", "revision", "status", "deregisteredAt", "registeredAt"}
    assert {k: v for k, v in tried.items() if k not in own} == {
        k: v for k, v in scheduled.items() if k not in own
    }
    assert tried["status"] == "INACTIVE"


def test_the_first_release_of_an_environment(scripts: Stage) -> None:
    make_environment(scripts.aws, "none")
    digest = push_image(scripts.aws)
    done = scripts.act(release, "dev", digest)
    assert (done.status, scripts.digest()) == (0, digest)
    assert "before: none" in done.out


def nothing_changed(dev: Stage, rule: object) -> None:
    """Yesterday's task is in place, and nothing is left about."""
    assert dev.digest() == BEFORE
    assert dev.rule() == rule
    assert dev.active("ashore-dev-smoke") == []


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (Ending(4), "ended with exit status 4: nothing was released, and dev keeps sha256:aaa"),
        (Ending(None, "no such image", lines=[]), "never ran: no such image"),
    ],
)
def test_a_release_that_fails_its_trial_changes_nothing(
    ending: Ending, words: str, dev: Stage
) -> None:
    digest, rule = push_image(dev.aws), dev.rule()
    dev.fargate.endings = [ending]
    done = dev.act(release, "dev", digest)
    assert done.status == 1
    assert words in done.err
    nothing_changed(dev, rule)
    assert dev.terraform.told == []


def test_a_trial_that_never_ends_is_stopped(dev: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "LONGEST_SECONDS", 0.2)
    dev.fargate.endless = True
    digest, rule = push_image(dev.aws), dev.rule()
    done = dev.act(release, "dev", digest)
    assert (done.status, dev.fargate.stops) == (1, 1)
    nothing_changed(dev, rule)


def test_a_trial_that_is_interrupted_is_stopped(
    dev: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
        raise AssertionError("nothing was heard of the signal")

    monkeypatch.setattr(tasks, "follow", interrupted)
    digest, rule = push_image(dev.aws), dev.rule()
    done = dev.act(release, "dev", digest)
    assert (done.status, dev.fargate.stops) == (130, 1)
    nothing_changed(dev, rule)


@pytest.mark.parametrize("command", ["init", "apply"])
def test_a_release_that_terraform_does_not_take_is_taken_back(command: str, dev: Stage) -> None:
    digest, rule = push_image(dev.aws), dev.rule()
    dev.terraform.fails_at(command)
    done = dev.act(release, "dev", digest)
    assert done.status == 1
    assert f"terraform {command} failed" in done.err
    assert f"dev is back at {BEFORE}" in done.err
    nothing_changed(dev, rule)


@pytest.mark.parametrize(
    "digest",
    ["latest", "sha256:" + "A" * 64, "sha256:" + "a" * 63, "", "sha256:" + "a" * 64 + "\n"],
)
def test_what_is_no_digest_is_not_released(digest: str, dev: Stage) -> None:
    done = dev.act(release, "dev", digest)
    assert (done.status, dev.fargate.runs) == (2, [])
    assert "is no digest; DIGEST=sha256: and 64 hex digits" in done.err


def test_an_image_that_was_not_pushed_is_not_released(dev: Stage) -> None:
    rule = dev.rule()
    without = dev.act(release, "dev", BEFORE)
    assert "there is no repository" in without.err
    push_image(dev.aws)
    done = dev.act(release, "dev", BEFORE)
    assert f"there is no image {REPOSITORY}@{BEFORE}" in done.err
    assert (without.status, done.status, dev.fargate.runs) == (2, 2, [])
    nothing_changed(dev, rule)


# --- logs


def write(dev: Stage, *lines: str) -> None:
    """Write into the log, as a task does."""
    client = dev.aws.client("logs")
    stream = f"run/ashore/{time.monotonic_ns()}"
    client.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": line} for line in lines]
    client.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)


def test_the_log_is_shown_readable_or_raw(dev: Stage) -> None:
    write(dev, LANDED, "plain text")
    done = dev.act(logs, "dev")
    assert (done.status, done.err) == (0, "")
    assert done.out == (
        '2026-11-24T01:02:03Z  INFO  run_ended  objects=3 reason="all there"\nplain text\n'
    )
    assert dev.act(logs, "dev", "--raw").out == f"{LANDED}\nplain text\n"


def test_a_log_without_lines_says_so(dev: Stage) -> None:
    done = dev.act(logs, "dev", "--since", "7d")
    assert (done.status, done.out) == (0, "")
    assert "no line in that time" in done.err


def test_a_time_that_is_none_is_refused(dev: Stage) -> None:
    done = dev.act(logs, "dev", "--since", "yesterday")
    assert (done.status, len(done.err.splitlines())) == (2, 1)
    assert '--since: "yesterday" is not a duration' in done.err


def test_following_a_log_shows_each_line_once(dev: Stage) -> None:
    log = logs.Log(boto3.Session(), GROUP, int(time.time() * 1000) - 60_000)
    write(dev, "one")
    assert list(log.new()) == ["one"]
    assert list(log.new()) == []
    write(dev, "two", "three")
    assert list(log.new()) == ["two", "three"]


def test_following_a_log_ends(dev: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LONGEST_SECONDS", 0.2)
    write(dev, "one")
    assert dev.act(logs, "dev", "--follow").out == "one\n"


# --- backfill


def state(dev: Stage, date: str, source: str = "world_bank") -> None:
    """Put the manifest of a day where it belongs."""
    key = f"manifests/extraction_date={date}/source={source}/manifest.json"
    dev.aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"{}")


def test_a_backfill_only_tells_unless_it_is_meant(dev: Stage) -> None:
    state(dev, ago(1))
    done = dev.act(backfill, "dev", "--from", ago(1), "--to", ago(0))
    assert done.out == f"{ago(1)}  complete\n{ago(0)}  no manifest of world_bank\n"
    assert (done.status, dev.fargate.runs) == (2, [])
    assert "nothing was started: add --yes to extract 1 day(s)" in done.err


def test_days_gone_by_need_leave_of_their_own(dev: Stage) -> None:
    done = dev.act(backfill, "dev", "--from", ago(3), "--to", ago(0), "--yes")
    assert (done.status, dev.fargate.runs) == (2, [])
    assert "2 of these days are before yesterday" in done.err
    assert "today's answers would land under their dates; add --allow-backdate" in done.err


def test_a_backfill_extracts_the_days_that_lack_a_manifest_in_turn(dev: Stage) -> None:
    state(dev, ago(2))
    state(dev, ago(1), "another_source")
    words = ("--from", ago(3), "--to", ago(1), "--yes", "--allow-backdate")
    assert dev.act(backfill, "dev", *words).status == 0
    assert list(map(variables, dev.fargate.runs)) == [
        {"ASHORE_DATE": ago(3), "ASHORE_ALLOW_BACKDATE": "1"},
        {"ASHORE_DATE": ago(1)},
    ]


def test_a_backfill_stops_at_the_first_day_that_fails(dev: Stage) -> None:
    dev.fargate.endings = [Ending(), Ending(3)]
    words = ("--from", ago(4), "--to", ago(1), "--yes", "--allow-backdate")
    done = dev.act(backfill, "dev", *words)
    assert (done.status, len(dev.fargate.runs)) == (3, 2)
    assert f"backfill: {ago(3)} failed; 2 day(s) left" in done.err


def test_where_every_day_is_complete_nothing_is_to_be_done(dev: Stage) -> None:
    state(dev, ago(0))
    done = dev.act(backfill, "dev", "--from", ago(0), "--to", ago(0))
    assert (done.status, done.err) == (0, "")
    assert done.out.endswith("Nothing is to be done.\n")


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (ago(0), ago(1), "in their order"),
        (ago(500), ago(0), "give 1 to 366 days"),
        (ago(0), ago(-1), "is in the future"),
        ("monday", ago(0), '--from: "monday" is not a date'),
    ],
)
def test_days_that_are_none(first: str, last: str, words: str, dev: Stage) -> None:
    done = dev.act(backfill, "dev", "--from", first, "--to", last)
    assert (done.status, len(done.err.splitlines())) == (2, 1)
    assert words in done.err


def test_a_task_that_names_no_source_extracts_the_catalogs_default() -> None:
    definition = {"containerDefinitions": [{"command": ["extract"]}]}
    assert backfill.sources_of(tasks.Task("", definition, {})) == ("world_bank",)
