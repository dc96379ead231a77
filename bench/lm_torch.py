#!/usr/bin/env python3
"""PyTorch on the shapes of bench_lm: prefill of 512 tokens, decoding at 512 tokens of context, an
encoder of MiniLM-L6's size. Random weights, bf16 where torch has it for the processor.

    python3 bench/lm_torch.py [--threads N] [--rounds N]
"""
import argparse
import time
import torch
import torch.nn.functional as F

SHAPES = {"360M": (960, 2560, 32, 15, 5, 64, 49152), "1.1B": (2048, 5632, 22, 32, 4, 64, 32000)}


class Decoder:
    def __init__(self, hidden, ffn, layers, heads, kv, dim, vocab, dtype):
        w = lambda n, k: torch.randn(n, k).mul_(0.02).to(dtype)
        self.shape = heads, kv, dim
        self.dtype = dtype
        self.layers = [(w((heads + 2 * kv) * dim, hidden), w(hidden, heads * dim),
                        w(2 * ffn, hidden), w(hidden, ffn)) for _ in range(layers)]
        self.head = w(vocab, hidden)

    def step(self, x, past):
        """x [T, hidden]; past: a list of (k, v) [kv, P, dim] for each layer, or None."""
        heads, kv, dim = self.shape
        now = []
        for i, (qkv, o, up, down) in enumerate(self.layers):
            h = F.layer_norm(x, x.shape[-1:])
            q, k, v = (h @ qkv.T).split((heads * dim, kv * dim, kv * dim), -1)
            q, k, v = (t.reshape(len(x), -1, dim).transpose(0, 1) for t in (q, k, v))
            if past:
                k, v = torch.cat((past[i][0], k), 1), torch.cat((past[i][1], v), 1)
            now.append((k, v))
            g = heads // kv
            s = (q @ k.repeat_interleave(g, 0).transpose(1, 2)) * dim ** -0.5
            if len(x) > 1:
                s = s + torch.full_like(s[0], float("-inf")).triu(1)
            a = s.softmax(-1) @ v.repeat_interleave(g, 0)
            x = x + a.transpose(0, 1).reshape(len(x), -1) @ o.T
            gate, u = (F.layer_norm(x, x.shape[-1:]) @ up.T).chunk(2, -1)
            x = x + (F.silu(gate) * u) @ down.T
        return x[-1:] @ self.head.T, now


def best(fn, rounds):
    fn()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        fn()
        times.append(time.perf_counter() - start)
    return min(times)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--threads", type=int, default=0)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--only", default="")
    args = p.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    with torch.no_grad():
        for name, shape in SHAPES.items():
            if args.only not in name:
                continue
            m = Decoder(*shape, torch.bfloat16)
            x = torch.randn(512, shape[0]).to(m.dtype)
            t = best(lambda: m.step(x, None), args.rounds)
            print(f"{name} prefill 512, bf16 {512 / t:10.1f} tokens/s")
            _, past = m.step(x, None)
            t = best(lambda: m.step(x[:1], past), args.rounds)
            print(f"{name} decode x1, bf16   {1 / t:10.1f} tokens/s")
        if args.only in "MiniLM":
            e = torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(
                384, 12, 1536, activation="gelu", batch_first=True), 6).eval()
            x = torch.randn(100, 256, 384)
            print(f"MiniLM-L6, 100 pairs of 256, f32 {1e3 * best(lambda: e(x), args.rounds):.0f} ms")


if __name__ == "__main__":
    main()
