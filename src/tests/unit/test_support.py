"""What the other tests lean on does what it says."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

from tests.support import process
from tests.support.api import (
    Call,
    Reply,
    ScriptedApi,
    html_reply,
    json_reply,
    redirect_reply,
)
from tests.support.catalogs import write_catalog
from tests.support.certificates import NoOpensslError, identity

pytestmark = pytest.mark.slow  # real servers and processes


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as opened:
        yield opened


def exchange(url: str, data: bytes) -> bytes:
    """Send bytes and read all that comes back until the server hangs up."""
    address = urlsplit(url)
    assert address.hostname is not None
    with socket.create_connection((address.hostname, address.port or 0), timeout=5) as plain:
        plain.sendall(data)
        return b"".join(iter(lambda: plain.recv(65536), b""))


def test_a_list_is_answered_one_after_the_other(
    api: ScriptedApi, session: requests.Session
) -> None:
    api.on("/country", [Reply(503), json_reply([1])])
    statuses = [session.get(f"{api.url}/country").status_code for _ in range(3)]
    assert statuses == [503, 200, 404]
    assert [call.number for call in api.surprises] == [3]


def test_a_single_reply_is_given_for_ever(api: ScriptedApi, session: requests.Session) -> None:
    api.on("/country", json_reply({"id": "FRA"}))
    assert [session.get(f"{api.url}/country").json() for _ in range(3)] == [{"id": "FRA"}] * 3


def test_calls_are_recorded_as_they_came(api: ScriptedApi, session: requests.Session) -> None:
    api.answer(lambda call: json_reply(call.query))
    before = time.monotonic()
    answer = session.get(f"{api.url}/a%2Fb?x=1&x=%C3%A9&y=", headers={"X-Key": "k"})
    assert answer.json() == {"x": ["1", "é"], "y": [""]}
    (call,) = api.calls
    assert (call.method, call.path, call.target) == ("GET", "/a%2Fb", "/a%2Fb?x=1&x=%C3%A9&y=")
    assert (call.headers["x-key"], call.number) == ("k", 1)
    assert before <= call.at <= time.monotonic()


def test_a_connection_is_kept(api: ScriptedApi, session: requests.Session) -> None:
    api.answer(lambda call: json_reply(call.number))
    assert [session.get(f"{api.url}/n").json() for _ in range(20)] == list(range(1, 21))
    assert api.connections == 1


def test_a_port_may_refuse_and_listen_again(api: ScriptedApi, session: requests.Session) -> None:
    api.on("/n", json_reply(1))
    assert session.get(f"{api.url}/n").json() == 1
    with api.refusing(), pytest.raises(requests.ConnectionError, match="refused"):
        session.get(f"{api.url}/n")
    assert session.get(f"{api.url}/n").json() == 1
    assert (len(api.calls), api.connections) == (2, 2)


def test_an_answer_may_never_end(api: ScriptedApi, session: requests.Session) -> None:
    api.on("/n", Reply(body=b"[", content_length=10**9, forever=b"1,"))
    with session.get(f"{api.url}/n", stream=True, timeout=5) as answer:
        assert answer.raw.read(100_001) == b"[" + b"1," * 50_000


def test_a_server_speaks_tls_and_plain_http_at_one_port(
    session: requests.Session, tmp_path: Path
) -> None:
    try:
        made = identity(tmp_path)
    except NoOpensslError as error:
        pytest.skip(str(error))
    with ScriptedApi(tls=made.context) as api:
        api.on("/n", json_reply(1))
        assert session.get(f"{api.url}/n", verify=str(made.certificate)).json() == 1
        assert session.get(f"http://127.0.0.1:{api.port}/n").json() == 1
        with pytest.raises(requests.exceptions.SSLError, match="self-signed"):
            session.get(f"{api.url}/other")
    assert len(api.calls) == 2


def test_many_threads_are_counted_right(api: ScriptedApi) -> None:
    api.answer(lambda call: json_reply(call.number))
    with ThreadPoolExecutor(16) as pool:
        answers = pool.map(lambda _: requests.get(f"{api.url}/n", timeout=5).json(), range(16))
    assert sorted(answers) == list(range(1, 17))
    assert api.paths() == ["/n"] * 16


def test_a_body_can_be_cut(api: ScriptedApi, session: requests.Session) -> None:
    api.answer(lambda call: Reply(body=b"0123456789", cut_after=4))
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="4 bytes read, 6 more"):
        session.get(api.url)


def test_the_length_can_be_a_lie(api: ScriptedApi) -> None:
    api.answer(lambda call: Reply(body=b"0123456789", content_length=4, cut_after=10))
    answer = exchange(api.url, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"\r\nContent-Length: 4\r\n" in answer
    assert answer.endswith(b"\r\n\r\n0123456789")


def test_a_body_can_come_in_chunks(api: ScriptedApi, session: requests.Session) -> None:
    body = os.urandom(200_000)
    api.answer(lambda call: Reply(body=body, chunked=True))
    answer = session.get(api.url)
    assert answer.content == body
    assert "Content-Length" not in answer.headers


def test_chunks_can_be_cut(api: ScriptedApi, session: requests.Session) -> None:
    api.answer(lambda call: Reply(body=b"0123456789", chunked=True, cut_after=4))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        session.get(api.url)


def test_a_reset_before_the_headers(api: ScriptedApi, session: requests.Session) -> None:
    api.answer(lambda call: Reply(reset=True))
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        session.get(api.url)


def test_a_reset_within_the_body(api: ScriptedApi, session: requests.Session) -> None:
    api.answer(lambda call: Reply(body=b"0123456789", cut_after=4, reset=True))
    with pytest.raises(
        (requests.ConnectionError, requests.exceptions.ChunkedEncodingError), match="reset by peer"
    ):
        session.get(api.url)


def test_a_body_can_drip(api: ScriptedApi, session: requests.Session) -> None:
    api.answer(lambda call: Reply(body=b"0123456789", drip=0.02))
    began = time.monotonic()
    answer = session.get(api.url, stream=True)
    first = answer.raw.read1()
    assert 0 < len(first) < 10
    assert first + answer.content == b"0123456789"
    assert time.monotonic() - began >= 0.2


def test_headers_can_be_late(api: ScriptedApi, session: requests.Session) -> None:
    api.answer(lambda call: Reply(delay=5))
    with pytest.raises(requests.ReadTimeout):
        session.get(api.url, timeout=0.05)


def test_raw_bytes_are_sent_as_they_are(api: ScriptedApi) -> None:
    api.answer(lambda call: Reply(raw=b"HTTP/1.0 200 OK\r\nX: \xff\r\n\r\n[]"))
    answer = exchange(api.url, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer == b"HTTP/1.0 200 OK\r\nX: \xff\r\n\r\n[]"


def test_head_and_no_content_have_no_body(api: ScriptedApi, session: requests.Session) -> None:
    api.on("/none", Reply(204))
    api.on("/page", html_reply())
    assert session.get(f"{api.url}/none").headers.keys() == {"Date"}
    assert session.head(f"{api.url}/page").content == b""
    assert session.get(f"{api.url}/page").text.startswith("<html>")
    assert api.connections == 1


def test_headers_of_a_reply_win(api: ScriptedApi, session: requests.Session) -> None:
    api.on("/from", redirect_reply("/to"))
    api.on("/to", json_reply([], headers={"Date": "then", "ETag": '"1"'}))
    answer = session.get(f"{api.url}/from")
    assert (answer.headers["Date"], answer.headers["ETag"]) == ("then", '"1"')
    assert api.paths() == ["/from", "/to"]


def test_what_a_handler_raises_is_kept(session: requests.Session) -> None:
    def handler(call: Call) -> Reply:
        raise ZeroDivisionError

    with ScriptedApi(handler) as api:
        assert session.get(api.url).status_code == 500
    assert [type(error) for error in api.errors] == [ZeroDivisionError]


def test_closing_waits_for_nobody() -> None:
    with ScriptedApi(lambda call: Reply(delay=60)) as api:
        address = urlsplit(api.url)
        idle = http.client.HTTPConnection(address.netloc)
        idle.connect()
        waiting = socket.create_connection((address.hostname or "", address.port or 0))
        waiting.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: len(api.calls) == 1 and api.connections == 2)
        began = time.monotonic()
    assert time.monotonic() - began < 5
    idle.close()
    waiting.close()


def until(predicate: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not predicate():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def running(code: str, cwd: Path | None = None) -> process.Running:
    return process.Running(
        [sys.executable, "-c", code], process.environment({"ASHORE_X": "1"}), cwd
    )


def test_a_process_is_run_to_its_end(tmp_path: Path) -> None:
    code = "import os, sys; print(os.getcwd(), os.environ['ASHORE_X']); sys.exit('é')"
    with running(code, tmp_path) as started:
        finished = started.finish()
    assert (finished.status, finished.out, finished.err) == (1, f"{tmp_path} 1\n", "é\n")


def test_the_program_itself_can_be_run() -> None:
    finished = process.ashore("--version")
    assert finished.status == 0, finished.err


def test_a_process_can_be_watched_and_ended() -> None:
    with running("import time; print('here', flush=True); time.sleep(60); print('no')") as started:
        started.wait_for(lambda: "here" in started.out)
        started.kill(signal.SIGTERM)
        assert started.finish().status == -signal.SIGTERM


def test_a_process_that_ends_too_early_is_told() -> None:
    with (
        running("print('bye')") as started,
        pytest.raises(AssertionError, match=r"ended before(?s:.*)bye"),
    ):
        started.wait_for(lambda: "here" in started.out)


def test_a_process_that_does_not_end_is_killed() -> None:
    started = running("import time; time.sleep(60)")
    with pytest.raises(AssertionError, match="still running"):
        started.finish(timeout=0.1)
    with pytest.raises(ProcessLookupError):
        os.kill(started.pid, 0)


def test_a_variable_can_be_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERE", "1")
    assert "HERE" in process.environment()
    assert "HERE" not in process.environment({"HERE": None})


def test_no_setting_of_the_developer_reaches_a_test() -> None:
    assert not [name for name in os.environ if name.upper().endswith("_PROXY")]
    assert not [name for name in os.environ if name.startswith("ASHORE_")]
    assert "AWS_PROFILE" not in os.environ


def test_a_stray_call_to_aws_reaches_nobody() -> None:
    config = Config(retries={"total_max_attempts": 1})
    client = boto3.session.Session().client("s3", config=config)
    with pytest.raises(EndpointConnectionError, match=r"127\.0\.0\.1:9"):
        client.list_buckets()
    client.close()


def test_a_catalog_keeps_its_braces(tmp_path: Path) -> None:
    text = """
        base_url = "$url"
        path = "country/{country}"
    """
    written = write_catalog(tmp_path / "catalog.toml", text, url="http://127.0.0.1:1")
    assert written.read_text() == '\nbase_url = "http://127.0.0.1:1"\npath = "country/{country}"\n'
