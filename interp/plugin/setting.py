"""What holds for a whole session: decided in the controller, handed to every worker."""

import os
import pickle
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from interp.errors import InterpError, RequestError, closest
from interp.plugin.claiming import claim, own_folder
from interp.plugin.options import Options, read_options
from interp.plugin.resuming import Resumed, resume
from interp.plugin.selection import Selection, select
from interp.plugin.vary import refuse_absent, set_threads
from interp.registry import ModelSpec
from interp.reports.baselines import Baseline, baseline_file, load_baseline
from interp.reports.folders import find_run
from interp.reports.manifest import run_name
from interp.reports.noise import PLAIN, Known, load_noise, noise_file


@dataclass(frozen=True)
class Setting:
    """The options, the models, the folder of the run, their baselines and known noise."""

    options: Options
    selection: Selection
    run: Path
    root: Path
    argv: tuple[str, ...]
    baselines: Mapping[str, Baseline]
    noise: Mapping[str, Known]
    published: frozenset[str] = frozenset()  # ids of values of papers
    paths: tuple[str, ...] = ()  # what was collected, from the root
    resumed: Resumed | None = None

    @property
    def ours(self) -> bool:
        """Whether this project has models; where not, the plugin keeps out of the way."""
        return bool(self.selection.registry.path or self.options.models)

    def known_to_be_published(self, name: str | None) -> None:
        """Refuse the id of a published value that there is none of.

        Raises:
            RequestError: no entry of published.toml has this id.
        """
        if name is None or name in self.published:
            return
        raise RequestError(
            "no published value has this id",
            expected=f"an entry of {self.options.published}",
            received=repr(name),
            hint=closest(name, self.published),
        )


SETTING = pytest.StashKey[Setting]()
WORKER_INPUT = "interp_setting"
SMALL = 200_000_000  # bytes


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker of pytest-xdist."""
    return hasattr(config, "workerinput")


def worker_name(config: pytest.Config) -> str:
    """`gw0` and so on in workers, `main` otherwise."""
    return str(config.workerinput["workerid"]) if hasattr(config, "workerinput") else "main"


def decide(config: pytest.Config) -> Setting:
    """The setting of this session: made here, or in a worker as the controller made it.

    Raises:
        pytest.UsageError: something that was asked for cannot be had.
    """
    if hasattr(config, "workerinput"):
        return unpack(config.workerinput[WORKER_INPUT])
    options = read_options(config)
    try:
        selection = select(options)
        refuse_absent(options.vary, [one.spec for one in selection.chosen if one.here.present])
        baselines = {
            one.spec.id: load_baseline(baseline_file(options.reports_dir, one.spec.id))
            for one in selection.chosen
        }
        noise = _noise(options, selection)
        published = _published(options.published)
        run, resumed = _run_of(config, options, selection)
    except InterpError as error:
        raise pytest.UsageError(str(error)) from None
    argv = tuple(str(word) for word in config.invocation_params.args)
    paths = _paths(config)
    setting = Setting(
        options, selection, run, config.rootpath, argv, baselines, noise, published, paths, resumed
    )
    if setting.ours and not options.allow_download:
        stay_offline(config)
    set_threads(config, options.vary)
    if setting.ours and all(is_small(one.spec) for one in selection.chosen):
        set_for_session(config, "OMP_NUM_THREADS", "1")
    return setting


def is_small(spec: ModelSpec) -> bool:
    """Whether a model is a folder here whose matrices are too small to share among threads.

    With two threads on two busy cores such a model was ten times slower than with one.
    """
    folder = Path(spec.source)
    return folder.is_dir() and sum(file.stat().st_size for file in folder.glob("*")) < SMALL


def pack(setting: Setting) -> bytes:
    """The setting as bytes that travel to a worker."""
    return pickle.dumps(setting)


def unpack(content: bytes) -> Setting:
    """The setting that the controller packed."""
    setting = pickle.loads(content)  # noqa: S301  our own bytes, from the process that started us
    assert isinstance(setting, Setting)  # noqa: S101
    return setting


def set_for_session(config: pytest.Config, name: str, value: str) -> None:
    """Set a variable of the environment until the session ends, unless the user has set it."""
    if name in os.environ:
        return
    os.environ[name] = value

    def forget() -> None:
        os.environ.pop(name, None)

    config.add_cleanup(forget)


def stay_offline(config: pytest.Config) -> None:
    """Have huggingface_hub refuse the network, also where it was imported before us."""
    set_for_session(config, "HF_HUB_OFFLINE", "1")
    constants = sys.modules.get("huggingface_hub.constants")
    if constants is None or constants.HF_HUB_OFFLINE:
        return
    constants.HF_HUB_OFFLINE = True  # type: ignore[attr-defined]  # a module of its own
    config.add_cleanup(lambda: setattr(constants, "HF_HUB_OFFLINE", False))


def _noise(options: Options, selection: Selection) -> dict[str, Known]:
    """The noise of each model's values; none while it is being measured."""
    if options.vary != PLAIN:
        return {}
    ids = (one.spec.id for one in selection.chosen)
    return {one: load_noise(noise_file(options.reports_dir, one)) for one in ids}


def _published(path: Path) -> frozenset[str]:
    if not path.is_file():
        return frozenset()
    from interp.reports.published import load_published  # noqa: PLC0415  only where there are any

    return frozenset(load_published(path))


def _paths(config: pytest.Config) -> tuple[str, ...]:
    """What pytest was told to collect, without the place where the project happens to lie."""
    whole = ((config.invocation_params.dir / word).as_posix() for word in config.args)
    return tuple(word.removeprefix(f"{config.rootpath.as_posix()}/") for word in whole)


def _run_of(
    config: pytest.Config, options: Options, selection: Selection
) -> tuple[Path, Resumed | None]:
    """The folder of this run, which is ours alone; and what it was left with, if it has begun."""
    if options.resume is not None and options.run_dir is None:
        run = find_run(options.reports_dir, options.resume)
        claim(config, run)
        return run, resume(run, options, [one.spec for one in selection.chosen])
    if options.resume is not None or options.retry_crashed:
        wrong = "--run-dir names a new run" if options.run_dir else "--retry-crashed needs a run"
        raise pytest.UsageError(f"{wrong}; --resume RUN names the one to go on with")
    if options.run_dir is not None:
        return own_folder(config, options.run_dir), None
    return options.reports_dir / "runs" / run_name(), None
