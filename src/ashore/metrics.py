"""Figures for CloudWatch, in a log line that it takes metrics from: the embedded metric format.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from ashore.errors import ExitStatus, Misconfigured
from ashore.job import Outcome
from ashore.receipts import timestamp

_VARIABLE = "ASHORE_METRICS_NAMESPACE"
_IN_ECS = "ECS_CONTAINER_METADATA_URI_V4"
"""Set by ECS in every container:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4.html"""
_DEFAULT = "ashore"
_NAMESPACE = re.compile(r"(?!AWS/)[A-Za-z0-9._/#:-]{1,255}")
_UNITS = {
    "Requests": "Count",
    "Retries": "Count",
    "Objects": "Count",
    "Bytes": "Bytes",
    "Duration": "Seconds",
    "DayComplete": "Count",
}


def namespace(environment: Mapping[str, str]) -> str | None:
    """Return where metrics belong, if any are wanted: in ECS always, elsewhere when asked.

    Raises:
        Misconfigured: when CloudWatch would not take the namespace.
    """
    asked = environment.get(_VARIABLE)
    if asked and not _NAMESPACE.fullmatch(asked):
        raise Misconfigured(
            f'{_VARIABLE}: "{asked}" is no namespace; letters, digits and . _ / # : - make one, '
            "up to 255, and AWS/ does not begin it"
        )
    return asked or (_DEFAULT if environment.get(_IN_ECS) else None)


def embedded(outcome: Outcome, namespace: str, now: dt.datetime) -> dict[str, Any]:
    """Return a line for a source's day, also where it was complete already.

    ``Requests`` and ``Retries`` are those of this run, ``Objects`` and ``Bytes`` what the day holds
    by its manifest or attempt, ``DayComplete`` is 1 or 0.
    """
    document = outcome.document
    requests = document.get("requests", {}) if outcome.ran else {}
    return {
        "_aws": {
            "Timestamp": int(now.timestamp() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": namespace,
                    "Dimensions": [["Source"]],
                    "Metrics": [{"Name": name, "Unit": unit} for name, unit in _UNITS.items()],
                }
            ],
        },
        "time": timestamp(now),
        "level": "info",
        "event": "metrics",
        "Source": outcome.day.source,
        "Requests": requests.get("sent", 0),
        "Retries": requests.get("retried", 0),
        "Objects": document.get("objects", 0),
        "Bytes": document.get("bytes", 0),
        "Duration": round(outcome.seconds, 3),
        "DayComplete": int(outcome.status is ExitStatus.COMPLETE),
        "extraction_date": str(outcome.day.date),
        "run_id": outcome.run_id,
        "exit_status": int(outcome.status),
    }
