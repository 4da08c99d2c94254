"""Continuous thoughts: a model that feeds its own states back before it answers.

The question and a token that begins the thoughts are read; the final state there, through the
checkpoint's projection, is the first thought, and each thought's final state makes the next. After
the last one a token that ends the thoughts is fed, and the answer is decoded greedily. The state
after the last thought is computed and never fed.

Three phases follow each other: the prompt (the question and the beginning), the thoughts, the
answer. An edit reaches thoughts only if it names them, and one that names them reaches no token.

Source:  Shen et al. 2025, "CODI", arXiv:2502.21074v3, and the decoding loop of its code.
Differs: rows of one length go together and nothing is padded, so that an answer does not depend on
         the batch; positions never count padding.
Pinned:  specs/contracts/test_thoughts.py
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from jaxtyping import Bool, Float

from interp.backends.protocol import Write
from interp.backends.thinking import FED, ThinkRequest, Thinks, Thought, is_dead
from interp.edits import Edit
from interp.encoded import Encoded
from interp.errors import InterpError, RequestError
from interp.ledger import Entry, entry, report
from interp.models import Model
from interp.outcomes import last_number, number_in
from interp.positions import Position, thought
from interp.prompts import PromptSet, as_prompt_set
from interp.resolve import write
from interp.sites import Site, resid_post

N_THOUGHTS = 6
MOST_NEW = 16  # tokens of an answer, its end token included
BEGIN = "begin"


def fed() -> Site:
    """The vector that is fed at a thought, after the projection: [batch, step, d_model]."""
    return FED


@dataclass(frozen=True, eq=False, repr=False)
class Thinking:
    """What thinking gave: answers, the logits before them, captures at the thoughts, the ledger.

    `next_logits` are those of the token after the text that was put in the model's mouth.
    """

    model_id: str
    encoded: Encoded
    n_thoughts: int
    texts: tuple[str, ...]
    new_ids: tuple[tuple[int, ...], ...]
    next_logits: Float[np.ndarray, "batch d_vocab"]
    captured: Mapping[Site, Float[np.ndarray, "batch step ..."]]
    ledger: tuple[Entry, ...]

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        return f"<{self.n_thoughts} thoughts of {self.model_id} on {self.prompts}>"

    def __getitem__(self, key: tuple[Site, str | Position]) -> Float[np.ndarray, "batch ..."]:
        """A captured site where the thoughts begin ("begin") or at one of them (`thought(i)`).

        Raises:
            RequestError: the site was not captured, or there is no such thought.
        """
        site, at = key
        steps = {thought(step): 1 + step for step in range(self.n_thoughts)}
        place = 0 if at == BEGIN and site != FED else steps.get(cast("Position", at))
        if site not in self.captured or place is None:
            raise RequestError(
                "this was not captured",
                asked=f"thinking[{site}, {at}]",
                expected=f'"{BEGIN}", or thought(0) to thought({self.n_thoughts - 1})',
                received=", ".join(map(str, self.captured)) or "no capture at all",
                hint=f"think(model, prompts, capture=[{site}])",
            )
        return np.asarray(self.captured[site][:, place])

    @property
    def prompts(self) -> PromptSet:
        """What was thought about."""
        return self.encoded.prompts

    @property
    def answers(self) -> tuple[float | None, ...]:
        """The number each answer ends in; None where there is no number."""
        return tuple(map(number_in, self.texts))

    @property
    def correct(self) -> Bool[np.ndarray, " batch"]:
        """Whether each answer ends in the number its prompt gives as right.

        Raises:
            RequestError: a prompt without answers.
        """
        rows = zip(self.prompts.prompts, self.answers, strict=True)
        return np.array([said is not None and said in _right(prompt) for prompt, said in rows])


def think(
    model: Model,
    prompts: PromptSet | Sequence[str],
    *edits: Edit,
    n_thoughts: int = N_THOUGHTS,
    capture: Sequence[Site] = (),
    said: str = "",
    dead_sites: bool = False,
) -> Thinking:
    """Think and answer, with `edits` in force in the phases they name.

    Args:
        model: a loaded model with continuous thoughts.
        prompts: a prompt set or a list of texts: the questions.
        edits: what to change; at `thought(i)`, at `all_thoughts()`, or at tokens.
        n_thoughts: how many thoughts are fed; with 0 the answer follows the question.
        capture: the sites to keep, where the thoughts begin and at each of them.
        said: put in the model's mouth after the thoughts; the answer goes on from there.
        dead_sites: let edits through that nothing reads, to show that they do nothing.

    Raises:
        RequestError: a model without thoughts; an edit that cannot be applied as written, that did
            not fire where it says, or at a site that nothing reads.
        NonFiniteError: an activation is NaN or infinite.
    """
    try:
        if n_thoughts < 0:
            raise RequestError("a number of thoughts is 0 or more", received=n_thoughts)
        encoded = begun(model, prompts)
        writes = resolved(model, encoded, edits, n_thoughts, dead_sites=dead_sites)
        request = ThinkRequest(n_thoughts, tuple(capture), spelled(model, said), MOST_NEW)
        done = cast("Thinks", model.backend).think(questions(encoded), writes, request)
        return thinking(model, encoded, list(zip(edits, writes, strict=True)), request, done)
    except InterpError as error:
        asked = ", ".join([model.id, "prompts", *map(str, edits)])
        raise error.during(f"think({asked})", where=model.id) from None


def begun(model: Model, prompts: PromptSet | Sequence[str]) -> Encoded:
    """The rows as tokens, the token that begins the thoughts as their last.

    Raises:
        RequestError: a model without thoughts.
    """
    if model.backend.info.thoughts is None:
        raise RequestError(
            "this model has no continuous thoughts", hint="a checkpoint in the published layout"
        )
    encoded, begin = model.encode(as_prompt_set(prompts)), model.backend.info.thoughts.begin
    return replace(encoded, ids=tuple((*row, begin) for row in encoded.ids))


def questions(encoded: Encoded) -> list[tuple[int, ...]]:
    """The rows as an engine takes them: without the token that begins the thoughts."""
    return [row[:-1] for row in encoded.ids]


def resolved(
    model: Model, encoded: Encoded, edits: Sequence[Edit], n_thoughts: int, *, dead_sites: bool
) -> list[Write]:
    """What the engine is told of these edits.

    Raises:
        RequestError: one cannot be applied as written, or nothing reads its site.
    """
    if not dead_sites:
        _refuse_dead(model, edits, n_thoughts)
    return [write(model, encoded, edit, n_thoughts=n_thoughts) for edit in edits]


def thinking(
    model: Model,
    encoded: Encoded,
    parts: Sequence[tuple[Edit, Write]],
    request: ThinkRequest,
    done: Thought,
) -> Thinking:
    """What an engine gave, with its ledger checked and its answers as text; watchers are told."""
    fired = zip(parts, done.fired, strict=True)
    ledger = tuple(entry(encoded, edit, one, n, done.passes) for (edit, one), n in fired)
    decode = model.backend.tokenizer.decode
    text = {new: decode(request.said + new) for new in set(done.new_ids)}
    report("think", ledger, [site.name for site in request.capture])
    return Thinking(
        model.id, encoded, request.n_thoughts, tuple(text[new] for new in done.new_ids),
        done.new_ids, done.logits, done.captured, ledger,
    )  # fmt: skip


def read_thoughts(model: Model, thinking: Thinking) -> Float[np.ndarray, "batch step d_vocab"]:
    """The logit lens where the thoughts begin and at each: what the head makes of the state there.

    Args:
        model: the model that thought.
        thinking: must have captured the stream after the last block.
    """
    states = thinking.captured[resid_post(model.layer("last"))]
    flat = states.reshape(-1, states.shape[-1])
    return model.backend.unembed(flat).reshape(*states.shape[:2], -1)


def word_vectors(model: Model, ids: Sequence[int]) -> Float[np.ndarray, "word d_model"]:
    """What the model reads for these tokens, before any position is added."""
    return cast("Thinks", model.backend).word_vectors(ids)


def frame(thinking: Thinking) -> str:
    """The words that answers have before their number, as most of them have them."""
    cut = (text[: found.start()] for text in thinking.texts if (found := last_number(text)))
    return Counter(before.strip() for before in cut).most_common(1)[0][0]


def spellings(model: Model, number: str) -> tuple[int, ...]:
    """The tokens a number can begin with, after a space or without one."""
    return tuple({spelled(model, text)[0] for text in (number, f" {number}")})


def spelled(model: Model, said: str) -> tuple[int, ...]:
    """The tokens of what is put in the model's mouth."""
    if not said:
        return ()
    tokenizer = model.backend.tokenizer
    ids = tokenizer.encode(as_prompt_set([said])).ids[0]
    return ids[1:] if tokenizer.adds_bos else ids


def _refuse_dead(model: Model, edits: Sequence[Edit], n_thoughts: int) -> None:
    for edit in edits:
        if edit.at.kind != "thought":
            continue
        steps = [int(edit.at.name)] if edit.at.name else [*range(n_thoughts)]
        if n_thoughts - 1 in steps and is_dead(model.backend.info, edit.site, last=True):
            raise RequestError(
                "nothing reads this site at the last thought: what it makes is never fed",
                expected="a site whose keys and values the answer reads",
                received=str(edit),
                hint=f"thought({n_thoughts - 2}) at most, or fed(), or an earlier layer",
            )


def _right(prompt: object) -> set[float | None]:
    answers = getattr(prompt, "answers", ())
    if not answers:
        raise RequestError("a prompt has no answers", where=repr(prompt), hint="give it answers")
    return {number_in(answer) for answer in answers}
