"""All mutants by name, and choosing some of them."""

from collections.abc import Mapping, Sequence
from importlib import import_module

from interp.errors import DataError, RequestError
from interp.mutants.planting import Mutant

ROOMS = tuple(
    f"interp.mutants.{room}"
    for room in (
        "hooks",
        "attention",
        "describing",
        "positions",
        "doses",
        "reading",
        "lenses",
        "decoding",
        "sharing",
        "thoughts",
        "statistics",
        "moving",
        "data",
        "mlx",
    )
)


def catalogue(also: Sequence[str] = ()) -> dict[str, Mutant]:
    """The mutants of every room, and of the modules named, by name.

    Raises:
        DataError: two mutants have one name.
    """
    every: list[Mutant] = [one for room in (*ROOMS, *also) for one in import_module(room).MUTANTS]
    found = {one.name: one for one in every}
    if len(found) != len(every):
        names = [one.name for one in every]
        raise DataError(
            "a mutant's name is its own",
            received=", ".join(sorted({name for name in names if names.count(name) > 1})),
        )
    return found


def chosen(mutants: Mapping[str, Mutant], expression: str) -> list[str]:
    """The names that an expression like `row or norm and not final` selects.

    Raises:
        RequestError: none.
    """
    names = [name for name in mutants if not expression or _fits(name, expression)]
    if not names:
        raise RequestError(
            "no mutant has such a name",
            asked=f"-k {expression!r}",
            expected="parts of names, with `and`, `or` and `not`",
            hint="interp mutants --list",
        )
    return names


def _fits(name: str, expression: str) -> bool:
    return any(
        all(_has(name, term.strip()) for term in part.split(" and "))
        for part in expression.split(" or ")
    )


def _has(name: str, term: str) -> bool:
    if term.startswith("not "):
        return not _has(name, term.removeprefix("not ").strip())
    return term in name
