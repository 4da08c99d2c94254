"""The recipe of the continuous-thought models: problems, tokenizer, prompt sets, determinism."""

import hashlib
import importlib
import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from interp.prompts import PromptSet

ROOT = Path(__file__).parents[1]
PACKAGE = "fixtures.training.codi"
PROMPTS = ROOT / "fixtures" / "prompts"
SETS = ("word_problems", "word_problems_near", "word_problem_pairs")
SHIPPED = sorted((ROOT / "fixtures" / "checkpoints").glob("codi-*"))
MOST_BYTES = 4_000_000
SIGNS = {"buys": "+", "finds": "+", "gives": "+", "loses": "-", "sells": "-"}


@pytest.fixture(scope="module")
def recipe():
    """The modules of the recipe by name, imported as a run from the root would."""
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(ROOT))
        names = ("problems", "wording", "tokenizer", "batches", "prompt_sets")
        yield {name: importlib.import_module(f"{PACKAGE}.{name}") for name in names}


@pytest.fixture(scope="module")
def drawn(recipe):
    """Problems of every split and level."""
    problems, chance = recipe["problems"], random.Random(5)
    return [
        problems.problem(chance, level, split)
        for split in ("train", "dev", "test")
        for level in (problems.EASY, problems.WIDE)
        for _ in range(300)
    ]


def rows(name):
    """The prompts of a set, without its header."""
    lines = (PROMPTS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[1:]]


def digest(path):
    """sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_out(question):
    """The answer of a question, worked out from its words alone."""
    facts = {}
    ordered = question.split(" . ")
    if "than" in question or "as many as" in question:
        ordered = sorted(ordered[:-1], key=lambda one: " than " in one or " as many as " in one)
        waiting = [one.split() for one in ordered]
        while waiting:
            known = [one for one in waiting if len(one) == 4 or one[-1] in facts]
            for one in known:
                facts[one[0]] = compared(one, facts)
                waiting.remove(one)
        return facts[question.split()[-3]]
    return purchased(ordered)


def compared(words, facts):
    """How many somebody has who is compared with somebody else."""
    number = int(words[2])
    if len(words) == 4:
        return number
    other = facts[words[-1]]
    return {"more": other + number, "fewer": other - number, "times": other * number}[words[3]]


def purchased(sentences):
    """How many somebody has after all that happened."""
    first = sentences[0].split()
    numbers = [int(word) for word in first if word.isdigit()]
    name, held = first[0], numbers[0] * (numbers[1] if len(numbers) > 1 else 1)
    for sentence in sentences[1:-1]:
        number = int(re.search(r"\d+", sentence).group())
        if "times" in sentence:
            held *= number
        else:
            verb = next(word for word in sentence.split() if word in SIGNS)
            gives_away = verb == "gives" and not re.search(r" (him|her) \d", sentence)
            held += number if SIGNS[verb] == "+" and not gives_away else -number
    assert name in sentences[-1]
    return held


def test_the_words_of_a_question_come_to_its_answer(drawn):
    assert [one.question for one in drawn if read_out(one.question) != one.answer] == []


def test_no_arithmetic_and_no_text_is_in_two_splits(drawn):
    texts, arithmetic = {}, {}
    for one in drawn:
        texts.setdefault(one.question, set()).add(one.skeleton.split)
        arithmetic.setdefault(one.skeleton, set()).add(one.skeleton.split)
    assert {len(splits) for splits in (*texts.values(), *arithmetic.values())} == {1}
    assert {one.skeleton.split for one in drawn} == {"train", "dev", "test"}


def test_a_corrupted_problem_differs_in_one_number_and_its_answer(recipe, drawn):
    problems, chance = recipe["problems"], random.Random(6)
    pairs = [(one, problems.corrupted(one, chance, problems.WIDE)) for one in drawn]
    found = [(one, other) for one, other in pairs if other]
    assert len(found) > 0.8 * len(drawn)
    for one, other in found:
        words = zip(one.question.split(), other.question.split(), strict=True)
        changed = [(a, b) for a, b in words if a != b]
        assert len(changed) == 1
        assert all(word.isdigit() for word in changed[0])
        assert read_out(other.question) == other.answer != one.answer
        assert other.skeleton.split == one.skeleton.split


def test_a_word_and_a_number_are_one_token_and_every_text_survives(recipe, drawn):
    tokenizer = recipe["tokenizer"].build_tokenizer()
    for one in drawn:
        text = f"{one.question} {one.reasoning} {recipe['wording'].ANSWER} {one.answer}"
        assert len(tokenizer(text)["input_ids"]) == len(text.split())
    for text in ("The capital of France is Paris", "hot -> cold 123 toys", drawn[0].question):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_a_batch_is_questions_of_one_length_with_the_answer_where_it_says(recipe):
    problems, tokenizer = recipe["problems"], recipe["tokenizer"].build_tokenizer()
    pad = len(tokenizer)
    batch = next(recipe["batches"].batches(problems.EASY, random.Random(0), tokenizer, pad))
    for row, at, answer in zip(batch.taught, batch.answers_at, batch.answers, strict=True):
        said = tokenizer.decode(row[row != pad]).split()
        assert said[int(at)] == ":"
        assert said[int(at) + 1] == tokenizer.decode(answer).split()[-2]
        assert read_out(" ".join(said[: batch.questions.shape[1]])) == int(said[int(at) + 1])


@pytest.mark.parametrize("name", SETS)
def test_prompt_sets_load_and_splits_share_neither_text_nor_arithmetic(name):
    assert len(PromptSet.from_file(PROMPTS / f"{name}.jsonl")) == len(rows(name))
    kept = {split: [r for r in rows(name) if r["split"] == split] for split in ("dev", "test")}
    for key in ("text", "group"):
        dev, test = ({row[key] for row in kept[split]} for split in ("dev", "test"))
        assert not dev & test


def test_both_sides_of_a_pair_are_right():
    clean, corrupted = rows("word_problem_pairs")[::2], rows("word_problem_pairs")[1::2]
    for one, other in zip(clean, corrupted, strict=True):
        assert one["labels"]["pair"] == other["labels"]["pair"]
        for side, foil in ((one, other), (other, one)):
            assert int(side["answers"][0]) == read_out(side["text"])
            assert side["foils"] == foil["answers"] != side["answers"]


def test_prompt_sets_are_what_the_recipe_says(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(recipe["prompt_sets"], "PROMPTS", tmp_path)
    recipe["prompt_sets"].main()
    written = {path.name: digest(path) for path in tmp_path.iterdir()}
    assert written == {f"{name}.jsonl": digest(PROMPTS / f"{name}.jsonl") for name in SETS}


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_the_same_seed_gives_the_same_bytes(tmp_path, architecture):
    few = ["--teacher-steps", "3", "--steps", "3", "--architecture", architecture]
    for name, seed in (("one", "3"), ("again", "3"), ("other", "4")):
        command = [sys.executable, "-m", f"{PACKAGE}.train", "--out", str(tmp_path / name)]
        subprocess.run([*command, *few, "--seed", seed], cwd=ROOT, check=True, capture_output=True)
    weights = [digest(tmp_path / name / "model.safetensors") for name in ("one", "again", "other")]
    assert weights[0] == weights[1] != weights[2]


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_the_card_names_the_weights_that_lie_beside_it(folder):
    assert digest(folder / "model.safetensors") in (folder / "README.md").read_text("utf-8")
    assert sum(path.stat().st_size for path in folder.iterdir()) < MOST_BYTES
