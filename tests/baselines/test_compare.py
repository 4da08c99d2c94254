"""Runs beside runs: what is compared, what is not, and why."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interp.reports.compare import compare_runs

HITS = np.arange(120) % 3 > 0
PROMPTS = {"name": "two-hop", "digest": "d1", "n": 300, "tokens": "t1"}
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
SCALARS = st.one_of(NUMBERS, st.integers(-100, 100), st.booleans(), st.text(max_size=5))


def only(comparison):
    (found,) = comparison.values
    return found


def kinds(comparison):
    return {one.name: one.kind for one in comparison.values}


def flipped(items, many):
    """The items with so many hits lost."""
    after = items.copy()
    after[np.flatnonzero(items)[:many]] = False
    return after


@settings(max_examples=30, deadline=None)
@given(st.lists(SCALARS, min_size=1, max_size=5), st.lists(st.booleans(), min_size=1, max_size=30))
def test_a_run_beside_itself_is_the_same_in_everything(
    benches, measured, with_items, numbers, items
):
    values = [measured(f"m{place}", number) for place, number in enumerate(numbers)]
    run = benches().run([*values, with_items(items, "hits")])
    found = compare_runs(run, run)
    assert set(kinds(found).values()) == {"same"}
    assert (found.verdicts, found.around, found.moved) == ((), (), ())


@settings(max_examples=30, deadline=None)
@given(NUMBERS, NUMBERS, st.sampled_from(["1", "p"]), st.sampled_from([None, 0.1]))
def test_a_difference_is_one_from_both_sides(benches, measured, before, after, unit, noise):
    bench = benches()
    runs = [bench.run([measured(number=one, unit=unit, noise=noise)]) for one in (before, after)]
    there, back = only(compare_runs(*runs)), only(compare_runs(*reversed(runs)))
    assert (there.kind, there.allowed) == (back.kind, back.allowed)


@pytest.mark.parametrize(
    ("before", "after", "others", "kind"),
    [
        (0.5, 0.5, {}, "same"),
        (0.5, 0.500001, {}, "within"),
        (0.5, 0.51, {}, "drifted"),
        (0.5, 0.51, {"noise": 0.01}, "within"),
        (0.5, 0.55, {"noise": 0.01}, "drifted"),
        (3, 4, {"noise": 10.0}, "drifted"),
        ("Paris", "Rome", {}, "drifted"),
        ("Paris", "Paris", {}, "same"),
        (True, False, {}, "drifted"),
        (1e-9, 5e-9, {"unit": "p"}, "within"),
        (1e-9, 1e-2, {"unit": "p"}, "drifted"),
        (0.5, 0.58, {"tolerance": {"kind": "within", "abs": 0.1}}, "within"),
        (0.5, 0.62, {"tolerance": {"kind": "within", "abs": 0.1, "better": "higher"}}, "improved"),
        (0.5, 0.38, {"tolerance": {"kind": "within", "abs": 0.1, "better": "higher"}}, "drifted"),
        (0.5, 0.5000001, {"tolerance": {"kind": "exact"}}, "drifted"),
        (0.5, "many", {}, "drifted"),
    ],
    ids=str,
)
def test_a_value_without_items_moves_as_far_as_its_tolerance(
    bench, measured, before, after, others, kind
):
    runs = [bench.run([measured(number=one, **others)]) for one in (before, after)]
    assert only(compare_runs(*runs)).kind == kind


@pytest.mark.parametrize(
    ("part", "to", "kind"),
    [
        ("dtype", "bfloat16", "incomparable"),
        ("backend", "mlx", "incomparable"),
        ("quantization", "int8", "incomparable"),
        ("weights_digest", "b" * 64, "incomparable"),
        ("attn_implementation", "eager", "within"),
        ("device", "cuda:1", "within"),
        ("source", "elsewhere", "drifted"),
    ],
)
def test_what_is_not_the_same_arithmetic_is_not_compared(bench, measured, part, to, kind):
    """0.0003 is more than rounding allows, and less than ten times of it."""
    runs = [bench.run([measured(number=0.5)]), bench.run([measured(number=0.5003)])]
    other = bench.run([measured(number=0.5003)], identity={part: to})
    assert only(compare_runs(*runs)).kind == "drifted"
    assert only(compare_runs(runs[0], other)).kind == kind


def test_other_weights_are_compared_where_they_are_what_is_compared(bench, measured):
    values = [measured(noise=1.0)]
    one, two = bench.run(values), bench.run([measured(number=0.9, noise=1.0)])
    three = bench.run([measured(number=0.9, noise=1.0)], identity={"weights_digest": "b" * 64})
    assert only(compare_runs(one, two)).kind == "within"
    blocked = only(compare_runs(one, three))
    assert (blocked.kind, blocked.why) == ("incomparable", "other weights: aaaaaaaa -> bbbbbbbb")
    assert only(compare_runs(one, three, other_weights=True)).kind == "drifted"  # noise is theirs


def test_a_new_version_of_a_spec_is_not_drift(bench, measured):
    runs = [bench.run([measured(spec_version=version)]) for version in (1, 2)]
    assert only(compare_runs(*runs)).kind == "spec changed"


@pytest.mark.parametrize(
    ("before", "after", "kind", "why"),
    [
        ([PROMPTS], [PROMPTS], "drifted", ""),
        ([PROMPTS], [{**PROMPTS, "digest": "d2"}], "incomparable", "other prompts: two-hop"),
        (
            [PROMPTS, {**PROMPTS, "digest": "s1", "n": 119}],
            [PROMPTS, {**PROMPTS, "digest": "s2", "n": 112}],
            "inconclusive",
            "other prompts of the same two-hop qualified: 119 -> 112",
        ),
        (
            [PROMPTS],
            [{**PROMPTS, "tokens": "t2"}],
            "drifted",
            "the same texts have other token ids",
        ),
    ],
    ids=["same", "texts", "selection", "tokens"],
)
def test_other_prompts_are_another_question(bench, measured, before, after, kind, why):
    one = bench.run([measured(number=0.5, prompts=before)])
    two = bench.run([measured(number=0.9, prompts=after)])
    found = only(compare_runs(one, two))
    assert (found.kind, found.why) == (kind, why)


def test_another_number_of_items_is_another_experiment(bench, measured):
    one, two = bench.run([measured(n=100)]), bench.run([measured(n=1000)], manifest={"profile": 2})
    assert only(compare_runs(one, two)).kind == "incomparable"


@pytest.mark.parametrize(
    ("many", "kind"), [(0, "same"), (1, "same"), (5, "inconclusive"), (20, "changed")]
)
def test_hits_are_the_same_changed_or_neither(bench, with_items, many, kind):
    runs = [bench.run([with_items(items)]) for items in (HITS, flipped(HITS, many))]
    found = only(compare_runs(*runs))
    assert found.kind == kind
    if many:
        assert found.why.startswith(f"{many} of 120 items moved")
        assert found.allowed == "equivalent within 0.050"


def test_hits_that_moved_for_the_better_have_improved(bench, with_items):
    better = {"kind": "equivalent", "margin": 0.05, "better": "higher"}
    worse = bench.run([with_items(flipped(HITS, 20), tolerance=better)])
    run = bench.run([with_items(HITS, tolerance=better)])
    assert only(compare_runs(worse, run)).kind == "improved"
    assert only(compare_runs(run, worse)).kind == "changed"


def test_numbers_that_moved_by_rounding_are_within_it(bench, with_items):
    draws = np.random.default_rng(0).normal(size=64)
    one = bench.run([with_items(draws)])
    two = bench.run([with_items(draws * (1 + 1e-6))])
    far = bench.run([with_items(draws + 0.5)])
    assert only(compare_runs(one, two)).kind == "within"
    assert only(compare_runs(one, far)).kind == "changed"
    assert only(compare_runs(one, far)).why.startswith("64 of 64 items moved, difference 0.500")


def test_one_change_is_found_among_many_that_did_not_move(bench, with_items):
    names = [f"m{place}" for place in range(30)]
    one = bench.run([with_items(HITS, name) for name in names])
    two = bench.run([with_items(flipped(HITS, 20 * (name == "m7")), name) for name in names])
    assert [x.name for x in compare_runs(one, two).drifted] == ["m7"]


@pytest.mark.parametrize("lost", ["before", "after"])
def test_without_the_items_only_the_values_are_compared(bench, with_items, lost):
    runs = {"before": bench.run([with_items(HITS)])}
    runs["after"] = bench.run([with_items(flipped(HITS, 1))])
    for path in (runs[lost].folder / "artifacts").glob("*.npz"):
        path.unlink()
    found = only(compare_runs(*runs.values()))
    assert found.kind == "drifted"
    assert "are not here" in found.why


def test_a_value_that_is_not_the_mean_of_its_items_is_compared_by_itself(bench, with_items):
    one = bench.run([with_items(HITS) | {"value": 0.25}])
    two = bench.run([with_items(flipped(HITS, 1)) | {"value": 0.75}])
    assert only(compare_runs(one, two)).kind == "drifted"


def test_items_that_stayed_do_not_hide_a_value_that_moved(bench, with_items):
    one, two = bench.run([with_items(HITS)]), bench.run([with_items(HITS) | {"value": 0.1}])
    assert only(compare_runs(one, two)).kind == "drifted"


def test_what_a_run_did_not_select_is_not_missing(bench, measured):
    one = bench.run([measured("a"), measured("b", spec_id="area.other")])
    two = bench.run([measured("c")])
    assert kinds(compare_runs(one, two)) == {"a": "missing", "c": "new"}


@pytest.mark.parametrize(
    ("verdict", "why"), [("error", "error: as it is"), ("killed", "its process died")]
)
def test_what_was_lost_to_an_error_is_missing_and_says_why(bench, measured, verdict, why):
    one = bench.run([measured("a"), measured("b")])
    two = bench.run([measured("b")], verdict=verdict)
    (lost,) = compare_runs(one, two).missing
    assert (lost.name, lost.why) == ("a", why)


def test_a_verdict_that_changed_is_named_by_its_finding(bench, measured):
    one, two = bench.run([measured()]), bench.run([measured()], verdict="inconclusive")
    (change,) = compare_runs(one, two).verdicts
    assert (change.finding, change.before, change.after) == ("area.claim", "holds", "inconclusive")


def test_what_was_different_around_is_named(bench, measured):
    one = bench.run([measured()])
    newer = {"versions": {"torch": "2.14.0"}}
    two = bench.run([measured()], manifest=newer, identity={"dtype": "bfloat16"})
    around = {
        change.what: (change.before, change.after) for change in compare_runs(one, two).around
    }
    assert around == {
        "llama-a · dtype": ("float32", "bfloat16"),
        "torch": ("2.13", "2.14.0"),
    }
