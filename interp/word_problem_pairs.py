"""Clean and corrupted word problems: one number changed, and the answer recomputed from the steps.

A question of GSM8K is taken only where its annotated steps account for all of its numbers: each
operand stands once in the question, is the result of one earlier step, or is a constant that
anybody knows. Its story then follows from its numbers, and another number gives another answer.

Source:  Cobbe et al. 2021, arXiv:2110.14168, calculator annotations; pairs as in "LLaMA vs GPT-2
         Activation Patching Comparison", 2025-10-20.
Differs: theirs were changed and answered by a language model, and 111 of 532 do not differ.
"""

import ast
import operator
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from interp.errors import DataError
from interp.prompts import Prompt, PromptSet
from interp.word_problems import ANNOTATION, Source, prompt_of, rows_of

SET: Final = "gsm8k"
NUMBER: Final = re.compile(r"(?<![\d.,])\d+(?:,\d{3})*(?:\.\d+)?")
OPERAND: Final = re.compile(r"\d*\.\d+|\d+")
# Numbers that steps hold and questions need not: halves, dozens, days, minutes, per cent.
CONSTANTS: Final = frozenset(map(Fraction, (2, 3, 4, 7, 10, 12, 24, 30, 52, 60, 100, 365, 1000)))
SIGNS: Final[Mapping[type, Callable[[Fraction, Fraction], Fraction]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
FARTHEST: Final = 9


@dataclass(frozen=True)
class Worked:
    """A question and its steps, in which `{0}` is its first number and `[0]` the first result."""

    question: str
    numbers: tuple[Fraction, ...]
    steps: tuple[str, ...]

    def results(self, numbers: Sequence[Fraction]) -> tuple[Fraction, ...]:
        """What each step comes to with these numbers in the question; nothing where it cannot."""
        found: list[Fraction] = []
        for step in self.steps:
            given = re.sub(r"\[(\d+)\]", lambda at: f"({found[int(at[1])]})", step)
            try:
                found.append(_worth(given.format(*(f"({number})" for number in numbers))))
            except (SyntaxError, KeyError, ValueError, ZeroDivisionError):
                return ()
        return tuple(found)

    def told(self, place: int, number: Fraction) -> str:
        """The question with another number at a place."""
        at = list(NUMBER.finditer(self.question))[place]
        written = f"{int(number):,}" if "," in at[0] else str(number)
        return self.question[: at.start()] + written + self.question[at.end() :]


def read_word_problem_pairs(source: Source, *, per_question: int = 1, seed: int = 0) -> PromptSet:
    """Questions of GSM8K, each followed by itself with one other number.

    The label `kind` is "clean" or "corrupted"; each side's answer is the other's foil. Which number
    is changed, and into what, hangs on the seed and the question alone.

    Args:
        source: the file, or its rows, as for `interp.word_problems.read_word_problems`.
        per_question: how many pairs of one question at most; they are of one group.
        seed: of the changes.

    Raises:
        DataError: not readable, not GSM8K, or no question whose steps account for its numbers.
    """
    pairs = list[Prompt]()
    for where, row in rows_of(source):
        clean = prompt_of(SET, row, where)
        worked = _worked(clean, str(row["answer"]))
        changes = list(_changes(worked)) if worked else []
        chance = random.Random(f"{seed} {clean.text}")
        for change in chance.sample(changes, min(per_question, len(changes))):
            pairs += _pair(clean, change, len(pairs) // 2)
    if not pairs:
        raise DataError("no question's steps account for its numbers", where=str(source)[:80])
    return PromptSet(f"{SET}_pairs", tuple(pairs), source="arXiv:2110.14168, one number changed")


def _worked(clean: Prompt, answer: str) -> Worked | None:
    """The question with its steps, if these come to its answer and account for every number."""
    numbers = tuple(Fraction(found.replace(",", "")) for found in NUMBER.findall(clean.text))
    steps, results = list[str](), list[Fraction]()
    for step, result in ANNOTATION.findall(answer.replace(",", "")):
        if "{" in step or OPERAND.fullmatch(result.strip()) is None:
            return None
        steps.append(OPERAND.sub(lambda at: _named(at[0], numbers, results), step))
        results.append(Fraction(result.strip()))
    used = {int(at) for step in steps for at in re.findall(r"\{(\d+)\}", step)}
    worked = Worked(clean.text, numbers, tuple(steps))
    if not steps or "?" in "".join(steps) or used != {*range(len(numbers))}:
        return None
    right = worked.results(numbers) == tuple(results)
    return worked if right and results[-1] == Fraction(clean.answers[0]) else None


def _named(operand: str, numbers: Sequence[Fraction], results: Sequence[Fraction]) -> str:
    """Where an operand comes from: `{number}`, `[result]`, a constant; "?" where that is open."""
    value = Fraction(operand)
    found = [f"{{{i}}}" for i, number in enumerate(numbers) if number == value]
    found += [f"[{i}]" for i, result in enumerate(results) if result == value]
    if not found and value in CONSTANTS:
        return operand
    return found[0] if len(found) == 1 else "?"


def _pair(clean: Prompt, change: tuple[str, str], pair: int) -> list[Prompt]:
    """Both sides: the question as it is, and another with its answer."""
    steps = clean.labels["steps"]
    sides = {"clean": (clean.text, clean.answers[0]), "corrupted": change}
    foils = {"clean": change[1], "corrupted": clean.answers[0]}
    return [
        Prompt(
            text=text,
            answers=(right,),
            foils=(foils[kind],),
            group=clean.group,
            labels={"pair": pair, "kind": kind, "steps": steps},
        )
        for kind, (text, right) in sides.items()
    ]


def _changes(worked: Worked) -> Iterator[tuple[str, str]]:
    """Each question with one other number as long, and its answer, whose steps stay as whole."""
    before = worked.results(worked.numbers)
    uses, written = "".join(worked.steps), NUMBER.findall(worked.question)
    for place, number in enumerate(worked.numbers):
        if number in CONSTANTS or "." in written[place] or uses.count(f"{{{place}}}") != 1:
            continue
        for other in range(int(number) - FARTHEST, int(number) + FARTHEST + 1):
            new = Fraction(other)
            if len(str(other)) != len(str(number)) or new in {0, *worked.numbers, *before}:
                continue
            after = worked.results((*worked.numbers[:place], new, *worked.numbers[place + 1 :]))
            if after and _fits(before, after):
                yield worked.told(place, new), str(after[-1])


def _fits(before: Sequence[Fraction], after: Sequence[Fraction]) -> bool:
    """Whether every result is positive, and whole where it was, and the last is another."""
    both = list(zip(before, after, strict=True))
    kept = all(new > 0 and old.denominator % new.denominator == 0 for old, new in both)
    return kept and before[-1] != after[-1]


def _worth(expression: str) -> Fraction:
    """An expression of numbers, signs and brackets, exactly."""

    def worth(node: ast.expr) -> Fraction:
        if isinstance(node, ast.BinOp):
            return SIGNS[type(node.op)](worth(node.left), worth(node.right))
        return Fraction(ast.literal_eval(node))

    return worth(ast.parse(expression.strip(), mode="eval").body)
