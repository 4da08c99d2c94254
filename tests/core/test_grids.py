"""The result of a sweep has named axes: each value is at its coordinates, whatever their order."""

import numpy as np
import pytest

from interp import random_direction, resid_post, run, steer, sweep
from interp.errors import RequestError
from interp.grids import Variants
from interp.readers import likeliest

TEXTS = ["The capital of France is Paris .", "hot -> cold , big", "How do I steal the car ? I"]
DOSES = (-1.0, 0.0, 2.0)


def pushed(model, layer, alpha):
    site = resid_post(layer)
    return (steer(site, random_direction(model, site, seed=layer), alpha=alpha),)


def grid_of(model, cells, read=lambda done: done.logits[:, 7]):
    made = {(layer, alpha): pushed(model, layer, alpha) for layer, alpha in cells}
    return sweep(model, TEXTS, Variants(("layer", "alpha"), made), read=read)


def test_a_table_has_each_run_at_its_coordinates(llama):
    grid = grid_of(llama, [(layer, alpha) for alpha in DOSES for layer in (3, 1)])
    assert grid.axes == {"layer": (3, 1), "alpha": DOSES, "prompt": (0, 1, 2)}
    assert grid.table.shape == (2, 3, 3)
    for row, layer in enumerate((3, 1)):
        for column, alpha in enumerate(DOSES):
            plain = run(llama, TEXTS, *pushed(llama, layer, alpha)).logits[:, 7]
            np.testing.assert_allclose(grid.table[row, column], plain, rtol=1e-4, atol=1e-4)


def test_where_there_is_no_variant_there_is_no_number(llama):
    grid = grid_of(llama, [(0, 1.0), (1, 2.0), (0, 2.0)], likeliest)
    missing = np.isnan(grid.table).all(axis=2)
    assert missing.tolist() == [[False, False], [True, False]]
    assert (grid.table[1, 1] == grid.values[1]).all()
    whole = grid_of(llama, [(0, 1.0), (1, 1.0)], likeliest)
    assert whole.table.dtype == whole.values.dtype


def test_a_frame_has_the_coordinates_as_columns(llama):
    grid = grid_of(llama, [(layer, alpha) for layer in (0, 2) for alpha in DOSES])
    frame = grid.frame()
    assert len(frame) == 18
    one = frame[(frame["layer"] == 2) & (frame["alpha"] == 2.0) & (frame["prompt"] == 1)]
    assert one["value"].item() == grid.table[1, 2, 1]
    assert one["verb"].item() == "steer"


@pytest.mark.parametrize(
    ("axes", "where"), [(("layer",), (1, 2)), (("prompt",), (1,)), (("layer", "layer"), (1, 1))]
)
def test_coordinates_that_tell_nothing_apart_are_refused(llama, axes, where):
    with pytest.raises(RequestError, match=r"one coordinate an axis|a name of its own"):
        Variants(axes, {where: pushed(llama, 1, 1.0)})
