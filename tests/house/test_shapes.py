"""Shapes in annotations are checked while testing: `make unit` names every module that has some."""

import subprocess
import sys

CALL = """
import numpy as np
from jaxtyping import TypeCheckError, install_import_hook

install_import_hook({modules!r}, "beartype.beartype")
from interp.metrics import log_softmax

log_softmax(np.zeros((2, 3), dtype=np.float32))
try:
    log_softmax(np.zeros(3, dtype=np.float32))
except TypeCheckError:
    print("refused")
"""


def checked_modules(root):
    """What `make unit` hands to --jaxtyping-packages, without the checker."""
    asked = ["make", "--no-print-directory", "-n", "unit"]
    plan = subprocess.run(asked, cwd=root, check=True, capture_output=True, text=True).stdout
    option = next(word for word in plan.split() if word.startswith("--jaxtyping-packages="))
    return option.partition("=")[2].split(",")[:-1]


def outcome(modules):
    """What a fresh Python says to a wrong shape under these checks."""
    code = CALL.format(modules=modules)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_wrong_shape_is_refused_under_the_checks_of_make_unit(root):
    assert outcome(checked_modules(root)) == "refused"


def test_without_the_checks_it_would_pass():
    assert outcome(["nothing"]) != "refused"
