"""Cases, values and runs made by hand, and a text that is an attack wherever it stands."""

from pathlib import Path

from interp.reports.record import Case, End, Load, RunRecord
from interp.reports.values import Value

STATES = ("holds", "fails", "accepted", "inconclusive", "invalid", "error", "skipped", "crashed")
NASTY = (
    "<script>alert(1)</script>\"'` onload=x </style></script><!-- {{ 7 * 7 }} "
    "\x1b[31m\x00\u202eabc\u2066\u200b\ufeff\ud800 ]]>&lt;"
)
LEDGER = {
    "verb": "steer",
    "site": "resid_post(3)",
    "phase": "all",
    "runs": 6,
    "rows": 64,
    "from_end": [-14, -1],
    "fired": 4608,
    "dose": [0.1, 0.2, 0.3],
}
MODEL = {"id": "small", "source": "/home/me/small", "dtype": "float32", "backend": "torch"}


def case_of(name, role="finding", **said):
    place = f"specs/findings/test_{role}.py"
    said = {"claim": f"It is so that {name}.", "place": f"{place}:7", **said}
    nodeid = f"{place}::test_it_{name}[small]"
    return Case(nodeid, name, 1, role, "small", **said)


def value_of(case, metric="rate", value=0.42, **said):
    given = {"low": 0.3, "high": 0.5, "n": 40, "p": None, "unit": "1", "published": None}
    given |= {"labels": {}, "items": "ab" * 32, "model": MODEL, "ledger": [LEDGER], "noise": 0.01}
    return Value(case.spec_id, 1, metric, value, nodeid=case.nodeid, **(given | said))


def run_of(planned, ends=(), values=(), crashed=(), folder=Path("20260102T030405.678Z-a1b2c3")):
    manifest = {
        "run": folder.name,
        "started": 1_800_000_000.5,
        "argv": ["specs", "-k", "small one", "--run-dir", "/data/x", "-q"],
        "versions": {"python": "3.11.7"},
        "git": {"commit": "c0ffee" * 6, "dirty": False},
    }
    loads = (Load("small", 1.5, MODEL, "main"),)
    return RunRecord(folder, manifest, planned, values, ends, crashed, loads, torn=0)


def nasty_run():
    """A run in which every text is an attack."""
    model = {**MODEL, "id": NASTY, "source": NASTY}
    case = Case(
        NASTY,
        NASTY,
        1,
        "finding",
        NASTY,
        NASTY,
        (),
        NASTY,
        f"arXiv:2406.12775{NASTY}",
        NASTY,
        NASTY,
    )
    contract = Case(f"c{NASTY}", NASTY, 1, "contract", NASTY, "", ((NASTY,),), NASTY)
    value = value_of(
        case,
        NASTY,
        0.5,
        unit=NASTY,
        labels={NASTY: NASTY},
        items=NASTY,
        model=model,
        ledger=[{"verb": NASTY, "site": NASTY, "phase": NASTY}],
    )
    ends = (
        End(contract, "fails", False, NASTY, 1.0, (), NASTY),
        End(case, "invalid", False, NASTY, 1.0, (NASTY,)),
    )
    record = run_of(
        (contract, case), ends, (value,), folder=Path(NASTY.replace("/", "").replace("\0", ""))
    )
    record.manifest.update(argv=[NASTY], versions={NASTY: NASTY}, platform=NASTY, profile=NASTY)
    return record
