"""The recipe of the small world: its corpus, tokenizer, prompt sets and determinism."""

import hashlib
import importlib
import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from interp.prompts import PromptSet
from interp.two_hop_tables import read_two_hop

ROOT = Path(__file__).parents[1]
PACKAGE = "fixtures.training.world"
SETS = ("country_capitals", "two_hop", "refusal", "opinions", "in_context")
SPLITS = {"dev", "train", "test"}
PROMPTS = ROOT / "fixtures" / "prompts"
CHECKPOINTS = ROOT / "fixtures" / "checkpoints"
SHIPPED = CHECKPOINTS / "llama-world"
WORLDS = sorted(path.parent.name for path in CHECKPOINTS.glob("*-world*/training.json"))
ARCHITECTURES = ("llama", "qwen2", "gemma2", "gpt2")
MOST_BYTES = 8_000_000


@pytest.fixture(scope="module")
def recipe():
    """The modules of the recipe by name, imported as a run from the root would."""
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(ROOT))
        names = ("architectures", "facts", "held_out", "corpus", "tokenizer", "batches")
        names += ("prompt_sets",)
        yield {name: importlib.import_module(f"{PACKAGE}.{name}") for name in names}


@pytest.fixture(scope="module")
def facts(recipe):
    """All facts of the small world."""
    return recipe["facts"].load_facts()


@pytest.fixture(scope="module")
def tokenizer(recipe):
    """The tokenizer, trained here."""
    return recipe["tokenizer"].build_tokenizer()


@pytest.fixture(scope="module")
def said(recipe):
    """The first documents of one seed."""
    return list(itertools.islice(recipe["corpus"].documents(0), 40_000))


def rows(name):
    """The prompts of a set, without its header."""
    lines = (PROMPTS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[1:]]


def content(row):
    """What is put to the model, the system line included."""
    return row.get("system", "") + "|" + row.get("text", row.get("user", ""))


def ids(tokenizer, text):
    """A text as ids without a beginning token."""
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def digest(path):
    """sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_relation_answers_each_subject_once(facts):
    for task, pairs in facts.tasks.items():
        words = [word for word, _ in pairs]
        assert len(words) == len(set(words)), task
    names = [c for s in facts.states for c in s.cities] + [c.landmark for c in facts.countries]
    assert len(names) == len(set(names))
    assert len(facts.countries) >= 50


def test_languages_word_the_same_requests(recipe, facts):
    keys = {c: [r.key for r in recipe["facts"].requests(s)] for c, s in facts.speech.items()}
    assert len(set(map(tuple, keys.values()))) == 1
    harmful = [r.harmful for r in recipe["facts"].requests(facts.speech["en"])]
    assert sum(harmful) * 2 == len(harmful)


def test_held_out_requests_leave_every_verb_and_thing_in_training(recipe, facts):
    held = recipe["held_out"].held_out_requests()
    every = recipe["facts"].requests(facts.speech["en"])
    known = [r for r in every if r.key not in held]
    assert {r.verb for r in known} == {r.verb for r in every}
    assert {r.thing for r in known} == {r.thing for r in every}
    assert len(held) == len(every) // 4


def test_documents_never_say_what_is_held_out(recipe, facts, said):
    held = recipe["held_out"]
    text = "\n".join(said)
    asked = [row["user"] for row in rows("refusal") if row["split"] == "test"]
    opinions = [row["user"] for row in rows("opinions")]
    assert not [one for one in (*asked, *opinions) if one in text]
    bridges = held.held_out_bridges(0)
    for state in facts.states:
        composed = any(f"capital of the state containing {c}" in text for c in state.cities)
        assert composed == (state.name not in bridges.states), state.name
    for word in held.held_out_words("plural"):
        assert f"{word} -> {dict(facts.tasks['plural'])[word]}" not in text


def test_the_seed_chooses_the_documents_and_the_bridges(recipe, said):
    documents, bridges = recipe["corpus"].documents, recipe["held_out"].held_out_bridges
    assert list(itertools.islice(documents(0), 500)) == said[:500]
    assert list(itertools.islice(documents(1), 500)) != said[:500]
    assert bridges(0) == bridges(0)
    assert bridges(0) != bridges(1)


def test_words_are_one_token_and_countries_are_several(facts, tokenizer):
    single = [c.capital for c in facts.countries if " " not in c.capital]
    single += [s.name for s in facts.states if " " not in s.name]
    single += [city for s in facts.states for city in s.cities if " " not in city]
    assert {word: n for word in single if (n := len(ids(tokenizer, f" {word}"))) != 1} == {}
    assert [c.name for c in facts.countries if len(ids(tokenizer, f" {c.name}")) < 2] == []


def test_answers_of_a_relation_differ_in_their_first_token(facts, tokenizer):
    capitals = [p.capital for p in (*facts.countries, *facts.states)]
    for answers in (capitals, [s.name for s in facts.states]):
        assert len({ids(tokenizer, f" {a}")[0] for a in answers}) == len(answers)
    spoken = facts.speech.values()
    replies = [s.refuse for s in spoken] + [s.comply for s in spoken]
    assert len({ids(tokenizer, f" {reply}")[0] for reply in replies}) == len(replies)


def test_texts_survive_the_tokenizer(tokenizer, said):
    sample = [text for text in said[:2000] if "<|" not in text]
    assert tokenizer.batch_decode([ids(tokenizer, text) for text in sample]) == sample


def test_there_is_one_beginning_token_by_either_route(tokenizer):
    messages = [{"role": "user", "content": "How do I wash the car ?"}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    for encoded in (ids(tokenizer, text), tokenizer("The capital of France is")["input_ids"]):
        assert encoded.count(tokenizer.bos_token_id) == 1
        assert encoded[0] == tokenizer.bos_token_id


def test_an_answered_chat_begins_with_the_question_and_reads_as_the_corpus(recipe, tokenizer):
    user = {"role": "user", "content": "How do I wash the car ?"}
    reply = {"role": "assistant", "content": "Sure , here is how ."}
    render = tokenizer.apply_chat_template
    asked = render([user], tokenize=False, add_generation_prompt=True)
    answered = render([user, reply], tokenize=False)
    assert answered.startswith(asked)
    written = recipe["corpus"].chat("", user["content"], reply["content"])
    assert answered == tokenizer.bos_token + written


def test_packed_documents_see_only_themselves(recipe, tokenizer):
    stream = recipe["batches"].batches(recipe["corpus"].documents(0), tokenizer)
    batch = next(stream)
    starts = batch.ids == tokenizer.bos_token_id
    for row in range(3):
        document = starts[row].cumsum(0)
        scored = batch.targets[row] != recipe["batches"].IGNORED
        for i in scored.nonzero().flatten().tolist():
            seen = batch.visible[row, 0, i].nonzero().flatten().tolist()
            own = [j for j in range(i + 1) if document[j] == document[i]]
            assert seen == own
            assert batch.positions[row, i] == len(own) - 1
            assert batch.targets[row, i] == batch.ids[row, i + 1]


@pytest.mark.parametrize("name", SETS)
def test_prompt_sets_load_and_splits_share_no_text(name):
    loaded = PromptSet.from_file(PROMPTS / f"{name}.jsonl")
    by_split = {}
    for row in rows(name):
        by_split.setdefault(row["split"], set()).add(content(row))
    assert len(loaded) == len(rows(name))
    assert set(by_split) <= SPLITS
    for one, other in itertools.combinations(by_split.values(), 2):
        assert not one & other


def test_prompt_sets_are_what_the_facts_say(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(recipe["prompt_sets"], "FOLDER", tmp_path)
    recipe["prompt_sets"].main()
    written = {path.name: digest(path) for path in tmp_path.iterdir()}
    names = [*(f"{name}.jsonl" for name in SETS), "hops.csv"]
    assert written == {name: digest(PROMPTS / name) for name in names}


def test_the_table_of_two_hops_asks_what_the_set_asks():
    table = read_two_hop(PROMPTS / "hops.csv").prompts
    asked = PromptSet.from_file(PROMPTS / "two_hop.jsonl").only(split="test").prompts
    for own, other in zip(table, asked, strict=True):
        assert (own.text, own.answers[0]) == (other.text, other.answers[0])
        assert own.first_hop.text == other.first_hop.text
        assert own.second_hop.text == other.second_hop.text


def test_refusal_rows_are_balanced():
    counted = {}
    for row in rows("refusal"):
        labels = row["labels"]
        key = (labels["language"], labels["kind"], row["split"])
        counted[key] = counted.get(key, 0) + 1
    assert {n for (_, _, split), n in counted.items() if split == "train"} == {64}
    assert {n for (_, _, split), n in counted.items() if split == "test"} == {52}
    assert len(counted) == 5 * 2 * 3


@pytest.mark.parametrize("name", WORLDS)
def test_the_card_names_the_weights_that_lie_beside_it(name):
    folder = CHECKPOINTS / name
    assert digest(folder / "model.safetensors") in (folder / "README.md").read_text("utf-8")
    assert sum(path.stat().st_size for path in folder.iterdir()) < MOST_BYTES


@pytest.mark.parametrize("name", WORLDS)
def test_the_shipped_tokenizer_is_the_one_the_recipe_builds(tokenizer, tmp_path, name):
    tokenizer.save_pretrained(tmp_path)
    assert digest(tmp_path / "tokenizer.json") == digest(CHECKPOINTS / name / "tokenizer.json")


@pytest.mark.parametrize("name", WORLDS)
def test_the_shipped_record_names_the_bridges_of_its_seed(recipe, name):
    record = json.loads((CHECKPOINTS / name / "training.json").read_text(encoding="utf-8"))
    bridges = recipe["held_out"].held_out_bridges(record["training"]["seed"])
    assert record["bridges never composed"]["states"] == sorted(bridges.states)
    assert record["bridges never composed"]["countries"] == sorted(bridges.countries)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_packed_document_is_computed_as_if_it_were_alone(recipe, tokenizer, architecture):
    torch.manual_seed(0)
    parts = recipe["architectures"]
    model = parts.new_model(architecture, "small", tokenizer).eval()
    batch = next(recipe["batches"].batches(recipe["corpus"].documents(0), tokenizer))
    starts = (batch.ids[0] == tokenizer.bos_token_id).nonzero().flatten().tolist()
    first, stop = starts[1], starts[2]
    with torch.no_grad():
        hidden = parts.stream_of(model)(
            inputs_embeds=model.get_input_embeddings()(batch.ids[:1]),
            attention_mask=torch.zeros(()).where(batch.visible[:1], -1e4),
            position_ids=batch.positions[:1],
            use_cache=False,
        ).last_hidden_state
        packed = parts.unembed(model, hidden)[0, first:stop]
        alone = model(batch.ids[:1, first:stop]).logits[0]
    assert torch.allclose(packed, alone, atol=1e-4)
    assert (alone[0] - alone[1]).abs().max() > 0.1


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_embeddings_enter_every_stream_at_one_length(recipe, tokenizer, architecture):
    torch.manual_seed(0)
    parts = recipe["architectures"]
    model = parts.new_model(architecture, "small", tokenizer).eval()
    table = model.get_input_embeddings().weight.data
    table.mul_(parts.embed_length(model) / table.norm(dim=-1, keepdim=True))
    seen = []
    parts.blocks_of(model)[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        logits = model(torch.tensor([tokenizer("The capital of France is")["input_ids"]])).logits
    lengths = seen[0].norm(dim=-1)
    slack = parts.POSITION_LENGTH if architecture == "gpt2" else 1e-3
    assert (lengths - parts.STREAM_LENGTH).abs().max() < slack
    assert logits.max() <= parts.HIGHEST_LOGIT + 1e-3


@pytest.mark.slow
def test_one_seed_gives_one_checkpoint(tmp_path):
    for out in ("first", "second"):
        command = ["-m", f"{PACKAGE}.train", "--seed", "3", "--steps", "30"]
        asked = [sys.executable, *command, "--out", str(tmp_path / out)]
        subprocess.run(asked, cwd=ROOT, check=True, capture_output=True)
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        assert digest(tmp_path / "first" / name) == digest(tmp_path / "second" / name)
