"""No value is measured twice: two that nothing tells apart could not be compared with others."""

from interp.errors import RequestError
from interp.reports.values import Value

Key = tuple[str | None, str, int, str]


class Repeats:
    """What was measured in this process, and by which test."""

    def __init__(self) -> None:
        self._by: dict[Key, str] = {}
        self._now: set[Key] = set()  # by the test that is running

    def next_test(self) -> None:
        """Another test starts, or the same one again."""
        self._now.clear()

    def refuse(self, value: Value) -> None:
        """Let a value pass that is new.

        Raises:
            RequestError: the same was measured before.
        """
        key = (value.model_id, value.spec_id, value.spec_version, value.name)
        before = self._by.setdefault(key, value.nodeid)
        if before != value.nodeid or key in self._now:
            raise RequestError(
                "this finding has measured the same before",
                asked=f"measured({value.metric!r})",
                expected="another name or other labels",
                received=value.name,
                where=before,
                hint="say what is different, e.g. measured(..., layer=layer)",
            )
        self._now.add(key)
