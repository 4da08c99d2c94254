"""The workloads of a sweep: ours, with plain hooks cell by cell and batched, and for peers."""

from functools import partial

import numpy as np
import torch
from contenders import Workload, loops_and_batch, some_cells
from peers.job import Job
from plain import changed, generated, next_logits
from readouts import probability, rank, tokens
from shapes import Bench, prompts

from interp import patch, resid_post, resid_pre, run, span, steer, sweep
from interp.readers import answer_probability, answer_rank
from interp.sites import layer_pairs, z

LOOPS = {"loop": {"lean": False}, "lean loop": {"lean": True}}


def back_patching(b: Bench, count: int, at: str = "last", stride: int = 17) -> Workload:
    """W2: every (early, late) pair of layers at one position; the answer's rank is read."""
    wanted = prompts(count, 19, 29, marked=None if at == "last" else at)
    encoded, layers = b.ours.encode(wanted), b.ours.n_layers
    given = run(b.ours, wanted, capture=[resid_post(layer) for layer in range(layers)])
    pairs = list(layer_pairs(layers))
    values = {late: given[resid_post(late), at] for late in range(layers)}
    variants = [(patch(resid_pre(early), values[late], at=at),) for early, late in pairs]
    answers, place = list(encoded.answers[0]), encoded.indices(at)

    def one(pair: tuple[int, int], rows: list[int], *, lean: bool = True) -> np.ndarray:
        value = torch.from_numpy(values[pair[1]][rows])

        def change(hidden: torch.Tensor) -> torch.Tensor:
            hidden[torch.arange(len(rows)), torch.from_numpy(place[rows])] = value
            return hidden

        with changed(b.plain.model.layers[pair[0]], change):
            return rank(
                next_logits(b.plain, [encoded.ids[row] for row in rows], lean=lean), answers
            )

    def job(some: list[tuple[int, int]]) -> Job:
        patches = np.stack([values[late] for late in range(layers)])
        return Job("back_patching", **b.texts(wanted), cells=some, places=place.tolist(),
                   tokens=answers, values=patches)  # fmt: skip

    width = np.array(encoded.lengths) - place
    cone = int(width.sum()) * sum((layers - early) for early, _ in pairs)
    once = sum(encoded.lengths) * layers
    return Workload(
        f"W2 back-patching, {at}, {count} prompts",
        lambda: sweep(b.ours, wanted, variants, read=answer_rank).values,
        loops_and_batch(one, pairs, count, stride, LOOPS),
        b.flops_a_token * (once + cone) + b.flops_a_head * count * len(pairs),
        some_cells(job, pairs, stride),
    )


def sets_of_positions(b: Bench, count: int, stride: int = 5) -> Workload:
    """W6: another prompt's values at all tokens of a span, at each layer."""
    wanted = prompts(count, 19, 29, marked="middle")
    encoded, layers = b.ours.encode(wanted), b.ours.n_layers
    mask = encoded.mask(span("middle"))
    given = run(b.ours, wanted, capture=[resid_pre(layer) for layer in range(layers)])
    rolled = {n: np.nan_to_num(np.roll(given[resid_pre(n)], 1, axis=0)) for n in range(layers)}
    variants = [(patch(resid_pre(n), rolled[n], at=span("middle")),) for n in range(layers)]
    answers = list(encoded.answers[0])

    def one(layer: int, rows: list[int], *, lean: bool = True) -> np.ndarray:
        ids = [encoded.ids[row] for row in rows]
        longest = max(map(len, ids))
        where = torch.from_numpy(mask[rows][:, :longest])
        value = torch.from_numpy(rolled[layer][rows][:, :longest])

        def change(hidden: torch.Tensor) -> torch.Tensor:
            return torch.where(where[..., None], value, hidden)

        with changed(b.plain.model.layers[layer], change):
            return rank(next_logits(b.plain, ids, lean=lean), answers)

    width = np.array(encoded.lengths) - mask.argmax(axis=1)
    work = sum(encoded.lengths) * layers + int(width.sum()) * layers * (layers + 1) // 2
    return Workload(
        f"W6 sets of positions, {count} prompts",
        lambda: sweep(b.ours, wanted, variants, read=answer_rank).values,
        loops_and_batch(one, list(range(layers)), count, stride, LOOPS),
        b.flops_a_token * work + b.flops_a_head * count * layers,
        some_cells(lambda _: Job("sets_of_positions", [], []), variants, stride),
    )


def heads(b: Bench, count: int, stride: int = 37) -> Workload:
    """W5: another prompt's value at every head of every layer, the answer's probability read."""
    wanted = prompts(count, 39, 59)
    encoded, layers = b.ours.encode(wanted), b.ours.n_layers
    given = run(b.ours, wanted, capture=[z(layer) for layer in range(layers)])
    n_heads, size = given[z(0)].shape[2:]
    other = {n: np.roll(given[z(n), "last"], 1, axis=0) for n in range(layers)}
    cells = [(layer, head) for layer in range(layers) for head in range(n_heads)]
    variants = [
        (patch(z(n), other[n][:, head : head + 1], at="last").on_heads(head),) for n, head in cells
    ]
    answers, last = list(encoded.answers[0]), encoded.indices("last")

    def one(cell: tuple[int, int], rows: list[int], *, lean: bool = True) -> np.ndarray:
        layer, head = cell
        value = torch.from_numpy(other[layer][rows, head])

        def change(hidden: torch.Tensor) -> torch.Tensor:
            part = slice(head * size, (head + 1) * size)
            hidden[torch.arange(len(rows)), torch.from_numpy(last[rows]), part] = value
            return hidden

        with changed(b.plain.model.layers[layer].self_attn.o_proj, change):
            return probability(
                next_logits(b.plain, [encoded.ids[row] for row in rows], lean=lean), answers
            )

    def job(some: list[tuple[int, int]]) -> Job:
        patches = np.stack([other[layer] for layer in range(layers)])
        return Job("heads", **b.texts(wanted), cells=some, tokens=answers, values=patches)

    c = b.plain.config
    mlp = 6.0 * c.hidden_size * c.intermediate_size
    above = b.flops_a_token * layers * (layers - 1) // 2
    cone = count * n_heads * (layers * (mlp + b.flops_a_head) + above)
    return Workload(
        f"W5 head mediation, {count} prompts",
        lambda: sweep(b.ours, wanted, variants, read=answer_probability).values,
        loops_and_batch(one, cells, count, stride, LOOPS),
        b.flops_a_token * sum(encoded.lengths) * layers + cone,
        some_cells(job, cells, stride),
    )


def steering(
    b: Bench, count: int, words: tuple[int, int], phase: str, stride: int = 11
) -> Workload:
    """W1: 3 layers x 13 doses, 12 new tokens; steered at generated positions, or everywhere."""
    new, layers = 12, [4, 8, 12]
    wanted = prompts(count, *words)
    encoded = b.ours.encode(wanted)
    doses = [round(-1.5 + 0.25 * n, 2) for n in range(13)]
    rng = np.random.default_rng(1)
    vector = rng.normal(size=b.ours.d_model).astype(np.float32)
    cells = [(layer, dose) for layer in layers for dose in doses]
    variants = [(steer(resid_post(n), vector, alpha=dose).during(phase),) for n, dose in cells]

    def one(cell: tuple[int, float], rows: list[int]) -> np.ndarray:
        delta = torch.from_numpy(vector) * cell[1]

        def change(hidden: torch.Tensor) -> torch.Tensor:
            return hidden + delta if phase == "all" or hidden.shape[1] == 1 else hidden

        with changed(b.plain.model.layers[cell[0]], change, output=True):
            return np.array(generated(b.plain, [encoded.ids[row] for row in rows], new))

    def ours() -> np.ndarray:
        grid = sweep(b.ours, wanted, variants, read=partial(tokens, new), max_new_tokens=new)
        return grid.values

    def job(some: list[tuple[int, float]]) -> Job:
        return Job("steering", **b.texts(wanted), cells=some, values=vector, new=new,
                   everywhere=phase == "all")  # fmt: skip

    rows = count * (1 + len(layers) * (len(doses) - 1))
    own = sum(encoded.lengths) * sum((b.ours.n_layers - 1 - n) * 12 for n in layers)
    read = sum(encoded.lengths) * b.ours.n_layers + (own if phase == "all" else 0)
    step = b.ours.n_layers * b.flops_a_token + b.flops_a_head
    title = "steered everywhere" if phase == "all" else "steered while generating"
    return Workload(
        f"W1 {title}, {count} prompts of {words[0]} to {words[1]} words",
        ours,
        loops_and_batch(one, cells, count, stride, {"loop": {}}),
        b.flops_a_token * read + rows * (new - 1) * step + count * b.flops_a_head,
        some_cells(job, cells, stride),
        slack=0,
    )
