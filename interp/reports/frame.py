"""A run as a table for pandas and everything that reads Parquet: one row a value."""

import io
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from interp.reports.journal import replace_file
from interp.reports.record import Case, End, RunRecord, read_run
from interp.reports.values import Scalar, Value

if TYPE_CHECKING:
    import pandas as pd

SCHEMA: Final = 1  # of the columns; in the metadata of a Parquet file as interp.frame
TYPES: Final = {
    "run": "string",
    "started": "float64",
    "profile": "string",
    "finding": "string",
    "version": "Int64",
    "role": "string",
    "params": "string",
    "metric": "string",
    "value": "float64",
    "text": "string",
    "type": "string",
    "low": "float64",
    "high": "float64",
    "n": "Int64",
    "p": "float64",
    "unit": "string",
    "noise": "float64",
    "published": "string",
    "verdict": "string",
    "accepted": "boolean",
    "status": "string",
    "items": "string",
    "spec_hash": "string",
    "prompts": "string",
    "tolerance": "string",
    "nodeid": "string",
}
MODEL: Final = (
    "id", "source", "revision", "weights_digest", "dtype", "quantization", "backend",
    "attn_implementation", "device",
)  # fmt: skip
BEGINS_FORMULA: Final = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"  # also as full-width letters
OF_TYPE: Final = {bool: "boolean", int: "Int64", float: "float64"}


def load_run(path: Path | str) -> "pd.DataFrame":
    """The values of a run, one a row, whatever became of the run.

    `value` holds numbers, with booleans as 0 and 1, and `text` what is a word; `type` says what it
    was. Labels are the columns `label_<name>`, what identifies the model `model_<part>`. `verdict`
    is that of the value's spec; it is empty, and `status` partial, where the process died before
    there was one. `prompts` and `tolerance` are JSON.

    Args:
        path: the folder of a run.

    Raises:
        DataError: there is no run in this folder, or a newer version wrote it.
    """
    return frame_of(read_run(Path(path)))


def frame_of(record: RunRecord) -> "pd.DataFrame":
    """The values of a run that was read, as `load_run` gives them."""
    import pandas as pd  # noqa: PLC0415  a second to import, used here only

    cases = {case.nodeid: case for case in (*record.planned, *record.crashed)}
    ends = {end.case.nodeid: end for end in record.ends}
    values = record.values  # noqa: PD011  of a run, not of a frame
    rows = [
        _row(record.manifest, value, cases.get(value.nodeid), ends.get(value.nodeid))
        for value in values
    ]
    types = {**TYPES, **_model_types(values), **_label_types(values)}
    columns = {
        name: pd.array([_fit(row.get(name), kind) for row in rows], dtype=kind)
        for name, kind in types.items()
    }
    return pd.DataFrame(columns)


def write_parquet(record: RunRecord, path: Path) -> Path:
    """Write the values of a run as Parquet, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    replace_file(path, parquet(frame_of(record), str(record.manifest.get("run", ""))))
    return path


def parquet(frame: "pd.DataFrame", run: str = "") -> bytes:
    """A frame as Parquet, with the version of its columns in the metadata."""
    import pyarrow as pa  # noqa: PLC0415  half a second to import, used here only
    import pyarrow.parquet as pq  # noqa: PLC0415  likewise

    table = pa.Table.from_pandas(frame, preserve_index=False)
    about = {b"interp.frame": str(SCHEMA).encode(), b"interp.run": run.encode()}
    held = io.BytesIO()
    pq.write_table(
        table.replace_schema_metadata({**table.schema.metadata, **about}), held, compression="zstd"
    )
    return held.getvalue()


def csv(frame: "pd.DataFrame") -> str:
    """A frame as CSV in which no text is a formula to a spreadsheet; numbers stay numbers."""
    shown = frame.rename(columns=harmless)
    for name in shown.columns[shown.dtypes == "string"]:
        shown[name] = shown[name].map(harmless, na_action="ignore")
    return str(shown.to_csv(index=False, lineterminator="\n"))


def harmless(text: str) -> str:
    """A text that a spreadsheet shows: a quote before what would begin a formula, no controls."""
    seen = "".join(" " if unicodedata.category(one) in {"Cc", "Cs"} else one for one in text)
    return f"'{seen}" if text[:1] in BEGINS_FORMULA and text else seen


def rows_of(frame: "pd.DataFrame") -> list[dict[str, Scalar | None]]:
    """A frame as flat objects, null where there is nothing."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict(orient="records")
    return [{str(name): _plain(part) for name, part in row.items()} for row in rows]


def _plain(part: Any) -> Scalar | None:
    plain: Scalar | None = part.item() if hasattr(part, "item") else part
    return plain


def _row(
    manifest: Mapping[str, Any], value: Value, case: Case | None, end: End | None
) -> dict[str, object]:
    known = end.case if end else case
    is_text = isinstance(value.value, str)
    return {
        "run": manifest.get("run"),
        "started": manifest.get("started"),
        "profile": manifest.get("profile"),
        "finding": value.spec_id,
        "version": value.spec_version,
        "role": known.role if known else None,
        "params": known.params if known else None,
        "metric": value.metric,
        "value": None if is_text else value.value,
        "text": value.value if is_text else None,
        "type": type(value.value).__name__,
        **{part: getattr(value, part) for part in ("low", "high", "n", "p", "unit", "noise")},
        **{part: getattr(value, part) for part in ("published", "items", "spec_hash", "nodeid")},
        "verdict": end.verdict if end else None,
        "accepted": end.accepted if end else None,
        "status": "complete" if end else "partial",
        "prompts": _json(value.prompts),
        "tolerance": _json(value.tolerance),
        **{f"model_{part}": known for part, known in (value.model or {}).items()},
        **{f"label_{name}": label for name, label in value.labels.items()},
    }


def _json(content: object) -> str | None:
    return json.dumps(content, sort_keys=True, ensure_ascii=False) if content else None


def _model_types(values: Iterable[Value]) -> dict[str, str]:
    """Of every identity the same columns, also where no value is about a model."""
    found = {part for value in values for part in value.model or {}}
    return {f"model_{part}": "string" for part in (*MODEL, *sorted(found - set(MODEL)))}


def _label_types(values: Sequence[Value]) -> dict[str, str]:
    """A column for each label, of the type that all of its values have; text where they differ."""
    seen: dict[str, set[type]] = {}
    for value in values:
        for name, label in value.labels.items():
            seen.setdefault(f"label_{name}", set()).add(type(label))
    return {name: OF_TYPE.get(_common(types), "string") for name, types in sorted(seen.items())}


def _common(types: set[type]) -> type:
    """The one type, float where whole numbers and others meet, text otherwise."""
    if types == {int, float}:
        return float
    return next(iter(types)) if len(types) == 1 else str


def _fit(part: object, kind: str) -> object:
    """A part as its column holds it; text where the column is text."""
    if part is None:
        return float("nan") if kind == "float64" else None
    return str(part) if kind == "string" else part
