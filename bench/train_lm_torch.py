#!/usr/bin/env python3
"""The PyTorch peer of `tern train lm`: the same run, step by step, from the same files.

    train_lm_torch.py init CONFIG.json DIR      a model folder with random weights, for both
    train_lm_torch.py run RUN [--threads N]     the run that tern left in RUN (recipe.json,
                                                train.tokens): prints JSON lines of losses
    train_lm_torch.py plot RUN PEER.jsonl OUT.svg

Pre-training of decoders: same weights, data order, packing, schedule, clipping and AdamW. The
models are those of tests/golden/lm/torch_models.py; PyTorch 1.13 and numpy are enough.
"""
import json
import os
import sys
import time
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "golden", "lm"))
MASK64 = (1 << 64) - 1


# ---- files ----

def write_weights(path, tensors):
    header, at, body = {}, 0, []
    for name, x in tensors.items():
        data = np.ascontiguousarray(x, np.float32).tobytes()
        header[name] = {"dtype": "F32", "shape": list(x.shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
        body.append(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text + b"".join(body))


def read_weights(path):
    data = open(path, "rb").read()
    n = int.from_bytes(data[:8], "little")
    out = {}
    for name, t in json.loads(data[8:8 + n]).items():
        if name != "__metadata__":
            a, b = t["data_offsets"]
            out[name] = np.frombuffer(data[8 + n + a:8 + n + b], np.float32).reshape(t["shape"]).copy()
    return out


def read_tokens(path):
    """ids, doc_begin; the layout is in trainer/lm/tokens.h"""
    data = open(path, "rb").read()
    width = int.from_bytes(data[8:12], "little")
    n_records, n_docs, n_tokens = (int.from_bytes(data[24 + 8 * i:32 + 8 * i], "little") for i in range(3))
    ids = np.frombuffer(data, np.uint16 if width == 2 else np.uint32, n_tokens, 104)
    at = (104 + n_tokens * width + 7) // 8 * 8
    return ids.astype(np.int64), np.frombuffer(data, np.uint64, n_docs + 1, at).astype(np.int64)


# ---- the order of the data: Philox4x32-10 and Fisher-Yates, as core/base/rng.c ----

def philox_u64(seed, stream, n):
    block = np.arange((n + 1) // 2, dtype=np.uint64)
    low = np.uint64(0xFFFFFFFF)
    c0, c1 = block & low, block >> np.uint64(32)
    c2 = np.full_like(block, stream & 0xFFFFFFFF)
    c3 = np.full_like(block, stream >> 32)
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p0, p1 = c0 * np.uint64(0xD2511F53), c2 * np.uint64(0xCD9E8D57)
        c0, c1, c2, c3 = ((p1 >> np.uint64(32)) ^ c1 ^ np.uint64(k0), p1 & low,
                          (p0 >> np.uint64(32)) ^ c3 ^ np.uint64(k1), p0 & low)
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([c0 | c1 << np.uint64(32), c2 | c3 << np.uint64(32)], 1).reshape(-1)[:n]


def epoch_order(items, seed, epoch):
    order = list(items)
    draws = philox_u64((seed + epoch * 0x9E3779B97F4A7C15) & MASK64, 1 << 56, len(order))
    for k, i in enumerate(range(len(order) - 1, 0, -1)):
        u, n = int(draws[k]), i + 1
        assert u < MASK64 - MASK64 % n, "a rejected draw: once in 2^40"
        order[i], order[u % n] = order[u % n], order[i]
    return order


class Feed:
    """feed.h: windows of the stream; no target and no attention crosses a document."""

    def __init__(self, r, path):
        self.ids, self.begin = read_tokens(path)
        self.r, self.context = r, r["context"]
        self.n_items = (len(self.ids) - 1) // self.context
        held = min(r["held_out"], self.n_items // 5)
        self.held = [int((k + 0.5) * self.n_items / held) for k in range(held)]
        keep = set(self.held)
        self.items = [i for i in range(self.n_items) if i not in keep]
        self.orders = {}

    def windows(self, items):
        at = np.asarray(items)[:, None] * self.context + np.arange(self.context)
        doc = np.searchsorted(self.begin, at, side="right") - 1
        after = np.searchsorted(self.begin, at + 1, side="right") - 1
        target = np.where(doc == after, self.ids[np.minimum(at + 1, len(self.ids) - 1)], -100)
        return self.ids[at], target, doc[:, :, None] == doc[:, None, :]

    def train(self, m):
        batch = []
        for place in range(m * self.r["batch"], (m + 1) * self.r["batch"]):
            epoch, i = divmod(place, len(self.items))
            if epoch not in self.orders:
                self.orders = {epoch: epoch_order(self.items, self.r["seed"], epoch)}
            batch.append(self.orders[epoch][i])
        return self.windows(batch)


# ---- training ----

def learning_rate(r, n_steps, step):
    n_warmup, low = min(r["warmup"], n_steps // 10), r["lr"] * r["lr_end"]
    if step < n_warmup:
        return r["lr"] * (step + 1) / n_warmup
    if r["schedule"] == "constant":
        return r["lr"]
    begin = max(n_warmup - 1, 0)
    if step + 1 >= n_steps:
        return low if n_steps > begin + 1 else r["lr"]
    part = (step - begin) / (n_steps - 1 - begin)
    left = 1 - part if r["schedule"] == "linear" else 0.5 * (1 + np.cos(np.pi * part))
    return low + (r["lr"] - low) * left


def run(folder, n_threads):
    import torch
    import torch.nn.functional as F
    import torch_models as models
    torch.set_num_threads(n_threads)
    r = json.load(open(os.path.join(folder, "recipe.json")))
    assert r["task"] == "pretrain" and r["steps"] and not r["across"] and r["accumulate"] == 1
    c = json.load(open(os.path.join(r["model"], "config.json")))
    feed = Feed(r, os.path.join(folder, "train.tokens"))
    w = {n: torch.tensor(x, requires_grad=True) for n, x in
         read_weights(os.path.join(r["model"], "model.safetensors")).items()}
    groups = [{"params": [x for x in w.values() if x.dim() > 1], "weight_decay": r["decay"]},
              {"params": [x for x in w.values() if x.dim() == 1], "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(groups, lr=r["lr"], betas=(r["beta1"], r["beta2"]), eps=r["eps"])

    def loss_of(windows, reduction):
        ids, target, visible = (torch.from_numpy(x) for x in windows)
        x = models.decoder(c, w, ids, visible).reshape(-1, c["hidden_size"])
        rows = (target.reshape(-1) != -100).nonzero()[:, 0]
        logits = models.next_token_logits(c, w, x[rows])
        return F.cross_entropy(logits, target.reshape(-1)[rows], reduction=reduction), len(rows)

    def validate(step):
        total = n = 0
        with torch.no_grad():
            for i in range(0, len(feed.held), r["batch"])[:r["validate_batches"] or None]:
                loss, k = loss_of(feed.windows(feed.held[i:i + r["batch"]]), "sum")
                total, n = total + loss.item(), n + k
        print(json.dumps({"step": step, "valid/loss": total / n}), flush=True)

    validate(0)
    spent = 0.0
    for step in range(r["steps"]):
        start = time.time()
        for g in adamw.param_groups:
            g["lr"] = learning_rate(r, r["steps"], step)
        loss, _ = loss_of(feed.train(step), "mean")
        adamw.zero_grad()
        loss.backward()
        if r["clip"]:
            torch.nn.utils.clip_grad_norm_(w.values(), r["clip"])
        adamw.step()
        spent += time.time() - start
        print(json.dumps({"step": step + 1, "train/loss": loss.item(),
                          "time/tokens_per_s": r["batch"] * r["context"] * (step + 1) / spent}), flush=True)
        if (r["validate_every"] and (step + 1) % r["validate_every"] == 0) or step + 1 == r["steps"]:
            validate(step + 1)


def init(config_path, folder):
    rng = np.random.default_rng(1)
    c = json.load(open(config_path))
    D, I, V = c["hidden_size"], c["intermediate_size"], c["vocab_size"]
    H, G = c["num_attention_heads"], c["num_key_value_heads"]
    d = c.get("head_dim") or D // H
    m = lambda *s: rng.normal(size=s) * 0.02
    w = {"model.embed_tokens.weight": m(V, D), "model.norm.weight": np.ones(D)}
    for l in range(c["num_hidden_layers"]):
        p = f"model.layers.{l}."
        w[p + "input_layernorm.weight"] = w[p + "post_attention_layernorm.weight"] = np.ones(D)
        for n, s in (("self_attn.q", (H * d, D)), ("self_attn.k", (G * d, D)), ("self_attn.v", (G * d, D)),
                     ("self_attn.o", (D, H * d)), ("mlp.gate", (I, D)), ("mlp.up", (I, D)), ("mlp.down", (D, I))):
            w[p + n + "_proj.weight"] = m(*s)
    if not c.get("tie_word_embeddings"):
        w["lm_head.weight"] = m(V, D)
    os.makedirs(folder, exist_ok=True)
    write_weights(os.path.join(folder, "model.safetensors"), w)
    json.dump(c, open(os.path.join(folder, "config.json"), "w"), indent=1)


# ---- the picture ----

def curves(path):
    rows = [json.loads(line) for line in open(path)]
    pick = lambda tag: [(x["step"], x[tag]) for x in rows if tag in x]
    return pick("train/loss"), pick("valid/loss")


def smooth(points, n=15):
    y = [v for _, v in points]
    return [(s, float(np.mean(y[max(0, i - n + 1):i + 1]))) for i, (s, _) in enumerate(points)]


def plot(folder, peer, out):
    W, H, L, R, T, B = 720, 420, 56, 16, 40, 40
    ours, theirs = curves(os.path.join(folder, "metrics.jsonl")), curves(peer)
    last = max(s for s, _ in ours[0])
    values = [v for c in (ours, theirs) for s in c for _, v in s]
    low, high = min(values) - 0.1, max(values) + 0.1
    x = lambda s: L + s / last * (W - L - R)
    y = lambda v: T + (high - v) / (high - low) * (H - T - B)
    line = lambda p, style: (f'<polyline fill="none" {style} points="' +
                             " ".join(f"{x(s):.1f},{y(v):.1f}" for s, v in p) + '"/>\n')
    dots = lambda p, style, r: "".join(f'<circle cx="{x(s):.1f}" cy="{y(v):.1f}" r="{r}" {style}/>' for s, v in p)
    svg = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{W}" height="{H}" viewBox="0 0 {W} {H}" '
           'font-family="system-ui,sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="#fff"/>\n')
    for k in range(6):
        v = low + (high - low) * k / 5
        svg += (f'<line x1="{L}" x2="{W - R}" y1="{y(v):.1f}" y2="{y(v):.1f}" stroke="#dde"/>'
                f'<text x="{L - 6}" y="{y(v) + 4:.1f}" text-anchor="end">{v:.2f}</text>\n')
    for s in range(0, last + 1, max(1, last // 6)):
        svg += f'<text x="{x(s):.1f}" y="{H - B + 18}" text-anchor="middle">{s}</text>\n'
    svg += f'<text x="{(L + W - R) / 2}" y="{H - 6}" text-anchor="middle">step</text>\n'
    svg += line(smooth(theirs[0]), 'stroke="#f4a259" stroke-width="5" opacity=".55"')
    svg += line(smooth(ours[0]), 'stroke="#0b6bcb" stroke-width="1.5"')
    svg += dots(theirs[1], 'fill="none" stroke="#c2570c" stroke-width="2"', 6) + dots(ours[1], 'fill="#0b3d91"', 3)
    gap = max(abs(a[1] - b[1]) for a, b in zip(ours[1], theirs[1]))
    svg += (f'<text x="{L}" y="18">loss (nats): training, mean of 15 steps, as lines; validation as points. '
            'Blue: tern, orange: PyTorch.</text>\n'
            f'<text x="{L}" y="33">last validation: tern {ours[1][-1][1]:.4f}, PyTorch {theirs[1][-1][1]:.4f}; '
            f'largest difference {gap:.4f}</text>\n</svg>\n')
    open(out, "w").write(svg)
    print(json.dumps({"tern": ours[1][-1][1], "torch": theirs[1][-1][1], "largest_difference": gap}))


def main():
    args = sys.argv[1:]
    threads = int(args[args.index("--threads") + 1]) if "--threads" in args else 2
    if args[:1] == ["init"] and len(args) == 3:
        init(args[1], args[2])
    elif args[:1] == ["run"] and len(args) >= 2:
        run(args[1], threads)
    elif args[:1] == ["plot"] and len(args) == 4:
        plot(*args[1:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
