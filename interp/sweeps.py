"""Many variants of one experiment over the same prompts, planned as a whole."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Shaped

from interp import continuing, reading
from interp.backends.sharing import Sharing
from interp.edits import Edit
from interp.encoded import Encoded
from interp.errors import InterpError, RequestError
from interp.grids import Grid, Variants, declared
from interp.kept import kept_for
from interp.ledger import report_sweep
from interp.means import means
from interp.models import Model
from interp.plainly import Plainly, memory_for
from interp.planned import Job, Room
from interp.planning import Cells, cells, distinct
from interp.prompts import PromptSet, as_prompt_set
from interp.readers import Metric
from interp.reading import Found, Task
from interp.resolve import write
from interp.rungs import NOTHING, Rung, reachable
from interp.runs import Generation, refuse_generated


def sweep(
    model: Model,
    prompts: PromptSet | Sequence[str],
    variants: Sequence[tuple[Edit, ...]] | Variants,
    *,
    read: Metric | Callable[[Generation], Shaped[np.ndarray, "batch ..."]],
    memory: int | None = None,
    max_new_tokens: int | None = None,
) -> Grid:
    """Every variant over the prompts, planned as a whole: what cells share is computed once.

    The numbers are those of one run a variant, up to the rounding of other kernel shapes; a sample
    of cells is rerun through plain hooks to make sure. Where that would be no less work, or the
    model cannot share, the runs are made one by one, and the grid says so.

    Args:
        model: a loaded model.
        prompts: a prompt set or a list of texts.
        variants: each a tuple of edits; the empty tuple is the unedited run. With `Variants` each
            has coordinates, and the grid has their axes.
        read: from a run to one number a prompt; a `Reader` holds the logits of a few rows only.
        memory: how many bytes may be taken at once; by default what `--memory` says, else a
            half of what is free. What does not fit is computed in halves; what is computed
            together is otherwise a function of the grid and the device alone.
        max_new_tokens: where given, every variant is generated with, and `read` gets a Generation.

    Raises:
        RequestError: no variants, or an edit that cannot be applied as written.
        DataError: a planned cell differs from its plain run.
    """
    given = declared(variants)
    each = tuple(given.at.values())
    asked = f"sweep({model.id}, prompts, {len(each)} variants)"
    try:
        if not each:
            raise RequestError("a sweep needs a variant")
        if max_new_tokens is None:
            refuse_generated([edit for variant in each for edit in variant])
        once, which = distinct(each)
        encoded = model.encode(as_prompt_set(prompts))
        grid, sharing, rung = _planned(model, encoded, once)
        task = Task(model, encoded, grid, once, read)
        found = _found(task, sharing, memory, max_new_tokens)
    except InterpError as error:
        raise error.during(asked, where=model.id) from None
    report_sweep(str(rung))
    ledgers = tuple(found.ledgers[number] for number in which)
    return Grid(given, found.values[which], ledgers, rung, found.work)


def _planned(
    model: Model, encoded: Encoded, once: Sequence[tuple[Edit, ...]]
) -> tuple[Cells, Sharing | None, Rung]:
    """The cells, and what computes them together where that is less work and can be trusted."""
    writes = [[write(model, encoded, edit) for edit in variant] for variant in once]
    grid = cells(encoded.lengths, writes, model.n_layers)
    if not grid.pays:
        return grid, None, Rung("plain", NOTHING)
    if not grid.reachable:
        return grid, None, Rung("plain", "an edit at a site that no wave reaches")
    sharing, why = reachable(model)
    return grid, sharing, Rung("plain", why) if sharing is None else Rung("cone")


def _found(
    task: Task, sharing: Sharing | None, memory: int | None, max_new_tokens: int | None
) -> Found:
    model, encoded, grid = task.model, task.encoded, task.grid
    how = "plain" if sharing is None else "cone", max_new_tokens
    kept = kept_for(means().kept, model, encoded, grid, how)
    most = memory or means().memory or memory_for(model)
    begun = grid, encoded.ids, kept
    try:
        if sharing is None:
            alone = Plainly(*begun, model=model, memory=most, new=max_new_tokens or 0)
            one_by_one = reading.one_by_one if max_new_tokens is None else continuing.one_by_one
            return one_by_one(task, alone)
        job = Job(*begun, room=Room(sharing, grid, most))
        if max_new_tokens is None:
            return reading.together(task, job)
        return continuing.together(task, job, max_new_tokens)
    except MemoryError as error:
        raise RequestError(
            "a single row does not fit into memory", received=error, hint="a shorter prompt"
        ) from None
