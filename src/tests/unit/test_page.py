import datetime as dt
import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ashore import page, report_file
from ashore.calendars import DayStatus, State, summary
from ashore.comparison import (
    Alone,
    Changed,
    Comparison,
    EndpointComparison,
    FieldChange,
    Objects,
)
from ashore.daybook import Detail, Failure, Lost, Run
from ashore.drift import FieldDrift, Seen
from ashore.errors import Misconfigured
from ashore.folder import Folder
from ashore.manifest import Attempt, Check, Entry, Manifest, Reference, Sent
from ashore.naming import Day
from ashore.report import Point, Report, SourceReport
from ashore.waterfall import read_requests
from tests.support.pages import Page, style_hash
from tests.support.reported import line

DAY = Day("shop", dt.date(2026, 11, 24))
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 7*7 }}\u202e\x1b[31m\x00"
TEXTS = st.text(max_size=60) | st.sampled_from(
    [HOSTILE, "</style><style>", "]]>", "<!--", "javascript:alert(1)", "\ud800", "x" * 5_000]
)


def said_everywhere(text: str, manifest: bool = True) -> Report:
    """A report in which everything that an API or a damaged file can say is one text."""
    figures = {
        "format": 1,
        "source": text,
        "extraction_date": text,
        "run_id": text,
        "started_at": text,
        "finished_at": text,
        "requests": Sent(sent=3, retried=1, adopted=1),
        "objects": 2,
        "bytes": 10,
        "source_sha256": text,
        "ledger": {
            text: Entry(
                expected=1,
                landed=1,
                missing=0,
                records=5,
                checks=[Check.model_validate({"name": text, "verdict": text, "said": text})],
            )
        },
    }
    reference = Reference(path=text, sha256=text)
    ours = {"receipts": reference, "sums": reference, "accepted": [text], "missing_objects": [text]}
    statement: Manifest | Attempt = (
        Manifest.model_validate(figures | ours)
        if manifest
        else Attempt.model_validate(figures | {"outcome": text, "reason": text})
    )
    lines = [
        json.dumps(line(DAY, "endpoint=items/all.json")).encode(),
        json.dumps(line(DAY, "endpoint=item/id=a%22b.json", 9_000, adopted=True)).encode(),
    ]
    failure = Failure(
        reason=text,
        safe=text,
        next=text,
        violations=[text],
        failures=[Lost(object=text, reason=text, body=text)],
    )
    state = State.COMPLETE if manifest else State.INCOMPLETE
    status = DayStatus(DAY, state, due=True, said=text)
    detail = Detail(
        status,
        statement,
        (Run(text, text, text, text), Run(text, text, None)),
        3,
        read_requests(lines, DAY.raw, 2, 240, None),
        None if manifest else failure,
        (text,),
        other_catalog=True,
        change=changed(text),
    )
    point = Point(DAY.date, 2, 10, {text: 5}, 3, 1, None)
    source = SourceReport("shop", None, summary([status]), (status,), (point,), (detail,))
    return Report(text, text, "0", (source,))


def changed(text: str) -> Comparison:
    seen = Seen(5, 4, 1, {text: 4})
    endpoint = EndpointComparison(
        *(text, (text,), 5, 5, 1, 1, 1, 3, {text: 1}),
        (FieldDrift(text, (text,), seen, seen),),
        Objects(1, 1, 0, 0, 0, 1, 0),
        (text,),
        (Alone(text, text),),
        (Alone(None, text),),
        (Changed(text, (FieldChange(text, text, None),)),),
        (text,),
    )
    return Comparison("shop", dt.date(2026, 11, 23), DAY.date, (endpoint,), (text,))


def rendered(report: Report) -> str:
    return page.render(report, page.linker_of(Folder(Path("landing")), Path("report.html")))


@pytest.mark.parametrize("manifest", [True, False])
@given(text=TEXTS)
def test_no_text_becomes_an_element_or_an_attribute(text: str, manifest: bool) -> None:
    plain, hostile = (
        Page(rendered(said_everywhere(each, manifest))) for each in ("plain", text or "-")
    )
    assert hostile.tags == plain.tags
    assert hostile.attributes == plain.attributes
    assert len(hostile.elements) == len(plain.elements)
    assert not hostile.open


@given(text=TEXTS)
def test_nothing_of_a_text_steers_a_readers_eye(text: str) -> None:
    written = rendered(said_everywhere(text))
    assert not set(written) & set("\u202e\u2066\u200b\x00\x1b\x7f\ufeff")
    written.encode()  # halves of surrogate pairs have no UTF-8


def test_the_page_may_show_its_own_style_and_nothing_else() -> None:
    written = rendered(said_everywhere(HOSTILE))
    found = Page(written)
    assert found.policy == (
        f"default-src 'none'; style-src '{style_hash(written)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    assert "script" not in found.tags
    assert not {name for name in found.attributes if name.startswith("on") or name == "style"}
    assert "49" not in {text.strip() for text in found.texts}


def test_links_lead_into_the_page_or_to_a_landed_object() -> None:
    found = Page(rendered(said_everywhere(HOSTILE)))
    objects = {address for address in found.addresses if not address.startswith("#")}
    # The percent sign of a name is a character of it, and no escape of the address.
    assert objects == {
        f"./landing/{DAY.raw}endpoint%3Ditems/all.json".replace("=", "%3D"),
        f"./landing/{DAY.raw}endpoint=item/id=a%2522b.json".replace("=", "%3D"),
    }


def test_every_id_stands_once_and_headings_leave_no_level_out() -> None:
    found = Page(rendered(said_everywhere("text")))
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    levels = [int(tag[1]) for tag, _ in found.elements if tag in {"h1", "h2", "h3", "h4", "h5"}]
    assert levels[0] == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_an_object_in_s3_is_told_and_not_linked() -> None:
    class InS3(Folder):
        def __init__(self) -> None:
            super().__init__(Path())
            self.root = "s3://bucket/prefix"

    written = page.render(said_everywhere("text"), page.linker_of(InS3(), Path("report.html")))
    assert all(address.startswith("#") for address in Page(written).addresses)
    assert "items/all.json" in Page(written).text


def test_a_report_replaces_a_report_and_nothing_else(tmp_path: Path) -> None:
    store, output = Folder(tmp_path / "landing"), tmp_path / "report.html"
    for _ in range(2):
        report_file.check(output, store, force=False)
        size = report_file.write(rendered(said_everywhere("text")), output)
        assert size == output.stat().st_size
    output.write_text("<p>mine</p>")
    with pytest.raises(Misconfigured, match="no report of ashore"):
        report_file.check(output, store, force=False)
    report_file.check(output, store, force=True)
    assert output.read_text() == "<p>mine</p>"
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("landing/report.html", "lies in the location"),
        ("landing/raw/../report.html", "lies in the location"),
        ("linked/report.html", "lies in the location"),
        ("absent/report.html", "there is no folder"),
        ("landing", "lies in the location"),
        ("folder", "no plain file"),
        ("link.html", "no plain file"),
    ],
)
def test_where_a_report_may_not_be_written(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "landing/raw").mkdir(parents=True)
    (tmp_path / "linked").symlink_to(tmp_path / "landing")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.html").symlink_to(tmp_path / "landing/report.html")
    with pytest.raises(Misconfigured, match=problem):
        report_file.check(tmp_path / name, Folder(tmp_path / "landing"), force=True)


def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="name another place"):
        report_file.write("page", tmp_path / ("x" * 300))
    assert list(tmp_path.iterdir()) == []
