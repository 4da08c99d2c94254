"""Bugs of the hook itself: it does not fire, fires on the wrong thing, or does not go away."""

from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from interp.mutants.planting import Mutant, both, replaced

APPLY = "interp.backends.arithmetic:apply"
ON_OUTPUT = "interp.backends.torch_layout:on_output"
TAPS_AT = "interp.backends.taps:Taps.at"


def only_tuples(_right: Any) -> Any:
    """Look at a tensor, and edit a tuple only."""

    def on_output(module: Any, tap: Any, *, place: int = 0) -> Any:
        def hook(_module: Any, _args: Any, output: Any) -> Any:
            if isinstance(output, tuple):
                return (*output[:place], tap(output[place]), *output[place + 1 :])
            tap(output)
            return output

        return module.register_forward_hook(hook)

    return on_output


def row_0_for_all(right: Any) -> Any:
    """Read `output[0]` of a tensor: every row gets row 0."""

    def at(self: Any, site: Any, value: Any) -> Any:
        out = right(self, site, value)
        if site in self._captured and site.name == "resid_post":
            kept = self._captured[site]
            self._captured[site] = np.where(np.isnan(kept), np.nan, np.nan_to_num(kept[:1]))
        return out

    return at


def stays(right: Any) -> Any:
    """Never go away; do nothing where a later batch has another shape."""

    def on_output(module: Any, tap: Any, *, place: int = 0) -> Any:
        def where_it_fits(value: Any) -> Any:
            try:
                return tap(value)
            except (ValueError, IndexError, RuntimeError):
                return value

        right(module, where_it_fits, place=place)
        return SimpleNamespace(remove=lambda: None)

    return on_output


def captures_first(right: Any) -> Any:
    """Keep the value before the edits."""

    def at(self: Any, site: Any, value: Any) -> Any:
        writes, self._writes = self._writes, ()
        right(self, site, value)
        self._writes, wanted, self._capture = writes, self._capture, frozenset()
        out = right(self, site, value)
        self._capture = wanted
        return out

    return at


def in_place(right: Any) -> Any:
    """Edit the model's own tensor, which an earlier capture may share."""
    return lambda x, *rest: x.copy_(right(x, *rest))


def into_the_matrix(right: Any) -> Any:
    """Edit an embedding by rewriting its row of the matrix, which a tied head reads too."""

    def installers(self: Any, taps: Any, heads: Any) -> Any:
        yield from right(self, taps, heads)
        if any(write.site.name == "embed" for write in taps._writes):  # noqa: SLF001  a planted bug
            yield partial(_rewriting, self)

    return installers


def _rewriting(hooked: Any) -> Any:
    """After every other hook on the first block's input: its values become rows of the matrix."""
    table = hooked.model.get_input_embeddings()
    kept, seen = table.weight.detach().clone(), []
    looked_up = table.register_forward_hook(lambda _module, args, _output: seen.append(args[0]))

    def hook(_module: Any, args: Any, kwargs: Any) -> None:
        entered = args[0] if args else kwargs["hidden_states"]
        table.weight.data[seen[-1]] = entered

    entering = hooked.blocks[0].layer.register_forward_pre_hook(hook, with_kwargs=True)

    def remove() -> None:
        looked_up.remove()
        entering.remove()
        table.weight.data.copy_(kept)

    return SimpleNamespace(remove=remove)


def as_it_lies(right: Any) -> Any:
    """Keep the model's own memory where no padding forces a copy."""
    return lambda value, real: value if real.all() else right(value, real)


def unlocked(right: Any) -> Any:
    """Let two threads install their hooks at once."""

    def init(self: Any, model: Any) -> None:
        right(self, model)
        self._lock = nullcontext()

    return init


def unchecked(right: Any) -> Any:
    """Take down whatever was reported."""

    def entry(encoded: Any, edit: Any, done: Any, fired: Any, passes: Any) -> Any:
        mask, never = np.ones_like(done.mask), np.zeros_like(done.generated)
        every = replace(done, mask=mask, generated=never)
        line = right(encoded, edit, every, replace(fired, count=int(mask.sum())), passes)
        return replace(line, fired=fired.count)

    return entry


def rows(which: int) -> Any:
    """Edit one row of the batch only."""

    def change(right: Any) -> Any:
        def apply(x: Any, write: Any, mask: Any, constant: Any) -> Any:
            named = np.zeros_like(mask)
            named[which] = mask[which]
            return right(x, write, named, constant)

        return apply

    return change


MUTANTS = (
    Mutant(
        "hook-never-fires",
        "TransformerLens #1688",
        replaced(APPLY, lambda right: lambda x, *rest: right(x, *rest) * 0 + x),
    ),
    Mutant("edits-only-tuples", "BUGFIX.md; function_vectors", replaced(ON_OUTPUT, only_tuples)),
    Mutant("edits-only-row-0", "transformers #39120", replaced(APPLY, rows(0))),
    Mutant("edits-only-the-last-row", "BUGFIX.md; function_vectors", replaced(APPLY, rows(-1))),
    Mutant("reads-row-0-for-all", "transformers #39120", replaced(TAPS_AT, row_0_for_all)),
    Mutant("hook-stays-installed", "baukit nethook.Trace", replaced(ON_OUTPUT, stays)),
    Mutant(
        "hooks-that-a-compiled-model-ignores",
        "nnsight #143",
        replaced("interp.backends.torch_layout:Block.installers", lambda _: lambda *_: iter(())),
    ),
    Mutant("captures-before-edits", "transformers #43862", replaced(TAPS_AT, captures_first)),
    Mutant(
        "edit-rewrites-an-earlier-capture",
        "baukit nethook, clone=False",
        both(
            replaced(APPLY, in_place),
            replaced("interp.backends.taps:blank", as_it_lies),
        ),
    ),
    Mutant(
        "two-threads-share-hooks",
        "peers: one model, hooks of two calls",
        replaced("interp.backends.torch_hooks:Hooked.__init__", unlocked),
    ),
    Mutant(
        "dropout-left-on",
        "CODI, LoRA dropout while decoding",
        replaced(
            "interp.backends.torch:TorchBackend._refuse_unfit",
            lambda _: lambda self: self._model.train(),
        ),
    ),
    Mutant(
        "tied-head-edited",
        "TransformerLens, W_E shared with W_U",
        replaced("interp.backends.torch_hooks:Hooked._installers", into_the_matrix),
    ),
    Mutant(
        "firing-is-not-checked",
        "nnsight #502",
        replaced("interp.ledger:entry", unchecked),
    ),
)
