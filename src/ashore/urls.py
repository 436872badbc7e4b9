"""URLs, made and compared without a network. None of them ever holds a secret of ashore's own."""

import re
from collections.abc import Mapping
from urllib.parse import SplitResult, quote, unquote_plus, urlencode, urljoin, urlsplit

from ashore.catalog import PLACEHOLDER, Scalar

_PARAMETER = r"""\s*;\s*([^\s=;,"]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?"""
_LINK_PARAMETER = re.compile(_PARAMETER)
_LINK = re.compile(rf"""<([^<>]*)>((?:{re.sub(r"[(](?![?])", "(?:", _PARAMETER)})*)""")
_PORTS = {"http": 80, "https": 443}


def build(base_url: str, path: str, params: Mapping[str, Scalar], values: Mapping[str, str]) -> str:
    """Return the URL of an endpoint, with ``{name}`` replaced by its value.

    In the path a value is percent-encoded as one segment (RFC 3986, section 2.1); blanks in the
    query are ``%20``, which every server understands.
    """
    filled = PLACEHOLDER.sub(lambda name: quote(values[name[1]], safe=""), path)
    url = f"{base_url.rstrip('/')}/{filled.lstrip('/')}" if filled else base_url
    query = {name: _written(value, values) for name, value in params.items()}
    return with_params(url, query)


def with_params(url: str, params: Mapping[str, str]) -> str:
    """Return the URL with parameters added behind those that it has."""
    if not params:
        return url
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(params, quote_via=quote)}"


def without_param(url: str, name: str) -> str:
    """Return the URL without a parameter; all else stays as it is written."""
    parts = urlsplit(url)
    kept = [p for p in parts.query.split("&") if unquote_plus(p.partition("=")[0]) != name]
    return parts._replace(query="&".join(kept)).geturl()


def join(asked: str, found: str) -> str:
    """Return where a URL that an answer holds leads, seen from the URL that was asked.

    Raises:
        ValueError: when it is no URL.
    """
    return urlsplit(urljoin(asked, found.strip()))._replace(fragment="").geturl()


def same_host(asked: str, other: str) -> bool:
    """Tell whether a URL stays within the host and port that were asked; http may become https."""
    try:
        first, second = urlsplit(asked), urlsplit(other)
        if second.scheme not in _PORTS or "@" in second.netloc:
            return False
        if first.hostname != second.hostname:
            return False
        upgraded = (first.scheme, second.scheme) == ("http", "https")
        ports = _port(first), _port(second)
        return (first.scheme == second.scheme and ports[0] == ports[1]) or (
            upgraded and (ports[0] == ports[1] or ports == (80, 443))
        )
    except ValueError:
        return False


def host_of(url: str) -> str:
    """Return the host of a URL, and its port unless it is the scheme's own; http is as https."""
    parts = urlsplit(url)
    port = _port(parts)
    return f"{parts.hostname}:{port}" if port != _PORTS[parts.scheme] else str(parts.hostname)


def next_link(header: str) -> str | None:
    """Return the target of ``rel="next"`` in a header ``Link`` (RFC 8288, section 3), or None."""
    for target, parameters in _LINK.findall(header):
        for name, quoted, token in _LINK_PARAMETER.findall(parameters):
            if name.lower() == "rel" and "next" in (quoted or token).lower().split():
                return str(target)
    return None


def _port(url: SplitResult) -> int:
    return _PORTS[url.scheme] if url.port is None else url.port


def _written(value: Scalar, values: Mapping[str, str]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return PLACEHOLDER.sub(lambda name: values[name[1]], str(value))
