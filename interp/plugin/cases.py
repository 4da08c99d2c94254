"""Which collected tests are specs, and what each of them is about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pytest

from interp.errors import RequestError
from interp.plugin.claims import said_by
from interp.plugin.setting import SETTING
from interp.reports.record import Case, Role
from interp.reports.values import Scalar

ROLES: Final[tuple[Role, ...]] = ("contract", "calibration", "finding")
OURS: Final = "interp.plugin.fixtures"


@dataclass(frozen=True)
class Spec:
    """A collected test that is a spec: its case, its labels, and what is wrong with it."""

    case: Case
    labels: Mapping[str, Scalar]
    problem: RequestError | None = None


SPEC = pytest.StashKey[Spec]()


def spec_of(item: pytest.Item) -> Spec | None:
    """The spec that this test is, None for an ordinary test."""
    return item.stash.get(SPEC, None)


def uses_ours(definitions: Mapping[str, Sequence[Any]], name: str) -> bool:
    """Whether the fixture of this name is the plugin's, not one that a project calls the same."""
    defined = definitions.get(name) or ()
    return bool(defined) and defined[-1].func.__module__ == OURS


def describe(items: Sequence[pytest.Item]) -> list[Spec]:
    """Find the specs among the collected tests, and leave on each what it is."""
    specs = []
    for item in items:
        if (spec := _describe(item)) is not None:
            item.stash[SPEC] = spec
            specs.append(spec)
    return specs


def _describe(item: pytest.Item) -> Spec | None:
    role = _role(item)
    if role is None or not isinstance(item, pytest.Function):
        return None
    model, given = _model_and_params(item)
    spec_id, version = f"{item.path.stem}::{item.originalname}", 1
    problem: RequestError | None = None
    scales: tuple[str, ...] = ()
    if role == "finding":
        try:
            spec_id, version, scales = _identity(item)
        except RequestError as error:
            problem = error
    rest = _rest_of_id(item, model)
    parts = [part for part in (_claim_of_family(item) if role == "finding" else "", rest) if part]
    params, guards, said = "-".join(parts), _guards(item, role), said_by(item)
    case = Case(item.nodeid, spec_id, version, role, model, params, guards, *said, scales)
    return Spec(case, _labels(given, rest), problem)


def _role(item: pytest.Item) -> Role | None:
    """What a test is: its marker says so, else whether it uses the plugin's fixtures."""
    info = getattr(item, "_fixtureinfo", None)
    if info is None:
        return None
    names = [name for name in ("model", "measured") if name in info.names_closure]
    uses = any(uses_ours(info.name2fixturedefs, name) for name in names)
    if not uses and not item.config.stash[SETTING].ours:
        return None
    marked = {mark.name for mark in item.iter_markers()}
    return next((role for role in ROLES if role in marked), "spec" if uses else None)


def _guards(item: pytest.Item, role: Role) -> tuple[tuple[str, ...], ...]:
    """What a contract speaks for: the words of each of its markers."""
    marks = item.iter_markers("contract") if role == "contract" else ()
    given = tuple(mark.args for mark in marks)
    return given if all(given) else ()


def _model_and_params(item: pytest.Function) -> tuple[str | None, dict[str, object]]:
    call = getattr(item, "callspec", None)
    params = dict(call.params) if call is not None else {}
    info: Any = item._fixtureinfo  # noqa: SLF001  pytest has no public way to ask whose fixture it is
    if not uses_ours(info.name2fixturedefs, "model"):
        return None, params
    model = params.pop("model", None)
    return (model if isinstance(model, str) else None), params


def _identity(item: pytest.Function) -> tuple[str, int, tuple[str, ...]]:
    """The id, the version and the values set beside model size that a finding's marker gives.

    Raises:
        RequestError: it gives none, or not these.
    """
    mark = item.get_closest_marker("finding")
    given = (mark.args, mark.kwargs) if mark else ((), {})
    try:
        return _read_marker(*given[0], **given[1])
    except TypeError as error:
        raise RequestError(
            "a finding has an id, and a whole number as version",
            asked=item.nodeid,
            expected='@pytest.mark.finding("area.claim", version=1, source="arXiv:...")',
            hint='scales=("value",) names values that are set beside the size of models',
            received=str(error),
        ) from None


def _read_marker(
    id: object,  # noqa: A002  the marker's words
    version: object = 1,
    source: object = "",
    scales: object = (),
) -> tuple[str, int, tuple[str, ...]]:
    right = isinstance(id, str) and id and isinstance(source, str)
    names = tuple(scales) if isinstance(scales, tuple | list) else (None,)
    if not right or not isinstance(version, int) or isinstance(version, bool):
        raise TypeError(f"id={id!r}, version={version!r}, source={source!r}")
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"scales={scales!r} are no names of values")
    return str(id), version, tuple(map(str, names))


def _claim_of_family(item: pytest.Function) -> str:
    """The function's name where the marker is that of its file or class, and others share the id.

    It is told from the marker's place, not from what else was collected: the name of a case is the
    same whatever was selected.
    """
    node, _ = next(item.iter_markers_with_node("finding"))
    return "" if node is item else item.originalname.removeprefix("test_")


def _rest_of_id(item: pytest.Function, model: str | None) -> str:
    call = getattr(item, "callspec", None)
    if call is None:
        return ""
    whole = str(call.id)
    return whole.removeprefix(model).removeprefix("-") if model else whole


def _labels(params: Mapping[str, object], rest: str) -> dict[str, Scalar]:
    """Parameters as labels of everything measured; those that are no scalars by their id."""
    labels = {name: value for name, value in params.items() if isinstance(value, Scalar)}
    return labels if len(labels) == len(params) else {**labels, "case": rest}
