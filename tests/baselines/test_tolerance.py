"""How far a value may move: by kind of value, by its spec, by its line."""

import pytest

import interp
from interp.errors import DataError, RequestError
from interp.reports.baselines import Reference
from interp.reports.tolerance import (
    Circumstances,
    Decades,
    Equivalent,
    Exact,
    TimesNoise,
    Within,
    band,
    default_for,
    distance,
    from_json,
    is_better,
    to_json,
)

HALF = Circumstances(dtype="bfloat16")


def reference(value, **others):
    return Reference("area.claim", 1, "rate", value, {}, {}, **others)


@pytest.mark.parametrize(
    ("value", "others", "kind"),
    [
        (3, {}, Exact),
        ("Paris", {}, Exact),
        (True, {}, Exact),
        (0.5, {}, TimesNoise),
        (0.5, {"items": "a" * 64}, Equivalent),
        (1e-5, {"unit": "p"}, Decades),
    ],
)
def test_the_default_is_by_kind_of_value(value, others, kind):
    assert type(default_for(reference(value, **others))) is kind


@pytest.mark.parametrize(
    "tolerance",
    [
        interp.exact,
        interp.within(abs=0.1, rel=0.02, better="higher"),
        interp.noise(3),
        interp.equivalent(0.04, better="lower"),
        Decades(2.0),
        Equivalent(),
    ],
    ids=repr,
)
def test_a_tolerance_reads_back_as_it_was(tolerance):
    assert from_json(to_json(tolerance)) == tolerance


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"kind": "loose"},
        {"kind": "within", "abs": "much"},
        {"kind": "within", "abs": -1.0},
        {"kind": "exact", "abs": 1.0},
    ],
    ids=str,
)
def test_what_is_no_tolerance_is_refused(row):
    with pytest.raises(DataError, match="tolerance"):
        from_json(row)


@pytest.mark.parametrize("number", [-1.0, float("nan"), float("inf")])
def test_what_is_no_distance_is_refused_where_it_is_written(number):
    for words in (interp.noise, interp.equivalent, lambda far: interp.within(rel=far)):
        with pytest.raises(RequestError, match="a tolerance is a distance"):
            words(number)


@pytest.mark.parametrize(
    ("tolerance", "around", "width"),
    [
        (Within(abs=0.1, rel=0.02), Circumstances(), 0.2),
        (Within(abs=0.3, rel=0.02), Circumstances(), 0.3),
        (Within(rel=0.02), Circumstances(portable=True), 2.0),
        (TimesNoise(4.0), Circumstances(), 1e-3),
        (TimesNoise(4.0), Circumstances(noise=0.01), 0.04),
        (TimesNoise(4.0), Circumstances(noise=1e-9), 1e-3),
        (TimesNoise(4.0), HALF, 0.5),
        (TimesNoise(4.0), Circumstances(quantized=True), 0.5),
        (Equivalent(0.2), Circumstances(noise=0.01), 0.04),
        (Exact(), Circumstances(noise=0.01, portable=True), 0.0),
        (Decades(), Circumstances(portable=True), 1.0),
    ],
    ids=str,
)
def test_how_far_ten_may_move(tolerance, around, width):
    assert band(tolerance, 10.0, 9.0, around).width == pytest.approx(width)
    assert band(tolerance, 9.0, 10.0, around) == band(tolerance, 10.0, 9.0, around)


def test_p_values_are_as_far_apart_as_their_powers_of_ten():
    assert distance(Decades(), 1e-8, 1e-6) == pytest.approx(2.0)
    assert distance(Decades(), 0.0, 0.0) == 0.0
    assert distance(Within(), 1e-8, 1e-6) == pytest.approx(9.9e-7)


@pytest.mark.parametrize(
    ("better", "up", "down"), [("higher", True, False), ("lower", False, True)]
)
def test_better_is_what_was_declared_to_be(better, up, down):
    tolerance = interp.within(abs=0.1, better=better)
    assert (is_better(tolerance, 0.1, 0.9), is_better(tolerance, 0.9, 0.1)) == (up, down)
    assert not is_better(Within(), 0.1, 0.9)
    assert not is_better(Exact(), 0.1, 0.9)
