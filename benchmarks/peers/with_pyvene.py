"""pyvene as its documentation has it: an intervenable model a place, and source representations."""

from typing import Any

import numpy as np
import pyvene
import torch
from common import left_padded, probability, rank
from job import Job
from transformers import AutoModelForCausalLM


def load(folder: str) -> Any:
    """The model of transformers: an intervenable one is made for each place."""
    return AutoModelForCausalLM.from_pretrained(folder)


def _at(model: Any, layer: float, component: str, kind: Any, unit: str = "pos") -> Any:
    config = {"layer": int(layer), "component": component, "unit": unit, "intervention_type": kind}
    return pyvene.IntervenableModel(config, model=model)


def _batch(job: Job) -> dict[str, torch.Tensor]:
    rows, real = left_padded(job.ids)
    places = (real.cumsum(-1) - 1).clamp(min=0)
    return {"input_ids": rows, "attention_mask": real, "position_ids": places}


@torch.no_grad()
def back_patching(model: Any, job: Job) -> np.ndarray:
    """All prompts in a batch where they are patched at their ends, else one by one."""
    values, found = torch.from_numpy(job.values), []
    together = all(place == len(ids) - 1 for place, ids in zip(job.places, job.ids, strict=True))
    batch = _batch(job)
    for early, late in job.cells:
        patched = _at(model, early, "block_input", pyvene.VanillaIntervention)
        if together:
            at = batch["input_ids"].shape[1] - 1
            source = values[int(late)][:, None]
            _, out = patched(batch, source_representations=source, unit_locations={"base": at})
            found.append(rank(out.logits[:, -1], job.tokens))
            continue
        row = []
        for prompt, ids in enumerate(job.ids):
            source, one = values[int(late), prompt][None, None], {"input_ids": torch.tensor([ids])}
            at = job.places[prompt]
            _, out = patched(one, source_representations=source, unit_locations={"base": at})
            row.append(rank(out.logits[:, -1], job.tokens)[0])
        found.append(np.array(row))
    return np.stack(found)


@torch.no_grad()
def heads(model: Any, job: Job) -> np.ndarray:
    """All prompts in a batch, a head at a time."""
    values, found, batch = torch.from_numpy(job.values), [], _batch(job)
    at, count = batch["input_ids"].shape[1] - 1, len(job.ids)
    for layer, head in job.cells:
        kind = pyvene.VanillaIntervention
        patched = _at(model, layer, "head_attention_value_output", kind, "h.pos")
        source = values[int(layer), :, int(head)][:, None, None]
        where = {"sources->base": (None, [[[[int(head)]] * count, [[at]] * count]])}
        _, out = patched(batch, source_representations=source, unit_locations=where)
        found.append(probability(out.logits[:, -1], job.tokens))
    return np.stack(found)


@torch.no_grad()
def steering(model: Any, job: Job) -> np.ndarray:
    """All prompts in a batch, a layer and dose at a time."""
    rows, real = left_padded(job.ids)
    limits = {"max_new_tokens": job.new, "min_new_tokens": job.new, "do_sample": False}
    found = []
    for layer, dose in job.cells:
        steered = _at(model, layer, "block_output", pyvene.AdditionIntervention)
        _, out = steered.generate(
            {"input_ids": rows, "attention_mask": real},
            source_representations=dose * torch.from_numpy(job.values),
            intervene_on_prompt=job.everywhere,
            pad_token_id=0,
            **limits,
        )
        found.append(out[:, rows.shape[1] :].numpy())
    return np.stack(found)


WORK = {"back_patching": back_patching, "heads": heads, "steering": steering}
