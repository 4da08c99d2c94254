"""Several runs as one folder: their lines, what was planned, their manifests, their artifacts.

The result depends on what the runs hold, not on the order they are given in, nor on whether one of
them was itself made this way.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from interp.errors import RequestError
from interp.reports.journal import replace_file, unwritable
from interp.reports.lines import MERGED, Lines, read_folder, together
from interp.reports.merge import merged_file

RUNS: Final = "runs"  # in a joined manifest: the manifests it was made of
PLANNED: Final = "planned"  # in each of them: the node ids of its cases
Manifest = Mapping[str, Any]
Plan = Sequence[Mapping[str, Any]]
# Where runs differ and neither a list of words nor what they share would be true of them all.
SPOKEN_FOR: Final[Mapping[str, Callable[[Sequence[Any]], Any]]] = {
    "argv": lambda _: [],
    "deselected": max,
    "gate": all,
    "started": min,
}


def merge_in_place(run: Path) -> Lines:
    """Write `merged.jsonl` beside the parts of a run; they stay.

    Raises:
        DataError: there is no run here, or it cannot be written to.
    """
    lines = read_folder(run)
    _write(run / MERGED, merged_file(lines))
    return lines


def join(runs: Sequence[Path], to: Path) -> Lines:
    """Write a run that holds all of these, in a folder that is new or was joined before.

    Raises:
        DataError: one of them is no run, or the folder cannot be written to.
        RequestError: there is something else in the folder.
    """
    _refuse_others(to)
    lines = together(read_folder(run) for run in runs)
    plans = [read_json(run / "collection.json", []) for run in runs]
    manifests = [read_json(run / "manifest.json", {}) for run in runs]
    sources = sources_of(manifests, plans)
    for run in runs:
        _copy_artifacts(run, to)
    _write(to / "manifest.json", json.dumps(joined_manifest(sources), indent=1).encode())
    _write(to / "collection.json", json.dumps(joined_plan(sources, plans)).encode())
    _write(to / MERGED, merged_file(lines))
    return lines


def sources_of(manifests: Sequence[Manifest], plans: Sequence[Plan]) -> list[Manifest]:
    """The manifests of the runs that were really run, each once, the one that began first first."""
    found: list[Manifest] = []
    for manifest, plan in zip(manifests, plans, strict=True):
        planned = [case["nodeid"] for case in plan]
        found += manifest.get(RUNS) or [{**manifest, PLANNED: planned}]
    unique = {_text(one): one for one in found}
    return [unique[text] for text in sorted(unique, key=lambda text: (_began(unique[text]), text))]


def joined_manifest(sources: Sequence[Manifest]) -> dict[str, Any]:
    """One manifest of several: what they agree on, and where they differ every word they say."""
    names = sorted({name for one in sources for name in one} - {PLANNED})
    agreed = {name: _agreed(name, [one[name] for one in sources if name in one]) for name in names}
    return {**agreed, RUNS: list(sources)}


def joined_plan(sources: Sequence[Manifest], plans: Iterable[Plan]) -> list[Any]:
    """Every case that one of the runs planned, once, in the order of the runs."""
    told: dict[str, str] = {}
    for case in (case for plan in plans for case in plan):
        text = _text(case)  # of two that tell a case differently, one is taken: always the same
        told[case["nodeid"]] = max(text, told.get(case["nodeid"], text))
    order = dict.fromkeys(nodeid for one in sources for nodeid in one[PLANNED])
    return [json.loads(told[nodeid]) for nodeid in order]


def read_json(path: Path, otherwise: Any) -> Any:
    """A file beside the journal, or what stands for it where it is missing or torn."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return otherwise


def _agreed(name: str, told: Sequence[Any]) -> Any:
    first, *others = told
    if all(one == first for one in others):
        return first
    if name in SPOKEN_FOR:
        return SPOKEN_FOR[name](told)
    if all(isinstance(one, dict) for one in told):
        names = sorted({part for one in told for part in one})
        return {part: _agreed("", [one.get(part) for one in told]) for part in names}
    if all(isinstance(one, list) for one in told):
        every = {_text(one): one for many in told for one in many}
        return [every[text] for text in sorted(every)]
    return ", ".join(sorted({str(one) for one in told}))


def _began(manifest: Manifest) -> float:
    began = manifest.get("started", 0)
    return float(began) if isinstance(began, (int, float)) else 0.0


def _text(content: object) -> str:
    return json.dumps(content, sort_keys=True)


def _refuse_others(to: Path) -> None:
    ours = to.is_dir() and (to / MERGED).is_file() and not (to / "parts").exists()
    if to.exists() and not ours and (not to.is_dir() or any(to.iterdir())):
        raise RequestError(
            "a merge of runs needs a folder of its own",
            expected="a new folder, an empty one, or one that was merged before",
            received="a file" if not to.is_dir() else "a folder with other things in it",
            where=str(to),
        )


def _copy_artifacts(run: Path, to: Path) -> None:
    """Copy what is not there yet: an artifact's name is the hash of its content."""
    for source in sorted((run / "artifacts").glob("*")):
        target = to / "artifacts" / source.name
        if source.name.startswith(".") or target.exists():
            continue
        draft = target.with_name(f".{target.name}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, draft)
            draft.replace(target)
        except OSError as error:
            raise unwritable(error, to) from None


def _write(path: Path, content: bytes) -> None:
    try:
        replace_file(path, content)
    except OSError as error:
        raise unwritable(error, path.parent) from None
