"""Each model is loaded once, meets its contracts first, and is gone before the next one comes."""

WATCHED = """
import gc, weakref

class Weights:
    pass

class Heavy:
    alive = weakref.WeakSet()

    def __init__(self, spec):
        self.spec, self.others = spec, [one.spec.id for one in Heavy.alive]
        Heavy.alive.add(self)

    def identity(self):
        return {"id": self.spec.id}

    def close(self):
        pass

def pytest_interp_load_model(spec):
    return Heavy(spec)
"""


def planned(project):
    return [(case.model, case.spec_id.split("::")[-1]) for case in project.record.planned]


def test_a_model_is_one_run_of_specs_whatever_else_is_parametrised(project):
    project.models("llama-a", "gpt-b").spec(
        """
        @pytest.fixture(scope="session", params=["x", "y"])
        def other(request): return request.param

        @pytest.mark.parametrize("depth", [1, 2])
        def test_one(model, other, depth, measured): measured("x", 1, other=other)

        def test_two(other, model, measured): measured("y", 1, other=other)
        """
    )
    project.run().assert_outcomes(passed=12)
    assert [model for model, _ in project.loads] == ["llama-a", "gpt-b"]
    models = [end.case.model for end in project.record.ends]
    assert models == ["llama-a"] * 6 + ["gpt-b"] * 6


def test_contracts_come_first_then_calibration_then_findings_else_as_written(project):
    project.models("llama-a", "gpt-b").spec(
        """
        def test_last(model): pass

        @pytest.mark.finding("b.two")
        def test_finding_two(model, measured): measured("x", 1)

        @pytest.mark.finding("a.one")
        def test_finding_one(model, measured): measured("x", 1)

        @pytest.mark.calibration
        def test_fires(model): pass

        @pytest.mark.contract
        def test_b(model): pass

        @pytest.mark.contract
        def test_a(model): pass
        """
    )
    project.run()
    order = ["test_b", "test_a", "test_fires", "b.two", "a.one", "test_last"]
    assert planned(project) == [(model, name) for model in ("llama-a", "gpt-b") for name in order]
    assert [end.case.nodeid for end in project.record.ends] == [
        case.nodeid for case in project.record.planned
    ]


def test_a_model_is_gone_before_the_next_is_loaded_even_after_a_failure(project):
    project.models("llama-a", "gpt-b", "qwen-c")
    project.write("conftest.py", WATCHED)
    project.spec(
        """
        @pytest.fixture(scope="session")
        def cached(model): return [model]

        def test_it(model, cached, measured):
            measured("others", len(model.others))
            held = model
            assert held is None
        """
    )
    project.start().assert_outcomes(failed=3)
    assert [value.value for value in project.record.values] == [0, 0, 0]


def test_whoever_holds_a_closed_model_is_named(project):
    project.models("llama-a")
    project.spec("KEPT = []\ndef test_it(model, measured):\n    KEPT.append(model)")
    result = project.start("-W", "error")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*ModelNotFreedWarning: model 'llama-a'*test_spec.KEPT, a list*"])


def test_the_model_is_closed_in_the_teardown_of_its_own_last_spec(project):
    project.models("llama-a", "gpt-b").spec(
        """
        KEPT = {}

        def test_it(model, measured):
            measured("open", [one.is_open for one in KEPT.values()] == [False] * len(KEPT))
            KEPT[model.spec.id] = model
        """
    )
    project.run().assert_outcomes(passed=2)
    assert [value.value for value in project.record.values] == [True, True]


def test_a_model_that_cannot_be_loaded_fails_its_own_specs_only(project):
    project.models("llama-a", "gpt-b")
    project.write(
        "conftest.py",
        """
        from interp.errors import DataError

        class Light:
            def identity(self): return {"id": "gpt-b"}
            def close(self): pass

        def pytest_interp_load_model(spec):
            if spec.id == "llama-a":
                raise DataError("two shards are missing")
            return Light()
        """,
    )
    project.spec("def test_one(model): pass\n@pytest.mark.contract\ndef test_two(model): pass")
    result = project.run()
    result.assert_outcomes(errors=2, passed=2)
    assert result.ret == 11  # what could not be loaded says nothing about an instrument
