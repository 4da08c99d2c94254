"""The fixture `drawn`: figures of a spec, recorded as what they show and drawn after the run."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol, TypeVar

import pytest

from interp.errors import InterpError, RequestError
from interp.plugin.cases import spec_of
from interp.plugin.recording import RECORDER

if TYPE_CHECKING:
    from interp.charts import Chart

C = TypeVar("C", bound="Chart")


class Draw(Protocol):
    """Records a chart under a name and gives it back unchanged."""

    def __call__(self, name: str, chart: C) -> C:
        """Record `chart` as the figure `name` of this spec."""
        ...


@pytest.fixture
def drawn(request: pytest.FixtureRequest) -> Draw:
    """Record a figure: `drawn("ranks", lens.chart())`; the report draws it when the run is over.

    It is in the journal the moment it is made, so a run that is killed still has its figures, and
    what goes wrong when it is drawn changes no verdict.
    """
    item = request.node
    spec = spec_of(item)
    recorder = request.config.stash[RECORDER]
    before = set[str]()

    def draw(name: str, chart: C) -> C:
        __tracebackhide__ = True
        from interp.charts import to_json  # noqa: PLC0415  msgspec, only where a spec draws

        try:
            if spec is None:
                raise RequestError("only specs draw")
            if name in before:
                raise RequestError("this spec has drawn a figure of that name before")
            fields = {**asdict(spec.case), "name": name, "chart": to_json(chart)}
        except InterpError as error:
            raise error.during(f"drawn({name!r})", where=item.nodeid) from None
        before.add(name)
        recorder.chart(fields)
        return chart

    return draw
