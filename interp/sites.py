"""Where in a transformer: the vocabulary of activations, as values.

Names follow TransformerLens; `z` is the per-head input of the attention's output projection and
`head_out` what a head adds to the residual stream.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from interp.errors import RequestError, closest

SiteName = Literal[
    "embed",
    "resid_pre",
    "resid_mid",
    "resid_post",
    "q",
    "k",
    "v",
    "pattern",
    "z",
    "head_out",
    "attn_out",
    "mlp_out",
    "final_norm",
    "logits",
    "thought",
]
SITE_NAMES: tuple[str, ...] = get_args(SiteName)
WITHOUT_LAYER = frozenset({"embed", "final_norm", "logits", "thought"})
PER_HEAD = frozenset({"q", "k", "v", "pattern", "z", "head_out"})


@dataclass(frozen=True, order=True)
class Site:
    """One activation of a model; `layer` is None only where the model has just one of its kind."""

    name: SiteName
    layer: int | None = None

    def __post_init__(self) -> None:
        """Refuse a name or a layer that no model has.

        Raises:
            RequestError: the name is not a site, or the layer is missing, superfluous or negative.
        """
        if self.name not in SITE_NAMES:
            raise RequestError(
                "no such site",
                asked=f"Site({self.name!r})",
                expected="one of the site names",
                received=repr(self.name),
                hint=closest(str(self.name), SITE_NAMES),
            )
        needs_layer = self.name not in WITHOUT_LAYER
        if needs_layer != isinstance(self.layer, int) or (needs_layer and int(self.layer or 0) < 0):
            raise RequestError(
                "a layer is a number from 0" if needs_layer else "this site has no layer",
                asked=f"Site({self.name!r}, {self.layer!r})",
                expected="layer >= 0" if needs_layer else "no layer",
                received=repr(self.layer),
                hint="negative layers are not counted from the end: use model.layer('last')",
            )

    def __str__(self) -> str:
        """As a spec writes it, e.g. `resid_post(5)`."""
        return self.name if self.layer is None else f"{self.name}({self.layer})"


def embed() -> Site:
    """The embedding as block 0 receives it: scaled, with learned positions where there are any."""
    return Site("embed")


def resid_pre(layer: int) -> Site:
    """The residual stream before block `layer`: [batch, pos, d_model]."""
    return Site("resid_pre", layer)


def resid_mid(layer: int) -> Site:
    """The residual stream between attention and MLP of block `layer`: [batch, pos, d_model]."""
    return Site("resid_mid", layer)


def resid_post(layer: int) -> Site:
    """The residual stream after block `layer`, before any final norm: [batch, pos, d_model]."""
    return Site("resid_post", layer)


def z(layer: int) -> Site:
    """The heads' outputs before the output projection: [batch, pos, head, d_head]."""
    return Site("z", layer)


def head_out(layer: int) -> Site:
    """What each head adds to the residual stream: [batch, pos, head, d_model]; read only."""
    return Site("head_out", layer)


def attn_out(layer: int) -> Site:
    """What attention adds to the residual stream, after any post-norm: [batch, pos, d_model]."""
    return Site("attn_out", layer)


def mlp_out(layer: int) -> Site:
    """What the MLP adds to the residual stream, after any post-norm: [batch, pos, d_model]."""
    return Site("mlp_out", layer)


def q(layer: int) -> Site:
    """The queries as projected, before rotation: [batch, pos, head, d_head]."""
    return Site("q", layer)


def k(layer: int) -> Site:
    """The keys as projected, before rotation: [batch, pos, kv_head, d_head]."""
    return Site("k", layer)


def v(layer: int) -> Site:
    """The values as projected: [batch, pos, kv_head, d_head]."""
    return Site("v", layer)


def pattern(layer: int) -> Site:
    """The attention pattern, rows summing to one: [batch, head, query_pos, key_pos]; read only."""
    return Site("pattern", layer)


def final_norm() -> Site:
    """The output of the final norm, which the unembedding reads: [batch, pos, d_model]."""
    return Site("final_norm")


def logits() -> Site:
    """The model's own logits, after any softcap or scaling: [batch, pos, d_vocab]; read only."""
    return Site("logits")


def layer_pairs(n_layers: int) -> Iterator[tuple[int, int]]:
    """Every (early, late) with early <= late: where a back-patch can write and read.

    The source is the output of block `late`, the target the input of block `early`, so early = late
    runs block `late` twice; early = late + 1 would write a value back where it came from.
    """
    return ((early, late) for late in range(n_layers) for early in range(late + 1))
