"""From an edit as written to a write that a backend can apply: shapes, rows, doses, positions."""

import numpy as np
from jaxtyping import Bool, Float

from interp.backends.protocol import Keys, Op, Write
from interp.edits import Edit, Verb
from interp.encoded import Encoded
from interp.errors import NonFiniteError, RequestError
from interp.models import Model
from interp.positions import Position
from interp.sites import Site

Rows = Bool[np.ndarray, " batch"]
OPS: dict[Verb, Op] = {
    "steer": "add",
    "patch": "replace",
    "ablate": "replace",
    "project_out": "project_out",
    "block_attention": "block",
}


def write(model: Model, encoded: Encoded, edit: Edit, *, n_thoughts: int = 0) -> Write:
    """The edit resolved for one batch, which may be followed by so many thoughts.

    Raises:
        RequestError: a vector of another model, a shape that would have to be broadcast, a row or
            head that is not there, a position that matches nothing.
    """
    if edit.fingerprint and edit.fingerprint != model.fingerprint:
        raise RequestError(
            "this direction was found on another model",
            expected=_short(model.fingerprint),
            received=_short(edit.fingerprint),
            where=str(edit),
            hint="find the direction again on this model",
        )
    rows = _rows(edit, len(encoded.ids))
    if edit.to is not None:
        return _blocking(model, encoded, edit, rows, n_thoughts)
    _refuse_shape(model, encoded, edit)
    if edit.at.kind == "thought":
        return _thought_write(edit, rows, max(encoded.lengths), n_thoughts)
    mask = encoded.mask(edit.at)  # the same array for every edit that says no more than where
    if edit.rows is not None or edit.phase == "generated":
        mask = mask & rows[:, None] & (edit.phase != "generated")
    generated = rows & (edit.at.reaches_generated and edit.phase != "prompt")
    alpha = np.full(len(rows), edit.alpha, np.float32)
    if edit.unit == "median_norm":
        alpha = alpha * _median_norm(model, encoded, edit)
    value = _known_where_used(edit, mask, len(feature(model, edit.site)))
    return Write(edit.site, OPS[edit.verb], value, alpha, mask, generated, edit.heads)


def _short(fingerprint: str) -> str:
    """The beginning of a hash, and the quantisation where there is one."""
    digest, plus, quantization = fingerprint.partition("+")
    return f"{digest[:12]}{plus}{quantization}"


def _thought_write(edit: Edit, rows: np.ndarray, length: int, n_thoughts: int) -> Write:
    """An edit at thoughts alone: no token of the prompt or of the answer is under its mask."""
    fires = rows[:, None] & _steps(edit.at, edit, n_thoughts)
    if not np.isfinite(edit.vector).all():
        raise NonFiniteError("a patched value is NaN or infinite", where=str(edit))
    none = np.zeros((len(rows), length), dtype=bool)
    alpha = np.full(len(rows), edit.alpha, np.float32)
    return Write(edit.site, OPS[edit.verb], edit.vector, alpha, none, none[:, 0], edit.heads, fires)


def _blocking(model: Model, encoded: Encoded, edit: Edit, rows: Rows, n_thoughts: int) -> Write:
    """Edges that are blocked: the positions that see less, and what they do not see."""
    _refuse_heads(edit, model.backend.info.n_heads)
    keys = _keys(encoded, edit, rows, n_thoughts)
    queries = np.zeros(keys.prompt.shape, dtype=bool)
    fires: np.ndarray | None = None
    if edit.at.kind == "thought":
        fires = rows[:, None] & _steps(edit.at, edit, n_thoughts)
        fires &= _seen_before(keys.thoughts) | keys.prompt.any(axis=1, keepdims=True)
    elif edit.phase != "generated":
        queries = encoded.mask(edit.at) & rows[:, None] & _seen_before(keys.prompt)
    known = keys.prompt.any(axis=1) | keys.thoughts.any(axis=1) | keys.generated
    later = edit.at.reaches_generated and edit.phase != "prompt"
    alpha = np.ones(len(rows), dtype=np.float32)
    return Write(
        edit.site,
        "block",
        edit.vector,
        alpha,
        queries,
        rows & known & later,
        edit.heads,
        fires,
        keys,
    )


def _keys(encoded: Encoded, edit: Edit, rows: Rows, n_thoughts: int) -> Keys:
    to = edit.to or edit.at
    none = np.zeros((len(rows), max(encoded.lengths)), dtype=bool)
    thoughts = np.zeros((len(rows), n_thoughts), dtype=bool)
    if to.kind == "thought":
        return Keys(none, rows[:, None] & _steps(to, edit, n_thoughts), none[:, 0])
    return Keys(encoded.mask(to) & rows[:, None], thoughts, rows & to.reaches_generated)


def _steps(place: Position, edit: Edit, n_thoughts: int) -> Bool[np.ndarray, "1 thought"]:
    """Which thoughts a position names.

    Raises:
        RequestError: one that there is not.
    """
    steps = range(n_thoughts) if not place.name else [int(place.name)]
    if not steps or max(steps) >= n_thoughts or edit.unit != "raw":
        raise RequestError(
            "an edit at thoughts is in raw units, at thoughts that there are",
            expected=f"thought(0) to thought({n_thoughts - 1})" if n_thoughts else "no thoughts",
            received=str(edit),
            hint="think(model, prompts, edit, n_thoughts=...)",
        )
    return np.array([[step in steps for step in range(n_thoughts)]])


def _seen_before(mask: Bool[np.ndarray, "batch pos"]) -> Bool[np.ndarray, "batch pos"]:
    """Where there is something of the mask at an earlier place."""
    return np.asarray(np.cumsum(mask, axis=1) - mask > 0)


def feature(model: Model, site: Site) -> tuple[int, ...]:
    """The shape of one value at a site, for one position of one row."""
    info = model.backend.info
    if site.name in info.heads:
        return info.heads[site.name], info.d_head
    return (info.d_model,)


def _known_where_used(edit: Edit, mask: np.ndarray, feature_axes: int) -> np.ndarray:
    """The edit's values with 0 for what a donor run left unknown and no position uses."""
    if np.isfinite(np.vdot(edit.vector, edit.vector)):  # then every summand is
        return edit.vector
    known = np.isfinite(edit.vector)
    if known.all():
        return edit.vector
    used = mask if edit.vector.ndim == feature_axes + len(mask.shape) else mask.any(axis=1)
    if edit.vector.ndim == feature_axes or not known[used].all():
        raise NonFiniteError(
            "a patched value is NaN or infinite",
            where=str(edit),
            hint="the donor has padding there: patch a named position",
        )
    return np.where(known, edit.vector, np.float32(0))


def _rows(edit: Edit, batch: int) -> np.ndarray:
    if edit.rows is None:
        return np.ones(batch, dtype=bool)
    named = edit.rows
    if not named or max(named) >= batch or min(named) < 0:
        raise RequestError(
            "an edit's rows must be rows of the batch",
            expected=f"rows in 0..{batch - 1}",
            received=edit.rows,
            where=str(edit),
        )
    return np.isin(np.arange(batch), list(named))


def _refuse_heads(edit: Edit, n_heads: int) -> None:
    heads = edit.heads
    if heads is not None and (not heads or max(heads) >= n_heads or min(heads) < 0):
        raise RequestError("no such head", expected=f"0..{n_heads - 1}", received=heads)


def _refuse_shape(model: Model, encoded: Encoded, edit: Edit) -> None:
    shape, heads = feature(model, edit.site), edit.heads
    if heads is not None:
        _refuse_heads(edit, shape[0])
        shape = (len(heads), shape[1])
    batch, length = len(encoded.ids), max(encoded.lengths)
    allowed = [shape, (batch, *shape)]
    if edit.verb in ("steer", "patch") and edit.phase == "prompt":
        allowed.append((batch, length, *shape))
    if edit.vector.shape not in allowed:
        raise RequestError(
            "a vector's shape must fit exactly; nothing is broadcast",
            expected=" or ".join(map(str, allowed)),
            received=edit.vector.shape,
            where=str(edit),
        )
    if np.ndim(edit.alpha) and np.shape(edit.alpha) != (batch,):
        raise RequestError(
            "alpha is one number, or one a row", expected=(batch,), received=np.shape(edit.alpha)
        )


def _median_norm(model: Model, encoded: Encoded, edit: Edit) -> Float[np.ndarray, ""]:
    """What alpha 1 must be multiplied by for the added vector to have the site's median norm."""
    if edit.vector.shape != feature(model, edit.site) or not edit.vector.any():
        raise RequestError("a dose in norms needs one vector, not zero", where=str(edit))
    key = encoded.prompts.digest, edit.site, edit.at
    if key not in model.norms:
        plain = model.backend.forward(encoded.ids, capture=[edit.site], logits="none")
        values = plain.captured[edit.site][encoded.mask(edit.at)]
        norms = np.linalg.norm(values.reshape(len(values), -1).astype(np.float64), axis=1)
        model.norms[key] = float(np.median(norms))
    return np.asarray(model.norms[key] / np.linalg.norm(edit.vector), np.float32)
