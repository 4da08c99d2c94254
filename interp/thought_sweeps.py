"""Many variants of one course of thought over the same questions, which are read once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from jaxtyping import Shaped

from interp.backends.batching import for_rows
from interp.backends.braids import at_thoughts_only
from interp.backends.protocol import Write
from interp.backends.thinking import ThinkRequest, Thinks, ThinksOften, Thought
from interp.edits import Edit
from interp.encoded import Encoded
from interp.errors import DataError, InterpError, RequestError
from interp.grids import Grid, Variants, Work, declared
from interp.ledger import Entry, report_sweep
from interp.metrics import relative_error
from interp.models import Model, rounding
from interp.planning import distinct
from interp.prompts import PromptSet
from interp.rungs import Rung
from interp.thoughts import (
    MOST_NEW,
    N_THOUGHTS,
    Thinking,
    begun,
    questions,
    resolved,
    spelled,
    thinking,
)

AUDITED = 8  # rows of one variant that are thought again by themselves

Read = Callable[[Thinking], Shaped[np.ndarray, "batch ..."]]


def think_sweep(
    model: Model,
    prompts: PromptSet | Sequence[str],
    variants: Sequence[tuple[Edit, ...]] | Variants,
    *,
    read: Read,
    said: str = "",
    dead_sites: bool = False,
) -> Grid:
    """Every variant over the questions, six thoughts each, with the questions read once.

    The numbers are those of one `think` a variant, up to the rounding of other kernel shapes; some
    rows of one variant are thought again by themselves to make sure. Variants that change more
    than thoughts, and models that cannot share, go one by one, and the grid says so.

    Args:
        model: a loaded model with continuous thoughts.
        prompts: a prompt set or a list of texts: the questions.
        variants: each a tuple of edits, as for `sweep`; the empty tuple is the unedited course.
        read: from a Thinking, without captures, to one value a question.
        said: put in the model's mouth after the thoughts.
        dead_sites: let edits through that nothing reads.

    Raises:
        RequestError: no variants, or as `think` does.
        DataError: a shared row differs from the same row by itself.
    """
    given = declared(variants)
    each = tuple(given.at.values())
    try:
        if not each:
            raise RequestError("a sweep needs a variant")
        once, which = distinct(each)
        encoded, request = (
            begun(model, prompts),
            ThinkRequest(N_THOUGHTS, (), spelled(model, said), MOST_NEW),
        )
        writes = [
            resolved(model, encoded, edits, N_THOUGHTS, dead_sites=dead_sites) for edits in once
        ]
        task = Task(model, encoded, request, once, writes)
        values, ledgers, work = _found(task, read)
    except InterpError as error:
        asked = f"think_sweep({model.id}, prompts, {len(each)} variants)"
        raise error.during(asked, where=model.id) from None
    rung = Rung("plain", task.apart) if task.apart else Rung("strands")
    report_sweep(str(rung))
    return Grid(given, values[which], tuple(ledgers[n] for n in which), rung, work)


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be thought: questions, and each variant's edits as asked and as told."""

    model: Model
    encoded: Encoded
    request: ThinkRequest
    variants: Sequence[tuple[Edit, ...]]
    writes: Sequence[Sequence[Write]]

    @property
    def apart(self) -> str:
        """Why the variants go one by one; empty where they share their questions."""
        backend = self.model.backend
        if not isinstance(backend, ThinksOften):
            return f"{type(backend).__name__} thinks one by one"
        if not all(map(at_thoughts_only, self.writes)):
            return "an edit at something else than thoughts"
        return backend.thinks_apart

    def thoughts(self) -> Iterator[Thought]:
        """What the engine gives for each variant, in order."""
        backend, ids = self.model.backend, questions(self.encoded)
        if not self.apart:
            return cast("ThinksOften", backend).think_each(ids, self.writes, self.request)
        one_by_one = cast("Thinks", backend)
        return (one_by_one.think(ids, writes, self.request) for writes in self.writes)


def _found(task: Task, read: Read) -> tuple[np.ndarray, list[tuple[Entry, ...]], Work]:
    """What is read of each variant, its ledger, and what it took."""
    drawn = int(np.random.default_rng(len(task.variants)).integers(len(task.variants)))
    values, ledgers, work = list[np.ndarray](), list[tuple[Entry, ...]](), Work(0, 0, 0)
    for number, thought in enumerate(task.thoughts()):
        writes = task.writes[number]
        parts = list(zip(task.variants[number], writes, strict=True))
        done = thinking(task.model, task.encoded, parts, task.request, thought)
        values.append(read(done))
        ledgers.append(done.ledger)
        work = _more(work, task, thought)
        if number == drawn and not task.apart:
            work = replace(work, audited=AUDITED, worst=_audited(task, writes, thought))
    return np.stack(values), ledgers, work


def _more(work: Work, task: Task, thought: Thought) -> Work:
    """What was taken so far, with one variant more."""
    alone = sum(task.encoded.lengths) + sum(thought.passes)
    alone += task.request.n_thoughts * len(thought.passes)
    return replace(
        work,
        layer_tokens=work.layer_tokens + thought.layer_tokens,
        one_by_one=work.one_by_one + task.model.n_layers * alone,
        head_rows=work.head_rows + sum(thought.passes),
    )


def _audited(task: Task, writes: Sequence[Write], thought: Thought) -> float:
    """How far a few rows are from what they are by themselves, relative to the largest logit.

    Raises:
        DataError: further than this dtype's rounding explains.
    """
    ids = questions(task.encoded)
    rows = np.random.default_rng(len(ids)).permutation(len(ids))[:AUDITED].tolist()
    longest = max(map(len, ids)) + 1
    own = [for_rows(write, rows, longest) for write in writes]
    alone = cast("Thinks", task.model.backend).think([ids[n] for n in rows], own, task.request)
    apart = relative_error(thought.logits[rows], alone.logits)
    if not apart <= rounding(task.model):
        raise DataError(
            "a shared course of thought differs from the same one by itself",
            expected=f"at most {rounding(task.model):.1e} apart",
            received=f"{apart:.1e}",
            where=task.model.id,
            hint="report it: the sharing or a hook is wrong on this model",
        )
    return apart
