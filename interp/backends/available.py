"""Which sites a model has: refused with the reason, never approximated."""

from collections.abc import Sequence

from interp.backends.protocol import ModelInfo, Write
from interp.errors import RequestError
from interp.sites import Site


def refuse_unwritable(info: ModelInfo, writes: Sequence[Write]) -> None:
    """Nothing, if these writes can be made on this model.

    Raises:
        RequestError: as `refuse_unavailable`; attention is blocked without its pattern being seen.
    """
    for write in writes:
        if write.keys is None:
            refuse_unavailable(info, write.site)
        else:
            _refuse_deeper(info, write.site)


def refuse_unavailable(info: ModelInfo, site: Site) -> None:
    """Nothing, if this site can be used on this model.

    Raises:
        RequestError: no such layer, or a site that the self-check or the family refuses.
    """
    _refuse_deeper(info, site)
    if site.name == "thought":
        raise RequestError(
            "no thought is fed in a pass over tokens", asked=str(site), hint="think(...)"
        )
    if site.name in info.refused:
        raise RequestError(
            "this site is not available on this model",
            asked=str(site),
            received=info.refused[site.name],
            where=info.family,
        )


def _refuse_deeper(info: ModelInfo, site: Site) -> None:
    if site.layer is not None and site.layer >= info.n_layers:
        last = info.n_layers - 1
        raise RequestError(
            "no such layer",
            asked=str(site),
            expected=f"layer in 0..{last}",
            received=site.layer,
            hint=f"{site.name}({last}), or {site.name}(model.layer('last'))",
        )
