"""Which models a session runs on, and what is said of those that are not here."""

import pytest

ASKS = "def test_it(model, measured): measured('x', 1)"


def cases(project):
    return [case.model for case in project.record.planned]


def test_what_is_here_is_run_and_the_rest_is_named_with_the_command(project):
    project.models("llama-a", "gpt-b").registered("ghost").spec(ASKS)
    result = project.run()
    result.assert_outcomes(passed=2)
    assert cases(project) == ["llama-a", "gpt-b"]
    result.stdout.fnmatch_lines(
        ["interp: 2 specs on llama-a, gpt-b; not here: ghost (interp fetch*"]
    )


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (["gpt-b"], ["gpt-b"]),
        (["gpt-b,llama-a"], ["gpt-b", "llama-a"]),
        (["gpt-b", "llama-a"], ["gpt-b", "llama-a"]),
        (["llama-*"], ["llama-a", "llama-c"]),
        (["tag:small"], ["llama-a", "gpt-b", "llama-c"]),
        (["fixtures/weights/gpt-b"], ["gpt-b"]),
        (["./copy/my GPT"], ["my-gpt"]),
    ],
    ids=lambda value: "+".join(value).replace("/", "_"),
)
def test_a_model_can_be_asked_for_in_many_ways(project, asked, expected):
    project.models("llama-a", "gpt-b", "llama-c", entry='tags = ["small"]').spec(ASKS)
    (project.path / "copy").mkdir()
    (project.path / "fixtures/weights/gpt-b").joinpath("config.json").write_text("{}")
    import shutil

    shutil.copytree(project.path / "fixtures/weights/gpt-b", project.path / "copy/my GPT")
    project.run(*(word for one in asked for word in ("--model", one)))
    assert cases(project) == expected


def test_an_unknown_model_is_a_usage_error_that_names_the_nearest(project):
    project.models("llama-a").spec(ASKS)
    result = project.run("--model", "lama-a")
    assert result.ret == 4
    result.stderr.fnmatch_lines(
        ["*--model lama-a failed: no model has this name.", "*received: 'lama-a'", "*try: *llama-a"]
    )
    assert not project.runs


def test_a_broken_registry_is_a_usage_error(project):
    project.models("llama-a", entry='colour = "red"').spec(ASKS)
    result = project.run()
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*unknown key 'colour'*", "*where: *models.toml"])


def test_a_model_that_was_asked_for_and_is_not_here_is_skipped_with_the_reason(project):
    project.models("llama-a").registered("ghost").spec(ASKS)
    result = project.run("--model", "ghost,llama-a", "-rs")
    result.assert_outcomes(passed=1, skipped=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["SKIPPED*model 'ghost'*config.json*"])
    assert project.verdicts == {
        ("test_spec::test_it", "ghost"): "skipped",
        ("test_spec::test_it", "llama-a"): "holds",
    }
    assert [model for model, _ in project.loads] == ["llama-a"]


def test_a_hub_model_that_is_not_here_names_its_fetch_and_touches_no_network(project, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    project.models("llama-a").spec(ASKS)
    result = project.run("--model", "org/name@v2", "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*org/name@v2*interp fetch org/name@v2*"])


@pytest.mark.parametrize("option", ["--require-models", "--gate"])
def test_a_required_model_that_is_not_here_is_one_error(project, option):
    project.models("llama-a").registered("ghost")
    project.spec(ASKS + "\ndef test_two(model, measured): measured('y', 2)")
    result = project.run("--model", "ghost,llama-a", option)
    result.assert_outcomes(passed=2, errors=1, skipped=1)
    assert result.ret == 11
    result.stdout.fnmatch_lines([f"*{option} failed: a model that this session requires*"])


def test_without_any_model_specs_are_skipped_and_under_the_gate_an_error(project):
    project.registered("ghost").spec(ASKS)
    project.run("-rs").stdout.fnmatch_lines(["SKIPPED*no model is here*"])
    assert project.run("--gate").ret == 11


def test_a_spec_restricted_to_other_models_is_not_run(project):
    project.models("llama-a", "gpt-b", entry='tags = ["small"]').registered("ghost")
    project.spec(
        """
        @pytest.mark.on("llama-*")
        def test_glob(model, measured): measured("x", 1)

        @pytest.mark.on("tag:small")
        def test_tag(model, measured): measured("x", 1)

        @pytest.mark.on("ghost")
        def test_elsewhere(model, measured): measured("x", 1)
        """
    )
    result = project.run()
    result.assert_outcomes(passed=3, deselected=1)
    assert cases(project) == ["llama-a", "llama-a", "gpt-b"]


def test_a_finding_about_answers_at_once_is_not_run_on_a_model_that_thinks(project):
    project.models("llama-a").models("codi-b", entry='tags = ["thoughts"]').spec(
        """
        @pytest.mark.finding("a.plain")
        def test_plain(model, measured): measured("x", 1)

        @pytest.mark.finding("a.thought")
        @pytest.mark.on("tag:thoughts")
        def test_thought(model, measured): measured("x", 1)

        @pytest.mark.contract
        def test_contract(model, measured): measured("x", 1)
        """
    )
    project.run().assert_outcomes(passed=4)
    assert sorted(cases(project)) == ["codi-b", "codi-b", "llama-a", "llama-a"]


def test_specs_of_thoughts_are_no_error_where_no_model_thinks(project):
    project.models("llama-a").spec("@pytest.mark.on('tag:thoughts')\n" + ASKS, "test_thought.py")
    project.spec(ASKS)
    project.run().assert_outcomes(passed=1, deselected=1)


def test_a_restriction_to_a_model_that_does_not_exist_is_an_error_of_its_file(project):
    project.models("llama-a").spec("@pytest.mark.on('lama-*')\n" + ASKS, "test_typo.py")
    project.spec(ASKS)
    result = project.run("--continue-on-collection-errors")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*on('lama-[*]') failed: no model has this name.*"])


def test_k_selects_by_id(project):
    project.models("llama-a", "gpt-b").spec(ASKS)
    project.run("-k", "llama").assert_outcomes(passed=1, deselected=1)
    assert cases(project) == ["llama-a"]


def test_k_names_those_of_its_models_that_are_not_here(project):
    project.models("llama-a").registered("ghost").registered("llama-b").registered("qwen-c").spec(
        ASKS
    )
    said = project.run("-k", "llama").stdout
    said.fnmatch_lines(["interp: 1 spec on llama-a; not here: llama-b (interp fetch ID)"])
    said = project.run("-k", "qwen and not llama").stdout
    said.fnmatch_lines(
        ["interp: no spec on a model that is here; not here: qwen-c (interp fetch ID)"]
    )
    said = project.run("-k", "test_it").stdout
    said.fnmatch_lines(["interp: 1 spec on llama-a; not here: ghost, llama-b, qwen-c (interp*"])


def test_nothing_is_downloaded_unless_it_is_allowed(project):
    project.models("llama-a").spec(
        "def test_it(model, measured):\n    import os\n"
        "    measured('offline', os.environ.get('HF_HUB_OFFLINE', ''))"
    )
    project.run()
    project.run("--allow-download")
    from interp.reports.record import read_run

    assert [read_run(run).values[0].value for run in project.runs] == ["1", ""]
    import os

    assert "HF_HUB_OFFLINE" not in os.environ


def test_the_registry_can_be_elsewhere(project):
    project.models("llama-a").spec(ASKS)
    (project.path / "fixtures" / "models.toml").rename(project.path / "fixtures" / "mine.toml")
    project.write("pytest.ini", "[pytest]\ninterp_models = fixtures/mine.toml\n")
    project.run().assert_outcomes(passed=1)


def test_a_model_that_thinks_is_left_out_where_the_backend_has_no_thoughts(project, monkeypatch):
    project.models("llama-a").models("thinker", entry='tags = ["thoughts"]').spec(ASKS)
    monkeypatch.setattr("interp.plugin.selection.to_install", lambda _: "")
    result = project.run("--backend", "mlx", "--gate")
    assert cases(project) == ["llama-a"]
    result.stdout.fnmatch_lines(["interp: 1 spec on llama-a; only with --backend torch: thinker"])
    result = project.run("--backend", "mlx", "-rs", "--model", "thinker")
    result.assert_outcomes(skipped=1)
    assert "the mlx backend has no continuous thoughts" in result.stdout.str()


def test_a_backend_that_is_not_installed_is_a_skip_with_the_command(project, monkeypatch):
    project.models("llama-a").spec(ASKS)
    command = "pip install 'interp-specs[mlx]'"
    monkeypatch.setattr("interp.plugin.selection.to_install", lambda _: command)
    for named in ([], ["--model", "llama-a"]):
        result = project.run("--backend", "mlx", "-rs", *named)
        result.assert_outcomes(skipped=1)
        assert f"the mlx backend is not installed; {command}" in result.stdout.str()
    project.run("--backend", "torch").assert_outcomes(passed=1)
