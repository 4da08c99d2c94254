"""What is written at the end of a run: each for itself, and found again later."""

import json
from dataclasses import replace

import pytest

from interp.reports.exit_status import Outcome
from interp.reports.outputs import below, read_published, read_told, write_outputs, write_page
from interp.reports.page import Told
from tests.page.made import NASTY

ALL = ["outcome.json", "summary.md", "values.parquet", "is.sorted.small.kept.svg"]
ALL += ["is.sorted.small.kept.pdf", "report.html"]


@pytest.fixture
def record(with_figures, tmp_path):
    """A run in a folder of its own, with one figure."""
    return replace(with_figures.record, folder=tmp_path / "run")


@pytest.fixture
def journal(tmp_path):
    """A run's folder as a journal leaves it, of a case that ended."""
    case = {"nodeid": "a.py::t", "spec_id": "a", "spec_version": 1, "role": "spec", "model": None}
    end = {**case, "verdict": "holds", "accepted": False, "reason": "", "seconds": 1.0}
    rows = [{**case, "kind": "test_start"}, {**end, "kind": "test_end"}]
    lines = [json.dumps({"v": 1, "seq": n, "t": n, **row}) for n, row in enumerate(rows)]
    folder = tmp_path / "run"
    (folder / "parts").mkdir(parents=True)
    (folder / "parts" / "main-1-abcdef00.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "collection.json").write_text(json.dumps([case]))
    return folder


def test_everything_is_written(record):
    written = write_outputs(record, None, Outcome(0, "all is well"), {})
    assert written.problems == ()
    assert [path.name for path in written.paths] == ALL
    assert all(path.stat().st_size for path in written.paths)


def test_a_chart_that_cannot_be_drawn_is_told_and_costs_nothing_else(record):
    broken = replace(record.charts[0], name="broken", chart={"type": NASTY})
    record = replace(record, charts=(broken, *record.charts))
    written = write_outputs(record, None, Outcome(0, "all is well"), {})
    assert [path.name for path in written.paths] == ALL
    (problem,) = written.problems
    assert problem.startswith("figures/is.sorted.small.broken could not be written: ")
    assert problem.isprintable()


@pytest.mark.parametrize("name", ["report.html", "summary.md", "values.parquet", "outcome.json"])
def test_a_place_that_cannot_be_written_to_costs_nothing_else(record, name):
    (record.folder / name).mkdir(parents=True)
    written = write_outputs(record, None, Outcome(0, "all is well"), {})
    assert [path.name for path in written.paths] == [one for one in ALL if one != name]
    (problem,) = written.problems
    assert problem.startswith(f"{name} could not be written: ")


def test_a_run_is_found_with_its_exit_status(journal, tmp_path):
    told = read_told(journal, tmp_path)
    assert told.outcome is None
    write_outputs(told.record, None, Outcome(1, "1 claim does not hold"), {})
    assert read_told(journal, tmp_path).outcome == Outcome(1, "1 claim does not hold")


def test_an_exit_status_from_before_the_run_went_on_is_not_believed(journal, tmp_path):
    write_outputs(read_told(journal, tmp_path).record, None, Outcome(0, "all is well"), {})
    part = next((journal / "parts").iterdir())
    later = part.read_text().splitlines()[-1].replace("a.py::t", "a.py::u")
    part.with_name("main-2-abcdef01.jsonl").write_text(later + "\n")
    assert read_told(journal, tmp_path).outcome is None


@pytest.mark.parametrize("left", ["", "{", "[]", '{"status": 0}', '{"status": "x", "meaning": 1}'])
def test_an_exit_status_that_cannot_be_read_is_none(journal, tmp_path, left):
    (journal / "outcome.json").write_text(left)
    assert read_told(journal, tmp_path).outcome is None


def test_code_is_linked_where_it_lies_in_a_folder_above(tmp_path):
    code = tmp_path / "specs" / "a b.py"
    code.parent.mkdir()
    code.touch()
    href = below(tmp_path / "reports" / "runs" / "x" / "report.html")
    assert href("specs/a b.py") == "../../../specs/a%20b.py"
    assert [href("specs/c.py"), href(""), href(str(code)), href("javascript:x()")] == [""] * 4


def test_the_page_links_the_line_of_the_code(several_values, tmp_path):
    code = tmp_path / "specs" / "findings" / "test_finding.py"
    code.parent.mkdir(parents=True)
    code.touch()
    page = write_page([several_values], tmp_path / "reports" / "page.html", {})
    assert 'href="../specs/findings/test_finding.py#L7"' in page.read_text()


def test_the_page_stays_small(several_values, tmp_path):
    (value, *_) = several_values.record.values
    many = tuple(replace(value, metric=f"m{n}", ledger=[*value.ledger] * 8) for n in range(5000))
    told = Told(replace(several_values.record, values=many))
    assert write_page([told], tmp_path / "page.html", {}).stat().st_size < 5_000_000


def test_without_published_values_there_are_none(tmp_path):
    assert read_published(tmp_path) == {}


def test_published_values_stand_beside_ours(several_values, page, root_reports):
    first, *_ = several_values.record.values
    named = replace(first, published="htl.backpatch.max", value=0.5, low=0.4, high=0.6, unit="1")
    told = replace(several_values, record=replace(several_values.record, values=(named,)))
    text = page(told, published=read_published(root_reports))
    assert '<th scope="col">published</th>' in text
    assert '<a href="https://arxiv.org/abs/2406.12775v2" rel="noreferrer">' in text


@pytest.fixture
def root_reports(request):
    return request.config.rootpath / "reports"
