"""The workloads of one pass over the prompts: the lens, and the differences of two kinds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from contenders import Request, Workload, here
from peers.job import Job
from plain import right_padded
from readouts import ranks
from shapes import Bench, prompts

from interp import resid_post
from interp.depths import read_depths
from interp.directions import mean_differences
from interp.principal import principal_differences
from interp.readers import Reader

TARGETS = [11, 222, 399]


@contextmanager
def depth_states(b: Bench) -> Iterator[list[torch.Tensor]]:
    """What goes into each layer and the final norm, as runs go by."""
    states: list[torch.Tensor] = []
    modules = [*b.plain.model.layers, b.plain.model.norm]
    handles = [one.register_forward_pre_hook(lambda _m, a: states.append(a[0])) for one in modules]
    try:
        yield states
    finally:
        for handle in handles:
            handle.remove()


def lens(b: Bench, count: int) -> Workload:
    """W3: the ranks of three tokens at every depth and position."""
    wanted = prompts(count, 19, 29)
    encoded = b.ours.encode(wanted)
    reader = Reader("ranks", lambda logits, *_: ranks(logits, TARGETS), ())
    real = torch.tensor(encoded.mask("all"))

    def counted(logits: torch.Tensor) -> torch.Tensor:
        each = [(logits > logits[..., t : t + 1]).sum(dim=-1) for t in TARGETS]
        return torch.stack(each, dim=-1)

    def ordered(logits: torch.Tensor) -> torch.Tensor:
        order = logits.argsort(dim=-1, descending=True)
        return (order[:, None, :] == torch.tensor(TARGETS)[:, None]).int().argmax(-1)

    def head(state: torch.Tensor) -> torch.Tensor:
        return b.plain.lm_head(b.plain.model.norm(state))

    @torch.no_grad()
    def loop(read: Callable[[torch.Tensor], torch.Tensor], rows: int) -> np.ndarray:
        found = []
        for row in encoded.ids[:rows]:
            with depth_states(b) as states:
                b.plain(torch.tensor([row]))
            found.append(torch.stack([read(head(state[0])) for state in states], dim=1))
        return torch.cat(found).numpy()

    @torch.no_grad()
    def batched(*, held: bool) -> np.ndarray:
        with depth_states(b) as states:
            b.plain.model(input_ids=right_padded(encoded.ids)[0], use_cache=False)
        if held:
            return counted(head(torch.stack([state[real] for state in states], dim=1))).numpy()
        return torch.stack([counted(head(state[real])) for state in states], dim=1).numpy()

    length, first = sum(encoded.lengths), encoded.lengths[0]
    job = Job("lens", **b.texts(wanted), tokens=TARGETS)
    return Workload(
        f"W3 logit lens, every position, {count} prompts",
        lambda: read_depths(b.ours, wanted, read=reader),
        {
            "loop": here(lambda: loop(counted, count)),
            "loop, argsort": here(lambda: loop(ordered, 1), first / length, lambda v: v[:first]),
            "batched, all held": here(lambda: batched(held=True)),
            "batched by depth": here(lambda: batched(held=False)),
        },
        length * ((b.ours.n_layers + 1) * b.flops_a_head + b.ours.n_layers * b.flops_a_token),
        lambda _: Request(job),
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
    def loop(*, lean: bool) -> np.ndarray:
        means = [torch.stack([_ends(b, row, lean=lean) for row in one.ids]) for one in encoded]
        return (means[0].double().mean(0) - means[1].double().mean(0)).float().numpy()

    length = sum(map(sum, (one.lengths for one in encoded)))
    return Workload(
        f"W4 mean differences, every layer, {count} pairs",
        ours,
        {"loop": here(lambda: loop(lean=False)), "lean loop": here(lambda: loop(lean=True))},
        length * b.ours.n_layers * b.flops_a_token,
        lambda _: Request(Job("differences", **b.texts(*kinds))),
    )


def principal(b: Bench, count: int) -> Workload:
    """W4: the first principal component of the differences of many pairs, at every layer."""
    kinds = [prompts(count, 8, 95, seed=seed) for seed in (1, 2)]
    encoded = [b.ours.encode(one) for one in kinds]
    sites = [resid_post(layer) for layer in range(b.ours.n_layers)]

    def ours() -> np.ndarray:
        found = principal_differences(b.ours, *kinds, sites=sites)
        return np.stack([found[site].direction.vector for site in sites])

    @torch.no_grad()
    def loop(*, lean: bool) -> np.ndarray:
        every = [torch.stack([_ends(b, row, lean=lean) for row in one.ids]) for one in encoded]
        apart = (every[0] - every[1]).double()
        found = []
        for layer in range(apart.shape[1]):
            values = apart[:, layer]
            _, strengths, axes = torch.linalg.svd(values, full_matrices=False)
            way = torch.sign(axes[0] @ values.mean(dim=0))
            found.append(way * axes[0] * strengths[0] / len(values) ** 0.5)
        return torch.stack(found).float().numpy()

    length = sum(map(sum, (one.lengths for one in encoded)))
    return Workload(
        f"W4 principal differences, every layer, {count} pairs",
        ours,
        {"loop": here(lambda: loop(lean=False)), "lean loop": here(lambda: loop(lean=True))},
        length * b.ours.n_layers * b.flops_a_token,
        lambda _: Request(Job("principal", [], [])),
    )


def _ends(b: Bench, row: tuple[int, ...], *, lean: bool) -> torch.Tensor:
    """Every layer's output at the last token of a prompt."""
    kept: list[torch.Tensor] = []
    handles = [
        layer.register_forward_hook(lambda _m, _a, out: kept.append(out[0, -1].clone()))
        for layer in b.plain.model.layers
    ]
    told = {"use_cache": False, "logits_to_keep": 1} if lean else {}
    b.plain(torch.tensor([row]), **told)
    for handle in handles:
        handle.remove()
    return torch.stack(kept)
