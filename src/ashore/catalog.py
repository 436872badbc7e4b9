"""What a catalog declares: sources, their endpoints, and what must be true of the answers.

Frozen data only. ``catalog_file`` reads it from TOML, ``catalog_checks`` holds it against itself.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.parser import ParsedResult
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from ashore import units
from ashore.errors import Violated, nearest

NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
_LONGEST_REASON = 20_000
PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class Expression:
    """A JMESPath expression (https://jmespath.org/specification.html), compiled once."""

    text: str
    compiled: ParsedResult = field(compare=False, repr=False)

    def find(self, document: object) -> Any:  # noqa: ANN401 - any JSON value
        """Return what the expression finds in a parsed answer; None where it finds nothing.

        Raises:
            Violated: when the answer's types do not allow the expression at all.
        """
        try:
            return self.compiled.search(document)
        except (JMESPathError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            # Long enough for a secret in it to be seen as a whole; whoever tells it, cuts it.
            reason = " ".join(str(error)[:_LONGEST_REASON].splitlines())
            raise Violated(f"the expression {self.text} cannot be applied: {reason}") from error

    def __str__(self) -> str:
        """Return the expression as the catalog has it."""
        return self.text


def _expression(value: object) -> Expression:
    if not isinstance(value, str):
        raise ValueError("must be a JMESPath expression in quotes")
    try:
        compiled = jmespath.compile(value)
        unknown = sorted(_functions(compiled.parsed) - set(Functions.FUNCTION_TABLE))
        if unknown:
            problem = nearest(unknown[0], Functions.FUNCTION_TABLE)
            raise ValueError(f'JMESPath has no function "{unknown[0]}"; {problem}')
        return Expression(value, compiled)
    except (JMESPathError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{value!r} is not a JMESPath expression: {reason[:160]}") from error


def _functions(node: Mapping[str, Any]) -> set[str]:
    """The names of the functions that an expression calls; compiling does not check them."""
    own = {str(node["value"])} if node["type"] == "function_expression" else set()
    # The children of a slice are its numbers.
    children = [child for child in node["children"] if isinstance(child, Mapping)]
    return own.union(*map(_functions, children))


def _expressions(value: object) -> tuple[Expression, ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(_expression(item) for item in items)


def _parsed(parse: Any) -> BeforeValidator:  # noqa: ANN401 - any of the parsers of units
    def convert(value: object) -> object:
        if not isinstance(value, str):
            raise ValueError(f"{value!r} must be written in quotes, with its unit")
        return parse(value)

    return BeforeValidator(convert)


def _scalar(value: object) -> object:
    if not isinstance(value, str | int | float):
        raise ValueError("must be text, a number, true or false")
    return value


Seconds = Annotated[float, _parsed(units.duration)]
Bytes = Annotated[int, _parsed(units.size)]
Pace = Annotated[units.Rate, _parsed(units.rate), PlainSerializer(str)]
Scalar = Annotated[str | int | float | bool, BeforeValidator(_scalar)]
_WRITTEN = PlainSerializer(str)
Path = Annotated[Expression, BeforeValidator(_expression), _WRITTEN]
Paths = Annotated[
    tuple[Annotated[Expression, _WRITTEN], ...], BeforeValidator(_expressions), Field(min_length=1)
]
Text = Annotated[str, Field(min_length=1)]


class Declared(BaseModel):
    """The base of all that a catalog declares: frozen, strict, and without unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True
    )


class Retry(Declared):
    """How often and how patiently a request, or a whole set, is tried again."""

    attempts: Annotated[int, Field(ge=1, le=100)] = 5
    max_wait: Seconds = 60.0
    max_pause: Seconds = 600.0
    statuses: tuple[Annotated[int, Field(ge=400, le=599)], ...] = ()
    errors: bool = True


class Timeout(Declared):
    """Seconds to connect, seconds of silence, and seconds for one try from first to last byte."""

    connect: Seconds = 10.0
    read: Seconds = 60.0
    total: Seconds = 300.0


class Auth(Declared):
    """Where the secret comes from and how it is sent: one of three forms."""

    bearer_env: Text | None = None
    header: Text | None = None
    param: Text | None = None
    env: Text | None = None

    @property
    def variable(self) -> str:
        """The name of the environment variable that holds the secret."""
        return self.bearer_env or self.env or ""


class Budget(Declared):
    """A quota of the API: ``requests`` in a rolling window of ``per`` seconds."""

    requests: Annotated[int, Field(ge=1)]
    per: Seconds


class ForEach(Declared):
    """One set for each value that ``select`` finds in the landed pages of ``endpoint``."""

    endpoint: Text
    select: Path
    name: Annotated[str, Field(alias="as")]


class PageNumbers(Declared):
    """Pages are numbered from 1, and the first answer tells how many there are."""

    kind: Literal["page"]
    param: Text
    pages: Path
    max_pages: Annotated[int, Field(ge=1)] = 10_000


class Offset(Declared):
    """Pages begin at a record's number, stepping by the records received."""

    kind: Literal["offset"]
    param: Text
    size: Annotated[int, Field(ge=1)] | None = None
    size_param: Text | None = None
    max_pages: Annotated[int, Field(ge=1)] = 10_000


class Cursor(Declared):
    """Each answer holds the token, or without ``param`` the URL, of the next page."""

    kind: Literal["cursor"]
    next: Path
    param: Text | None = None
    max_pages: Annotated[int, Field(ge=1)] = 10_000


class Link(Declared):
    """Each answer names the next page in its header ``Link: <URL>; rel="next"`` (RFC 8288)."""

    kind: Literal["link"]
    max_pages: Annotated[int, Field(ge=1)] = 10_000


Paging = Annotated[PageNumbers | Offset | Cursor | Link, Field(discriminator="kind")]


class Expect(Declared):
    """What must be true of an endpoint's records before its day is complete."""

    allow_empty: bool = False
    min_records: Annotated[int, Field(ge=0)] | None = None
    max_records: Annotated[int, Field(ge=0)] | None = None
    unique_key: bool = False
    max_drop: Annotated[float, Field(ge=0, le=1)] | None = None
    allow_missing: Annotated[int, Field(ge=0)] = 0


class Endpoint(Declared):
    """One kind of answer of a source."""

    name: str
    path: str
    params: Mapping[str, Scalar] = {}
    for_each: ForEach | None = None
    paging: Paging | None = None
    records: Path | None = None
    total: Path | None = None
    key: Paths | None = None
    expect: Expect = Expect()


class Source(Declared):
    """One API, and all that is asked of it in a day."""

    name: str
    sha256: str
    base_url: str
    error: Path | None = None
    rate: Pace | None = None
    workers: Annotated[int, Field(ge=1, le=256)] = 8
    retry: Retry = Retry()
    timeout: Timeout = Timeout()
    max_body: Bytes = 64 * 2**20
    licence: str | None = None
    auth: Auth | None = None
    headers: Mapping[Text, str] = {}
    budget: Budget | None = None
    breaker: Annotated[int, Field(ge=1)] = 10
    endpoints: Annotated[tuple[Endpoint, ...], Field(alias="endpoint")] = ()

    @cached_property
    def _named(self) -> dict[str, Endpoint]:
        return {endpoint.name: endpoint for endpoint in self.endpoints}

    @cached_property
    def _following(self) -> dict[str, tuple[Endpoint, ...]]:
        return {
            parent.name: tuple(
                e for e in self.endpoints if e.for_each and e.for_each.endpoint == parent.name
            )
            for parent in self.endpoints
        }

    def endpoint(self, name: str) -> Endpoint:
        """Return the endpoint of that name, which must exist."""
        return self._named[name]

    def children(self, name: str) -> tuple[Endpoint, ...]:
        """Return the endpoints that are asked for each value found in the one of that name."""
        return self._following[name]

    def lineage(self, endpoint: Endpoint) -> tuple[str, ...]:
        """Return the names of the values that an endpoint's path may use, the outermost first."""
        names = []
        while endpoint.for_each is not None:
            names.append(endpoint.for_each.name)
            endpoint = self.endpoint(endpoint.for_each.endpoint)
        return tuple(reversed(names))


class Catalog(Declared):
    """All sources of one catalog file, and those that are extracted unless others are named."""

    default: tuple[str, ...]
    sources: Mapping[str, Source]
