"""The benchmark's API with Singer's SDK: a tap whose messages go into a file, as into a target."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, ClassVar

from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th


class Items(RESTStream):
    """The listing."""

    name = "items"
    path = "/items"
    records_jsonpath = "$.items[*]"
    primary_keys: ClassVar[Any] = ("number",)
    schema = th.PropertiesList(th.Property("number", th.StringType)).to_dict()

    @property
    def url_base(self) -> str:
        """Where the API is."""
        return str(self.config["url"])

    def get_url_params(self, *_: Any) -> dict[str, Any]:
        """Say how many."""
        return {"count": self.config["count"]}

    def get_child_context(self, record: Any, context: Any) -> dict[str, Any]:
        """Say what the items below are asked for by."""
        return {"number": record["number"]}


class Item(RESTStream):
    """The answers that the listing names."""

    name = "item"
    path = "/item/{number}"
    records_jsonpath = "$"
    state_partitioning_keys: ClassVar[Any] = ()
    parent_stream_type = Items
    primary_keys: ClassVar[Any] = ("id",)
    schema = th.PropertiesList(
        th.Property("id", th.StringType),
        th.Property("number", th.StringType),
        th.Property("values", th.ArrayType(th.ObjectType(additional_properties=True))),
        th.Property("note", th.StringType),
    ).to_dict()

    @property
    def url_base(self) -> str:
        """Where the API is."""
        return str(self.config["url"])


class Bench(Tap):
    """Both streams."""

    name = "tap-bench"
    config_jsonschema = th.PropertiesList(
        th.Property("url", th.StringType), th.Property("count", th.IntegerType)
    ).to_dict()

    def discover_streams(self) -> list[Any]:
        """Name both."""
        return [Items(self), Item(self)]


def main(url: str, count: int, landing: str) -> None:
    """Run the tap."""
    Path(landing).mkdir(exist_ok=True)
    config = Path(f"{landing}.json")
    config.write_text(json.dumps({"url": url, "count": count}))
    messages = os.open(f"{landing}/messages.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(messages, sys.stdout.fileno())
    Bench.cli(["--config", str(config)])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[4])
