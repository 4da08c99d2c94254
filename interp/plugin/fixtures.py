"""The fixtures that specs are written with: `model`, `measured` and `profile`."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar, cast

import pytest

from interp.errors import InterpError, RequestError
from interp.plugin.cases import spec_of
from interp.plugin.hookspecs import LoadedModel
from interp.plugin.memory import held
from interp.plugin.options import ProfileName
from interp.plugin.recording import RECORDER, Live, labels_of
from interp.plugin.redacting import REDACTOR
from interp.plugin.selection import Candidate
from interp.plugin.setting import SETTING
from interp.plugin.source import spec_hash
from interp.plugin.vary import spec_for, varied
from interp.plugin.watched import ledger_of, prompts_of
from interp.registry import availability, download
from interp.reports.noise import find_noise
from interp.reports.values import Scalar, Value, reading, scalar, tolerance_of

T = TypeVar("T")


@dataclass(frozen=True)
class Profile:
    """How much work this run does: `quick` or `full`."""

    name: ProfileName

    def pick(self, *, quick: T, full: T) -> T:
        """The one of the two that this run uses."""
        return quick if self.name == "quick" else full


class Measured(Protocol):
    """Records a value under a name, with its unit and labels, and gives it back unchanged."""

    def __call__(
        self,
        name: str,
        value: T,
        *,
        published: str | None = None,
        tolerance: object | None = None,
        unit: str = "1",
        n: int | None = None,
        **labels: Scalar,
    ) -> T:
        """Record `value` as `name`.

        `published` names the value of a paper to set beside it, an entry of published.toml;
        `tolerance` says how far the value may drift from the accepted one.
        """
        ...


@pytest.fixture(scope="session")
def model(request: pytest.FixtureRequest) -> Iterator[LoadedModel]:
    """The model under test; a spec that asks for it runs once on each model of the session."""
    recorder = request.config.stash[RECORDER]
    candidate = _candidate(request)
    if recorder.setting.options.allow_download and not availability(candidate.spec).present:
        download(candidate.spec)
    started, vary = time.perf_counter(), recorder.setting.options.vary
    asked = spec_for(candidate.spec, vary)
    loaded = varied(request.config.hook.pytest_interp_load_model(spec=asked), vary)
    seconds = time.perf_counter() - started
    recorder.loaded(Live(candidate.spec.id, dict(loaded.identity()), seconds, held()))
    yield loaded
    loaded.close()


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Measured:
    """Record what was measured: `measured("accuracy", proportion(hits), layer=3)`."""
    item = request.node
    spec = spec_of(item)
    recorder = request.config.stash[RECORDER]

    def measure(
        name: str,
        value: T,
        *,
        published: str | None = None,
        tolerance: object | None = None,
        unit: str = "1",
        n: int | None = None,
        **labels: Scalar,
    ) -> T:
        __tracebackhide__ = True
        if spec is None:
            raise RequestError("only specs measure", asked=f"measured({name!r})")
        try:
            read = reading(value, n=n)
            given = {key: scalar(label) for key, label in labels.items()}
            recorder.setting.known_to_be_published(published)
            allowed = tolerance_of(tolerance)
        except InterpError as error:
            raise error.during(f"measured({name!r})", where=item.nodeid) from None
        about = recorder.live.identity if spec.case.model and recorder.live else None
        new = Value(
            spec_id=spec.case.spec_id,
            spec_version=spec.case.spec_version,
            metric=name,
            value=read.value,
            low=read.low,
            high=read.high,
            n=read.n,
            p=read.p,
            unit=unit,
            published=published,
            labels=labels_of(spec, given),
            items=None,
            model=about,
            nodeid=spec.case.nodeid,
            ledger=ledger_of(item),
            spec_hash=spec_hash(item),
            prompts=prompts_of(item),
            tolerance=allowed,
        )
        noise = find_noise(recorder.setting.noise, new, spec.case.params)
        kept = replace(new, noise=noise.spread if noise else None)
        redactor = request.config.stash[REDACTOR]
        recorder.value(item, redactor.value(kept) if redactor else kept, read)
        return value

    return measure


@pytest.fixture(scope="session")
def profile(request: pytest.FixtureRequest) -> Profile:
    """How much to do: `n = profile.pick(quick=64, full=512)`."""
    return Profile(request.config.stash[SETTING].options.profile)


def _candidate(request: pytest.FixtureRequest) -> Candidate:
    """The model that the plugin parametrised this request with.

    Raises:
        RequestError: it did not, because the test asks for `model` in a way of its own.
    """
    selection = request.config.stash[SETTING].selection
    asked = cast("str | None", getattr(request, "param", None))
    for candidate in selection.chosen:
        if candidate.spec.id == asked:
            return candidate
    raise RequestError(
        "the plugin chooses the models of a spec",
        asked=f"model = {asked!r}",
        expected="`model` as an argument of the test or of a fixture it names",
        where=request.node.nodeid,
        hint="restrict a spec with @pytest.mark.on(...), a session with --model",
    )
