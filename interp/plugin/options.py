"""The options of the command line and the ini file, as one value."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import pytest

from interp.plugin.memory import in_bytes
from interp.reports.noise import PLAIN, VARIATIONS

ProfileName = Literal["quick", "full"]
MARKERS = (
    "contract(*words): an exact property of the primitives, and the verbs and sites it speaks for",
    "calibration: an instrument fires on a planted effect and is quiet on a null",
    "finding(id, version=1, source='', scales=()): a claim; scales names values to set beside size",
    "on(*models): run only on these models: ids, globs over ids or tag:NAME",
    "slow: takes more than a few seconds",
)


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line and in the ini file."""

    models: tuple[str, ...]
    profile: ProfileName
    backend: Literal["torch", "mlx"] | None
    allow_download: bool
    require_models: bool
    gate: bool
    run_dir: Path | None
    reports_dir: Path
    registry: Path
    vary: str = PLAIN
    published: Path = Path("reports/published.toml")
    allow_new: bool = False
    junit: str = "all"
    redact: bool = False
    resume: str | None = None
    retry_crashed: bool = False
    report: bool = True
    memory: int | None = None  # bytes
    prompts: tuple[tuple[str, Path], ...] = ()  # a prompt set, and the file in its place


def add_options(parser: pytest.Parser) -> None:
    """Declare the options, in one group of `pytest --help`."""
    group = parser.getgroup("interp", "findings about the inside of language models")
    add = group.addoption
    add(
        "--model",
        dest="interp_models",
        action="append",
        default=[],
        metavar="MODEL",
        help="run on these models instead of all that are here: ids, globs over ids, tag:NAME, "
        "org/name[@revision] or a folder; comma list, repeatable",
    )
    add(
        "--profile",
        dest="interp_profile",
        choices=("quick", "full"),
        default="quick",
        help="how many prompts, controls and layers (default: quick)",
    )
    add(
        "--backend",
        dest="interp_backend",
        choices=("torch", "mlx"),
        help="compute with this backend (default: what the registry says, else torch)",
    )
    add(
        "--allow-download",
        dest="interp_allow_download",
        action="store_true",
        help="let models that are not here be downloaded; without it nothing is",
    )
    add(
        "--require-models",
        dest="interp_require_models",
        action="store_true",
        help="a model that is asked for and not here is an error instead of a skip",
    )
    add(
        "--gate",
        dest="interp_gate",
        action="store_true",
        help="for CI: --require-models, what is inconclusive or measured nothing is an error, and "
        "so is drift from the accepted baseline",
    )
    add(
        "--no-report",
        dest="interp_report",
        action="store_false",
        help="write no page, figures or tables at the end; interp report makes them later",
    )
    add("--run-dir", dest="interp_run_dir", metavar="DIR", help="the folder of this run, a new one")
    add(
        "--resume",
        dest="interp_resume",
        metavar="RUN",
        help="go on with a run that was cut short: its folder, its name below runs, or latest",
    )
    add(
        "--retry-crashed",
        dest="interp_retry_crashed",
        action="store_true",
        help="with --resume: run again what was running when the run was cut short",
    )
    add(
        "--memory",
        dest="interp_memory",
        type=in_bytes,
        metavar="SIZE",
        help="how much memory a sweep may take in each process, e.g. 2GB or 512MiB (default: "
        "half of what is free)",
    )
    add(
        "--prompts",
        dest="interp_prompts",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="read a prompt set from another file: JSON Lines, or a csv of two-hop questions by "
        "the columns of Hopping Too Late; repeatable",
    )
    add(
        "--reports-dir",
        dest="interp_reports_dir",
        metavar="DIR",
        help="where runs/ and baselines/ are (default: reports below the root)",
    )
    add(
        "--vary",
        dest="interp_vary",
        choices=(PLAIN, *VARIATIONS),
        default=PLAIN,
        help="compute the same another harmless way, to see what moves (interp calibrate)",
    )
    parser.addini("interp_models", "the registry of models", default="fixtures/models.toml")
    add(
        "--redact-prompts",
        dest="interp_redact",
        action="store_true",
        help="keep hashes of prompts instead of their texts in journals and reports",
    )
    add(
        "--baseline-allow-new",
        dest="interp_allow_new",
        action="store_true",
        help="with --gate: a value that the model's baseline does not have yet is no drift",
    )
    parser.addini("interp_reports", "where runs/ and baselines/ are", default="reports")
    parser.addini("interp_junit", "values in --junitxml: all or none", default="all")
    parser.addini("interp_published", "the values of papers", default="reports/published.toml")


def read_options(config: pytest.Config) -> Options:
    """The options of this session, folders absolute."""
    asked = cast("list[str]", config.getoption("interp_models"))
    gate = bool(config.getoption("interp_gate"))
    here = config.invocation_params.dir
    run_dir = config.getoption("interp_run_dir")
    reports_dir = config.getoption("interp_reports_dir")
    in_ini = config.rootpath / str(config.getini("interp_reports"))
    return Options(
        tuple(word.strip() for words in asked for word in words.split(",") if word.strip()),
        config.getoption("interp_profile"),
        config.getoption("interp_backend"),
        bool(config.getoption("interp_allow_download")),
        gate or bool(config.getoption("interp_require_models")),
        gate,
        here / run_dir if run_dir else None,
        here / reports_dir if reports_dir else in_ini,
        config.rootpath / str(config.getini("interp_models")),
        config.getoption("interp_vary"),
        config.rootpath / str(config.getini("interp_published")),
        bool(config.getoption("interp_allow_new")),
        _one_of(config, "interp_junit", ("all", "none")),
        bool(config.getoption("interp_redact")),
        config.getoption("interp_resume"),
        bool(config.getoption("interp_retry_crashed")),
        bool(config.getoption("interp_report")),
        config.getoption("interp_memory"),
        tuple(_set_in(here, word) for word in config.getoption("interp_prompts")),
    )


def _set_in(here: Path, word: str) -> tuple[str, Path]:
    """A prompt set and the file, or the folder of tables, to read in its place.

    Raises:
        pytest.UsageError: no name, or nothing there.
    """
    name, _, place = word.partition("=")
    if not (name and place and (here / place).exists()):
        rule = "it is NAME=FILE, and the file exists"
        raise pytest.UsageError(f"--prompts {word} failed: {rule}.\n  where:    {here}")
    return name, here / place


def _one_of(config: pytest.Config, name: str, choices: Sequence[str]) -> str:
    """A setting of the ini file that has a few words.

    Raises:
        pytest.UsageError: it has another.
    """
    word = str(config.getini(name))
    if word not in choices:
        raise pytest.UsageError(f"{name} = {word!r}: it is one of {', '.join(choices)}")
    return word
