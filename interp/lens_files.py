"""Where the tuned lens of a model lies: a folder that its registry entry names, or the cache.

`lens_path` is a folder of one's own. `lens` is the name of a published one, that of a folder under
`lens/` in the space AlignmentResearch/tuned-lens, which is looked for in the hub's local cache.
"""

from pathlib import Path
from typing import Final

from interp.errors import DataError
from interp.model_files import Finder, in_cache, in_folder
from interp.registry import ModelSpec

PUBLISHED: Final = "AlignmentResearch/tuned-lens"
CONFIG: Final = "config.json"
PICKLED: Final = "params.pt"
WEIGHTS: Final = ("params.safetensors", PICKLED)
HINT: Final = "docs/lenses.md says how to train one and how to name it in models.toml"


def lens_folder(spec: ModelSpec) -> Path | None:
    """The folder of a model's lens, if it is whole; None where there is none."""
    config = _finder(spec)(CONFIG)
    return config.parent if config and not _missing(spec) else None


def without_lens(spec: ModelSpec) -> str:
    """Why a model has no lens on this machine, and what to do; empty where it has one."""
    if not (spec.lens or spec.lens_path):
        return f"the registry names no tuned lens of {spec.id!r}; {HINT}"
    if not (absent := _missing(spec)):
        return ""
    lacks = f"the tuned lens of {spec.id!r} is not here: {', '.join(absent)}"
    if spec.lens_path:
        return f"{lacks} in {Path(spec.lens_path).name}/; {HINT}"
    wanted = f"--repo-type space --include 'lens/{spec.lens}/*'"
    return f"{lacks}; hf download {PUBLISHED} {wanted}"


def weights_in(folder: Path) -> Path:
    """The file of a lens that holds its maps.

    Raises:
        DataError: there is none, or one of each kind.
    """
    found = [folder / name for name in WEIGHTS if (folder / name).is_file()]
    if len(found) != 1:
        raise DataError(
            "a lens has its maps in one file",
            expected=" or ".join(WEIGHTS),
            received=", ".join(path.name for path in found) or "neither",
            where=str(folder),
        )
    return found[0]


def _missing(spec: ModelSpec) -> list[str]:
    """The parts of a lens that are not here."""
    get = _finder(spec)
    absent = [] if get(CONFIG) else [CONFIG]
    return absent if any(map(get, WEIGHTS)) else [*absent, PICKLED]


def _finder(spec: ModelSpec) -> Finder:
    if spec.lens_path:
        return in_folder(Path(spec.lens_path))
    if not spec.lens:
        return lambda _: None
    cached = in_cache(PUBLISHED, None, kind="space")
    return lambda name: cached(f"lens/{spec.lens}/{name}")
