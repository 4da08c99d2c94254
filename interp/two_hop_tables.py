"""Two-hop questions as prompt sets: the paper's table, and tables of facts that can be chained.

A question goes over a bridge: from e1 by r1 to e2, from e2 by r2 to e3. The table is read as the
code of the paper writes it, `two_hop.csv`, from a file that is already here; nothing is fetched.

Source:  Biran et al. 2024, "Hopping Too Late", arXiv:2406.12775v2, and its code,
         edenbiran/HoppingTooLate, src/create_dataset.py and src/evaluate_dataset.py.
Differs: the relation alone, the second shortcut, is asked with the ending of the question, so that
         an answer is what comes next; theirs ends before. `first_hop_prompt` and
         `second_hop_prompt` are columns of ours: a table that has them says how a hop is asked.
"""

import ast
import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from interp.errors import DataError, RequestError, closest
from interp.fact_tables import chained
from interp.prompts import Label, Prompt, PromptSet, companions

SOURCE: Final = "Biran et al. 2024, Hopping Too Late, arXiv:2406.12775v2: its table's columns"
ENTITIES: Final = ("e1", "e2", "e3")
RELATIONS: Final = ("r1", "r2")
SHORTEST: Final = 2  # letters of an alias that counts as an answer
NEEDED: Final = (
    "id", *ENTITIES, *RELATIONS, "e1_label", "e2_label", "e3_label", "e2_type", "e2_aliases",
    "e3_aliases", "r1_type", "r2_type", "r1_template", "r2_template", "source_prompt",
)  # fmt: skip
Row = Mapping[str, str]


class HopPrompt(Prompt, frozen=True, forbid_unknown_fields=True):
    """A two-hop question with both hops alone, and both ways around the bridge.

    The shortcuts have the answer of the question: who is right on one may not have used the bridge.
    """

    entity_shortcut: Prompt | None = None
    relation_shortcut: Prompt | None = None


def entity_shortcut(prompts: PromptSet) -> PromptSet:
    """The second relation asked of the first entity: r2(e1).

    Raises:
        RequestError: the prompts have no shortcuts.
    """
    return companions(prompts, "entity_shortcut")


def relation_shortcut(prompts: PromptSet) -> PromptSet:
    """Both relations without an entity: r2(r1()).

    Raises:
        RequestError: the prompts have no shortcuts.
    """
    return companions(prompts, "relation_shortcut")


def read_two_hop(path: Path | str) -> PromptSet:
    """A table of two-hop questions, or a folder of the tables of facts of Patchscopes.

    Each prompt has the span "e1", whose last token is the paper's t1 ("last" is its t2), the
    companions `first_hop`, `second_hop` and both shortcuts, the bridge as its group, and labels:
    `bridge`, `kind` (of the bridge), `first` and `relation`, `id` and, where known, `popularity` of
    the first entity. Answers are the label and its aliases of two letters or more.

    Raises:
        DataError: it cannot be read, lacks a column, is empty, has an id twice, or a row that is
            not right (named).
    """
    place = Path(path)
    rows = chained(place) if place.is_dir() else list(_rows(place))
    name = place.name if place.is_dir() else place.stem
    return two_hop_set(name, rows, where=str(path))


def two_hop_set(name: str, rows: Sequence[Row], *, where: str = "") -> PromptSet:
    """Rows by the paper's columns as a prompt set.

    Raises:
        DataError: as `read_two_hop` does.
    """
    if not rows:
        raise DataError("the set of two-hop questions is empty", where=where or name)
    for column in NEEDED:
        if column not in rows[0]:
            raise DataError(
                f"the table has no column {column!r}",
                expected=", ".join(NEEDED),
                received=", ".join(filter(None, rows[0])),
                where=where or name,
                hint=closest(column, filter(None, rows[0])),
            )
    (first, times) = Counter(row["id"] for row in rows).most_common(1)[0]
    if times > 1:
        raise DataError("an id is there twice", received=repr(first), where=where or name)
    prompts = tuple(_prompt(row, f"{where or name}, id {row['id']}") for row in rows)
    return PromptSet(name, prompts, source=SOURCE)


def balanced(prompts: PromptSet, *, most: int, label: str = "kind", seed: int = 0) -> PromptSet:
    """At most so many prompts of each kind of bridge, drawn once, in their order.

    Raises:
        RequestError: a prompt without that label.
    """
    kinds: dict[Label, list[int]] = {}
    for place, prompt in enumerate(prompts.prompts):
        if label not in prompt.labels:
            raise RequestError(
                "these prompts have no such label",
                asked=f"balanced({prompts.name}, label={label!r})",
                hint=closest(label, prompt.labels),
            )
        kinds.setdefault(prompt.labels[label], []).append(place)
    draw = np.random.default_rng(seed).permutation
    kept = sorted(int(one) for places in kinds.values() for one in draw(places)[:most])
    return replace(prompts, prompts=tuple(prompts.prompts[place] for place in kept))


def _rows(path: Path) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            "the table of two-hop questions cannot be read", received=error, where=str(path)
        ) from None


def _prompt(row: Row, where: str) -> HopPrompt:
    try:
        return _hops(row)
    except (ValueError, IndexError, KeyError, SyntaxError, TypeError) as error:
        raise DataError(
            "a row of the two-hop table is not right",
            expected="a question made of its templates, lists of aliases, one slot a template",
            received=error,
            where=where,
        ) from None


def _hops(row: Row) -> HopPrompt:
    question, subject, bridge = row["source_prompt"], row["e1_label"], row["e2_label"]
    whole = _filled(row["r2_template"], _filled(row["r1_template"], subject))
    if question[:1].lower() + question[1 : len(whole)] != whole[:1].lower() + whole[1:]:
        raise ValueError(f"the question {question!r} does not begin with {whole!r}")
    ending = question[len(whole) :]

    def asked(text: str) -> str:
        return (text[:1].upper() if question[:1].isupper() else text[:1]) + text[1:] + ending

    first = row.get("first_hop_prompt") or asked(_filled(row["r1_template"], subject))
    second = row.get("second_hop_prompt") or asked(_filled(row["r2_template"], bridge))
    around = asked(_filled(row["r2_template"], subject))
    bridges, answers = (_answers(row, entity) for entity in ("e2", "e3"))
    return HopPrompt(
        text=question,
        answers=answers,
        spans={"e1": _span(question, subject)},
        group=bridge,
        labels=_labels(row),
        first_hop=Prompt(text=first, answers=bridges, spans={"e1": _span(first, subject)}),
        second_hop=Prompt(text=second, answers=answers, spans={"e1": _span(second, bridge)}),
        entity_shortcut=Prompt(text=around, answers=answers, spans={"e1": _span(around, subject)}),
        relation_shortcut=Prompt(text=asked(_without_entity(row)), answers=answers),
    )


def _labels(row: Row) -> dict[str, Label]:
    found: dict[str, Label] = {
        "id": row["id"],
        "bridge": row["e2_label"],
        "kind": row["e2_type"],
        "first": row["r1_type"],
        "relation": row["r2_type"],
    }
    if popularity := row.get("e1_popularity"):
        found["popularity"] = float(popularity)
    return found


def _answers(row: Row, entity: str) -> tuple[str, ...]:
    """The label and its aliases, each once."""
    aliases = ast.literal_eval(row[f"{entity}_aliases"] or "[]")
    if not isinstance(aliases, list) or not all(isinstance(one, str) for one in aliases):
        raise ValueError(f"{entity}_aliases is no list of texts")
    named: Iterable[str] = (one.strip() for one in aliases)
    known = [row[f"{entity}_label"], *(one for one in named if len(one) >= SHORTEST)]
    return tuple(dict.fromkeys(known))


def _without_entity(row: Row) -> str:
    """Both relations, cut where the entity would stand."""
    whole = row["r2_template"].format(row["r1_template"].format("")).rstrip()
    return whole.removesuffix(" the").removesuffix(" of")


def _filled(template: str, entity: str) -> str:
    if template.count("{}") != 1 or not template.endswith("{}"):
        raise ValueError(f"a template ends in its one slot, {{}}: {template!r}")
    return template.format(entity)


def _span(text: str, entity: str) -> str:
    """The last mention of an entity, with as many words before it as make it the only one."""
    start, end = text.rindex(entity), text.rindex(entity) + len(entity)
    while text.count(text[start:end]) > 1:
        start = text.rindex(" ", 0, max(start - 1, 0)) + 1 if " " in text[: start - 1] else 0
    return text[start:end]
