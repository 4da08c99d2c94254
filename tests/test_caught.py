"""What caught a bug the last time is asked first; it decides nothing."""

from types import SimpleNamespace

import pytest

from interp.errors import DataError
from interp.mutants.catalogue import catalogue
from interp.mutants.caught import TABLE, load_caught
from interp.mutants.trial import Usual, Watcher

QUICK, SLOW = "specs/contracts/test_a.py::test_quick", "specs/contracts/test_b.py::test_slow"


def ordered(likely):
    def item(nodeid):
        return SimpleNamespace(nodeid=nodeid, get_closest_marker=lambda _: None)

    items = [item(QUICK), item(SLOW)]
    watcher = Watcher(Usual(seconds={QUICK: 0.1, SLOW: 9.0}), likely)
    sorting = watcher.pytest_collection_modifyitems(items)
    next(sorting)
    with pytest.raises(StopIteration):
        sorting.send(None)
    return [one.nodeid for one in items]


@pytest.mark.parametrize("likely", ["", "specs/contracts/test_gone.py::test_it"])
def test_quick_specs_come_first(likely):
    assert ordered(likely) == [QUICK, SLOW]


def test_before_them_the_one_that_caught_it():
    assert ordered(SLOW) == [SLOW, QUICK]


def test_the_table_is_of_bugs_and_specs_that_exist(pytestconfig):
    known = load_caught()
    assert TABLE.is_file()
    assert set(known) <= set(catalogue())
    for spec in known.values():
        file, _, test = spec.partition("::")
        assert f"def {test.partition('[')[0]}(" in (pytestconfig.rootpath / file).read_text()


def test_a_table_that_is_none_is_refused(tmp_path):
    table = tmp_path / "caught.json"
    assert load_caught(table) == {}
    table.write_text("[1")
    with pytest.raises(DataError, match="make caught"):
        load_caught(table)
    table.write_text("[1]")
    with pytest.raises(DataError, match="make caught"):
        load_caught(table)
