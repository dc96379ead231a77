#!/usr/bin/env python3
"""tiny_lm.py - the model of tests/tiny_lm.h in PyTorch, in double: the numbers that
tests/unit/test_graph_train.c expects. Needs numpy and torch; the tests do not.

Prints the loss of step 1, and for some parameters the length of the gradient and its product with
(1, 2, 3, ...) / n."""
import math
import numpy as np
import torch

VOCAB, DIM, LAYERS, TOKENS, HEADS, KV_HEADS, HIDDEN = 61, 32, 2, 40, 4, 2, 48
BEGIN, STEP, SEED, EPS = [0, 13, TOKENS], 1, 5, 1e-5
HEAD = DIM // HEADS


def philox(counter, key):
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & 0xFFFFFFFF, (p0 >> 32) ^ c3 ^ k1, p0 & 0xFFFFFFFF
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


def normal(name, *shape):
    """N(0, 0.1^2) from the stream that the name hashes to, rounded to f32."""
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = (h ^ byte) * 0x100000001B3 % 2**64
    values = []
    for block in range(math.prod(shape)):  # one block holds the two draws of one number
        a, b, c, d = philox((block, 0, h & 0xFFFFFFFF, h >> 32), (SEED, 0))
        u, v = ((a | b << 32) >> 11) * 2.0**-53, ((c | d << 32) >> 11) * 2.0**-53
        values.append(0.1 * math.sqrt(-2 * math.log(1 - u)) * math.cos(6.283185307179586 * v))
    return torch.tensor(np.float32(values).astype(np.float64).reshape(shape), requires_grad=True)


def main():
    p = {"model.embed_tokens.weight": normal("model.embed_tokens.weight", VOCAB, DIM)}
    shapes = {"self_attn.q_proj": (DIM, DIM), "self_attn.k_proj": (KV_HEADS * HEAD, DIM),
              "self_attn.v_proj": (KV_HEADS * HEAD, DIM), "self_attn.o_proj": (DIM, DIM),
              "mlp.gate_proj": (HIDDEN, DIM), "mlp.up_proj": (HIDDEN, DIM), "mlp.down_proj": (DIM, HIDDEN)}
    norms = ["model.norm.weight"]
    for i in range(LAYERS):
        for module, shape in shapes.items():
            name = f"model.layers.{i}.{module}.weight"
            p[name] = normal(name, *shape)
        norms += [f"model.layers.{i}.{n}.weight" for n in ("input_layernorm", "post_attention_layernorm")]
    for name in norms:
        p[name] = torch.ones(DIM, dtype=torch.float64, requires_grad=True)

    def norm(x, name):
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + EPS) * p[name]

    def linear(x, name):
        return x @ p[name].T

    position = torch.tensor([t - (BEGIN[1] if t >= BEGIN[1] else 0) for t in range(TOKENS)]).double()
    angle = position[:, None] / 1e4 ** (torch.arange(0, HEAD, 2).double() / HEAD)
    cos, sin = (torch.cat([f, f], -1)[:, None] for f in (angle.cos(), angle.sin()))

    def turn(x):
        half = x.shape[-1] // 2
        return x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin

    mask = torch.full((TOKENS, TOKENS), -math.inf, dtype=torch.float64)
    for begin, end in zip(BEGIN, BEGIN[1:]):
        for t in range(begin, end):
            mask[t, begin:t + 1] = 0
    token = [(t * 7 + STEP * 3) % VOCAB for t in range(TOKENS)]
    target = [-100 if t + 1 in BEGIN else ((t + 1) * 7 + STEP * 3) % VOCAB for t in range(TOKENS)]

    x = p["model.embed_tokens.weight"][token]
    for i in range(LAYERS):
        at = f"model.layers.{i}."
        h = norm(x, at + "input_layernorm.weight")
        q = turn(linear(h, at + "self_attn.q_proj.weight").view(TOKENS, HEADS, HEAD))
        k = turn(linear(h, at + "self_attn.k_proj.weight").view(TOKENS, KV_HEADS, HEAD))
        v = linear(h, at + "self_attn.v_proj.weight").view(TOKENS, KV_HEADS, HEAD)
        k, v = (t.repeat_interleave(HEADS // KV_HEADS, 1) for t in (k, v))
        weight = (torch.einsum("ihd,jhd->hij", q, k) / math.sqrt(HEAD) + mask).softmax(-1)
        mixed = torch.einsum("hij,jhd->ihd", weight, v).reshape(TOKENS, DIM)
        x = x + linear(mixed, at + "self_attn.o_proj.weight")
        h = norm(x, at + "post_attention_layernorm.weight")
        gate = torch.nn.functional.silu(linear(h, at + "mlp.gate_proj.weight"))
        x = x + linear(gate * linear(h, at + "mlp.up_proj.weight"), at + "mlp.down_proj.weight")
    logits = linear(norm(x, "model.norm.weight"), "model.embed_tokens.weight")
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(target), ignore_index=-100)
    loss.backward()
    print(f"loss {loss.item():.9f}")
    for name in ("model.embed_tokens.weight", "model.layers.0.self_attn.k_proj.weight",
                 "model.layers.1.mlp.down_proj.weight", "model.layers.0.input_layernorm.weight"):
        grad = p[name].grad.flatten()
        ramp = (torch.arange(len(grad)).double() + 1) / len(grad)
        print(f'{{"{name}", {grad.norm().item():.9f}, {(grad @ ramp).item():.9f}}},')


if __name__ == "__main__":
    main()
