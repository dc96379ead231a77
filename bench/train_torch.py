#!/usr/bin/env python3
"""The peer of bench_train: the same decoder, trained by PyTorch on the CPU.

  train_torch.py --shape 15M|125M --dtype f32|bf16 [--threads N]
      Timing. Prints {"n_params", "version"} and then, for every line "N" on standard input, trains
      N steps on random tokens and prints {"seconds", "busy" (processor time), "loss", "peak_kb"}.
  train_torch.py --shape S --weights FILE --tokens FILE --batch B --length T --steps N --lr LR
      Parity. Starts from a safetensors file, takes batches of B rows of T + 1 int32 tokens from
      FILE in order, f32, and prints one loss a line.

Llama's architecture with Hugging Face's names: RMSNorm before attention and before a SwiGLU, rotary
positions in halves, head tied to the embedding. AdamW (0.9, 0.95), decay 0.1 except on norms,
gradients clipped to norm 1."""
import argparse
import json
import struct
import sys
import time

import torch
import torch.nn.functional as F

SHAPES = {  # layers, width, heads, ffn, vocabulary, length, batch: as in bench_train.c
    "tiny": (2, 64, 4, 128, 256, 64, 4),
    "15M": (6, 288, 6, 768, 8192, 512, 16),
    "125M": (12, 768, 12, 2048, 32000, 512, 8),
}
NUMPY_DTYPES = {"F32": "<f4"}


def read_safetensors(path):
    """Name -> tensor of an F32 file, by nothing but the format's definition."""
    import numpy

    with open(path, "rb") as f:
        (n,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(n))
        data = f.read()
    header.pop("__metadata__", None)
    out = {}
    for name, t in header.items():
        begin, end = t["data_offsets"]
        flat = numpy.frombuffer(data[begin:end], NUMPY_DTYPES[t["dtype"]])
        out[name] = torch.from_numpy(flat.reshape(t["shape"]).copy())
    return out


def parameters(layers, width, ffn, vocab):
    torch.manual_seed(1)

    def normal(*shape):
        return torch.nn.Parameter(torch.randn(shape) * 0.02)

    p = {"model.embed_tokens.weight": normal(vocab, width)}
    for i in range(layers):
        at = f"model.layers.{i}."
        for name in "qkvo":
            p[at + f"self_attn.{name}_proj.weight"] = normal(width, width)
        p[at + "mlp.gate_proj.weight"] = normal(ffn, width)
        p[at + "mlp.up_proj.weight"] = normal(ffn, width)
        p[at + "mlp.down_proj.weight"] = normal(width, ffn)
        for name in ("input_layernorm", "post_attention_layernorm"):
            p[at + name + ".weight"] = torch.nn.Parameter(torch.ones(width))
    p["model.norm.weight"] = torch.nn.Parameter(torch.ones(width))
    return p


def rms_norm(x, weight):
    x32 = x.float()
    return weight * (x32 * torch.rsqrt(x32.pow(2).mean(-1, keepdim=True) + 1e-5))


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class Decoder:
    def __init__(self, shape, length):
        self.layers, self.width, self.heads, ffn, vocab = shape[:5]
        self.p = parameters(self.layers, self.width, ffn, vocab)
        dim = self.width // self.heads
        inv_freq = 10000.0 ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
        angle = torch.arange(length, dtype=torch.float64)[:, None] * inv_freq
        self.cos, self.sin = angle.cos().float(), angle.sin().float()
        self.mask = torch.full((length, length), float("-inf")).triu(1)

    def attention(self, x, at):
        b, t, _ = x.shape
        split = [F.linear(x, self.p[at + f"self_attn.{n}_proj.weight"])
                 .view(b, t, self.heads, -1).transpose(1, 2) for n in "qkv"]
        q, k, v = rotate(split[0], self.cos, self.sin), rotate(split[1], self.cos, self.sin), split[2]
        score = (q @ k.transpose(-1, -2)) * (q.shape[-1] ** -0.5) + self.mask
        y = (score.softmax(-1) @ v).transpose(1, 2).reshape(b, t, -1)
        return F.linear(y, self.p[at + "self_attn.o_proj.weight"])

    def loss(self, tokens):
        p = self.p
        x = F.embedding(tokens[:, :-1], p["model.embed_tokens.weight"])
        for i in range(self.layers):
            at = f"model.layers.{i}."
            x = x + self.attention(rms_norm(x, p[at + "input_layernorm.weight"]), at)
            h = rms_norm(x, p[at + "post_attention_layernorm.weight"])
            h = F.silu(F.linear(h, p[at + "mlp.gate_proj.weight"])) * F.linear(
                h, p[at + "mlp.up_proj.weight"])
            x = x + F.linear(h, p[at + "mlp.down_proj.weight"])
        logits = F.linear(rms_norm(x, p["model.norm.weight"]), p["model.embed_tokens.weight"])
        return F.cross_entropy(logits.float().flatten(0, 1), tokens[:, 1:].flatten())


def make_optimizer(model, lr):
    norms = [v for k, v in model.p.items() if "norm" in k]
    others = [v for k, v in model.p.items() if "norm" not in k]
    groups = [{"params": others, "weight_decay": 0.1}, {"params": norms, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.95))


def step(model, optimizer, tokens, bf16):
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        loss = model.loss(tokens)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(list(model.p.values()), 1.0)
    optimizer.step()
    return loss.item()


def peak_kb():
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))


def serve(args, shape):
    length, batch = shape[5:]
    model = Decoder(shape, length)
    optimizer = make_optimizer(model, 3e-4)
    generator = torch.Generator().manual_seed(2)
    n_params = sum(v.numel() for v in model.p.values())
    print(json.dumps({"n_params": n_params, "version": torch.__version__}), flush=True)
    for line in sys.stdin:
        begin, busy, loss = time.perf_counter(), time.process_time(), 0.0
        for _ in range(int(line)):
            tokens = torch.randint(shape[4], (batch, length + 1), generator=generator)
            loss = step(model, optimizer, tokens, args.dtype == "bf16")
        print(json.dumps({"seconds": time.perf_counter() - begin,
                          "busy": time.process_time() - busy,
                          "loss": loss, "peak_kb": peak_kb()}), flush=True)


def parity(args, shape):
    import numpy

    model = Decoder(shape, args.length)
    for name, value in read_safetensors(args.weights).items():
        with torch.no_grad():
            model.p[name].copy_(value)
    optimizer = make_optimizer(model, args.lr)
    tokens = torch.from_numpy(numpy.fromfile(args.tokens, "<i4").astype("int64"))
    rows = tokens.view(args.steps, args.batch, args.length + 1)
    for i in range(args.steps):
        print("%.9g" % step(model, optimizer, rows[i], False), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, required=True)
    parser.add_argument("--dtype", choices=("f32", "bf16"), default="f32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--weights")
    parser.add_argument("--tokens")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--lr", type=float, default=1e-3)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.weights:
        parity(args, SHAPES[args.shape])
    else:
        serve(args, SHAPES[args.shape])


if __name__ == "__main__":
    main()
