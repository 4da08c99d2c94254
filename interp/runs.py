"""The one effect: a forward pass, or greedy decoding, with edits applied exactly as written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int

from interp.backends.protocol import Fired, Write
from interp.edits import Edit
from interp.encoded import Encoded
from interp.errors import InterpError, RequestError
from interp.ledger import Entry, entry, report
from interp.metrics import logit_difference, top1
from interp.models import Model
from interp.positions import Position, position
from interp.prompts import PromptSet, as_prompt_set
from interp.resolve import write
from interp.sites import Site, z

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """What a forward pass gave: logits, captured sites, and the ledger of its edits."""

    model_id: str
    encoded: Encoded
    logits: Float[np.ndarray, "batch *pos d_vocab"]
    captured: Mapping[Site, Float[np.ndarray, "batch pos ..."]]
    ledger: tuple[Entry, ...]
    logits_at: Position

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        sites = ", ".join(map(str, self.captured)) or "nothing"
        return f"<run of {self.prompts} on {self.model_id}; captured {sites}>"

    def __getitem__(
        self, key: Site | tuple[Site, str | Position]
    ) -> Float[np.ndarray, "batch ..."]:
        """A captured site: [batch, pos, ...] with NaN at padding, or [batch, ...] at a position.

        Raises:
            RequestError: the site was not captured, or the position is not one token a row.
        """
        site, at = key if isinstance(key, tuple) else (key, None)
        if site not in self.captured:
            raise RequestError(
                "this site was not captured",
                asked=f"run[{site}]",
                received=", ".join(map(str, self.captured)) or "no capture at all",
                hint=f"run(model, prompts, capture=[{site}])",
            )
        values = self.captured[site]
        if at is None:
            return values
        return np.asarray(values[np.arange(len(values)), self.encoded.indices(at)])

    @property
    def prompts(self) -> PromptSet:
        """What was run."""
        return self.encoded.prompts

    @property
    def next_logits(self) -> Float[np.ndarray, "batch d_vocab"]:
        """The logits of the token after each prompt.

        Raises:
            RequestError: the run kept logits at another position.
        """
        if self.logits_at.kind == "last":
            return self.logits
        if self.logits_at.kind == "all":
            return np.asarray(
                self.logits[np.arange(len(self.logits)), self.encoded.indices("last")]
            )
        raise RequestError("this run kept other logits", received=f"logits_at={self.logits_at}")

    @property
    def likeliest(self) -> Int[np.ndarray, " batch"]:
        """The likeliest next token of each prompt."""
        return np.asarray(self.next_logits.argmax(axis=-1))

    @property
    def correct(self) -> Bool[np.ndarray, " batch"]:
        """Whether the likeliest next token begins an answer of its prompt.

        Raises:
            RequestError: a prompt without answers.
        """
        self._refuse_without(self.encoded.answers, "answers")
        return top1(self.next_logits, self.encoded.answers)

    @property
    def answer_margin(self) -> Float[np.ndarray, " batch"]:
        """The best answer's logit minus the best foil's; positive where the answer is ahead.

        Raises:
            RequestError: a prompt without answers or foils.
        """
        self._refuse_without(self.encoded.answers, "answers")
        self._refuse_without(self.encoded.foils, "foils")
        return logit_difference(self.next_logits, self.encoded.answers, self.encoded.foils)

    def frame(self) -> "pd.DataFrame":
        """One row a prompt: its text, labels, likeliest next token, and whether it is right."""
        import pandas as pd  # noqa: PLC0415  a second to import, used here only

        rows = [
            {"prompt": prompt.content, "group": prompt.group, **prompt.labels}
            for prompt in self.prompts.prompts
        ]
        frame = pd.DataFrame(rows)
        frame["next_id"] = self.likeliest
        if all(self.encoded.answers):
            frame["correct"] = self.correct
        return frame

    def _refuse_without(self, what: Sequence[tuple[int, ...]], name: str) -> None:
        if not all(what):
            raise RequestError(
                f"a prompt has no {name}", where=repr(self.prompts), hint=f"give it {name}"
            )


@dataclass(frozen=True, eq=False, repr=False)
class Generation:
    """What greedy decoding gave: the new tokens of each prompt, their text, and the ledger."""

    model_id: str
    encoded: Encoded
    new_ids: tuple[tuple[int, ...], ...]
    texts: tuple[str, ...]
    ledger: tuple[Entry, ...]

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        return f"<generation for {self.prompts} on {self.model_id}>"

    @property
    def prompts(self) -> PromptSet:
        """What was continued."""
        return self.encoded.prompts

    def frame(self) -> "pd.DataFrame":
        """One row a prompt: its text, its labels and what was generated."""
        import pandas as pd  # noqa: PLC0415  a second to import, used here only

        rows = [
            {"prompt": prompt.content, **prompt.labels, "generated": text}
            for prompt, text in zip(self.prompts.prompts, self.texts, strict=True)
        ]
        return pd.DataFrame(rows)


def run(
    model: Model,
    prompts: PromptSet | Sequence[str],
    *edits: Edit,
    capture: Sequence[Site] = (),
    logits_at: str | Position = "last",
) -> Run:
    """One forward pass with `edits` applied in order and `capture` kept.

    Args:
        model: a loaded model.
        prompts: a prompt set or a list of texts.
        edits: what to change; a capture at an edited site is the value after the edits.
        capture: the sites to keep.
        logits_at: where to keep logits: "last", "all" (NaN at padding) or a named position.

    Raises:
        RequestError: an edit that cannot be applied exactly as written, or did not fire where it
            says; an unknown site, layer or position.
        NonFiniteError: an activation is NaN or infinite.
    """
    asked = _asked("run", model, edits)
    try:
        encoded = model.encode(as_prompt_set(prompts))
        writes = [write(model, encoded, edit) for edit in edits]
        _refuse_generated(edits)
        result = model.backend.forward(
            encoded.ids,
            writes,
            capture=[z(site.layer or 0) if site.name == "head_out" else site for site in capture],
            logits="last" if position(logits_at).kind == "last" else "all",
        )
        ledger = _ledger(encoded, edits, writes, result.fired, passes=(0,) * len(encoded.ids))
        captured = {site: _as_asked(model, site, result.captured) for site in capture}
        logits = _logits_at(encoded, result.logits, position(logits_at))
        report("run", ledger, [site.name for site in capture], encoded=encoded)
        return Run(model.id, encoded, logits, captured, ledger, position(logits_at))
    except InterpError as error:
        raise error.during(asked, where=model.id) from None


def generate(
    model: Model, prompts: PromptSet | Sequence[str], *edits: Edit, max_new_tokens: int
) -> Generation:
    """Greedy decoding with `edits` in force, until each row's end token or the limit.

    Edited and unedited generation go through the same decoding, so that a difference is the edit.

    Raises:
        RequestError: an edit that cannot be applied exactly as written, or did not fire where it
            says; a limit below 1.
        NonFiniteError: an activation is NaN or infinite.
    """
    asked = _asked("generate", model, edits)
    try:
        if max_new_tokens < 1:
            raise RequestError("there is nothing to generate", received=max_new_tokens)
        encoded = model.encode(as_prompt_set(prompts))
        writes = [write(model, encoded, edit) for edit in edits]
        result = model.backend.generate(encoded.ids, writes, max_new_tokens=max_new_tokens)
        ledger = _ledger(encoded, edits, writes, result.fired, passes=result.passes)
        texts = tuple(map(model.backend.tokenizer.decode, result.new_ids))
        report("generate", ledger, encoded=encoded)
        return Generation(model.id, encoded, result.new_ids, texts, ledger)
    except InterpError as error:
        raise error.during(asked, where=model.id) from None


def max_abs_diff(a: Run, b: Run) -> float:
    """The largest absolute difference between two runs' logits, padding aside.

    Raises:
        RequestError: the runs kept logits of different shapes.
    """
    if a.logits.shape != b.logits.shape:
        raise RequestError(
            "the runs are not alike", expected=a.logits.shape, received=b.logits.shape
        )
    return float(np.nanmax(np.abs(a.logits - b.logits)))


def moved(a: Run, b: Run) -> Bool[np.ndarray, "batch pos"]:
    """Where two runs kept different logits, bit for bit; padding counts as the same.

    Raises:
        RequestError: the runs kept logits at one position a row only.
    """
    if a.logits.shape != b.logits.shape or a.logits_at.kind != "all":
        raise RequestError("moved needs logits everywhere", hint='logits_at="all"')
    return np.asarray(((a.logits != b.logits) & ~np.isnan(a.logits)).any(axis=-1))


def _asked(verb: str, model: Model, edits: Sequence[Edit]) -> str:
    return f"{verb}({', '.join([model.id, 'prompts', *map(str, edits)])})"


def _refuse_generated(edits: Sequence[Edit]) -> None:
    for edit in edits:
        if edit.phase == "generated":
            raise RequestError("run decodes nothing", received=edit, hint="generate(...)")


def _ledger(
    encoded: Encoded,
    edits: Sequence[Edit],
    writes: Sequence[Write],
    fired: Sequence[Fired],
    *,
    passes: Sequence[int],
) -> tuple[Entry, ...]:
    parts = zip(edits, writes, fired, strict=True)
    return tuple(entry(encoded, edit, done, count, passes) for edit, done, count in parts)


def _as_asked(
    model: Model, site: Site, captured: Mapping[Site, Float[np.ndarray, "batch pos ..."]]
) -> Float[np.ndarray, "batch ..."]:
    if site.name == "head_out":
        heads = captured[z(site.layer or 0)]
        weights = model.backend.head_weights(site.layer or 0)
        return np.asarray(np.einsum("bphe,hed->bphd", heads, weights))
    if site.name == "pattern":
        return np.moveaxis(captured[site], 2, 1)
    return captured[site]


def _logits_at(
    encoded: Encoded, logits: Float[np.ndarray, "..."], at: Position
) -> Float[np.ndarray, "..."]:
    if at.kind in ("last", "all"):
        return logits
    return np.asarray(logits[np.arange(len(logits)), encoded.indices(at)])
