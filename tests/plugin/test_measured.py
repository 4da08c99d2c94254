"""What `measured` takes, refuses, and leaves in the journal and in JUnit."""

import numpy as np
import pytest

INFINITE = "float('inf')"
PAPER = """
["paper.rate"]
source = "A paper, Table 1"
model = "llama-a"
metric = "rate"
value = 0.5
unit = "1"
status = "read"
comparable = "value"
"""


def claim(*lines):
    body = "\n".join(f"    {line}" for line in lines)
    head = '@pytest.mark.finding("area.claim", version=3)\ndef test_claim(model, measured):'
    return f"import numpy as np\n{head}\n{body}\n"


def test_a_value_is_kept_with_everything_that_identifies_it(project):
    project.write("reports/published.toml", PAPER)
    project.models("llama-a").spec(
        claim(
            "estimate = Estimate(0.5, 0.25, 0.75, 20)",
            "given = measured('rate', estimate, published='paper.rate', unit='prob', layer=3)",
            "assert given is estimate",
        )
    )
    project.run().assert_outcomes(passed=1)
    (value,) = project.record.values
    assert (value.spec_id, value.spec_version, value.metric) == ("area.claim", 3, "rate")
    assert (value.value, value.low, value.high, value.n) == (0.5, 0.25, 0.75, 20)
    assert (value.unit, value.published, value.labels) == ("prob", "paper.rate", {"layer": 3})
    assert value.model["id"] == "llama-a"
    assert value.nodeid == "specs/test_spec.py::test_claim[llama-a]"


@pytest.mark.parametrize(
    ("given", "kept"),
    [("3", 3), ("True", True), ("'yes'", "yes"), ("np.float32(0.5)", 0.5), ("np.bool_(1)", True)],
)
def test_plain_values_and_numpy_s_scalars_are_kept_as_they_are(project, given, kept):
    project.models("llama-a").spec(claim(f"measured('x', {given}, n=7)"))
    project.run()
    (value,) = project.record.values
    assert (value.value, type(value.value), value.n) == (kept, type(kept), 7)


@pytest.mark.parametrize(
    "call",
    [
        "measured('rate', float('nan'))",
        f"measured('rate', {INFINITE})",
        f"measured('rate', Estimate(0.5, -{INFINITE}, 1.0, 3))",
        "measured('rate', np.float64('nan'))",
        "measured('rate', Estimate(0.5, 0.1, 1.0, 2, np.array([1.0, np.nan])))",
        f"measured('rate', 1, layer={INFINITE})",
    ],
)
def test_a_value_that_is_not_finite_is_refused_before_it_is_written(project, call):
    project.models("llama-a").spec(claim(call))
    result = project.run()
    result.stdout.fnmatch_lines(["*NonFiniteError: measured('rate') failed:*"])
    assert project.record.values == ()
    assert project.verdicts == {("area.claim", "llama-a"): "error"}


@pytest.mark.parametrize("given", ["[1, 2]", "None", "np.array([1.0])", "object()"])
def test_what_is_not_a_number_or_a_word_is_refused(project, given):
    project.models("llama-a").spec(claim(f"measured('rate', {given})"))
    project.run().stdout.fnmatch_lines(["*RequestError: measured('rate') failed:*"])


def test_parameters_are_labels_so_that_cases_can_be_told_apart(project):
    project.models("llama-a").spec(
        """
        @pytest.mark.parametrize("position, site", [("e1", object()), ("last", object())])
        def test_it(model, measured, position, site): measured("x", 1, layer=2)
        """
    )
    project.run()
    labels = [value.labels for value in project.record.values]
    assert labels == [
        {"position": "e1", "case": "e1-site0", "layer": 2},
        {"position": "last", "case": "last-site1", "layer": 2},
    ]


def test_the_same_value_twice_is_refused(project):
    project.models("llama-a", "gpt-b").spec(
        """
        pytestmark = pytest.mark.finding("area.family")

        def test_one(model, measured):
            measured("x", 1, layer=1)
            measured("x", 1, layer=2)

        def test_two(model, measured): measured("x", 1, layer=1)

        def test_three(model, measured):
            measured("y", 1)
            measured("y", 1)
        """
    )
    result = project.run()
    result.assert_outcomes(passed=2, failed=4)
    result.stdout.fnmatch_lines(["*RequestError: measured('x') failed: this finding has measured*"])


def test_items_are_kept_under_the_hash_of_their_content(project):
    project.models("llama-a").spec(
        claim(
            "hits = np.array([True, False, True])",
            "measured('a', Estimate(2 / 3, 0.1, 0.9, 3, hits))",
            "measured('b', Estimate(2 / 3, 0.1, 0.9, 3, hits))",
        )
    )
    project.run()
    first, second = project.record.values
    assert first.items == second.items
    (artifact,) = (project.runs[-1] / "artifacts").iterdir()
    assert artifact.name == f"{first.items}.npz"
    assert np.load(artifact)["items"].tolist() == [True, False, True]


def test_junit_has_the_values_and_the_verdict(project):
    project.models("llama-a").spec(
        claim("measured('rate', Estimate(0.5, 0.25, 0.75, 20), layer=3)")
    )
    project.run("--junitxml", "junit.xml")
    junit = (project.path / "junit.xml").read_text()
    assert '<property name="interp.rate[layer=3]" value="0.5"' in junit
    assert '<property name="interp.rate[layer=3].high" value="0.75"' in junit
    assert '<property name="interp.verdict" value="holds"' in junit


def test_a_value_can_be_about_no_model(project):
    project.models("llama-a").spec("def test_null(measured): measured('rate', 0.05)")
    project.run().assert_outcomes(passed=1)
    assert [value.model for value in project.record.values] == [None]


def test_the_profile_picks(project):
    project.models("llama-a").spec(
        "def test_it(model, measured, profile): measured('n', profile.pick(quick=8, full=64))"
    )
    project.run()
    assert project.record.values[0].value == 8
    project.run("--profile", "full")
    assert project.record.values[0].value == 64
    assert project.record.manifest["profile"] == "full"


def test_a_finding_says_which_of_its_values_are_set_beside_size(project):
    project.models("llama-a")
    project.spec(
        """
        import pytest

        @pytest.mark.finding("a.claim", scales=("x",))
        def test_it(model, measured): measured("x", 1.0)
        """
    )
    project.run().assert_outcomes(passed=1)
    assert [case.scales for case in project.record.planned] == [["x"]]


@pytest.mark.parametrize("scales", ['"x"', "(1,)", "3"])
def test_names_of_values_beside_size_are_a_list_of_names(project, scales):
    project.models("llama-a")
    project.spec(
        f"""
        import pytest

        @pytest.mark.finding("a.claim", scales={scales})
        def test_it(model, measured): measured("x", 1.0)
        """
    )
    result = project.run()
    assert result.ret
    result.stdout.fnmatch_lines(["*no names of values*"])
