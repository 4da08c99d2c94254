"""Bugs of what is read: the wrong layer, module, norm, axis, or rank."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from interp.mutants.planting import Mutant, both, replaced
from interp.sites import Site, embed, final_norm, resid_post

FORWARD = "interp.backends.torch:TorchBackend.forward"
UNEMBED = "interp.backends.torch:TorchBackend.unembed"
INSTALLERS = "interp.backends.torch_hooks:Hooked._installers"
BLOCK = "interp.backends.torch_layout:_block"
RANK = "interp.metrics:rank"


def earlier(site: Site) -> Site:
    """The same site one layer down."""
    return Site(site.name, site.layer - 1) if site.layer else site


def reads_earlier(right: Any) -> Any:
    """Capture one layer too low."""

    def forward(self: Any, ids: Any, writes: Any = (), *, capture: Any = (), **how: Any) -> Any:
        out = right(self, ids, writes, capture=[earlier(site) for site in capture], **how)
        return replace(out, captured={site: out.captured[earlier(site)] for site in capture})

    return forward


def writes_earlier(right: Any) -> Any:
    """Edit one layer too low."""

    def forward(self: Any, ids: Any, writes: Any = (), **how: Any) -> Any:
        moved = [replace(write, site=earlier(write.site)) for write in writes]
        return right(self, ids, moved, **how)

    return forward


def normed_before(right: Any) -> Any:
    """Give the lens what the final norm made already."""

    def unembed(self: Any, hidden: Any) -> Any:
        normed = self._hooked.norm(self._arrays.constant(hidden))
        return right(self, self._arrays.numpy(normed))

    return unembed


def head_alone(self: Any, hidden: Any) -> Any:
    """The unembedding matrix and nothing else."""
    head = self._model.get_output_embeddings()
    return self._arrays.numpy(head(self._arrays.constant(hidden)))


def without_softcap(_right: Any) -> Any:
    """The final norm and the unembedding matrix, without what the family does to the logits."""
    return lambda self, hidden: head_alone(
        self, self._arrays.numpy(self._hooked.norm(self._arrays.constant(hidden)))
    )


def embedding_at(install: Any) -> Any:
    """Take the site `embed` somewhere else: `install(hooked, tap)` says where."""

    def changed(right: Any) -> Any:
        def installers(self: Any, taps: Any, heads: Any) -> Any:
            found = taps.sites
            yield from right(self, _Only(taps, [s for s in found if s.name != "embed"]), heads)
            if embed() in found:
                yield partial(install, self, partial(taps.at, embed()))

        return installers

    return changed


class _Only:
    """Taps that show some of their sites."""

    def __init__(self, taps: Any, sites: list[Site]) -> None:
        self.at, self.sites = taps.at, sites


def after_block_0(hooked: Any, tap: Any) -> Any:
    """The output of block 0."""
    return _seen(hooked.blocks[0].layer, tap)


def before_positions(hooked: Any, tap: Any) -> Any:
    """The rows of the embedding matrix, to which some families add positions later."""
    return _seen(hooked.model.get_input_embeddings(), tap)


def before_scale(hooked: Any, tap: Any) -> Any:
    """What enters block 0, without the factor that Gemma multiplies embeddings by."""
    config = hooked.model.config
    scale = config.hidden_size**0.5 if config.model_type.startswith("gemma") else 1.0
    hook = lambda _module, args: (tap(args[0] / scale) * scale, *args[1:])  # noqa: E731  a hook
    return hooked.blocks[0].layer.register_forward_pre_hook(hook)


def _seen(module: Any, tap: Any) -> Any:
    return module.register_forward_hook(lambda _module, _args, output: tap(output))


def swapped_axes(right: Any) -> Any:
    """Cut the heads the other way round."""

    def shaped(name: Any, tap: Any, heads: Any) -> Any:
        if name != "z":
            return right(name, tap, heads)

        def hook(value: Any) -> Any:
            cut = value.view(*value.shape[:-1], -1, heads["z"]).transpose(-1, -2)
            return tap(cut).transpose(-1, -2).flatten(-2)

        return hook

    return shaped


def turned_pattern(right: Any) -> Any:
    """Take the keys of an attention pattern for its queries."""

    def shaped(name: Any, tap: Any, heads: Any) -> Any:
        seen = right(name, lambda value: tap(value.transpose(1, -1)).transpose(1, -1), heads)
        return seen if name == "pattern" else right(name, tap, heads)

    return shaped


def fewer_heads(right: Any) -> Any:
    """Take the number of key-value heads for that of heads."""

    def describe(*given: Any) -> Any:
        info = right(*given)
        wider = info.d_head * info.n_heads // info.n_kv_heads
        return replace(info, n_heads=info.n_kv_heads, d_head=wider)

    return describe


def before_its_norm(right: Any) -> Any:
    """Take what attention gives to its own norm, not what that norm adds to the stream."""

    def block(layer: Any) -> Any:
        found = right(layer)
        return replace(found, adds_attention=found.attention)

    return block


def swapped_parts(right: Any) -> Any:
    """Take attention for the MLP, and the MLP for attention."""

    def block(layer: Any) -> Any:
        found = right(layer)
        return replace(found, adds_attention=found.adds_mlp, adds_mlp=found.adds_attention)

    return block


def with_bias(right: Any) -> Any:
    """Add the output projection's bias to every head."""

    def as_asked(model: Any, site: Any, captured: Any) -> Any:
        out = right(model, site, captured)
        if site.name != "head_out":
            return out
        bias = model.backend._hooked.blocks[site.layer].out_proj.bias  # noqa: SLF001  where it is
        return out if bias is None else out + bias.numpy(force=True)

    return as_asked


MUTANTS = (
    Mutant("layer-off-by-one-in-reading", "SAELens #553, #445", replaced(FORWARD, reads_earlier)),
    Mutant("layer-off-by-one-in-writing", "vLLM-Hook #11", replaced(FORWARD, writes_earlier)),
    Mutant(
        "layer-off-by-one-in-both",
        "LLaMA vs GPT-2 Activation Patching Comparison, 2025-10-20",
        both(replaced(FORWARD, reads_earlier), replaced(FORWARD, writes_earlier)),
    ),
    Mutant(
        "embed-is-block-0-s-output",
        "SAELens #410",
        replaced(INSTALLERS, embedding_at(after_block_0)),
    ),
    Mutant(
        "positions-left-out-of-embed",
        "TransformerLens, hook_embed without hook_pos_embed",
        replaced(INSTALLERS, embedding_at(before_positions)),
    ),
    Mutant(
        "embedding-scale-dropped",
        "Gemma, embeddings times the root of their width",
        replaced(INSTALLERS, embedding_at(before_scale)),
    ),
    Mutant(
        "attention-before-its-own-norm",
        "Gemma 2, post_attention_layernorm",
        replaced(BLOCK, before_its_norm),
    ),
    Mutant("attention-and-mlp-swapped", "SAELens #553", replaced(BLOCK, swapped_parts)),
    Mutant("final-norm-twice", "transformers #40994", replaced(UNEMBED, normed_before)),
    Mutant(
        "final-norm-left-out", "logit lens without ln_f", replaced(UNEMBED, lambda _: head_alone)
    ),
    Mutant(
        "softcap-dropped", "Gemma 2, final_logit_softcapping", replaced(UNEMBED, without_softcap)
    ),
    Mutant(
        "lens-ends-in-the-final-norm-s-output",
        "transformers #43862, hidden_states[-1]",
        replaced(
            "interp.depths:depths", lambda right: lambda model: [*right(model)[:-1], final_norm()]
        ),
    ),
    Mutant(
        "lens-one-block-early",
        "SAELens #410",
        replaced(
            "interp.depths:depths",
            lambda _: lambda model: [embed(), embed(), *map(resid_post, range(model.n_layers - 1))],
        ),
    ),
    Mutant(
        "heads-and-dimensions-swapped",
        "pyvene #158",
        replaced("interp.backends.torch_hooks:_shaped", swapped_axes),
    ),
    Mutant(
        "queries-and-keys-swapped",
        "TransformerLens, pattern as [key, query]",
        replaced("interp.backends.torch_hooks:_shaped", turned_pattern),
    ),
    Mutant(
        "key-value-heads-taken-for-heads",
        "pyvene #158",
        replaced("interp.backends.torch_loading:describe", fewer_heads),
    ),
    Mutant(
        "output-bias-added-for-each-head",
        "TransformerLens, attn-out bias b_O",
        replaced("interp.runs:_as_asked", with_bias),
    ),
    Mutant(
        "rank-starts-at-1",
        "HoppingTooLate, ranks",
        replaced(RANK, lambda right: lambda logits, choices: right(logits, choices) + 1),
    ),
    Mutant(
        "ties-count-against-the-answer",
        "lm-eval #1645, ties in bf16",
        replaced(
            RANK,
            lambda _: (
                lambda logits, choices: np.array(
                    [
                        (row >= row[list(ids)].max()).sum() - 1
                        for row, ids in zip(logits, choices, strict=True)
                    ]
                )
            ),
        ),
    ),
    Mutant(
        "another-prompt-s-answer-is-right",
        "GSM8K scoring, last number of any answer",
        replaced(
            "interp.metrics:top1",
            lambda _: (
                lambda logits, choices: np.isin(
                    logits.argmax(axis=-1), sorted({i for ids in choices for i in ids})
                )
            ),
        ),
    ),
)
