"""Continuous thoughts in PyTorch: a transformers model, and what its states are fed back through.

Rows of one length go together, so that no row sees padding; every pass is told which edits are in
force in it, so that none reaches the pass before or after.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp.backends.batching import by_length, for_rows, until
from interp.backends.braids import braided
from interp.backends.protocol import Fired, Write
from interp.backends.sharing import TrunkPlan
from interp.backends.taps import Taps, finite
from interp.backends.thinking import FED, ThinkRequest, Thought, joined, refuse_no_thought
from interp.backends.tokenizer import Tokenizer
from interp.backends.torch import TorchBackend
from interp.backends.torch_codi import Student, load_student
from interp.backends.torch_layout import decoder_of
from interp.backends.torch_strands import Strands
from interp.backends.torch_trunk import TorchTrunk
from interp.errors import RequestError
from interp.sites import Site

LOGITS = 2**29  # bytes of logits that are held at once
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
        for site in (*(write.site for write in writes), *request.capture):
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
        for site in (write.site for writes in variants for write in writes):
            refuse_no_thought(self.info, site)
        batch = [(*row, self._about().begin) for row in ids]
        self._refuse_too_long(max(map(len, batch)), request)
        (parts, each), trunk = self._parts(batch), None
        for start in range(0, len(variants), each):
            some, done = variants[start : start + each], []
            for rows in parts:
                trunk = trunk if trunk and len(parts) == 1 else self._trunk(batch, rows)
                own = [[for_rows(write, rows, 0) for write in writes] for writes in some]
                done.append(self._together(trunk, own, request))
            yield from (joined(pieces, parts) for pieces in zip(*done, strict=True))

    def _parts(self, batch: Sequence[Sequence[int]]) -> tuple[list[Sequence[int]], int]:
        """The rows whose keys and values fit into memory at once, and how many variants of them."""
        a_row = self.sharing.bytes_a_row(max(map(len, batch)))
        size = max(1, min(self.sharing.free // a_row, self._rows()))
        parts = [range(len(batch))[start : start + size] for start in range(0, len(batch), size)]
        return list(parts), max(1, self._rows() // len(parts[0]))

    def _rows(self) -> int:
        """So many rows saturate the device, or have logits that are held at once."""
        return max(1, min(self.sharing.tokens_at_once, LOGITS // (4 * self.info.d_vocab)))

    def _trunk(self, batch: Sequence[Sequence[int]], rows: Sequence[int]) -> TorchTrunk:
        """Some questions read, and the tokens that begin the thoughts."""
        ids = [batch[row] for row in rows]
        last = np.array([len(row) - 1 for row in ids])
        return self.sharing.trunk(TrunkPlan(ids, last, frozenset()))

    def _together(
        self, trunk: TorchTrunk, variants: Sequence[Sequence[Write]], request: ThinkRequest
    ) -> list[Thought]:
        """As many variants as go through the model together."""
        braid = braided(variants, len(trunk.lengths))
        strands = Strands(self.sharing, trunk, braid, Taps(braid.writes, (), self._arrays))
        state = strands.begun()
        with strands.listening():
            for step in range(request.n_thoughts):
                state = strands.feed(self._projection(state), step)
            spoken = self._spoken(strands, len(state), request)
        n, passes = braid.n, _passes(spoken, request)
        took = self._took(len(trunk.lengths), request, passes)
        read, trunk.layer_tokens = trunk.layer_tokens, 0  # with the first variant that reads it
        return [
            Thought(
                spoken.new_ids[own::n], (passes,) * len(trunk.lengths), spoken.logits[own::n], {},
                strands.fired(own), took if own else took + read,
            )
            for own in range(n)
        ]  # fmt: skip

    def _took(self, n_rows: int, request: ThinkRequest, passes: int) -> int:
        """Layers times tokens after the questions."""
        return self.info.n_layers * n_rows * (request.n_thoughts + passes)

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
        self._refuse_too_long(len(batch[0]), request)
        with self._listening(own, request) as course:
            state = course.read(self._embedded(batch))
            for step in range(request.n_thoughts):
                state = course.feed(self._projection(state), step)
            spoken = self._spoken(course, len(rows), request)
        n, passes = len(rows), _passes(spoken, request)
        took = self._took(n, request, passes) + self.info.n_layers * n * len(batch[0])
        kept, fired = course.captured(), course.fired()
        return Thought(spoken.new_ids, (passes,) * n, spoken.logits, kept, fired, took)

    def _spoken(self, course: "_Course | Strands", n_rows: int, request: ThinkRequest) -> "_Spoken":
        """The answer after what was said: the token that ends the thoughts is never one of it."""
        tokens = [[self._about().end, *request.said]] * n_rows
        ends = torch.tensor(sorted(self.info.end_ids), dtype=torch.long)
        out = course.logits(torch.tensor(tokens, device=self._model.device))
        first, steps = out, list[Tensor]()
        done = torch.zeros(n_rows, dtype=torch.bool)
        while len(steps) < request.max_new_tokens:
            steps.append(out[:, : self._about().end].argmax(-1))
            done |= torch.isin(steps[-1], ends)
            if len(steps) == request.max_new_tokens or done.all():
                break
            out = course.logits(steps[-1][:, None].to(self._model.device))
        new = torch.stack(steps, dim=1).tolist() if steps else [[] for _ in range(n_rows)]
        return _Spoken(steps, tuple(until(row, self.info.end_ids) for row in new), first.numpy())

    @contextmanager
    def _listening(self, writes: Sequence[Write], request: ThinkRequest) -> Iterator["_Course"]:
        modules = [site for site in request.capture if site != FED]
        taps = Taps(writes, modules, self._arrays)
        with self._hooked.tapped(taps, self.info.heads):
            yield _Course(self._model, taps, writes, request.capture)

    def _refuse_too_long(self, length: int, request: ThinkRequest) -> None:
        whole = length + request.n_thoughts + 1 + len(request.said) + request.max_new_tokens
        if whole > self.info.max_length:
            raise RequestError(
                "question, thoughts and answer must fit the model",
                expected=f"at most {self.info.max_length} positions",
                received=whole,
                hint="fewer new tokens",
            )


@dataclass(frozen=True)
class _Spoken:
    steps: list[Tensor]
    new_ids: tuple[tuple[int, ...], ...]
    logits: Float[np.ndarray, "batch d_vocab"]


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
        out = self._model(input_ids=tokens, past_key_values=self._past, use_cache=True)
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


def _passes(spoken: _Spoken, request: ThinkRequest) -> int:
    """How many tokens of the answer were fed, the one that ends the thoughts included."""
    return 1 + len(request.said) + max(len(spoken.steps) - 1, 0)


def _at_thought(write: Write, step: int) -> Bool[np.ndarray, "batch 1"]:
    if write.thoughts is None:
        return np.repeat(NEVER, len(write.alpha), axis=0)
    return np.asarray(write.thoughts[:, step : step + 1])
