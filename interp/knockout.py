"""Attention knockout: what a position may not see in a window of blocks, and what that costs."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from interp.charts import Curves, Line, Plot
from interp.edits import Edit, block_attention
from interp.errors import RequestError
from interp.grids import Variants
from interp.metrics import Choices, probability, top1
from interp.models import Model
from interp.positions import Position, position, span
from interp.prompts import PromptSet
from interp.readers import Logits, Reader
from interp.stats import Estimate, average, proportion
from interp.sweeps import sweep

PAPER = 3 / 32  # half a window, in blocks of the model: 3 of the 32 of Llama 2 7B


@dataclass(frozen=True, eq=False, repr=False)
class Knockouts:
    """What is lost with each place hidden, in the window around each layer.

    `lost` are the answers that were right and are not any more; `drop` is the log-probability of
    the answer before, minus after, in nats: positive where hiding costs.
    """

    k: int
    lost: Mapping[str, Bool[np.ndarray, "layer batch"]]
    drop: Mapping[str, Float[np.ndarray, "layer batch"]]

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        most = {name: float(each.mean(axis=1).max()) for name, each in self.lost.items()}
        return f"<windows of {2 * self.k + 1} blocks; most lost: {most}>"

    def costliest(self, name: str, chosen: Bool[np.ndarray, " batch"]) -> int:
        """The layer around which hiding costs the chosen prompts most answers, then most nats."""
        answers = self.lost[name][:, chosen].sum(axis=1)
        nats = self.drop[name][:, chosen].mean(axis=1)
        return int(np.lexsort((-nats, -answers))[0])

    def farthest(self, layer: int) -> int:
        """The layer whose window lies farthest from that of another; the later of equals."""
        last = len(next(iter(self.lost.values()))) - 1
        return 0 if layer > last - layer else last

    def chart(self, control: str) -> Curves:
        """Lost answers and nats over the layer in the middle of the window, a line a place."""
        n = next(iter(self.lost.values())).shape[1]
        plots = (
            _plot("lost answers", {name: _shares(one) for name, one in self.lost.items()}, control),
            _plot("drop in nats", {name: _means(one) for name, one in self.drop.items()}, control),
        )
        return Curves(
            "Attention knockout: what the last position may not see",
            f"n = {n} answered prompts. Windows of {2 * self.k + 1} blocks, cut at both ends. "
            f"Bars: 95 % intervals; band: {control}.",
            "block in the middle of the window",
            plots,
        )


def half_window(model: Model) -> int:
    """Half of a window that is as large a part of this model as the paper's is: k blocks.

    Source:  Biran et al. 2024, "Hopping Too Late", arXiv:2406.12775v2: k = 3 of 32 blocks.
    Differs: relative to depth, and rounded: 1 in models of 6 to 15 blocks.
    """
    return round(PAPER * model.n_layers)


def window(layer: int, k: int, n_layers: int) -> range:
    """The layers from l - k to l + k that there are."""
    return range(max(layer - k, 0), min(layer + k, n_layers - 1) + 1)


def hide(layers: range, *, to: str | Position, at: str | Position = "last") -> tuple[Edit, ...]:
    """A place hidden from a position in some blocks, in all heads, while the prompt is read."""
    return tuple(block_attention(layer, at=at, to=to).during("prompt") for layer in layers)


def comparable(model: Model, prompts: PromptSet, name: str) -> Bool[np.ndarray, " batch"]:
    """Which prompts have as many other tokens before their last one as a named span has."""
    encoded = model.encode(prompts)
    size = encoded.mask(span(name)).sum(axis=1)
    return np.asarray(np.array(encoded.lengths) - 1 - size >= size)


def knock_out(
    model: Model,
    prompts: PromptSet,
    hidden: Mapping[str, str | Position],
    *,
    k: int,
    at: str | Position = "last",
) -> Knockouts:
    """Each place hidden from a position in the window around each layer, a run each.

    Args:
        model: a loaded model.
        prompts: prompts that the model answers.
        hidden: what is hidden, by a name for it.
        k: the window has the layers l - k to l + k, cut at both ends of the model.
        at: from whom.

    Source:  Geva et al. 2023, "Dissecting Recall", arXiv:2304.14767; windows and lost answers as in
             Biran et al. 2024, "Hopping Too Late", arXiv:2406.12775v2.
    Differs: the next token instead of ten generated ones.
    Pinned:  specs/contracts/test_knockout.py

    Raises:
        RequestError: a prompt that is not answered without any knockout; k below 0.
    """
    if k < 0 or not hidden:
        raise RequestError("a knockout hides something in a window", received=f"k={k}, {hidden}")
    tries = {
        (name, layer): hide(window(layer, k, model.n_layers), to=position(place), at=at)
        for name, place in hidden.items()
        for layer in model.layers
    }
    grid = sweep(model, prompts, Variants(("hidden", "layer"), {("", -1): (), **tries}), read=_TWO)
    plain, each = grid.values[0], grid.values[1:].reshape(len(hidden), model.n_layers, -1, 2)
    if not plain[:, 0].all():
        raise RequestError(
            "only an answer that is right can be lost",
            asked=f"knock_out({model.id}, {prompts!r})",
            received=f"{int((plain[:, 0] == 0).sum())} of {len(plain)} not answered",
            hint="prompts.where(run(model, prompts).correct)",
        )
    lost = {name: one[..., 0] == 0 for name, one in zip(hidden, each, strict=True)}
    drop = {name: plain[:, 1] - one[..., 1] for name, one in zip(hidden, each, strict=True)}
    return Knockouts(k, lost, drop)


def _two(logits: Logits, answers: Choices, _: Choices) -> np.ndarray:
    """Whether the likeliest token is an answer, and the log-probability of the best one."""
    tiny = np.finfo(np.float64).tiny
    sure = np.log(np.maximum(probability(logits, answers), tiny))
    return np.stack([top1(logits, answers).astype(np.float64), sure], axis=1)


_TWO = Reader("answered, in nats", _two)


def _plot(up: str, each: Mapping[str, list[Estimate]], control: str) -> Plot:
    return Plot(
        up,
        tuple(
            Line.of(name, range(len(one)), one, "control" if name == control else "measured")
            for name, one in each.items()
        ),
    )


def _shares(lost: Bool[np.ndarray, "layer batch"]) -> list[Estimate]:
    return [proportion(one) for one in lost]


def _means(drop: Float[np.ndarray, "layer batch"]) -> list[Estimate]:
    return [average(one) for one in drop]
