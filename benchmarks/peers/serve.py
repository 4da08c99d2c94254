"""The end of the pipe in a peer's environment: `serve.py PEER MODEL_FOLDER`.

A line names a job's folder, an empty line asks to run that job once more. Every answer is a line of
JSON: what the run took, or what went wrong. The result lies in the job's folder.
"""

import importlib
import json
import os
import sys
import traceback
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import numpy as np  # noqa: E402  the path comes first
import torch  # noqa: E402
from job import Job  # noqa: E402
from measure import taken  # noqa: E402


def main() -> None:
    """Answer until the other side hangs up; what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    torch.set_num_threads(1)
    peer, folder = sys.argv[1:]
    module = importlib.import_module(f"with_{peer.replace('-', '_')}")
    model = module.load(folder)
    versions = {name: version(name) for name in (peer, "torch", "transformers")}
    print(json.dumps({"versions": versions}), file=answers, flush=True)
    job, place = None, HERE
    for line in sys.stdin:
        if line.strip():
            place = Path(line.strip())
            job = Job.read(place)
        print(json.dumps(answered(module, model, job, place)), file=answers, flush=True)


def answered(module: object, model: object, job: Job, place: Path) -> dict[str, object]:
    """What one run took, or why there was none."""
    work = module.WORK.get(job.kind)
    if work is None:
        return {"not": "no workload is written for it"}
    try:
        took = taken(lambda: work(model, job))
    except Exception as error:  # noqa: BLE001  whatever a library raises is an answer
        traceback.print_exc()
        return {"not": f"{type(error).__name__}: {str(error)[:200]}"}
    np.save(place / "result.npy", took.result)
    return {"seconds": took.seconds, "megabytes": took.megabytes}


if __name__ == "__main__":
    main()
