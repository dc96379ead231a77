#!/usr/bin/env python3
"""Gradients of the tiny models, computed by PyTorch in float64: NAME/grads.safetensors beside the
files of make_models.py.

    python3 make_grads.py [--check]

A file holds the targets of the task that the model's head is for, the loss, the gradient of every
weight ("grad.NAME"), and the losses after 1, 2 and 3 steps of AdamW (lr 1e-3, betas 0.9 and 0.999,
eps 1e-8, decay 0.01 of all weights). --check allows the last digits to differ: PyTorch's sums do.
    labels         I64 [B, T] classes or ids, -100: none; [B] for sequence classifiers
    pairs          I64 [1] 1: every row is a query and its own passage, the other rows are the
                   negatives; scores are cosines of mean vectors, divided by 0.1
"""
import json
import os
import sys
import numpy as np
import torch
import torch.nn.functional as F
import make_models as tiny
import torch_models as models

TYPES = {"F32": np.float32, "I64": np.int64, "F16": np.float16, "BF16": np.uint16}


def read(path):
    data = open(path, "rb").read()
    n = int.from_bytes(data[:8], "little")
    out = {}
    for name, t in json.loads(data[8:8 + n]).items():
        if name == "__metadata__":
            continue
        a, b = t["data_offsets"]
        x = np.frombuffer(data[8 + n + a:8 + n + b], TYPES[t["dtype"]]).reshape(t["shape"])
        if t["dtype"] == "BF16":
            x = (x.astype(np.uint32) << 16).view(np.float32)
        out[name] = torch.tensor(x)
    return out


def targets_of(c, e, rng):
    """What is to be learned, by name, as numpy arrays."""
    head, (B, T) = c["architectures"][0], e["input_ids"].shape
    mask = e["attention_mask"].numpy()
    if head.endswith("CausalLM"):
        return {}
    if head.endswith("SequenceClassification"):
        return {"labels": rng.integers(0, len(c["id2label"]), B)}
    if head.endswith("Model"):
        return {"pairs": np.array([1])}
    n = len(c["id2label"]) if head.endswith("TokenClassification") else c["vocab_size"]
    labels = rng.integers(0, n, (B, T))
    labels[(mask == 0) | (rng.random((B, T)) < 0.4)] = -100
    return {"labels": labels}


def loss_of(c, w, e, t):
    ids, mask = e["input_ids"], e["attention_mask"]
    B, T = ids.shape
    if "num_key_value_heads" in c:
        x = models.decoder(c, w, ids, (mask[:, None] == 1).expand(B, T, T))
        if "score.weight" in w:
            last = torch.tensor([max(i for i in range(T) if mask[b, i]) for b in range(B)])
            return F.cross_entropy(x[torch.arange(B), last] @ w["score.weight"].T, t["labels"])
        logits = models.next_token_logits(c, w, x)[:, :-1]
        labels = ids[:, 1:].masked_fill((mask[:, 1:] == 0) | (mask[:, :-1] == 0), -100)
        return F.cross_entropy(logits.reshape(-1, c["vocab_size"]), labels.reshape(-1))
    x = models.encoder(c, w, ids, mask, e["token_type_ids"])
    if "pairs" in t:
        m = mask[..., None].to(x.dtype)
        v = F.normalize((x * m).sum(1) / m.sum(1), dim=-1)
        return F.cross_entropy(v @ v.T / 0.1, torch.arange(B))
    logits = models.encoder_logits(c, w, x)
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), t["labels"].reshape(-1))


def make(name, seed):
    folder = os.path.join(tiny.HERE, name)
    c = json.load(open(os.path.join(folder, "config.json")))
    e = read(os.path.join(folder, "expected.safetensors"))
    w = {n: x.double().requires_grad_() for n, x in
         read(os.path.join(folder, "model.safetensors")).items()}
    out = targets_of(c, e, np.random.default_rng(100 + seed))
    t = {n: torch.tensor(x) for n, x in out.items()}
    out = {n: np.asarray(x, np.int64) for n, x in out.items()}
    optimizer = torch.optim.AdamW(w.values(), lr=1e-3, betas=(0.9, 0.999), eps=1e-8,
                                  weight_decay=0.01)
    for step in range(4):
        loss = loss_of(c, w, e, t)
        optimizer.zero_grad()
        loss.backward()
        out[f"loss.after_adamw_{step}" if step else "loss"] = np.array([loss.item()], np.float32)
        if step == 0:
            for n, x in w.items():
                out["grad." + n] = x.grad.numpy().astype(np.float32)
        optimizer.step()
    return tiny.file_bytes(out)


def same(a, b):
    x, y = read(a), read(b)
    return x.keys() == y.keys() and all(
        torch.allclose(x[n].double(), y[n].double(), rtol=1e-6, atol=1e-8) for n in x)


def main():
    check, bad = "--check" in sys.argv[1:], 0
    for seed, name in enumerate(tiny.MODELS):
        path = os.path.join(tiny.HERE, name, "grads.safetensors")
        data = make(name, seed)
        target = path + ".new" if check else path
        with open(target, "wb") as f:
            f.write(data)
        if check:
            ok = os.path.exists(path) and same(path, target)
            os.remove(target)
            bad += not ok
            print("same" if ok else "DIFFERS", os.path.relpath(path, tiny.HERE))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
