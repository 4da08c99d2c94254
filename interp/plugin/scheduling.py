"""The scheduler for pytest-xdist: whole models to one worker, and no test started twice.

A worker starts a test only when it knows the one after it, or that there is none. So each worker
is kept at two pending tests at least, or is told to stop.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

Group = list[int]
ENOUGH = 2


class Node(Protocol):
    """A worker, as a scheduler sees it."""

    @property
    def shutting_down(self) -> bool:
        """Whether it was told to stop."""
        ...

    def send_runtest_some(self, indices: Sequence[int]) -> None:
        """Hand it tests, by their place in the collection."""
        ...

    def shutdown(self) -> None:
        """Tell it to stop after what it has."""
        ...


class ModelScheduling:  # noqa: PLR0904  xdist's protocol has as many
    """xdist's `Scheduling` protocol, over groups of tests that stay together.

    Args:
        workers: how many workers have to report what they collected before anything starts.
        group: the groups of a collection, as places in it.
        disagree: is told when a worker collected something else than the first.
    """

    def __init__(
        self,
        workers: int,
        group: Callable[[Sequence[str]], list[Group]],
        disagree: Callable[[Node], None],
    ) -> None:
        self._workers = workers
        self._group = group
        self._disagree = disagree
        self._collection: list[str] | None = None
        self._collected: dict[Node, list[str]] = {}
        self._pending: dict[Node, Group] = {}
        self._queue: list[Group] = []

    @property
    def nodes(self) -> list[Node]:
        """The workers that are up."""
        return list(self._pending)

    @property
    def collection_is_completed(self) -> bool:
        """Whether every worker has said what it collected."""
        return self._collection is not None or len(self._collected) >= self._workers

    @property
    def tests_finished(self) -> bool:
        """Whether everything was handed out and each worker is at its last test."""
        handed_out = self._collection is not None and not self._queue
        return handed_out and all(len(pending) < ENOUGH for pending in self._pending.values())

    @property
    def has_pending(self) -> bool:
        """Whether anything is still to be done."""
        return bool(self._queue) or any(self._pending.values())

    def add_node(self, node: Node) -> None:
        """A worker is up."""
        self._pending[node] = []

    def add_node_collection(self, node: Node, collection: Sequence[str]) -> None:
        """A worker has collected; one that comes late and differs gets nothing to do."""
        if self._collection is not None and list(collection) != self._collection:
            self._give_up(node)
        else:
            self._collected[node] = list(collection)

    def schedule(self) -> None:
        """Hand out the first tests, or those of a worker that was replaced."""
        if self._collection is None:
            self._start()
        for node in self.nodes:
            self._feed(node)

    def mark_test_complete(self, node: Node, item_index: int, duration: float = 0) -> None:  # noqa: ARG002  xdist's words
        """A worker has finished a test."""
        self._pending[node].remove(item_index)
        self._feed(node)

    def remove_node(self, node: Node) -> str | None:
        """A worker is gone: the test it died in, if any; the rest of its group is for another."""
        left = self._pending.pop(node)
        if self._collection is None:
            self._collected.pop(node, None)
        if not left or self._collection is None:
            return None
        crashed, *rest = left
        if rest:
            self._queue.insert(0, rest)
        for other in self.nodes:
            self._feed(other)
        return self._collection[crashed]

    def mark_test_pending(self, item: str) -> None:
        """Refused: xdist would run a test again that has killed a worker."""
        raise NotImplementedError(item)

    def remove_pending_tests_from_node(self, node: Node, indices: Sequence[int]) -> None:
        """Refused: nothing is taken from a worker that has it."""
        raise NotImplementedError(node, indices)

    def _start(self) -> None:
        self._collection = collection = next(iter(self._collected.values()))
        self._queue = sorted(self._group(collection), key=len, reverse=True)
        for node, other in list(self._collected.items()):
            if other != collection:
                del self._collected[node]
                self._give_up(node)

    def _give_up(self, node: Node) -> None:
        self._disagree(node)
        self._queue.clear()
        node.shutdown()

    def _feed(self, node: Node) -> None:
        if node.shutting_down or node not in self._collected:
            return
        while self._queue and len(self._pending[node]) < ENOUGH:
            group = self._queue.pop(0)
            self._pending[node].extend(group)
            node.send_runtest_some(group)
        if not self._queue and len(self._pending[node]) < ENOUGH:
            node.shutdown()
