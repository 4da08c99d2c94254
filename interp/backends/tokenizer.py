"""Text to tokens, the same for every engine: one tokenizer, one path, names resolved by offsets.

Nothing is guessed: a span that no tokens spell exactly, an answer that changes the tokens before
it, a second BOS: each raises and says where.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from interp.encoded import Encoded
from interp.errors import DataError, InterpError
from interp.prompts import Prompt, PromptSet

Span = tuple[int, int]
# Llama 3.2 writes the day it is asked on into every chat; this is the day it names without a clock.
DATE: Final = "26 Jul 2024"


class Tokenizer:
    """A checkpoint's own tokenizer, with prompts, spans and answers resolved against it."""

    def __init__(self, folder: Path | str) -> None:
        """Load the tokenizer of a checkpoint folder; remote code is never run.

        Raises:
            DataError: there is none, or it cannot give character offsets.
        """
        try:
            self._hf: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise DataError(
                "the tokenizer cannot be loaded", received=error, where=str(folder)
            ) from None
        if not self._hf.is_fast:
            raise DataError("spans need a tokenizer with offsets", where=str(folder))

    @property
    def end_ids(self) -> frozenset[int]:
        """Tokens after which decoding stops."""
        return frozenset(i for i in (self._hf.eos_token_id,) if i is not None)

    @property
    def bos_id(self) -> int | None:
        """The token that begins a text, where there is one."""
        found: int | None = self._hf.bos_token_id
        return found

    @property
    def adds_bos(self) -> bool:
        """Whether the tokenizer puts it before plain text."""
        return bool(self._hf("a")["input_ids"][0] == self.bos_id)

    @property
    def takes_system(self) -> bool | None:
        """Whether the chat template renders a system line; None where there is no template."""
        if not self._hf.chat_template:
            return None
        try:
            return "Be brief." in self._rendered(Prompt(user="Well?", system="Be brief."))
        except Exception:  # noqa: BLE001  jinja raises whatever the template raises
            return False

    def decode(self, ids: Sequence[int]) -> str:
        """Tokens as text, special tokens included."""
        return str(self._hf.decode(list(ids)))

    def encode(self, prompts: PromptSet) -> Encoded:
        """The prompts as tokens, with spans and the first tokens of answers and foils.

        Raises:
            DataError: a span or an answer that the tokens do not spell exactly, or two BOS.
        """
        rows = []
        for number, prompt in enumerate(prompts.prompts, start=1):
            try:
                rows.append(self._row(prompt))
            except InterpError as error:
                place = f"{prompts.name}, prompt {number} of {len(prompts)}"
                raise error.during(f"encode({prompts.name})", where=place) from None
        ids, spans, answers, foils = zip(*rows, strict=True)
        return Encoded(prompts, ids, spans, answers, foils)

    def render(self, prompt: Prompt) -> str:
        """The text that is tokenised: plain, or the chat up to where the assistant speaks."""
        return prompt.text or self._chat(prompt)

    def _row(
        self, prompt: Prompt
    ) -> tuple[tuple[int, ...], Mapping[str, Span], tuple[int, ...], tuple[int, ...]]:
        text = self.render(prompt)
        ids, offsets = self._tokens(text)
        start = text.rindex(prompt.content)
        spans = {
            name: _tokens_of(text, (start + a, start + b), offsets)
            for name in prompt.spans
            for a, b in (prompt.span(name),)
        }
        if prompt.user:
            spans["user"] = _tokens_of(text, (start, start + len(prompt.content)), offsets)
        answers = tuple(self._first_token(prompt, ids, answer) for answer in prompt.answers)
        foils = tuple(self._first_token(prompt, ids, foil) for foil in prompt.foils)
        return ids, spans, answers, foils

    def _chat(self, prompt: Prompt, answer: str | None = None) -> str:
        try:
            return self._rendered(prompt, answer)
        except Exception as error:  # noqa: BLE001  jinja raises whatever the template raises
            systemless = bool(prompt.system) and self.takes_system is False
            raise DataError(
                "the chat template cannot render this prompt",
                received=f"{type(error).__name__}: {error}",
                hint="this template takes no system line: say it in `user`"
                if systemless
                else "a base model has none: use a plain-text prompt set",
            ) from None

    def _rendered(self, prompt: Prompt, answer: str | None = None) -> str:
        said = [("system", prompt.system), ("user", prompt.user), ("assistant", answer or "")]
        messages = [{"role": role, "content": content} for role, content in said if content]
        text = self._hf.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=answer is None, date_string=DATE
        )
        return str(text)

    def _tokens(self, text: str) -> tuple[tuple[int, ...], list[Span]]:
        bos = self._hf.bos_token
        has_bos = bool(bos) and text.startswith(str(bos))
        encoded = self._hf(text, add_special_tokens=not has_bos, return_offsets_mapping=True)
        ids = tuple(encoded["input_ids"])
        if ids[1:2] == (self._hf.bos_token_id,) and ids[0] == self._hf.bos_token_id:
            raise DataError("a prompt starts with two BOS tokens", received=repr(text[:40]))
        if not ids or (len(ids) > 1 and ids[-1] == self._hf.eos_token_id and not has_bos):
            raise DataError(
                "a prompt must end in its own last token",
                received=f"{len(ids)} tokens, ending in an end token",
                where=repr(text[:40]),
            )
        return ids, encoded["offset_mapping"]

    def _first_token(self, prompt: Prompt, ids: tuple[int, ...], answer: str) -> int:
        full = self._with_answer(prompt, answer)
        longer, _ = self._tokens(full)
        if longer[: len(ids)] != ids or len(longer) <= len(ids):
            raise DataError(
                "an answer must not change the tokens of its prompt",
                expected="the prompt's tokens, then the answer's",
                received=self.decode(longer),
                where=repr(answer),
            )
        first = longer[len(ids)]
        if not self.decode([first]).strip():
            raise DataError(
                "an answer's first token must be more than white space",
                received=repr(self.decode([first])),
                where=repr(answer),
            )
        return first

    def _with_answer(self, prompt: Prompt, answer: str) -> str:
        if prompt.user:
            return self._chat(prompt, answer)
        joiner = "" if prompt.text[-1].isspace() else " "
        return f"{prompt.text}{joiner}{answer}"


def _tokens_of(text: str, span: Span, offsets: Sequence[Span]) -> Span:
    """The tokens [start, end) that spell text[span], white space at the edges aside.

    Raises:
        DataError: no tokens spell exactly that.
    """
    touched = [i for i, (a, b) in enumerate(offsets) if a < span[1] and b > span[0] and a < b]
    spelled = text[offsets[touched[0]][0] : offsets[touched[-1]][1]] if touched else ""
    if spelled.strip() != text[slice(*span)].strip():
        raise DataError(
            "no tokens spell this span exactly",
            expected=repr(text[slice(*span)]),
            received=repr(spelled),
            hint="end the span where a token ends",
        )
    return touched[0], touched[-1] + 1
