"""What a daily schedule costs in AWS a month, by list prices that are noted here. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ashore.forecast import Plan

REGION = "us-east-1"
CURRENCY = "USD"
PRICES_KNOWN_ON = "2026-11-25"
"""What the authors knew on that day. Nobody is asked: look at the pages before you quote them."""

# https://aws.amazon.com/fargate/pricing/ (Linux, x86)
VCPU_HOUR = 0.04048
MEMORY_GB_HOUR = 0.004445
# https://aws.amazon.com/vpc/pricing/ (public IPv4 address)
ADDRESS_HOUR = 0.005
# https://aws.amazon.com/s3/pricing/ (S3 Standard, its first 50 TB)
S3_WRITE = 0.005 / 1000
"""PUT and LIST have one price."""
S3_READ = 0.0004 / 1000
"""GET and HEAD, also of what is not there."""
S3_GB_MONTH = 0.023

VCPUS = 0.25
MEMORY_GB = 0.5
DAYS = 30
CATCH_UPS = 3
"""Runs that find the day complete, and read its manifest to know."""
START_MINUTES = 1.0
"""Fargate counts from the pulling of the image; an assumption."""
LEAST_MINUTES = 1.0
"""What Fargate counts at the least for a task."""
BYTES_AN_ANSWER = 10_000
"""Where no complete day tells: an assumption."""

STATEMENTS = 5
"""Writes of a run beside its answers: started twice, receipts, sums, the manifest."""
LOOKS = 2
"""Reads of a run: is there a manifest, and does S3 tell what is not there."""
NAMES_A_PAGE = 1000
"""Of a listing."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Dollars a month, for all sources of one schedule."""

    total: float
    fargate: float
    public_address: float
    s3_requests: float
    s3_storage: float
    """What lands in a month, kept for a month: each month that is kept adds as much."""
    at_least: bool
    """Whether there is more to ask than can be known now."""
    currency: str
    region: str
    prices_known_on: str
    assumptions: tuple[str, ...]


def month(plans: Sequence[Plan]) -> Cost:
    """Return what it costs to extract all of these once a day, in one task."""
    minutes = START_MINUTES + sum(each.minutes for each in plans) + CATCH_UPS * LEAST_MINUTES
    hours = DAYS * minutes / 60
    fargate = hours * (VCPUS * VCPU_HOUR + MEMORY_GB * MEMORY_GB_HOUR)
    address = hours * ADDRESS_HOUR
    requests = DAYS * sum(_asking_s3(each) for each in plans)
    storage = DAYS * sum(_bytes(each) for each in plans) / 2**30 * S3_GB_MONTH
    return Cost(
        total=round(fargate + address + requests + storage, 4),
        fargate=round(fargate, 4),
        public_address=round(address, 4),
        s3_requests=round(requests, 4),
        s3_storage=round(storage, 4),
        at_least=any(each.at_least for each in plans),
        currency=CURRENCY,
        region=REGION,
        prices_known_on=PRICES_KNOWN_ON,
        assumptions=_assumptions(plans),
    )


def _asking_s3(plan: Plan) -> float:
    """Dollars for a day's requests to S3."""
    objects = _objects(plan)
    # One listing when there is nothing yet, one of all that landed.
    listings = 1 + max(1, math.ceil(objects / NAMES_A_PAGE))
    counting = plan.requests if plan.budgeted else 0
    writes = objects + STATEMENTS + listings + counting
    reads = LOOKS + CATCH_UPS + counting
    return writes * S3_WRITE + reads * S3_READ


def _objects(plan: Plan) -> int:
    return plan.requests if plan.objects is None else plan.objects


def _bytes(plan: Plan) -> int:
    return plan.requests * BYTES_AN_ANSWER if plan.bytes is None else plan.bytes


def _assumptions(plans: Sequence[Plan]) -> tuple[str, ...]:
    guessed = any(each.bytes is None for each in plans)
    size = f"{BYTES_AN_ANSWER // 1000} kB an answer where no complete day tells"
    return (
        f"{DAYS} days, each with one run and {CATCH_UPS} more that find the day complete",
        f"a task of {VCPUS} vCPU and {MEMORY_GB} GB that takes {START_MINUTES:g} min to start",
        "no request is tried again, and nothing is read back",
        *([size] if guessed else []),
    )
