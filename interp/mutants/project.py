"""The project in which specs meet a planted bug: twins of a few families, the specs, the prompts.

It lies in a folder of its own, so that nothing of the user's plays a part and nothing is left.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

from interp.prompts import PromptSet

TWINS: Final = ("llama", "gpt2", "gemma2")  # GQA; fused and absolute; sandwich norms and softcaps
THINKER: Final = "thinker"  # a Llama with adapters and a projection, beside the other twins
CHECKED: Final = ("contracts", "calibration")
SETTINGS: Final = """[pytest]
addopts = --strict-markers --import-mode=importlib
filterwarnings = error
"""


@dataclass(frozen=True)
class Project:
    """A folder that pytest can run in, and the models that a bug is tried on, unless it says."""

    root: Path
    models: tuple[str, ...] = ()

    def log_of(self, name: str) -> Path:
        """Where the output of one trial goes."""
        return self.root / "logs" / f"{name}.txt"


def write_project(root: Path, families: Sequence[str] = TWINS) -> Project:
    """Write the twins, and copy the specs and prompt sets that belong to this installation.

    The control runs on one more model than the trials: contracts must hold in a short dtype too.
    """
    specs, prompts = _shipped()
    for name in CHECKED:
        shutil.copytree(specs / name, root / "specs" / name, ignore=_caches)
    shutil.copytree(prompts, root / "fixtures" / "prompts")
    twins = import_module("interp.backends.torch_twins")
    words, folder = twins.tokenizer(_texts(prompts), VOCABULARY), root / "fixtures" / "twins"
    for family in families:
        twins.write_twin(family, folder / family, LONGER.get(family, LONG), words=words)
    thinkers = import_module("interp.backends.torch_thinker_twins")
    place = folder / THINKER
    thinkers.write_thinker_twin("llama", place, place, LONG, safe=True, words=words)
    entries = [_entry(family, family) for family in families]
    entries += [_entry(f"{families[0]}-bfloat16", families[0], dtype="bfloat16")]  # control alone
    entries += [_entry(THINKER, THINKER, tag="thoughts")]
    (root / "fixtures" / "models.toml").write_text("\n".join(entries), encoding="utf-8")
    (root / "pytest.ini").write_text(SETTINGS, encoding="utf-8")
    (root / "logs").mkdir()
    return Project(root, tuple(families))


# What the prompt sets need is longer than what a twin has; GPT-2 calls it otherwise.
LONG: Final = {"max_position_embeddings": 256}
LONGER: Final = {"gpt2": {"n_positions": 256}}
VOCABULARY: Final = 2000  # most words of the prompt sets as one token
_caches = shutil.ignore_patterns("__pycache__")


def _entry(name: str, twin: str, *, dtype: str = "float32", tag: str = "twin") -> str:
    """A table of the registry."""
    path, tags = f'path = "twins/{twin}"', f'tags = ["tiny", "{tag}"]'
    return "\n".join([f"[{name}]", path, f'dtype = "{dtype}"', tags, f'family = "{twin}"', ""])


def _texts(folder: Path) -> tuple[str, ...]:
    """Every text and answer of the prompt sets, for the twins' tokenizer to learn."""
    sets = [PromptSet.from_file(path) for path in sorted(folder.glob("*.jsonl"))]
    prompts = [prompt for one in sets for prompt in one.prompts]
    return tuple(" ".join((one.content, *one.answers, *one.foils)) for one in prompts)


def _shipped() -> tuple[Path, Path]:
    """The folders of specs and of prompt sets: beside the package in a checkout, else inside."""
    package = Path(__file__).parents[1]
    if (package.parent / "specs" / "contracts").is_dir():
        return package.parent / "specs", package.parent / "fixtures" / "prompts"
    return package, package / "prompt_sets"
