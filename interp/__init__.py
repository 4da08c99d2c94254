"""Findings about the inside of language models, as pytest specs.

The words that specs use; each is imported when it is first asked for, so that `import interp`
costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from interp.directions import Direction as Direction
    from interp.directions import mean_difference as mean_difference
    from interp.edits import ablate as ablate
    from interp.edits import patch as patch
    from interp.edits import project_out as project_out
    from interp.edits import steer as steer
    from interp.models import Model as Model
    from interp.models import load as load
    from interp.positions import after as after
    from interp.positions import span as span
    from interp.prompts import PromptSet as PromptSet
    from interp.runs import generate as generate
    from interp.runs import max_abs_diff as max_abs_diff
    from interp.runs import run as run
    from interp.sites import attn_out as attn_out
    from interp.sites import embed as embed
    from interp.sites import layer_pairs as layer_pairs
    from interp.sites import mlp_out as mlp_out
    from interp.sites import resid_post as resid_post
    from interp.sites import resid_pre as resid_pre

_HOME = {
    "Direction": "directions",
    "Model": "models",
    "PromptSet": "prompts",
    "ablate": "edits",
    "after": "positions",
    "attn_out": "sites",
    "embed": "sites",
    "generate": "runs",
    "layer_pairs": "sites",
    "load": "models",
    "max_abs_diff": "runs",
    "mean_difference": "directions",
    "mlp_out": "sites",
    "patch": "edits",
    "project_out": "edits",
    "resid_post": "sites",
    "resid_pre": "sites",
    "run": "runs",
    "span": "positions",
    "steer": "edits",
}
__all__ = sorted(_HOME)


def __getattr__(word: str) -> object:
    """The word itself, from the module that defines it."""
    if word not in _HOME:
        raise AttributeError(f"interp has no {word!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(f"interp.{_HOME[word]}"), word)
    globals()[word] = value
    return value
