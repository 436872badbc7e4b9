"""What one key of a catalog cannot tell: references, names and keys that contradict each other."""

import contextlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from ashore.catalog import NAME, Cursor, Endpoint, Offset, PageNumbers, Source
from ashore.errors import nearest

_RESERVED = {"source", "endpoint", "extraction_date", "page"}
_OWN_HEADERS = {"accept-encoding", "host", "content-length", "transfer-encoding", "range"}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a header's name: RFC 9110, section 5.6.2
_AUTH_FORMS = (
    'must be one of { bearer_env = "NAME" }, { header = "X-Api-Key", env = "NAME" }, '
    '{ param = "api_key", env = "NAME" }'
)
_HOST = re.compile(r"[\w-]+(\.[\w-]+)*\.?", re.ASCII)
_LONGEST_LINE = 1_000
_BRACED = re.compile(r"\{(\w+)\}")
_NAME_RULE = "a name must be a-z, then a-z, 0-9 or _, up to 60 characters"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake: the table and the key where it stands, and what is wrong with the mend."""

    table: str
    key: str
    problem: str

    def line(self, where: str) -> str:
        """Write the mistake as one line that begins with the catalog's name."""
        place = f"{where}: [{self.table}]" if self.table else f"{where}:"
        line = " ".join(f"{place} {self.key + ': ' if self.key else ''}{self.problem}".split())
        # Where a key or a value is endless, the place before it and the mend behind it are kept.
        return line if len(line) <= _LONGEST_LINE else f"{line[:500]} ... {line[-400:]}"


def catalog_mistakes(default: object, names: Iterable[str]) -> Iterator[Mistake]:
    """Yield what is wrong with the list of default sources and with the sources' names."""
    known = list(names)
    for name in known:
        if not NAME.fullmatch(name):
            yield Mistake(f"source.{name}", "", _NAME_RULE)
    if not isinstance(default, list) or not all(isinstance(name, str) for name in default):
        yield Mistake("", "default", 'must be a list of sources: default = ["NAME"]')
        return
    for name in default:
        if name not in known:
            yield Mistake("", "default", f'there is no source "{name}"; {nearest(name, known)}')


def source_mistakes(source: Source) -> Iterator[Mistake]:
    """Yield what is wrong within a source whose keys, each by itself, are right."""
    table = f"source.{source.name}"
    yield from (Mistake(table, key, problem) for key, problem in _of_source(source))
    names = [endpoint.name for endpoint in source.endpoints]
    for endpoint in source.endpoints:
        place = f"{table}.endpoint.{endpoint.name}"
        problems = [*_of_endpoint(endpoint, names), *_of_parents(source, endpoint, names)]
        if _has_sound_parents(source, endpoint):
            problems += _of_placeholders(source, endpoint)
        yield from (Mistake(place, key, problem) for key, problem in problems)


_Problems = Iterator[tuple[str, str]]  # the key, and what is wrong with it


def _of_source(source: Source) -> _Problems:
    if not source.endpoints:
        yield "endpoint", f"needs at least one [[source.{source.name}.endpoint]]"
    yield from _of_base_url(source.base_url)
    yield from _of_headers(source)
    auth = source.auth
    if auth is None:
        return
    forms = (auth.bearer_env is not None, auth.header is not None, auth.param is not None)
    if sum(forms) != 1 or (auth.env is None) != forms[0]:
        yield "auth", _AUTH_FORMS
    if auth.header is not None and not _TOKEN.fullmatch(auth.header):
        yield "auth.header", f'"{auth.header}" is no name of a header'
    for endpoint in source.endpoints:
        if auth.param is not None and auth.param in {*endpoint.params, *_paging_params(endpoint)}:
            yield "auth.param", f'"{auth.param}" is among the params of {endpoint.name} already'


def _of_base_url(text: str) -> _Problems:
    try:
        url = urlsplit(text)
        host, _ = url.hostname or "", url.port
        ascii_host = host.encode("idna").decode()
    except (ValueError, UnicodeError):
        yield "base_url", f'"{_without_user(text)}" is not a URL'
        return
    if url.scheme not in {"http", "https"} or not host or any(c <= " " for c in text):
        shown = _without_user(text)
        yield "base_url", f'"{shown}" is not an http or https URL like "https://api.example.org/v1"'
    elif "@" in url.netloc:
        yield "base_url", "must not hold a user or a password; name a variable with auth"
    elif host != ascii_host:
        yield "base_url", f'write the host in ASCII: "{ascii_host}"'
    elif ":" not in host and not _HOST.fullmatch(host):
        yield "base_url", f'"{host}" is not the name of a host'
    elif url.query or url.fragment or text.endswith(("?", "#")):
        yield "base_url", "must not hold ? or #; put parameters into an endpoint's params"


def _without_user(text: str) -> str:
    """Return an address without what stands before an @: it may be a password."""
    return re.sub(r"[^/@]*@", "***@", text)


def _of_headers(source: Source) -> _Problems:
    for name, value in source.headers.items():
        if not _TOKEN.fullmatch(name):
            yield f"headers.{name}", "this is no name of a header"
        elif name.lower() in _OWN_HEADERS:
            yield f"headers.{name}", "ashore sets this header itself; leave it out"
        elif not (value.isascii() and value.isprintable()) or value != value.strip():
            yield f"headers.{name}", "must be printable ASCII without blanks at its ends"


def _of_endpoint(endpoint: Endpoint, names: list[str]) -> _Problems:
    if not NAME.fullmatch(endpoint.name):
        yield "name", _NAME_RULE
    if names.count(endpoint.name) > 1:
        yield "name", "two endpoints have this name; give each its own"
    if "?" in endpoint.path or "#" in endpoint.path or "://" in endpoint.path:
        yield "path", "must be a path below base_url; put what follows ? into params"
    yield from _of_paging(endpoint)
    expect = endpoint.expect
    if expect.unique_key and endpoint.key is None:
        yield "expect.unique_key", "needs the key of a record: key = ..."
    low, high = expect.min_records, expect.max_records
    if low is not None and high is not None and low > high:
        yield "expect.min_records", f"{low} is more than max_records = {high}"
    if endpoint.for_each is None and expect.allow_missing:
        yield "expect.allow_missing", "is for endpoints with for_each; this one has a single set"


def _of_paging(endpoint: Endpoint) -> _Problems:
    paging = endpoint.paging
    if isinstance(paging, Offset) and (paging.size is None) != (paging.size_param is None):
        yield "paging", "size and size_param go together: give both or neither"
    if isinstance(paging, Offset) and paging.size_param == paging.param:
        yield "paging.size_param", f'"{paging.param}" asks for the page already'
    for param, key in _paging_params(endpoint).items():
        if param in endpoint.params:
            yield f"paging.{key}", f'"{param}" is among the params already; ashore sets it itself'


def _paging_params(endpoint: Endpoint) -> dict[str, str]:
    """The parameters that paging adds, and the key that names each."""
    paging, found = endpoint.paging, {}
    if isinstance(paging, PageNumbers | Offset | Cursor) and paging.param:
        found[paging.param] = "param"
    if isinstance(paging, Offset) and paging.size_param:
        found[paging.size_param] = "size_param"
    return found


def _of_parents(source: Source, endpoint: Endpoint, names: list[str]) -> _Problems:
    for_each = endpoint.for_each
    if for_each is None:
        return
    if not NAME.fullmatch(for_each.name):
        yield "for_each.as", _NAME_RULE
    elif for_each.name in _RESERVED:
        yield "for_each.as", f'"{for_each.name}" has a meaning of its own; choose another name'
    if for_each.endpoint not in names:
        others = [name for name in names if name != endpoint.name]
        yield (
            "for_each.endpoint",
            f'there is no endpoint "{for_each.endpoint}"; {nearest(for_each.endpoint, others)}',
        )
    elif not _has_sound_parents(source, endpoint):
        yield (
            "for_each.endpoint",
            "its values would come from itself, or from parents that are wrong",
        )


def _has_sound_parents(source: Source, endpoint: Endpoint) -> bool:
    """Tell whether the chain of for_each ends at an endpoint without one."""
    with contextlib.suppress(KeyError):
        for _ in source.endpoints:
            if endpoint.for_each is None:
                return True
            endpoint = source.endpoint(endpoint.for_each.endpoint)
    return False


def _of_placeholders(source: Source, endpoint: Endpoint) -> _Problems:
    known = source.lineage(endpoint)
    texts = {"path": endpoint.path} | {
        f"params.{name}": value for name, value in endpoint.params.items() if isinstance(value, str)
    }
    used = set[str]()
    for key, text in texts.items():
        for name in _BRACED.findall(text):
            used.add(name)
            if name not in known:
                yield key, f"nothing gives {{{name}}} a value; {nearest(name, known)}"
    for name in sorted(name for name, levels in Counter(known).items() if levels > 1):
        yield "for_each.as", f'"{name}" is taken by a parent; give each level its own name'
    if endpoint.for_each and endpoint.for_each.name not in used:
        name = endpoint.for_each.name
        yield "for_each.as", f"every value would ask the same: use {{{name}}} in path or params"
