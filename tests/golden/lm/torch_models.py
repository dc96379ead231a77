"""The decoder and the encoder in PyTorch, for gradients: padded, batched, written out from the
papers and the documentation of the model families. `w` is a dict of tensors by name; a matrix that
is tied stands in it once. Used by make_grads.py and by bench/train_lm_torch.py.
"""
import math
import torch
import torch.nn.functional as F


def act(name, x):
    if name in ("gelu_new", "gelu_pytorch_tanh", "gelu_fast"):
        return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))
    return {"silu": F.silu, "relu": F.relu, "gelu": F.gelu}[name](x)


def rms(x, w, eps, offset):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * (w + offset)


def frequencies(c, theta, dim, scaling):
    f = theta ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    if not scaling:
        return f
    kind = scaling.get("rope_type", scaling.get("type"))
    if kind == "linear":
        return f / scaling["factor"]
    assert kind == "llama3", kind
    length, old = 2 * math.pi / f, scaling["original_max_position_embeddings"]
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    smooth = ((old / length - low) / (high - low)).clamp(0, 1)
    return (1 - smooth) * f / scaling["factor"] + smooth * f


def rotate(x, f):  # [B, T, H, d]
    a = torch.arange(x.shape[1], dtype=torch.float64)[:, None, None] * f
    cos, sin = a.cos().to(x.dtype), a.sin().to(x.dtype)
    x1, x2 = x.chunk(2, -1)
    return torch.cat([x1 * cos - x2 * sin, x2 * cos + x1 * sin], -1)


def attention(q, k, v, visible, scale):  # [B, T, H, d], visible [B, T, T]
    group = q.shape[2] // k.shape[2]
    q, k, v = (t.transpose(1, 2) for t in (q, k.repeat_interleave(group, 2),
                                           v.repeat_interleave(group, 2)))
    s = (q @ k.transpose(-1, -2)) * scale
    s = s.masked_fill(~visible[:, None], -1e30)
    return (s.softmax(-1) @ v).transpose(1, 2)


def linear(x, w, name):
    return F.linear(x, w[name + ".weight"], w.get(name + ".bias"))


def slides(c, l):
    kind = c["model_type"]
    if kind == "gemma3_text":
        return (l + 1) % c["sliding_window_pattern"] != 0
    if kind in ("qwen2", "qwen3"):
        return bool(c.get("use_sliding_window")) and l >= c["max_window_layers"]
    return kind == "mistral" and bool(c.get("sliding_window"))


def decoder(c, w, ids, visible):
    """ids [B, T]; visible [B, T, T] bool: which keys a query may see at all -> hidden [B, T, D]"""
    B, T = ids.shape
    gemma = c["model_type"] == "gemma3_text"
    H, G = c["num_attention_heads"], c["num_key_value_heads"]
    d = c.get("head_dim") or c["hidden_size"] // H
    eps, off = c["rms_norm_eps"], 1.0 if gemma else 0.0
    i, j = torch.arange(T)[:, None], torch.arange(T)[None]
    x = F.embedding(ids, w["model.embed_tokens.weight"])
    if gemma:
        x = x * c["hidden_size"] ** 0.5
    full = frequencies(c, c["rope_theta"], d, c.get("rope_scaling"))
    local = frequencies(c, c["rope_local_base_freq"], d, None) if gemma else full
    scale = (c["query_pre_attn_scalar"] if gemma else d) ** -0.5
    for l in range(c["num_hidden_layers"]):
        p = f"model.layers.{l}."
        see = visible & (j <= i)
        if slides(c, l):
            see = see & (j > i - c["sliding_window"])
        f = local if gemma and slides(c, l) else full
        h = rms(x, w[p + "input_layernorm.weight"], eps, off)
        q = linear(h, w, p + "self_attn.q_proj").view(B, T, H, d)
        k = linear(h, w, p + "self_attn.k_proj").view(B, T, G, d)
        v = linear(h, w, p + "self_attn.v_proj").view(B, T, G, d)
        if p + "self_attn.q_norm.weight" in w:
            q = rms(q, w[p + "self_attn.q_norm.weight"], eps, off)
            k = rms(k, w[p + "self_attn.k_norm.weight"], eps, off)
        o = attention(rotate(q, f), rotate(k, f), v, see, scale).reshape(B, T, H * d)
        o = linear(o, w, p + "self_attn.o_proj")
        if gemma:
            o = rms(o, w[p + "post_attention_layernorm.weight"], eps, off)
        x = x + o
        before = "pre_feedforward_layernorm" if gemma else "post_attention_layernorm"
        h = rms(x, w[p + before + ".weight"], eps, off)
        a = act(c["hidden_activation"] if gemma else c["hidden_act"], linear(h, w, p + "mlp.gate_proj"))
        h = linear(a * linear(h, w, p + "mlp.up_proj"), w, p + "mlp.down_proj")
        if gemma:
            h = rms(h, w[p + "post_feedforward_layernorm.weight"], eps, off)
        x = x + h
    return rms(x, w["model.norm.weight"], eps, off)


def next_token_logits(c, w, hidden):
    logits = hidden @ w.get("lm_head.weight", w["model.embed_tokens.weight"]).T
    cap = c.get("final_logit_softcapping")
    return cap * torch.tanh(logits / cap) if cap else logits


def encoder(c, w, ids, mask, types):
    """-> hidden [B, T, D]"""
    B, T = ids.shape
    D, H = c["hidden_size"], c["num_attention_heads"]
    p = "bert." if c["model_type"] == "bert" else "roberta."
    ln = lambda x, n: F.layer_norm(x, (D,), w[n + ".weight"], w[n + ".bias"], c["layer_norm_eps"])
    if p == "roberta.":
        real = (ids != c["pad_token_id"]).long()
        pos = real.cumsum(1) * real + c["pad_token_id"]
    else:
        pos = torch.arange(T)[None].expand(B, T)
    e = p + "embeddings."
    x = F.embedding(ids, w[e + "word_embeddings.weight"])
    x = x + F.embedding(types, w[e + "token_type_embeddings.weight"])
    x = ln(x + F.embedding(pos, w[e + "position_embeddings.weight"]), e + "LayerNorm")
    see = (mask[:, None] == 1).expand(B, T, T)
    for l in range(c["num_hidden_layers"]):
        q = p + f"encoder.layer.{l}."
        h = [linear(x, w, q + "attention.self." + n).view(B, T, H, D // H)
             for n in ("query", "key", "value")]
        o = attention(*h, see, (D // H) ** -0.5).reshape(B, T, D)
        x = ln(x + linear(o, w, q + "attention.output.dense"), q + "attention.output.LayerNorm")
        h = act(c["hidden_act"], linear(x, w, q + "intermediate.dense"))
        x = ln(x + linear(h, w, q + "output.dense"), q + "output.LayerNorm")
    return x


def encoder_logits(c, w, x):
    head, roberta = c["architectures"][0], c["model_type"] != "bert"
    ln = lambda x, n: F.layer_norm(x, x.shape[-1:], w[n + ".weight"], w[n + ".bias"],
                                   c["layer_norm_eps"])
    if head.endswith("TokenClassification"):
        return linear(x, w, "classifier")
    if head.endswith("SequenceClassification") and roberta:
        return linear(torch.tanh(linear(x[:, 0], w, "classifier.dense")), w, "classifier.out_proj")
    if head.endswith("SequenceClassification"):
        return linear(torch.tanh(linear(x[:, 0], w, "bert.pooler.dense")), w, "classifier")
    if roberta:
        h = ln(act("gelu", linear(x, w, "lm_head.dense")), "lm_head.layer_norm")
        return h @ w["roberta.embeddings.word_embeddings.weight"].T + w["lm_head.bias"]
    t = "cls.predictions.transform."
    h = ln(act(c["hidden_act"], linear(x, w, t + "dense")), t + "LayerNorm")
    return h @ w["bert.embeddings.word_embeddings.weight"].T + w["cls.predictions.bias"]
