"""Where mlx-lm keeps its modules, and which of them a site is taken at.

Modules are found by the names that mlx-lm gives them; whether a site is what its name says is then
verified by number at load.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mlx import nn

from interp.backends.between import Between
from interp.backends.mlx_places import Place, Tap
from interp.errors import DataError
from interp.sites import SiteName

DECODERS = ("model", "transformer", "language_model")
LAYERS = ("layers", "h")
HEADS = ("lm_head", "embed_out")
EMBEDDINGS = ("embed_tokens", "wte", "embed_in")
FINAL_NORM = ("norm", "ln_f", "final_layer_norm", "final_layernorm")
ATTENTION = ("self_attn", "attn", "attention")
MLP = ("mlp", "feed_forward", "ffn", "block_sparse_moe")
OUT_PROJ = ("o_proj", "c_proj", "dense", "out_proj")
POST_NORMS = ("post_attention_layernorm", "post_feedforward_layernorm")


@dataclass(frozen=True)
class Block:
    """The modules of one decoder layer at which sites are taken.

    In sandwich-norm families (Gemma 2 and 3, OLMo 2) what is added to the residual stream is the
    output of a norm after attention or MLP, not theirs.
    """

    layer: nn.Module
    attention: nn.Module
    out_proj: nn.Module
    adds_attention: nn.Module
    adds_mlp: nn.Module

    def places(self, name: SiteName, tap: Tap) -> Iterator[Place]:
        """Where `tap` must sit to see, and set, the site of that name."""
        if name in ("embed", "resid_pre"):
            yield Place(self.layer, tap, "input")
        elif name == "resid_mid":
            between = Between(tap)
            yield Place(self.layer, between.before, "input")
            yield Place(self.adds_attention, between.added, "output")
        elif name == "z":
            yield Place(self.out_proj, tap, "input")
        else:
            yield Place(self.writer(name), tap, "output")

    def writer(self, name: SiteName) -> nn.Module:
        """The module whose output is the site of that name."""
        if name in ("q", "k", "v"):
            return child(self.attention, (f"{name}_proj",))
        writers = {
            "attn_out": self.adds_attention,
            "mlp_out": self.adds_mlp,
            "resid_post": self.layer,
        }
        return writers[name]


def decoder_of(model: Any) -> nn.Module:
    """The part of a causal language model that holds the layers and the final norm.

    Raises:
        DataError: no part of the model does.
    """
    part = model
    while not any(isinstance(part.get(name), list) for name in LAYERS):
        part = child(part, DECODERS)
    found: nn.Module = part
    return found


def head_of(model: Any) -> nn.Module:
    """The module that turns normed states into logits: a head, or the embedding it is tied to."""
    part, decoder = model, decoder_of(model)
    while True:
        for name in HEADS:
            if isinstance(head := part.get(name), nn.Module):
                return head
        if part is decoder:
            return child(decoder, EMBEDDINGS)
        part = child(part, DECODERS)


def blocks(decoder: Any) -> tuple[Block, ...]:
    """The layers of a decoder.

    Raises:
        DataError: a module that every causal language model has is not where it is expected.
    """
    layers = next(decoder[name] for name in LAYERS if isinstance(decoder.get(name), list))
    return tuple(_block(layer) for layer in layers)


def _block(layer: nn.Module) -> Block:
    attention, mlp = child(layer, ATTENTION), child(layer, MLP)
    sandwich = all(name in layer for name in POST_NORMS)
    after = [layer[name] for name in POST_NORMS] if sandwich else [attention, mlp]
    return Block(layer, attention, child(attention, OUT_PROJ), *after)


def child(module: Any, names: Sequence[str]) -> nn.Module:
    """The first of these children that the module has.

    Raises:
        DataError: it has none of them.
    """
    for name in names:
        found = module.get(name)
        if isinstance(found, nn.Module):
            return found
    raise DataError(
        "mlx-lm has this model family, but not the modules that sites are taken at",
        expected=f"a module named {', '.join(names)}",
        received=", ".join(module.children()) or "none",
        where=f"{type(module).__module__}.{type(module).__name__}",
    )
