"""Peers in environments of their own, each a process that answers on a pipe."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from contenders import Contender, Request
from measure import Taken

SERVE = Path(__file__).parent / "peers" / "serve.py"
DENSITY = {"transformer-lens": 1, "nnsight": 2, "pyvene": 1, "steering-vectors": 1}


class DeclinedError(Exception):
    """A peer that does not do this, or failed at it."""


class Guest:
    """A peer at work on one model; it ends with this process."""

    def __init__(self, python: Path, peer: str, model: Path) -> None:
        """Start it, and wait until the model is loaded.

        Raises:
            DeclinedError: it did not start.
        """
        folder = Path(tempfile.mkdtemp(prefix="interp-peer-"))
        self._jobs, self._count = folder, 0
        offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        outside = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        self._process = subprocess.Popen(  # noqa: S603  our own script, in an environment we built
            [python, SERVE, peer, model],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / "stderr.txt").open("w"),
            text=True,
            env={**outside, **offline},
        )
        self.versions: dict[str, str] = self._answer()["versions"]

    def contender(self, request: Request) -> Contender:
        """The same request, as often as it is taken."""
        self._count += 1
        place = self._jobs / str(self._count)
        request.job.write(place)
        first = [f"{place}"]  # the first time its name is sent, later a blank line: the same again

        def take() -> Taken:
            answer = self._answer(first.pop() if first else "")
            seconds = answer["seconds"] / request.share
            return Taken(seconds, answer["megabytes"], np.load(place / "result.npy"))

        return Contender(take, request.of)

    def _answer(self, line: str | None = None) -> dict[str, object]:
        if line is not None:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        got = self._process.stdout.readline()
        answer = json.loads(got) if got else {"not": f"it ended: {self._jobs / 'stderr.txt'}"}
        if "not" in answer:
            raise DeclinedError(answer["not"])
        return answer


class Guests:
    """The peers whose environments are there, started when first needed."""

    def __init__(self, folder: Path, model_folder: Path) -> None:
        """Nobody was started yet."""
        self._folder, self._models = folder, model_folder
        self._started: dict[tuple[str, str], Guest] = {}
        there = {name: (folder / name / ".ready").exists() for name in DENSITY}
        self.missing = [name for name, ready in there.items() if not ready]
        self.present = [name for name, ready in there.items() if ready]
        self.versions: dict[str, dict[str, str]] = {}

    def on(self, peer: str, shape: str) -> Guest:
        """A peer with a model of this shape."""
        if (peer, shape) not in self._started:
            python = self._folder / peer / "bin" / "python"
            guest = Guest(python, peer, self._models / shape)
            self._started[peer, shape] = guest
            self.versions[peer] = guest.versions
        return self._started[peer, shape]
