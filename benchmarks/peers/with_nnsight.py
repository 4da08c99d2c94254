"""nnsight as its documentation has it: a trace, and many invokes in one where cells are many."""

import nnsight
import numpy as np
import torch
from common import difference, left_padded, probability, rank, ranks
from job import Job
from nnsight import TransformersModel
from transformers import AutoModelForCausalLM, AutoTokenizer

AT_ONCE = 32  # invokes in one trace


def load(folder: str) -> TransformersModel:
    """The model, wrapped."""
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    model = AutoModelForCausalLM.from_pretrained(folder)
    return TransformersModel(model, tokenizer=tokenizer, task="text-generation")


@torch.no_grad()
def back_patching(model: TransformersModel, job: Job) -> np.ndarray:
    """A prompt at a time, each cell an invoke."""
    found = np.zeros((len(job.cells), len(job.ids)), np.int64)
    values = torch.from_numpy(job.values)
    for prompt, ids in enumerate(job.ids):
        place = job.places[prompt]
        for start in range(0, len(job.cells), AT_ONCE):
            part = job.cells[start : start + AT_ONCE]
            with model.trace() as tracer:
                kept = nnsight.save([])
                for early, late in part:
                    with tracer.invoke(torch.tensor([ids])):
                        model.model.layers[early].input[:, place] = values[late, prompt]
                        kept.append(model.lm_head.output[:, -1])
            read = torch.cat(list(kept))
            found[start : start + len(part), prompt] = rank(read, job.tokens)
    return found


@torch.no_grad()
def heads(model: TransformersModel, job: Job) -> np.ndarray:
    """A prompt at a time, each head an invoke."""
    found = np.zeros((len(job.cells), len(job.ids)), np.float32)
    values = torch.from_numpy(job.values)
    size = values.shape[-1]
    for prompt, ids in enumerate(job.ids):
        for start in range(0, len(job.cells), AT_ONCE):
            part = job.cells[start : start + AT_ONCE]
            with model.trace() as tracer:
                kept = nnsight.save([])
                for layer, head in part:
                    low, high = head * size, (head + 1) * size
                    with tracer.invoke(torch.tensor([ids])):
                        z = model.model.layers[layer].self_attn.o_proj.input
                        z[:, -1, low:high] = values[layer, prompt, head]
                        kept.append(model.lm_head.output[:, -1])
            read = torch.cat(list(kept))
            found[start : start + len(part), prompt] = probability(read, job.tokens)
    return found


@torch.no_grad()
def steering(model: TransformersModel, job: Job) -> np.ndarray:
    """Every cell an invoke over all prompts, in one generation."""
    rows, real = left_padded(job.ids)
    vector, length = torch.from_numpy(job.values), rows.shape[1]
    given = {"input_ids": rows, "attention_mask": real}
    limits = {"max_new_tokens": job.new, "min_new_tokens": job.new, "do_sample": False}
    with model.generate(**limits, pad_token_id=0) as tracer:
        for layer, dose in job.cells:
            with tracer.invoke(given):
                for step in tracer.iter[0 : job.new]:
                    if job.everywhere or step > 0:
                        block = model.model.layers[int(layer)]
                        block.output[:] = block.output + dose * vector
        with tracer.invoke():
            every = tracer.result.save()
    return every[:, length:].view(len(job.cells), len(job.ids), -1).numpy()


@torch.no_grad()
def lens(model: TransformersModel, job: Job) -> np.ndarray:
    """A prompt at a time, every depth through norm and head inside the trace."""
    found = []
    for ids in job.ids:
        with model.trace(torch.tensor([ids])):
            kept = nnsight.save([])
            kept.append(model.lm_head(model.model.norm(model.model.layers[0].input))[0])
            for layer in model.model.layers:
                kept.append(model.lm_head(model.model.norm(layer.output))[0])
        found.append(np.stack([ranks(depth, job.tokens) for depth in kept], axis=1))
    return np.concatenate(found)


@torch.no_grad()
def differences(model: TransformersModel, job: Job) -> np.ndarray:
    """A prompt at a time, which is faster on a CPU than padded batches."""
    half = len(job.ids) // 2
    sums = []
    for side in (job.ids[:half], job.ids[half:]):
        total = 0
        for ids in side:
            with model.trace(torch.tensor([ids])):
                kept = nnsight.save([])
                for layer in model.model.layers:
                    kept.append(layer.output[0, -1])
            total = total + torch.stack(list(kept)).double()
        sums.append(total)
    return difference(sums, [half, half])


WORK = {
    "back_patching": back_patching,
    "heads": heads,
    "steering": steering,
    "lens": lens,
    "differences": differences,
}
