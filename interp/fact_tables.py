"""Tables of facts, subject and object, chained into two-hop questions by the paper's columns.

Source:  Ghandeharioun et al. 2024, "Patchscopes", arXiv:2401.06102: tables of factual relations in
         its authors' repository, from files that are already here.
Differs: the questions of two hops are made here, by every chain that the tables allow; a subject
         with two objects is left out. Theirs are a list of their own.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from interp.errors import DataError

SLOT: Final = re.compile(r"\bx$")  # in a table's prompt: "The capital city of x"
ESCAPED: Final = re.compile(r"\\u([0-9a-fA-F]{4})")
NEEDED: Final = ("subject", "object", "prompt_target")
LONGEST: Final = 10_000_000  # characters of a field: generations are in it


@dataclass(frozen=True)
class Table:
    """A relation: its name, the kind of its subjects and of its objects."""

    name: str
    subject: str
    object: str


TABLES: Final = (
    Table("product_by_company", "product", "company"),
    Table("food_from_country", "food", "country"),
    Table("company_ceo", "company", "person"),
    Table("country_capital_city", "country", "city"),
    Table("country_currency", "country", "currency"),
)


@dataclass(frozen=True)
class Facts:
    """A relation's template and its facts, each subject with its one object."""

    table: Table
    template: str
    facts: dict[str, str]


def chained(folder: Path) -> list[dict[str, str]]:
    """Every question that two of the tables in a folder make together.

    Raises:
        DataError: a table cannot be read or is not one; there are no two that chain.
    """
    known = [
        read_facts(folder, table) for table in TABLES if (folder / f"{table.name}.tsv").is_file()
    ]
    rows = [
        row
        for first in known
        for second in known
        if first.table.object == second.table.subject
        for row in _rows(first, second)
    ]
    if not rows:
        raise DataError(
            "no two tables of facts in this folder make a chain",
            expected=", ".join(f"{table.name}.tsv" for table in TABLES),
            where=str(folder),
        )
    return rows


def read_facts(folder: Path, table: Table) -> Facts:
    """One table.

    Raises:
        DataError: it cannot be read, lacks a column, or has other than one template.
    """
    path = folder / f"{table.name}.tsv"
    try:
        rows = list(_read(path))
        pairs = Counter({(row["subject"], row["object"]): 1 for row in rows})
        (template,) = {row["prompt_target"] for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, ValueError) as error:
        raise DataError(
            "this is not a table of facts",
            expected=f"columns {', '.join(NEEDED)}, and one prompt_target",
            received=error,
            where=str(path),
        ) from None
    objects = Counter(subject for subject, _ in pairs)
    facts = {_plain(one): _plain(other) for one, other in pairs if objects[one] == 1}
    return Facts(table, SLOT.sub("{}", template[:1].lower() + template[1:]), facts)


def _read(path: Path) -> Iterator[dict[str, str]]:
    before = csv.field_size_limit(LONGEST)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file, delimiter="\t")
    finally:
        csv.field_size_limit(before)


def _rows(first: Facts, second: Facts) -> Iterator[dict[str, str]]:
    for subject, bridge in first.facts.items():
        answer = second.facts.get(bridge)
        if answer is None or len({subject, bridge, answer}) < 3:  # noqa: PLR2004  e1, e2 and e3
            continue
        described = first.template.format(subject)
        question = second.template.format(described)
        yield {
            "id": f"{second.table.name} {first.table.name} {subject}",
            "e1": subject,
            "e2": bridge,
            "e3": answer,
            "e1_label": subject,
            "e2_label": bridge,
            "e3_label": answer,
            "e1_aliases": "[]",
            "e2_aliases": "[]",
            "e3_aliases": "[]",
            "e1_type": first.table.subject,
            "e2_type": first.table.object,
            "e3_type": second.table.object,
            "r1": first.table.name,
            "r2": second.table.name,
            "r1_type": first.table.name,
            "r2_type": second.table.name,
            "r1_template": first.template,
            "r2_template": second.template,
            "source_prompt": f"{question[:1].upper()}{question[1:]} is",
        }


def _plain(text: str) -> str:
    """A text whose letters beyond ASCII were written as escapes."""
    return ESCAPED.sub(lambda found: chr(int(found[1], 16)), text).strip()
