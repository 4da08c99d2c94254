"""TransformerLens as its documentation has it: a bridge, `run_with_hooks` and `run_with_cache`."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from common import difference, probability, rank, ranks, right_padded
from job import Job
from transformer_lens.model_bridge import TransformerBridge
from transformers import AutoModelForCausalLM, AutoTokenizer


def load(folder: str) -> TransformerBridge:
    """The bridge to a model of transformers."""
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    bridge = TransformerBridge.boot_transformers(
        folder, hf_model=model, tokenizer=tokenizer, device="cpu"
    )
    bridge.cfg.default_prepend_bos = False
    return bridge


def _patched(
    bridge: TransformerBridge, job: Job, hook: Callable[[list[float]], tuple[str, Any]], read: Any
) -> np.ndarray:
    """All prompts in a batch, a cell at a time."""
    rows, last = right_padded(job.ids)
    found = []
    for cell in job.cells:
        logits = bridge.run_with_hooks(rows, fwd_hooks=[hook(cell)])
        found.append(read(logits[torch.arange(len(rows)), last], job.tokens))
    return np.stack(found)


@torch.no_grad()
def back_patching(bridge: TransformerBridge, job: Job) -> np.ndarray:
    """A layer's input, of all prompts at once."""
    values, places = torch.from_numpy(job.values), torch.tensor(job.places)
    every = torch.arange(len(places))

    def hook(cell: list[float]) -> tuple[str, Any]:
        def fill(x: torch.Tensor, **_: object) -> torch.Tensor:
            x[every, places] = values[int(cell[1])]
            return x

        return f"blocks.{int(cell[0])}.hook_in", fill

    return _patched(bridge, job, hook, rank)


@torch.no_grad()
def heads(bridge: TransformerBridge, job: Job) -> np.ndarray:
    """A head's output, of all prompts at once."""
    values, size = torch.from_numpy(job.values), job.values.shape[-1]
    every, last = torch.arange(len(job.ids)), right_padded(job.ids)[1]

    def hook(cell: list[float]) -> tuple[str, Any]:
        layer, head = int(cell[0]), int(cell[1])

        def fill(z: torch.Tensor, **_: object) -> torch.Tensor:
            heads_apart = z if z.ndim == 4 else z.view(*z.shape[:2], -1, size)  # noqa: PLR2004
            heads_apart[every, last, head] = values[layer, :, head]
            return z

        return f"blocks.{layer}.attn.hook_z", fill

    return _patched(bridge, job, hook, probability)


@torch.no_grad()
def steering(bridge: TransformerBridge, job: Job) -> np.ndarray:
    """A prompt, layer and dose at a time: its batches are of texts of one length."""
    vector, found = torch.from_numpy(job.values), []
    for layer, dose in job.cells:

        def push(x: torch.Tensor, dose: float = dose, **_: object) -> torch.Tensor:
            return x + dose * vector if job.everywhere or x.shape[1] == 1 else x

        with bridge.hooks(fwd_hooks=[(f"blocks.{int(layer)}.hook_out", push)]):
            rows = [
                bridge.generate(
                    torch.tensor([ids]), max_new_tokens=job.new, do_sample=False,
                    stop_at_eos=False, return_type="tokens", verbose=False,
                )[0, -job.new :]
                for ids in job.ids
            ]  # fmt: skip
        found.append(torch.stack(rows).numpy())
    return np.stack(found)


@torch.no_grad()
def lens(bridge: TransformerBridge, job: Job) -> np.ndarray:
    """A prompt at a time, every depth from the cache through the final norm and the unembedding."""
    found = []
    for ids in job.ids:
        _, cache = bridge.run_with_cache(torch.tensor([ids]))
        depths = cache.accumulated_resid(layer=-1, incl_mid=False, apply_ln=True)
        each = [ranks(depth[0] @ bridge.W_U, job.tokens) for depth in depths]
        found.append(np.stack(each, axis=1))
    return np.concatenate(found)


@torch.no_grad()
def differences(bridge: TransformerBridge, job: Job) -> np.ndarray:
    """A prompt at a time, which is faster on a CPU than padded batches."""
    half, layers = len(job.ids) // 2, range(bridge.cfg.n_layers)
    names = {f"blocks.{layer}.hook_out" for layer in layers}
    sums = []
    for side in (job.ids[:half], job.ids[half:]):
        total = 0
        for ids in side:
            _, cache = bridge.run_with_cache(torch.tensor([ids]), names_filter=names.__contains__)
            kept = [cache[f"blocks.{layer}.hook_out"][0, -1] for layer in layers]
            total = total + torch.stack(kept).double()
        sums.append(total)
    return difference(sums, [half, half])


WORK = {
    "back_patching": back_patching,
    "heads": heads,
    "steering": steering,
    "lens": lens,
    "differences": differences,
}
