"""Findings about the inside of language models, as pytest specs.

The words that specs use; each is imported when it is first asked for, so that `import interp`
costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from interp.directions import Direction as Direction
    from interp.directions import contrast as contrast
    from interp.directions import random_direction as random_direction
    from interp.edits import ablate as ablate
    from interp.edits import block_attention as block_attention
    from interp.edits import patch as patch
    from interp.edits import project_out as project_out
    from interp.edits import steer as steer
    from interp.lens import logit_lens as logit_lens
    from interp.metrics import relative_error as relative_error
    from interp.models import Model as Model
    from interp.models import load as load
    from interp.models import rounding as rounding
    from interp.patching import back_patch as back_patch
    from interp.positions import after as after
    from interp.positions import all_thoughts as all_thoughts
    from interp.positions import span as span
    from interp.positions import thought as thought
    from interp.prompts import PromptSet as PromptSet
    from interp.recomputing import recompute as recompute
    from interp.reports.frame import load_run as load_run
    from interp.reports.tolerance import equivalent as equivalent
    from interp.reports.tolerance import exact as exact
    from interp.reports.tolerance import noise as noise
    from interp.reports.tolerance import within as within
    from interp.runs import generate as generate
    from interp.runs import max_abs_diff as max_abs_diff
    from interp.runs import moved as moved
    from interp.runs import run as run
    from interp.sites import attn_out as attn_out
    from interp.sites import embed as embed
    from interp.sites import final_norm as final_norm
    from interp.sites import mlp_out as mlp_out
    from interp.sites import resid_post as resid_post
    from interp.sites import resid_pre as resid_pre
    from interp.sites import z as z
    from interp.steering import dose_response as dose_response
    from interp.sweeps import sweep as sweep
    from interp.thoughts import fed as fed
    from interp.thoughts import think as think

_HOME = {
    "Direction": "directions",
    "Model": "models",
    "PromptSet": "prompts",
    "ablate": "edits",
    "after": "positions",
    "all_thoughts": "positions",
    "attn_out": "sites",
    "back_patch": "patching",
    "block_attention": "edits",
    "contrast": "directions",
    "dose_response": "steering",
    "embed": "sites",
    "equivalent": "reports.tolerance",
    "exact": "reports.tolerance",
    "fed": "thoughts",
    "final_norm": "sites",
    "generate": "runs",
    "load": "models",
    "load_run": "reports.frame",
    "logit_lens": "lens",
    "max_abs_diff": "runs",
    "mlp_out": "sites",
    "moved": "runs",
    "noise": "reports.tolerance",
    "patch": "edits",
    "project_out": "edits",
    "random_direction": "directions",
    "recompute": "recomputing",
    "relative_error": "metrics",
    "resid_post": "sites",
    "resid_pre": "sites",
    "rounding": "models",
    "run": "runs",
    "span": "positions",
    "steer": "edits",
    "sweep": "sweeps",
    "think": "thoughts",
    "thought": "positions",
    "within": "reports.tolerance",
    "z": "sites",
}
__all__ = list(_HOME)  # sorted, checked by ruff above


def __getattr__(word: str) -> object:
    """The word itself, from the module that defines it."""
    if word not in _HOME:
        raise AttributeError(f"interp has no {word!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(f"interp.{_HOME[word]}"), word)
    globals()[word] = value
    return value
