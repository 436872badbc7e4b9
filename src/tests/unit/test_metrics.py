import datetime as dt
import json

import pytest

from ashore.errors import ExitStatus, Misconfigured
from ashore.job import Outcome
from ashore.metrics import embedded, namespace
from ashore.naming import Day

NOW = dt.datetime(2026, 11, 24, 1, 7, tzinfo=dt.UTC)
DAY = Day("world_bank", dt.date(2026, 11, 24))
STATEMENT = {"requests": {"sent": 220, "retried": 2}, "objects": 218, "bytes": 562_296}


def line(outcome: Outcome) -> dict[str, object]:
    document: dict[str, object] = json.loads(json.dumps(embedded(outcome, "ashore", NOW)))
    return document


def figures(outcome: Outcome) -> list[object]:
    names = ("Requests", "Retries", "Objects", "Bytes", "Duration", "DayComplete")
    return [line(outcome)[name] for name in names]


def test_a_complete_day_counts_one() -> None:
    outcome = Outcome(ExitStatus.COMPLETE, "complete", "", DAY, "r", STATEMENT, seconds=71.25)
    assert figures(outcome) == [220, 2, 218, 562_296, 71.25, 1]


def test_a_day_that_was_complete_already_counts_one_and_no_requests() -> None:
    outcome = Outcome(ExitStatus.COMPLETE, "complete", "", DAY, "r", STATEMENT, ran=False)
    assert figures(outcome) == [0, 0, 218, 562_296, 0, 1]


@pytest.mark.parametrize("status", [s for s in ExitStatus if s is not ExitStatus.COMPLETE])
def test_whatever_else_ends_a_day_counts_none(status: ExitStatus) -> None:
    assert line(Outcome(status, "x", "", DAY))["DayComplete"] == 0


def test_every_metric_has_its_value_and_its_dimension_beside_it() -> None:
    document = line(Outcome(ExitStatus.COMPLETE, "complete", "", DAY, "r", STATEMENT))
    head = document["_aws"]
    assert isinstance(head, dict)
    (directive,) = head["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("ashore", [["Source"]])
    assert document["Source"] == "world_bank"
    names = [metric["Name"] for metric in directive["Metrics"]]
    assert all(isinstance(document[name], int | float) for name in names)
    assert head["Timestamp"] == NOW.timestamp() * 1000


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"ASHORE_METRICS_NAMESPACE": ""}, None),
        ({"ASHORE_METRICS_NAMESPACE": "data/raw"}, "data/raw"),
        ({"ECS_CONTAINER_METADATA_URI_V4": "http://x"}, "ashore"),
        ({"ECS_CONTAINER_METADATA_URI_V4": "http://x", "ASHORE_METRICS_NAMESPACE": "mine"}, "mine"),
    ],
)
def test_metrics_are_told_in_ecs_or_when_asked(
    environment: dict[str, str], expected: str | None
) -> None:
    assert namespace(environment) == expected


@pytest.mark.parametrize("text", ["AWS/Mine", "two words", "x" * 256, "line\nend"])
def test_a_namespace_that_cloudwatch_refuses_is_a_mistake(text: str) -> None:
    with pytest.raises(Misconfigured, match="ASHORE_METRICS_NAMESPACE"):
        namespace({"ASHORE_METRICS_NAMESPACE": text})
