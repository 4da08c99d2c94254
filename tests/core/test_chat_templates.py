"""Chat templates: what they take, what the registry says of them, and no day in a prompt."""

from datetime import UTC, datetime

import pytest

from interp import PromptSet, load, run
from interp.backends.tokenizer import Tokenizer
from interp.backends.torch_twins import tokenizer
from interp.errors import DataError
from interp.prompts import Prompt
from interp.registry import Chat, ModelSpec

TURNS = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|> ' + message['content'] }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
FIRST_IS_SYSTEM = "messages[0]['role'] == 'system'"
TEMPLATES = {
    "takes": TURNS,
    "refuses": f"{{% if {FIRST_IS_SYSTEM} %}}{{{{ raise_exception('no system') }}}}{{% endif %}}"
    + TURNS,
    "drops": TURNS.replace("messages %}", "messages if message['role'] != 'system' %}"),
    "none": None,
}
DAY = (  # as Llama 3.2 has it: the day of asking, unless it is told one
    "{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
    "{{ '<|system|> Today is ' + date_string }}"
)
ASKED = Prompt(user="What is the capital of France ?", answers=("Paris",))
ORDERED = Prompt(user=ASKED.user, system="Be brief.", answers=("Paris",))


def with_template(folder, template):
    """The same tokenizer with another chat template, or with none, in a folder."""
    words = tokenizer()
    before = words.chat_template
    words.chat_template = template
    words.save_pretrained(folder)
    words.chat_template = before
    return folder


@pytest.mark.parametrize(
    ("name", "takes"), [("takes", True), ("refuses", False), ("drops", False), ("none", None)]
)
def test_whether_a_template_takes_a_system_line_is_asked_of_the_template(tmp_path, name, takes):
    assert Tokenizer(with_template(tmp_path, TEMPLATES[name])).takes_system is takes


def test_a_template_without_system_line_renders_what_has_none(tmp_path):
    words = Tokenizer(with_template(tmp_path, TEMPLATES["refuses"]))
    encoded = words.encode(PromptSet("asked", (ASKED,)))
    assert "capital of France" in words.decode(encoded.ids[0])


@pytest.mark.parametrize(
    ("name", "prompt", "hint"),
    [
        ("refuses", ORDERED, "takes no system line: say it in `user`"),
        ("none", ASKED, "a base model has none"),
        ("none", ORDERED, "a base model has none"),
    ],
)
def test_a_prompt_that_cannot_be_rendered_says_what_to_do(tmp_path, name, prompt, hint):
    words = Tokenizer(with_template(tmp_path, TEMPLATES[name]))
    with pytest.raises(DataError, match="cannot render this prompt") as refused:
        words.encode(PromptSet("asked", (prompt,)))
    assert hint in str(refused.value)


def test_no_prompt_holds_the_day_it_was_asked_on(tmp_path):
    words = Tokenizer(with_template(tmp_path, DAY + TURNS))
    today = datetime.now(UTC).strftime("%Y")
    said = words.render(ASKED)
    assert "26 Jul 2024" in said
    assert today == "2024" or today not in said


@pytest.fixture
def chatting(folder_of):
    """A tiny model whose template takes a system line, with or without words on its refusals."""
    folder = folder_of("llama")
    return lambda chat: load(ModelSpec("tiny", str(folder), is_local=True, chat=chat))


def test_what_refusals_begin_with_reaches_specs_as_a_fact_of_the_model(chatting):
    assert chatting(None).spec.refusals == ()
    model = chatting(Chat(system=True, refusals=("Paris",)))
    said = PromptSet("said", (Prompt(user=ASKED.user, answers=model.spec.refusals),))
    ((first,),) = run(model, said).encoded.answers
    assert model.backend.tokenizer.decode([first]) == " Paris"


def test_a_template_that_is_not_what_the_registry_says_is_refused(chatting):
    with pytest.raises(DataError, match="not what the registry says") as refused:
        chatting(Chat(system=False))
    assert "takes a system line" in str(refused.value)
