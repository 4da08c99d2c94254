"""From outcomes to verdicts, accepted states and the exit status."""

import pytest

FINDING = """
@pytest.mark.finding("area.claim", version=2)
def test_claim(model, measured):
    gain = measured("gain", Estimate(-0.03, -0.09, 0.03, 64))
    assert gain.low > 0
"""
CONTRACT = """
@pytest.mark.contract
def test_identity(model):
    assert model.spec.id != "llama-a", "moved"
"""
FAILS = {"kind": "verdict", "finding": "area.claim", "version": 2, "verdict": "fails"}


def body(lines):
    indented = "\n".join(f"    {line}" for line in lines.splitlines())
    return f'@pytest.mark.finding("area.claim")\ndef test_claim(model, measured):\n{indented}\n'


@pytest.mark.parametrize(
    ("lines", "verdict", "outcome", "status"),
    [
        ("measured('x', 1)", "holds", "passed", 0),
        ("assert measured('x', 1) == 2", "fails", "failed", 1),
        ("measured('x', 1)\nraise ValueError('odd')", "error", "failed", 11),
        ("assert 1 == 2", "error", "failed", 11),
        ("pass", "error", "failed", 11),
        ("pytest.skip('not today')", "skipped", "skipped", 0),
        (
            (
                "measured('x', 1)\nfrom interp.errors import InconclusiveError\n"
                "raise InconclusiveError('3 items of 50')"
            ),
            "inconclusive",
            "inconclusive",
            0,
        ),
    ],
    ids=["holds", "fails", "error", "no-numbers", "nothing-measured", "skipped", "inconclusive"],
)
def test_an_outcome_becomes_a_verdict_and_a_status(project, lines, verdict, outcome, status):
    project.models("llama-a").spec(body(lines))
    result = project.run()
    assert project.verdicts == {("area.claim", "llama-a"): verdict}
    assert result.parseoutcomes() == {outcome: 1}
    assert result.ret == status
    result.stdout.fnmatch_lines([f"exit {status}: *"])


def test_too_few_items_found_by_a_fixture_are_inconclusive_too(project):
    project.models("llama-a").spec(
        """
        from interp.errors import InconclusiveError

        @pytest.fixture
        def failures(model): raise InconclusiveError("3 items of 50")

        @pytest.mark.finding("area.claim")
        def test_claim(failures, measured): pass
        """
    )
    result = project.run()
    assert (project.verdicts[("area.claim", "llama-a")], result.ret) == ("inconclusive", 0)
    assert project.run("--gate").ret == 11


def test_under_the_gate_a_run_without_a_value_is_incomplete(project):
    project.models("llama-a").spec("def test_it(model): pass")
    assert project.run().ret == 0
    result = project.run("--gate")
    assert result.ret == 11
    result.stdout.fnmatch_lines(["exit 11: incomplete: no value measured"])


def test_what_rests_on_a_failed_contract_is_invalid_on_that_model_only(project):
    project.models("llama-a", "gpt-b").spec(CONTRACT + body("measured('x', 1)"))
    project.spec("@pytest.mark.calibration\ndef test_fires(model): pass", "test_calibration.py")
    result = project.run()
    assert result.ret == 12
    assert project.verdicts == {
        ("test_spec::test_identity", "llama-a"): "fails",
        ("test_calibration::test_fires", "llama-a"): "invalid",
        ("area.claim", "llama-a"): "invalid",
        ("test_spec::test_identity", "gpt-b"): "holds",
        ("test_calibration::test_fires", "gpt-b"): "holds",
        ("area.claim", "gpt-b"): "holds",
    }
    assert [value.model_id for value in project.record.values] == ["gpt-b"]
    result.stdout.fnmatch_lines(
        ["*invalid: stands on what failed on", "*this model: test_spec::test_identity"]
    )


def test_a_calibration_that_fails_is_an_instrument_that_failed(project):
    project.models("llama-a")
    project.spec("@pytest.mark.calibration\ndef test_fires(model): assert False")
    assert project.run().ret == 12


def test_a_failure_that_was_accepted_is_no_failure(project):
    project.models("llama-a", "gpt-b").spec(FINDING)
    project.baseline("llama-a", {**FAILS, "reason": "as seen"})
    result = project.run("-v", "--junitxml", "junit.xml")
    assert result.ret == 1  # gpt-b has not been accepted
    assert result.parseoutcomes() == {"accepted": 1, "failed": 1}
    result.stdout.fnmatch_lines(["*llama-a* ACCEPTED*", "*accepted: does not hold"])
    ends = {end.case.model: end for end in project.record.ends}
    assert (ends["llama-a"].verdict, ends["llama-a"].accepted) == ("fails", True)
    assert (ends["gpt-b"].verdict, ends["gpt-b"].accepted) == ("fails", False)
    junit = (project.path / "junit.xml").read_text()
    assert 'skipped="1"' in junit
    assert "accepted: does not hold: as seen" in junit
    assert project.run("--model", "llama-a").ret == 0


def test_too_few_items_can_be_accepted_and_only_where_they_are_known(project):
    project.models("llama-a").spec(
        """
        from interp.errors import InconclusiveError

        @pytest.fixture
        def failures(model): raise InconclusiveError("3 items of 50")

        @pytest.mark.finding("area.claim")
        def test_claim(failures, measured): pass

        @pytest.mark.finding("area.other")
        def test_other(model, measured): assert measured("gain", 1.0) > 0
        """
    )
    weak = {**FAILS, "version": 1, "verdict": "inconclusive"}
    project.baseline("llama-a", {**weak, "finding": "area.other"})
    assert project.run("--gate", "--baseline-allow-new").ret == 11
    project.baseline("llama-a", weak)
    assert project.run("--gate", "--baseline-allow-new").ret == 0


@pytest.mark.parametrize(
    "row",
    [{**FAILS, "version": 1}, {**FAILS, "finding": "area.other"}, {**FAILS, "verdict": "holds"}],
    ids=["version", "finding", "verdict"],
)
def test_an_accepted_verdict_of_something_else_accepts_nothing(project, row):
    project.models("llama-a").spec(FINDING)
    project.baseline("llama-a", row)
    assert project.run().ret == 1


def test_one_case_of_a_finding_can_be_accepted(project):
    project.models("llama-a").spec(
        """
        @pytest.mark.finding("area.claim", version=2)
        @pytest.mark.parametrize("position", ["e1", "last"])
        def test_claim(model, measured, position):
            assert measured("gain", -1.0) > 0
        """
    )
    project.baseline("llama-a", {**FAILS, "params": "e1"})
    project.run().assert_outcomes(failed=1)
    accepted = {end.case.params: end.accepted for end in project.record.ends}
    assert accepted == {"e1": True, "last": False}


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "verdict", "find',
        '{"kind": "verdict"}',
        "[1]",
        '{"kind": "verdict", "finding": "a", "version": 1, "verdict": "no"}',
    ],
    ids=["torn", "key", "list", "word"],
)
def test_a_corrupt_baseline_is_a_usage_error(project, text):
    project.models("llama-a").spec(FINDING)
    project.write("reports/baselines/llama-a.jsonl", "\n" + text + "\n")
    result = project.run()
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*a line of this baseline is not*", "*where: *llama-a.jsonl:2"])
    assert not project.runs


@pytest.mark.parametrize(
    "mark",
    ["finding", "finding()", "finding('')", "finding('a', version='1')", "finding('a', b=1)"],
)
def test_a_finding_without_a_proper_identity_is_an_error(project, mark):
    project.models("llama-a").spec(
        f"@pytest.mark.{mark}\ndef test_claim(model, measured): measured('x', 1)"
    )
    result = project.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*a finding has an id, and a whole number as version.*"])


def test_a_family_of_claims_shares_an_id_and_each_keeps_its_name(project):
    project.models("llama-a").spec(
        """
        pytestmark = pytest.mark.finding("area.family")

        def test_early(model, measured): measured("early", 1)

        def test_late(model, measured): assert measured("late", 1) == 2
        """
    )
    project.run()
    verdicts = {end.case.params: end.verdict for end in project.record.ends}
    assert verdicts == {"early": "holds", "late": "fails"}
    project.run("specs/test_spec.py::test_late")
    assert [end.case.params for end in project.record.ends] == ["late"]


def test_an_error_in_teardown_takes_the_verdict_back(project):
    fixture = "@pytest.fixture\ndef broken():\n    yield\n    raise OSError('no way down')\n"
    spec = body("measured('x', 1)").replace("model, ", "model, broken, ")
    project.models("llama-a").spec(fixture + spec)
    result = project.run()
    assert project.verdicts == {("area.claim", "llama-a"): "error"}
    assert result.ret == 11


def test_an_ordinary_test_that_fails_keeps_pytest_s_status(project):
    project.models("llama-a").spec(body("measured('x', 1)"))
    project.spec("def test_plain(): assert False", "test_plain.py")
    result = project.run()
    assert result.ret == 1
    result.stdout.fnmatch_lines(["exit 1: 1 test failed"])
    assert len(project.record.planned) == 1


def test_planned_specs_that_were_not_run_make_a_run_incomplete(project):
    project.models("llama-a").spec(FINDING + "\ndef test_later(model): pass")
    result = project.run("-x")
    assert result.ret == 11
    result.stdout.fnmatch_lines(["exit 11: incomplete: 1 not run; 1 claim does not hold"])


def test_pytest_s_own_statuses_win(project):
    project.models("llama-a").spec(CONTRACT)
    assert project.run("--nonsense").ret == 4
    project.spec("def test_(: pass", "test_broken.py")
    assert project.run().ret == 2
    (project.path / "specs" / "test_broken.py").unlink()
    assert project.run("-k", "nothing_like_it").ret == 5
