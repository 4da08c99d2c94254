"""Continuous thoughts in PyTorch: a transformers model, and what its states are fed back through.

Rows of one length go together, so that no row sees padding; every pass is told which edits are in
force in it, so that none reaches the pass before or after.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp.backends.available import refuse_unwritable
from interp.backends.batching import by_length, for_rows
from interp.backends.protocol import Fired, Write
from interp.backends.taps import Taps, finite
from interp.backends.thinking import FED, ThinkRequest, Thought, joined, refuse_no_thought
from interp.backends.tokenizer import Tokenizer
from interp.backends.torch import TorchBackend
from interp.backends.torch_answers import refuse_too_long, spoken
from interp.backends.torch_codi import Student, load_student
from interp.backends.torch_layout import decoder_of
from interp.backends.torch_strands import Company
from interp.sites import Site

NEVER = np.zeros((1, 1), dtype=bool)


class TorchThinker(TorchBackend):
    """A language model with the projection its thoughts go through."""

    def __init__(self, student: Student, tokenizer: Tokenizer, fingerprint: str) -> None:
        super().__init__(student.model, tokenizer, fingerprint)
        self._projection = student.projection.eval().requires_grad_(requires_grad=False)
        self.info = replace(self.info, thoughts=student.info)

    @classmethod
    def load(
        cls, folder: Path, *, dtype: str, device: str | None, attn_implementation: str | None
    ) -> "TorchThinker":
        """Load a checkpoint in the published layout, its configuration and tokenizer beside it."""
        return cls.load_on(
            folder, folder, dtype=dtype, device=device, attn_implementation=attn_implementation
        )

    @classmethod
    def load_on(
        cls,
        base: Path,
        folder: Path,
        *,
        dtype: str,
        device: str | None,
        attn_implementation: str | None,
    ) -> "TorchThinker":
        """Load weights in the published layout on the configuration and tokenizer of their base.

        Raises:
            DataError: files missing or torn, a wrong base, keys missing or left over.
            NonFiniteError: a weight is NaN or infinite.
        """
        student, fingerprint = load_student(
            folder, base, dtype=dtype, attn_implementation=attn_implementation
        )
        where: Any = device or ("cuda" if torch.cuda.is_available() else "cpu")
        student.model.to(where)
        student.projection.to(where)
        return cls(student, Tokenizer(base), fingerprint)

    def think(
        self, ids: Sequence[Sequence[int]], writes: Sequence[Write], request: ThinkRequest
    ) -> Thought:
        """Encode each row and the beginning token, feed the thoughts, end them, answer greedily."""
        self._refuse_unfit()
        refuse_unwritable(self.info, [write for write in writes if write.keys is not None])
        written = [write.site for write in writes if write.keys is None]
        for site in (*written, *request.capture):
            refuse_no_thought(self.info, site)
        groups = by_length(ids)
        return joined([self._think_even(ids, rows, writes, request) for rows in groups], groups)

    @property
    def thinks_apart(self) -> str:
        """Why variants must be thought one by one: nothing, or the attention is not known."""
        return self.sharing.refused

    def think_each(
        self,
        ids: Sequence[Sequence[int]],
        variants: Sequence[Sequence[Write]],
        request: ThinkRequest,
    ) -> Iterator[Thought]:
        """One Thought a variant, in order: as many at once as saturate the device."""
        self._refuse_unfit()
        return Company(self.sharing, self._projection, self._arrays).each(ids, variants, request)

    def word_vectors(self, ids: Sequence[int]) -> Float[np.ndarray, "word d_model"]:
        """The embeddings of these tokens, before any position is added."""
        self._refuse_unfit()
        with torch.no_grad():
            return self._arrays.numpy(self._embedded([ids])[0])

    def rethink(
        self, ids: Sequence[int], request: ThinkRequest
    ) -> tuple[Float[np.ndarray, "step d_model"], Float[np.ndarray, " d_vocab"]]:
        """Final states and logits of one row with nothing cached, hooked or batched."""
        self._refuse_unfit()
        about, states = self._about(), []
        with torch.no_grad():
            read = self._embedded([[*ids, about.begin]])
            for step in range(request.n_thoughts + 1):
                out = decoder_of(self._model)(inputs_embeds=read, use_cache=False)
                states.append(out.last_hidden_state[:, -1:])
                if step < request.n_thoughts:
                    read = torch.cat([read, self._projection(states[-1])], dim=1)
            read = torch.cat([read, self._embedded([[about.end, *request.said]])], dim=1)
            logits = self._model(inputs_embeds=read, use_cache=False).logits[0, -1]
        return self._arrays.numpy(torch.cat(states, dim=1)[0]), self._arrays.numpy(logits)

    def _about(self) -> Any:
        return self.info.thoughts

    def _embedded(self, ids: Sequence[Sequence[int]]) -> Tensor:
        tokens = torch.tensor(ids, device=self._model.device)
        embedded: Tensor = self._model.get_input_embeddings()(tokens)
        return embedded

    def _think_even(
        self,
        ids: Sequence[Sequence[int]],
        rows: Sequence[int],
        writes: Sequence[Write],
        request: ThinkRequest,
    ) -> Thought:
        """Rows of one length: the phases one after the other, each with its own masks."""
        batch = [[*ids[row], self._about().begin] for row in rows]
        own = [for_rows(write, rows, len(batch[0])) for write in writes]
        refuse_too_long(self.info, len(batch[0]), request)
        with self._listening(own, request) as course:
            state = course.read(self._embedded(batch))
            for step in range(request.n_thoughts):
                state = course.feed(self._projection(state), step)
            said = spoken(course, self.info, self._about(), len(rows), request)
        n, kept, fired = len(rows), course.captured(), course.fired()
        took = self.info.n_layers * n * (len(batch[0]) + request.n_thoughts + said.passes)
        return Thought(said.new_ids, (said.passes,) * n, said.logits, kept, fired, took)

    @contextmanager
    def _listening(self, writes: Sequence[Write], request: ThinkRequest) -> Iterator["_Course"]:
        modules = [site for site in request.capture if site != FED]
        taps = Taps(writes, modules, self._arrays)
        with self._hooked.tapped(taps, self.info.heads):
            yield _Course(self._model, taps, writes, request.capture)


class _Course:
    """One course of thought: the cache, the taps, and what was captured at each step."""

    def __init__(
        self, model: Any, taps: Taps, writes: Sequence[Write], capture: Sequence[Site]
    ) -> None:
        self._model, self._decoder = model, decoder_of(model)
        self._taps, self._writes = taps, writes
        self._kept: dict[Site, list[np.ndarray]] = {site: [] for site in capture}
        self._past: Any = None

    def read(self, embedded: Tensor) -> Tensor:
        """The prompt phase: the question and the token that begins the thoughts."""
        real = np.ones(embedded.shape[:2], dtype=bool)
        self._taps.move_to([write.mask for write in self._writes], real)
        return self._pass(embedded)

    def feed(self, fed: Tensor, step: int) -> Tensor:
        """A thought: the vector that is fed, after edits of it, at the position of its own."""
        masks = [_at_thought(write, step) for write in self._writes]
        self._taps.move_to(masks, np.ones((len(fed), 1), dtype=bool))
        edited: Tensor = self._taps.at(FED, fed)
        return self._pass(edited, fed=edited)

    def logits(self, tokens: Tensor) -> Tensor:
        """The answer phase: the logits after these tokens, under edits of generated tokens only."""
        real: Bool[np.ndarray, "batch pos"] = np.ones(tokens.shape, dtype=bool)
        masks = [write.generated[:, None] & real for write in self._writes]
        self._taps.move_to(masks, real)
        fed = tokens.to(self._model.device)
        out = self._model(input_ids=fed, past_key_values=self._past, use_cache=True)
        self._past, last = out.past_key_values, out.logits[:, -1].float().cpu()
        finite(last.numpy(), "logits", np.ones(len(last), dtype=bool))
        return torch.as_tensor(last)

    def captured(self) -> dict[Site, Float[np.ndarray, "batch step ..."]]:
        """What every site was at the beginning of the thoughts and at each thought."""
        return {site: np.stack(values, axis=1) for site, values in self._kept.items()}

    def fired(self) -> tuple[Fired, ...]:
        """What each write did."""
        return self._taps.fired()

    def _pass(self, embedded: Tensor, *, fed: Tensor | None = None) -> Tensor:
        out = self._decoder(inputs_embeds=embedded, past_key_values=self._past, use_cache=True)
        self._past = out.past_key_values
        state: Tensor = out.last_hidden_state
        seen = {**self._taps.all_captured(), FED: self._fed(fed, state)}
        for site, values in self._kept.items():
            values.append(seen[site][:, -1])
        return state[:, -1:]

    def _fed(self, fed: Tensor | None, state: Tensor) -> Float[np.ndarray, "batch pos d_model"]:
        """The thought that was fed; unknown where tokens were read."""
        if fed is None:
            return np.full(state.shape, np.nan, dtype=np.float32)
        return np.asarray(fed.float().cpu().numpy())


def _at_thought(write: Write, step: int) -> Bool[np.ndarray, "batch 1"]:
    if write.thoughts is None:
        return np.repeat(NEVER, len(write.alpha), axis=0)
    return np.asarray(write.thoughts[:, step : step + 1])
