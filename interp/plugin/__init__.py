"""The pytest plugin: a spec asks for `model` and `measured`, the plugin does the rest.

It is loaded in every project of an environment that has interp installed, so it imports nothing
heavy, and where there are no models it does nothing.
"""

import pytest

from interp.plugin import collecting, drawing, fixtures, hookspecs, loading, running, watched
from interp.plugin.distributed import WHOLE_MODELS, Distributed
from interp.plugin.freeing import Freeing
from interp.plugin.junit import RunFacts
from interp.plugin.keeping import Keeping
from interp.plugin.options import MARKERS, add_options
from interp.plugin.prompt_sets import prompt_fixtures
from interp.plugin.recording import RECORDER, Recorder
from interp.plugin.redacting import REDACTOR, journals, redactor_of
from interp.plugin.setting import SETTING, decide, is_worker, worker_name
from interp.plugin.terminal import Terminal


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks that a project can implement."""
    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Decide what this session runs on, and register what does it."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    setting = config.stash[SETTING] = decide(config)
    whole = bool(getattr(config, "workerinput", {}).get(WHOLE_MODELS))
    recorder = Recorder(setting, worker_name(config), one_worker_a_model=whole)
    config.stash[RECORDER] = recorder
    config.stash[REDACTOR] = redactor = redactor_of(config)
    recorder.open_journal = journals(redactor)
    config.add_cleanup(recorder.close)
    register = config.pluginmanager.register
    for module in (fixtures, drawing, loading, collecting, running, watched):
        register(module, module.__name__)
    folder, given = config.rootpath / "fixtures" / "prompts", dict(setting.options.prompts)
    prompts = prompt_fixtures(folder, setting.selection.registry, given)
    register(prompts, "interp-prompt-sets")
    register(Freeing(recorder), "interp-freeing")
    register(Keeping(config), "interp-keeping")
    if not is_worker(config):
        register(Distributed(config), "interp-distributed")
        register(RunFacts(config), "interp-junit")
        register(Terminal(config), "interp-terminal")
