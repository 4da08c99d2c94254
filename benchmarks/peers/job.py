"""What a peer is asked to compute, as files: both sides of the pipe read and write it here."""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np


@dataclass(frozen=True, eq=False)
class Job:
    """One workload, or a share of its cells; `values` is what is written where.

    The answer is one number, or row of them, a cell and prompt: [cell, prompt, ...]. Depths of the
    lens come as [token, depth, target], mean differences as [layer, d_model].
    """

    kind: str
    texts: list[str]
    ids: list[list[int]]
    cells: list[list[float]] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    new: int = 0
    everywhere: bool = False
    values: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))

    def write(self, folder: Path) -> None:
        """Put it into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "values.npy", self.values)
        known = {key: value for key, value in asdict(self).items() if key != "values"}
        (folder / "job.json").write_text(json.dumps(known), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Job":
        """What was put there."""
        known = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        names = {one.name for one in fields(cls)}
        given = {key: value for key, value in known.items() if key in names}
        return cls(**given, values=np.load(folder / "values.npy"))
