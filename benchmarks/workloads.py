"""The workloads of a sweep: ours, and the same written with plain hooks, loop and batch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from plain import changed, generated, next_logits, right_padded
from readouts import probability, rank, ranks, tokens
from shapes import Bench, prompts

from interp import patch, resid_post, resid_pre, run, span, steer, sweep
from interp.directions import mean_differences
from interp.lens import read_depths
from interp.readers import Reader, answer_rank
from interp.sites import layer_pairs, z


@dataclass(frozen=True, eq=False)
class Plain:
    """The same numbers by plain hooks, for a share of the cells; `of` picks ours of those cells."""

    call: Callable[[], np.ndarray]
    share: float
    of: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Workload:
    """One question: how we answer it, how others do, and the least arithmetic it takes."""

    name: str
    ours: Callable[[], np.ndarray]
    plain: Mapping[str, Plain]
    flops: float
    slack: int = 1  # what rounding does to a rank between kernel shapes; tokens have none


def back_patching(b: Bench, count: int, at: str = "last", stride: int = 17) -> Workload:
    """W2: every (early, late) pair of layers at one position; the answer's rank is read."""
    wanted = prompts(count, 19, 29)
    encoded, layers = b.ours.encode(wanted), b.ours.n_layers
    given = run(b.ours, wanted, capture=[resid_post(layer) for layer in range(layers)])
    pairs = list(layer_pairs(layers))
    values = {late: given[resid_post(late), at] for late in range(layers)}
    variants = [(patch(resid_pre(early), values[late], at=at),) for early, late in pairs]
    answers, place = list(encoded.answers[0]), encoded.indices(at)

    def one(pair: tuple[int, int], rows: list[int]) -> np.ndarray:
        value = torch.from_numpy(values[pair[1]][rows])

        def change(hidden: torch.Tensor) -> torch.Tensor:
            hidden[torch.arange(len(rows)), torch.from_numpy(place[rows])] = value
            return hidden

        with changed(b.plain.model.layers[pair[0]], change):
            return rank(next_logits(b.plain, [encoded.ids[row] for row in rows]), answers)

    width = np.array(encoded.lengths) - place
    cone = int(width.sum()) * sum((layers - early) for early, _ in pairs)
    once = sum(encoded.lengths) * layers
    return Workload(
        f"W2 back-patching, {at}, {count} prompts",
        lambda: sweep(b.ours, wanted, variants, read=answer_rank).values,
        _loop_and_batch(one, pairs, count, stride),
        b.flops_a_token * (once + cone) + b.flops_a_head * count * len(pairs),
    )


def sets_of_positions(b: Bench, count: int, stride: int = 5) -> Workload:
    """W6: another prompt's values at all tokens of a span, at each layer."""
    wanted = prompts(count, 19, 29)
    encoded, layers = b.ours.encode(wanted), b.ours.n_layers
    mask = encoded.mask(span("middle"))
    given = run(b.ours, wanted, capture=[resid_pre(layer) for layer in range(layers)])
    rolled = {n: np.nan_to_num(np.roll(given[resid_pre(n)], 1, axis=0)) for n in range(layers)}
    variants = [(patch(resid_pre(n), rolled[n], at=span("middle")),) for n in range(layers)]
    answers = list(encoded.answers[0])

    def one(layer: int, rows: list[int]) -> np.ndarray:
        ids = [encoded.ids[row] for row in rows]
        longest = max(map(len, ids))
        where = torch.from_numpy(mask[rows][:, :longest])
        value = torch.from_numpy(rolled[layer][rows][:, :longest])

        def change(hidden: torch.Tensor) -> torch.Tensor:
            return torch.where(where[..., None], value, hidden)

        with changed(b.plain.model.layers[layer], change):
            return rank(next_logits(b.plain, ids), answers)

    width = np.array(encoded.lengths) - mask.argmax(axis=1)
    work = sum(encoded.lengths) * layers + int(width.sum()) * layers * (layers + 1) // 2
    return Workload(
        f"W6 sets of positions, {count} prompts",
        lambda: sweep(b.ours, wanted, variants, read=answer_rank).values,
        _loop_and_batch(one, list(range(layers)), count, stride),
        b.flops_a_token * work + b.flops_a_head * count * layers,
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

    def one(cell: tuple[int, int], rows: list[int]) -> np.ndarray:
        layer, head = cell
        value = torch.from_numpy(other[layer][rows, head])

        def change(hidden: torch.Tensor) -> torch.Tensor:
            part = slice(head * size, (head + 1) * size)
            hidden[torch.arange(len(rows)), torch.from_numpy(last[rows]), part] = value
            return hidden

        with changed(b.plain.model.layers[layer].self_attn.o_proj, change):
            return probability(next_logits(b.plain, [encoded.ids[row] for row in rows]), answers)

    c = b.plain.config
    mlp = 6.0 * c.hidden_size * c.intermediate_size
    above = b.flops_a_token * layers * (layers - 1) // 2
    cone = count * n_heads * (layers * (mlp + b.flops_a_head) + above)
    return Workload(
        f"W5 head mediation, {count} prompts",
        lambda: sweep(b.ours, wanted, variants, read=answer_probability).values,
        _loop_and_batch(one, cells, count, stride),
        b.flops_a_token * sum(encoded.lengths) * layers + cone,
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

    rows = count * (1 + len(layers) * (len(doses) - 1))
    own = sum(encoded.lengths) * sum((b.ours.n_layers - 1 - n) * 12 for n in layers)
    read = sum(encoded.lengths) * b.ours.n_layers + (own if phase == "all" else 0)
    step = b.ours.n_layers * b.flops_a_token + b.flops_a_head
    title = "steered everywhere" if phase == "all" else "steered while generating"
    return Workload(
        f"W1 {title}, {count} prompts of {words[0]} to {words[1]} words",
        ours,
        _loop_and_batch(one, cells, count, stride),
        b.flops_a_token * read + rows * (new - 1) * step + count * b.flops_a_head,
        slack=0,
    )


def lens(b: Bench, count: int) -> Workload:
    """W3: the ranks of three tokens at every depth and position."""
    wanted = prompts(count, 19, 29)
    encoded = b.ours.encode(wanted)
    targets = [11, 222, 399]
    reader = Reader("ranks", lambda logits, *_: ranks(logits, targets), ())

    def depth_states() -> tuple[list[torch.Tensor], torch.Tensor]:
        padded, _ = right_padded(encoded.ids)
        states: list[torch.Tensor] = []
        norm = b.plain.model.norm
        handles = [
            layer.register_forward_pre_hook(lambda _m, a: states.append(a[0]))
            for layer in b.plain.model.layers
        ]
        handles.append(norm.register_forward_pre_hook(lambda _m, a: states.append(a[0])))
        try:
            with torch.no_grad():
                b.plain.model(input_ids=padded, use_cache=False)
        finally:
            for handle in handles:
                handle.remove()
        return states, torch.from_numpy(encoded.mask("all"))

    @torch.no_grad()
    def batched(*, sort: bool) -> np.ndarray:
        states, real = depth_states()
        found = []
        for state in states:
            logits = b.plain.lm_head(b.plain.model.norm(state[real]))
            if sort:
                order = logits.argsort(dim=-1, descending=True)
                found.append((order[:, None, :] == torch.tensor(targets)[:, None]).int().argmax(-1))
            else:
                each = [(logits > logits[:, t : t + 1]).sum(dim=1) for t in targets]
                found.append(torch.stack(each, dim=1))
        return torch.stack(found, dim=1).numpy()

    length = sum(encoded.lengths)
    return Workload(
        f"W3 logit lens, every position, {count} prompts",
        lambda: read_depths(b.ours, wanted, read=reader),
        {
            "count": Plain(lambda: batched(sort=False), 1.0, np.asarray),
            "argsort": Plain(lambda: batched(sort=True), 1.0, np.asarray),
        },
        length * ((b.ours.n_layers + 1) * b.flops_a_head + b.ours.n_layers * b.flops_a_token),
    )


def differences(b: Bench, count: int) -> Workload:
    """W4: the mean difference of two kinds of prompts at every layer, lengths from 8 to 96."""
    kinds = [prompts(count, 8, 95, seed=seed) for seed in (1, 2)]
    encoded = [b.ours.encode(one) for one in kinds]
    sites = [resid_post(layer) for layer in range(b.ours.n_layers)]

    def ours() -> np.ndarray:
        found = mean_differences(b.ours, *kinds, sites=sites)
        return np.stack([found[site].vector for site in sites])

    @torch.no_grad()
    def loop() -> np.ndarray:
        sums = []
        for one in encoded:
            total = torch.zeros(b.ours.n_layers, b.ours.d_model, dtype=torch.float64)
            for row in one.ids:
                kept: list[torch.Tensor] = []
                handles = [
                    layer.register_forward_hook(
                        lambda _m, _a, out, kept=kept: kept.append(out[0, -1])
                    )
                    for layer in b.plain.model.layers
                ]
                b.plain(input_ids=torch.tensor([row]), use_cache=False, logits_to_keep=1)
                for handle in handles:
                    handle.remove()
                total += torch.stack(kept)
            sums.append(total / len(one.ids))
        return (sums[0] - sums[1]).float().numpy()

    length = sum(map(sum, (one.lengths for one in encoded)))
    return Workload(
        f"W4 mean differences, every layer, {count} pairs",
        ours,
        {"loop": Plain(loop, 1.0, np.asarray)},
        length * b.ours.n_layers * b.flops_a_token,
    )


def _loop_and_batch(
    one: Callable[..., np.ndarray], cells: list, count: int, stride: int
) -> dict[str, Plain]:
    """Some of the cells with plain hooks: a run a cell, and a run a variant for all prompts."""
    singles = [
        (n // count, n % count) for n in range(0, len(cells) * count, stride * count // 2 + 1)
    ]
    some = list(range(0, len(cells), stride))
    return {
        "loop": Plain(
            lambda: np.concatenate([one(cells[v], [p]) for v, p in singles]),
            len(singles) / (len(cells) * count),
            lambda values: np.stack([values[v, p] for v, p in singles]),
        ),
        "batched": Plain(
            lambda: np.stack([one(cells[v], list(range(count))) for v in some]),
            len(some) / len(cells),
            lambda values: values[some],
        ),
    }
