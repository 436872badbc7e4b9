"""What a schedule costs: figures that were computed by hand."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from pathlib import Path

import pytest

from ashore import cost
from ashore.display import bill
from ashore.forecast import EndpointPlan, Plan

SHOP = Plan(
    source="shop",
    endpoints=(EndpointPlan("orders", 600, "as on 2026-11-24"),),
    requests=600,
    at_least=False,
    minutes=10.0,
    pace="1/s",
    objects=600,
    bytes=10 * 2**20,
    learned_from="2026-11-24",
    budgeted=False,
)


def test_a_month_is_what_it_comes_to_by_hand() -> None:
    # 30 days of 1 + 10 + 3 x 1 minutes are 7 hours, at 0.25 x 0.04048 + 0.5 x 0.004445 = 0.0123425.
    # A day writes 600 + 5 and lists twice: 30 x 607 = 18,210, at 5 a million; it reads 2 + 3 times.
    # 300 MiB are 0.29296875 GiB, at 0.023.
    found = cost.month([SHOP])
    assert found.fargate == 0.0864
    assert found.public_address == 0.035
    assert found.s3_requests == 0.0911
    assert found.s3_storage == 0.0067
    assert found.total == 0.2192
    assert not found.at_least


def test_sources_of_one_schedule_share_a_task() -> None:
    one, two = cost.month([SHOP]), cost.month([SHOP, SHOP])
    assert two.fargate == pytest.approx(one.fargate * 24 / 14, abs=1e-4)
    assert two.s3_requests == pytest.approx(2 * one.s3_requests, abs=1e-4)


def test_what_no_day_tells_is_assumed_and_said() -> None:
    unknown = dataclasses.replace(SHOP, objects=None, bytes=None, at_least=True)
    found = cost.month([unknown])
    assert found.s3_storage == round(30 * 600 * 10_000 / 2**30 * 0.023, 4)
    assert found.at_least
    assert any("10 kB an answer" in each for each in found.assumptions)
    assert not any("10 kB" in each for each in cost.month([SHOP]).assumptions)


def test_a_listing_of_many_has_pages() -> None:
    many = dataclasses.replace(SHOP, requests=1_000_001, objects=1_000_001)
    # 1,000,001 + 5 writes, 1 + 1,001 listings, 5 reads.
    assert cost.month([many]).s3_requests == round(30 * (1_001_008 * 5e-6 + 5 * 4e-7), 4)


def test_a_budget_is_counted_before_each_request() -> None:
    # 600 writes and 600 reads more, each day.
    more = cost.month([dataclasses.replace(SHOP, budgeted=True)]).s3_requests
    assert more == pytest.approx(0.09111 + 30 * 600 * (5e-6 + 4e-7), abs=1e-4)


def test_prices_say_where_and_when_they_were_known() -> None:
    found = cost.month([SHOP])
    assert (found.currency, found.region) == ("USD", "us-east-1")
    assert dt.date.fromisoformat(found.prices_known_on) == dt.date(2026, 11, 25)


def test_the_bill_has_its_sum_its_prices_and_what_is_assumed() -> None:
    total, prices, assumed = bill(cost.month([SHOP]))
    assert "about 0.22 USD a month: Fargate 0.09" in total
    assert "under 0.01" in total
    assert "us-east-1 as known on 2026-11-25, check before quoting" in prices
    assert "3 more that find the day complete" in assumed
    least = bill(cost.month([dataclasses.replace(SHOP, at_least=True)]))
    assert "at least 0.22" in least[0]


def test_what_is_reckoned_is_the_task_that_terraform_makes() -> None:
    folder = Path(__file__).resolve().parents[3] / "terraform" / "modules" / "environment"
    text = (folder / "variables.tf").read_text(encoding="utf-8")

    def default(name: str) -> str:
        found = re.search(
            rf'variable "{name}" {{.*?^  default +=  *(.+?)$', text, re.DOTALL | re.MULTILINE
        )
        assert found
        return found[1].strip('"')

    assert int(default("cpu_units")) / 1024 == cost.VCPUS
    assert int(default("memory_mib")) / 1024 == cost.MEMORY_GB
    assert len(default("catch_up").split()[1].split(",")) == cost.CATCH_UPS
