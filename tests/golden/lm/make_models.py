#!/usr/bin/env python3
"""Tiny models of every family and the numbers they must give, computed here in float64.

    python3 make_models.py         writes NAME/{config.json,model.safetensors,expected.safetensors}
    python3 make_models.py --check compares what it would write with what is there

Needs numpy alone. The equations are written out from the papers and the documentation of the model
families, padded and batched, without sharing anything with the C code, which runs packed and paged.
"""
import json
import os
import sys
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))

# ---- safetensors ----

NAMES = {np.dtype("f4"): "F32", np.dtype("i8"): "I64", np.dtype("f2"): "F16", np.dtype("u2"): "BF16"}


def bf16(x):
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def stored(x, kind):
    """What the file holds, and the value a reader gets."""
    if kind == "BF16":
        b = bf16(x)
        return b, (b.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    y = x.astype(np.float16 if kind == "F16" else np.float32)
    return y, y.astype(np.float64)


def file_bytes(tensors):
    header, at, body = {}, 0, b""
    for name, x in tensors.items():
        data = np.ascontiguousarray(x).tobytes()
        header[name] = {"dtype": NAMES[x.dtype], "shape": list(x.shape),
                        "data_offsets": [at, at + len(data)]}
        at += len(data)
        body += data
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + body


# ---- pieces ----

def act(name, x):
    if name == "silu":
        return x / (1 + np.exp(-x))
    if name == "relu":
        return np.maximum(x, 0)
    if name == "gelu":
        t = np.vectorize(__import__("math").erf)(x / np.sqrt(2))
        return 0.5 * x * (1 + t)
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3)))  # tanh forms


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def rms(x, w, eps, offset):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * (w + offset)


def layer_norm(x, w, b, eps):
    d = x - x.mean(-1, keepdims=True)
    return d / np.sqrt((d * d).mean(-1, keepdims=True) + eps) * w + b


def frequencies(theta, dim, scaling):
    f = theta ** (-np.arange(0, dim, 2) / dim)
    if scaling is None:
        return f
    if scaling["rope_type"] == "linear":
        return f / scaling["factor"]
    length = 2 * np.pi / f
    low = scaling["original_max_position_embeddings"] / scaling["low_freq_factor"]
    high = scaling["original_max_position_embeddings"] / scaling["high_freq_factor"]
    out = []
    for fi, li in zip(f, length):
        if li < high:
            out.append(fi)
        elif li > low:
            out.append(fi / scaling["factor"])
        else:
            s = (scaling["original_max_position_embeddings"] / li - scaling["low_freq_factor"]) / (
                scaling["high_freq_factor"] - scaling["low_freq_factor"])
            out.append((1 - s) * fi / scaling["factor"] + s * fi)
    return np.array(out)


def rotate(x, positions, f):  # x [B, T, heads, dim]
    a = positions[:, :, None, None] * f
    c, s = np.cos(a), np.sin(a)
    h = x.shape[-1] // 2
    x1, x2 = x[..., :h], x[..., h:]
    return np.concatenate([x1 * c - x2 * s, x2 * c + x1 * s], -1)


def attention(q, k, v, visible, scale):  # q [B, T, H, d], k, v [B, T, G, d], visible [B, T, T]
    group = q.shape[2] // k.shape[2]
    k, v = np.repeat(k, group, 2), np.repeat(v, group, 2)
    s = np.einsum("bihd,bjhd->bhij", q, k) * scale
    s = np.where(visible[:, None], s, -1e30)
    return np.einsum("bhij,bjhd->bihd", softmax(s), v)


# ---- the decoder ----

def decoder(c, w, ids, mask):
    B, T = ids.shape
    gemma = c["model_type"] == "gemma3_text"
    qkn = gemma or c["model_type"] == "qwen3"
    H = c["num_attention_heads"]
    G = c["num_key_value_heads"]
    d = c.get("head_dim") or c["hidden_size"] // H
    eps, off = c["rms_norm_eps"], 1.0 if gemma else 0.0
    lin = lambda x, n: x @ w[n + ".weight"].T + (w[n + ".bias"] if n + ".bias" in w else 0)
    pos = np.arange(T)[None].repeat(B, 0).astype(np.float64)
    i, j = np.arange(T)[:, None], np.arange(T)[None]
    x = w["model.embed_tokens.weight"][ids]
    if gemma:
        x = x * np.sqrt(c["hidden_size"])
    full = frequencies(c["rope_theta"], d, c.get("rope_scaling"))
    local = frequencies(c["rope_local_base_freq"], d, None) if gemma else full
    for l in range(c["num_hidden_layers"]):
        p = f"model.layers.{l}."
        if gemma:
            slides = (l + 1) % c["sliding_window_pattern"] != 0
        elif c["model_type"] == "qwen2":
            slides = c.get("use_sliding_window") and l >= c["max_window_layers"]
        else:
            slides = c["model_type"] == "mistral" and c.get("sliding_window")
        see = (j <= i) & ((j > i - c["sliding_window"]) if slides else True)
        see = see[None] & (mask[:, None] == 1)
        f = local if gemma and slides else full
        h = rms(x, w[p + "input_layernorm.weight"], eps, off)
        q = lin(h, p + "self_attn.q_proj").reshape(B, T, H, d)
        k = lin(h, p + "self_attn.k_proj").reshape(B, T, G, d)
        v = lin(h, p + "self_attn.v_proj").reshape(B, T, G, d)
        if qkn:
            q = rms(q, w[p + "self_attn.q_norm.weight"], eps, off)
            k = rms(k, w[p + "self_attn.k_norm.weight"], eps, off)
        scale = (c["query_pre_attn_scalar"] if gemma else d) ** -0.5
        o = attention(rotate(q, pos, f), rotate(k, pos, f), v, see, scale)
        o = lin(o.reshape(B, T, H * d), p + "self_attn.o_proj")
        if gemma:
            o = rms(o, w[p + "post_attention_layernorm.weight"], eps, off)
        x = x + o
        n = "pre_feedforward_layernorm" if gemma else "post_attention_layernorm"
        h = rms(x, w[p + n + ".weight"], eps, off)
        a = c["hidden_activation"] if gemma else c["hidden_act"]
        h = act(a, lin(h, p + "mlp.gate_proj")) * lin(h, p + "mlp.up_proj")
        h = lin(h, p + "mlp.down_proj")
        if gemma:
            h = rms(h, w[p + "post_feedforward_layernorm.weight"], eps, off)
        x = x + h
    x = rms(x, w["model.norm.weight"], eps, off)
    if "score.weight" in w:
        last = [max(t for t in range(T) if mask[b, t]) for b in range(B)]
        return x, x[np.arange(B), last] @ w["score.weight"].T
    logits = x @ w.get("lm_head.weight", w["model.embed_tokens.weight"]).T
    cap = c.get("final_logit_softcapping")
    return x, cap * np.tanh(logits / cap) if cap else logits


def greedy(c, w, ids, n_new):
    ids = list(ids)
    for _ in range(n_new):
        x = np.array([ids])
        ids.append(int(decoder(c, w, x, np.ones_like(x))[1][0, -1].argmax()))
    return ids


def decoder_weights(c, rng):
    D, F, V = c["hidden_size"], c["intermediate_size"], c["vocab_size"]
    H, G = c["num_attention_heads"], c["num_key_value_heads"]
    d = c.get("head_dim") or D // H
    gemma = c["model_type"] == "gemma3_text"
    off = 1.0 if gemma else 0.0
    m = lambda *s: rng.normal(size=s) * (s[-1] ** -0.5 if len(s) > 1 else 0.3)
    n = lambda k: 1 - off + 0.3 * rng.normal(size=k)
    w = {"model.embed_tokens.weight": m(V, D) * 2}
    attn_bias = c["model_type"] == "qwen2" or c.get("attention_bias")
    for l in range(c["num_hidden_layers"]):
        p = f"model.layers.{l}."
        w[p + "input_layernorm.weight"] = n(D)
        for name, rows, cols in (("q", H * d, D), ("k", G * d, D), ("v", G * d, D), ("o", D, H * d)):
            w[p + f"self_attn.{name}_proj.weight"] = m(rows, cols)
            if attn_bias and not (name == "o" and c["model_type"] == "qwen2"):
                w[p + f"self_attn.{name}_proj.bias"] = m(rows)
        if gemma or c["model_type"] == "qwen3":
            w[p + "self_attn.q_norm.weight"] = n(d)
            w[p + "self_attn.k_norm.weight"] = n(d)
        w[p + "post_attention_layernorm.weight"] = n(D)
        if gemma:
            w[p + "pre_feedforward_layernorm.weight"] = n(D)
            w[p + "post_feedforward_layernorm.weight"] = n(D)
        for name, rows, cols in (("gate", F, D), ("up", F, D), ("down", D, F)):
            w[p + f"mlp.{name}_proj.weight"] = m(rows, cols)
            if c.get("mlp_bias"):
                w[p + f"mlp.{name}_proj.bias"] = m(rows)
    w["model.norm.weight"] = n(D)
    if c["architectures"][0].endswith("SequenceClassification"):
        w["score.weight"] = m(len(c["id2label"]), D)
    elif not c["tie_word_embeddings"]:
        w["lm_head.weight"] = m(V, D)
    return w


# ---- the encoder ----

def encoder(c, w, ids, mask, types):
    B, T = ids.shape
    D, H, eps = c["hidden_size"], c["num_attention_heads"], c["layer_norm_eps"]
    roberta = c["model_type"] != "bert"
    p = "roberta." if roberta else "bert."
    lin = lambda x, n: x @ w[n + ".weight"].T + w[n + ".bias"]
    ln = lambda x, n: layer_norm(x, w[n + ".weight"], w[n + ".bias"], eps)
    if roberta:
        real = (ids != c["pad_token_id"]).astype(int)
        pos = np.cumsum(real, 1) * real + c["pad_token_id"]
    else:
        pos = np.arange(T)[None].repeat(B, 0)
    e = p + "embeddings."
    x = w[e + "word_embeddings.weight"][ids] + w[e + "token_type_embeddings.weight"][types]
    x = ln(x + w[e + "position_embeddings.weight"][pos], e + "LayerNorm")
    see = np.broadcast_to(mask[:, None] == 1, (B, T, T))
    for l in range(c["num_hidden_layers"]):
        q = p + f"encoder.layer.{l}."
        h = [lin(x, q + "attention.self." + n).reshape(B, T, H, D // H)
             for n in ("query", "key", "value")]
        o = attention(*h, see, (D // H) ** -0.5).reshape(B, T, D)
        x = ln(x + lin(o, q + "attention.output.dense"), q + "attention.output.LayerNorm")
        h = act(c["hidden_act"], lin(x, q + "intermediate.dense"))
        x = ln(x + lin(h, q + "output.dense"), q + "output.LayerNorm")
    head = c["architectures"][0]
    word = w[e + "word_embeddings.weight"]
    if head.endswith("TokenClassification"):
        return x, lin(x, "classifier")
    if head.endswith("SequenceClassification"):
        if roberta:
            return x, lin(np.tanh(lin(x[:, 0], "classifier.dense")), "classifier.out_proj")
        return x, lin(np.tanh(lin(x[:, 0], "bert.pooler.dense")), "classifier")
    if head.endswith("MaskedLM") and roberta:
        h = ln(act("gelu", lin(x, "lm_head.dense")), "lm_head.layer_norm")
        return x, h @ word.T + w["lm_head.bias"]
    if head.endswith("MaskedLM"):
        t = "cls.predictions.transform."
        h = ln(act(c["hidden_act"], lin(x, t + "dense")), t + "LayerNorm")
        return x, h @ word.T + w["cls.predictions.bias"]
    return x, None


def encoder_weights(c, rng):
    D, F, V = c["hidden_size"], c["intermediate_size"], c["vocab_size"]
    roberta = c["model_type"] != "bert"
    p = "roberta." if roberta else "bert."
    w = {}

    def lin(name, rows, cols):
        w[name + ".weight"] = rng.normal(size=(rows, cols)) * cols ** -0.5
        w[name + ".bias"] = rng.normal(size=rows) * 0.3

    def ln(name):
        w[name + ".weight"] = 1 + 0.3 * rng.normal(size=D)
        w[name + ".bias"] = 0.3 * rng.normal(size=D)

    e = p + "embeddings."
    w[e + "word_embeddings.weight"] = rng.normal(size=(V, D))
    w[e + "position_embeddings.weight"] = rng.normal(size=(c["max_position_embeddings"], D))
    w[e + "token_type_embeddings.weight"] = rng.normal(size=(c["type_vocab_size"], D))
    ln(e + "LayerNorm")
    for l in range(c["num_hidden_layers"]):
        q = p + f"encoder.layer.{l}."
        for n in ("query", "key", "value"):
            lin(q + "attention.self." + n, D, D)
        lin(q + "attention.output.dense", D, D)
        ln(q + "attention.output.LayerNorm")
        lin(q + "intermediate.dense", F, D)
        lin(q + "output.dense", D, F)
        ln(q + "output.LayerNorm")
    head, n_labels = c["architectures"][0], len(c.get("id2label", {}))
    if head.endswith("TokenClassification"):
        lin("classifier", n_labels, D)
    elif head.endswith("SequenceClassification") and roberta:
        lin("classifier.dense", D, D)
        lin("classifier.out_proj", n_labels, D)
    elif head.endswith("SequenceClassification"):
        lin("bert.pooler.dense", D, D)
        lin("classifier", n_labels, D)
    elif head.endswith("MaskedLM"):
        t = "lm_head." if roberta else "cls.predictions.transform."
        lin(t + "dense", D, D)
        ln(t + ("layer_norm" if roberta else "LayerNorm"))
        w["lm_head.bias" if roberta else "cls.predictions.bias"] = 0.3 * rng.normal(size=V)
    return w


# ---- the models: each shows switches that the others do not ----

LABELS = lambda n: {str(i): f"LABEL_{i}" for i in range(n)}
DECODER = dict(vocab_size=37, num_hidden_layers=2, rms_norm_eps=1e-5, rope_theta=1e4,
               hidden_act="silu", max_position_embeddings=64)
ENCODER = dict(vocab_size=31, num_hidden_layers=2, layer_norm_eps=1e-5, hidden_act="gelu",
               max_position_embeddings=24, type_vocab_size=2, pad_token_id=0)
MODELS = {
    # scaled positions, every bias, heads wider than hidden / heads
    "llama3": dict(DECODER, model_type="llama", architectures=["LlamaForCausalLM"], hidden_size=12,
                   intermediate_size=17, num_attention_heads=4, num_key_value_heads=2, head_dim=6,
                   attention_bias=True, mlp_bias=True, tie_word_embeddings=False, rope_theta=5e5,
                   rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0,
                                     high_freq_factor=4.0, original_max_position_embeddings=16),
                   eos_token_id=[2, 5]),
    # a window shorter than the text in all layers, one key head
    "mistral": dict(DECODER, model_type="mistral", architectures=["MistralForCausalLM"],
                    hidden_size=20, intermediate_size=24, num_attention_heads=5,
                    num_key_value_heads=1, sliding_window=5, tie_word_embeddings=False),
    # windows from the second layer on; stored as bf16
    "qwen2": dict(DECODER, model_type="qwen2", architectures=["Qwen2ForCausalLM"], hidden_size=16,
                  intermediate_size=24, num_attention_heads=4, num_key_value_heads=4,
                  use_sliding_window=True, sliding_window=4, max_window_layers=1,
                  tie_word_embeddings=True),
    # normed heads, biases, an untied head; stored as f16
    "qwen3": dict(DECODER, model_type="qwen3", architectures=["Qwen3ForCausalLM"], hidden_size=12,
                  intermediate_size=20, num_attention_heads=3, num_key_value_heads=3, head_dim=8,
                  attention_bias=True, tie_word_embeddings=False, rope_theta=1e6),
    # two thetas, linear scaling of the global one, four norms, a cap on the logits
    "gemma3": dict(vocab_size=37, num_hidden_layers=3, rms_norm_eps=1e-6, rope_theta=1e6,
                   max_position_embeddings=64, model_type="gemma3_text",
                   architectures=["Gemma3ForCausalLM"], hidden_size=16, intermediate_size=20,
                   hidden_activation="gelu_pytorch_tanh", num_attention_heads=2,
                   num_key_value_heads=1, head_dim=10, query_pre_attn_scalar=7, sliding_window=4,
                   sliding_window_pattern=2, rope_local_base_freq=1e3, tie_word_embeddings=True,
                   final_logit_softcapping=3.0, rope_scaling=dict(rope_type="linear", factor=4.0)),
    # a decoder that judges: the last token's state
    "llama-score": dict(DECODER, model_type="llama",
                        architectures=["LlamaForSequenceClassification"], hidden_size=16,
                        intermediate_size=20, num_attention_heads=4, num_key_value_heads=4,
                        id2label=LABELS(3), tie_word_embeddings=False),
    "bert-pairs": dict(ENCODER, model_type="bert", architectures=["BertForSequenceClassification"],
                       hidden_size=12, intermediate_size=19, num_attention_heads=3,
                       hidden_act="gelu_new", id2label=LABELS(3)),
    "bert-tokens": dict(ENCODER, model_type="bert", architectures=["BertForTokenClassification"],
                        hidden_size=16, intermediate_size=20, num_attention_heads=2,
                        hidden_act="relu", id2label=LABELS(5)),
    "bert-masked": dict(ENCODER, model_type="bert", architectures=["BertForMaskedLM"],
                        hidden_size=16, intermediate_size=20, num_attention_heads=4),
    # positions after the padding id; padding ids inside the text
    "xlmr-masked": dict(ENCODER, model_type="xlm-roberta",
                        architectures=["XLMRobertaForMaskedLM"], hidden_size=16,
                        intermediate_size=20, num_attention_heads=4, type_vocab_size=1,
                        pad_token_id=1, hidden_act="relu"),
    "roberta": dict(ENCODER, model_type="roberta", architectures=["RobertaModel"], hidden_size=14,
                    intermediate_size=18, num_attention_heads=7, type_vocab_size=1,
                    pad_token_id=3),
}
# a sentence-transformers folder: first token, a projection, unit length, prompts
MODELS["bert-sentence"] = dict(ENCODER, model_type="bert", architectures=["BertModel"],
                               hidden_size=12, intermediate_size=16, num_attention_heads=2)
STORED = {"qwen2": "BF16", "qwen3": "F16"}
LEFT = {"mistral", "gemma3", "bert-tokens", "xlmr-masked"}  # padding at the left


def make(name, seed):
    c, rng = MODELS[name], np.random.default_rng(seed)
    is_decoder = "num_key_value_heads" in c
    raw = (decoder_weights if is_decoder else encoder_weights)(c, rng)
    held = {n: stored(x, STORED.get(name, "F32")) for n, x in raw.items()}
    w = {n: v for n, (_, v) in held.items()}
    T, pads = 13, (0, 4)
    ids = rng.integers(4, c["vocab_size"], size=(2, T))
    mask = np.ones((2, T), np.int64)
    for b, n in enumerate(pads):
        where = slice(0, n) if name in LEFT else slice(T - n, T)
        mask[b, where] = 0
        ids[b, where] = c.get("pad_token_id", 0)
    if name == "xlmr-masked":
        ids[0, 5] = c["pad_token_id"]
    out = {"input_ids": ids.astype(np.int64), "attention_mask": mask}
    if is_decoder:
        hidden, logits = decoder(c, w, ids, mask)
        if logits.ndim == 3:
            at = [(b, t) for b in range(2) for t in range(T - 1) if mask[b, t] and mask[b, t + 1]]
            p = [np.log(softmax(logits[b, t])[ids[b, t + 1]]) for b, t in at]
            out["loss"] = np.array([-np.mean(p)], np.float32)
            out["greedy.ids"] = np.array(greedy(c, w, ids[0, :7], 9), np.int64)
            out["greedy.prompt_len"] = np.array([7], np.int64)
    else:
        types = (np.arange(T)[None].repeat(2, 0) >= 8).astype(np.int64) % c["type_vocab_size"]
        out["token_type_ids"] = types
        hidden, logits = encoder(c, w, ids, mask, types)
    out["hidden.last"] = hidden.astype(np.float32)
    if logits is not None:
        out["logits"] = logits.astype(np.float32)
    files = {"config.json": dump(c),
             "model.safetensors": file_bytes({n: s for n, (s, _) in held.items()}),
             "expected.safetensors": file_bytes(out)}
    add_words(name, files)
    if name == "bert-sentence":
        add_sentence(c, w, rng, files)
    if name == "bert-pairs":
        add_pairs(c, w, files)
    return files


# ---- words: letters are tokens ----

LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] + list(LETTERS)
TEXTS = ["a c b", "z", "q q x y a b c d e f g h i j k l m n o p q r s t"]
PROMPT = "f g "


def word_ids(text, longest):
    ids = [WORDS.index(w) for w in text.split()]
    return [2] + ids[:longest - 2] + [3]


def byte_level():
    """A byte-level BPE tokenizer.json of 37 tokens and no merges."""
    pieces = ["<unk>", "<s>", "</s>", "<pad>", "<|x|>", "<|end|>"] + list(LETTERS)
    pieces += ["\u0120", ".", ",", "\u00c3", "\u00a9"]
    added = [dict(id=i, content=p, special=True, single_word=False, lstrip=False, rstrip=False,
                  normalized=False) for i, p in enumerate(pieces[:6])]
    level = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
    return dict(version="1.0", truncation=None, padding=None, added_tokens=added, normalizer=None,
                pre_tokenizer=level, post_processor=None, decoder=level,
                model=dict(type="BPE", dropout=None, unk_token=None,
                           continuing_subword_prefix=None, end_of_word_suffix=None,
                           fuse_unk=False, byte_fallback=False,
                           vocab={p: i for i, p in enumerate(pieces)}, merges=[]))


def dump(x):
    return (json.dumps(x, indent=1) + "\n").encode()


def add_words(name, files):
    if name == "llama3":
        files["tokenizer.json"] = dump(byte_level())
    if name in ("bert-pairs", "bert-sentence"):
        files["vocab.txt"] = ("\n".join(WORDS) + "\n").encode()
        files["tokenizer_config.json"] = dump(dict(
            tokenizer_class="BertTokenizer", do_lower_case=True, cls_token="[CLS]",
            sep_token="[SEP]", pad_token="[PAD]", unk_token="[UNK]"))


def add_sentence(c, w, rng, files):
    D, out, longest = c["hidden_size"], 7, 12
    dense_w, dense_b = rng.normal(size=(out, D)).astype(np.float32), rng.normal(size=out)
    dense_b = dense_b.astype(np.float32)
    module = "sentence_transformers.models."
    files["modules.json"] = dump([
        dict(idx=i, name=str(i), path=p, type=module + t) for i, (p, t) in enumerate(
            [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Dense", "Dense"),
             ("3_Normalize", "Normalize")])])
    files["1_Pooling/config.json"] = dump(dict(
        word_embedding_dimension=D, pooling_mode_cls_token=True, pooling_mode_mean_tokens=False))
    files["2_Dense/config.json"] = dump(dict(
        in_features=D, out_features=out, bias=True,
        activation_function="torch.nn.modules.activation.Tanh"))
    files["2_Dense/model.safetensors"] = file_bytes({"linear.weight": dense_w,
                                                     "linear.bias": dense_b})
    files["sentence_bert_config.json"] = dump(dict(max_seq_length=longest, do_lower_case=False))
    files["config_sentence_transformers.json"] = dump(dict(
        prompts=dict(query=PROMPT, document=""), default_prompt_name=None))
    rows = []
    for prompt in ("", PROMPT):
        for text in TEXTS:
            ids = np.array([word_ids(prompt + text, longest)])
            x = encoder(c, w, ids, np.ones_like(ids), np.zeros_like(ids))[0][0, 0]
            y = np.tanh(dense_w.astype(float) @ x + dense_b)
            rows.append(y / np.linalg.norm(y))
    files["vectors.safetensors"] = file_bytes({"vectors": np.array(rows, np.float32)})


def add_pairs(c, w, files):
    rows = []
    for a, b in (("a b", "c d e"), ("x", "y z"), (TEXTS[2], "k k k"), (TEXTS[2], TEXTS[2])):
        x, y = ([WORDS.index(t) for t in s.split()] for s in (a, b))
        n = c["max_position_embeddings"] - 3
        while len(x) + len(y) > n:
            (x if len(x) >= len(y) else y).pop()
        ids = np.array([[2] + x + [3] + y + [3]])
        types = np.array([[0] * (len(x) + 2) + [1] * (len(y) + 1)])
        rows.append(encoder(c, w, ids, np.ones_like(ids), types)[1][0])
    files["scores.safetensors"] = file_bytes({"scores": np.array(rows, np.float32)})


def main():
    check, bad = "--check" in sys.argv[1:], 0
    for seed, name in enumerate(MODELS):
        folder = os.path.join(HERE, name)
        for file, data in make(name, seed).items():
            path = os.path.join(folder, file)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if check:
                same = os.path.exists(path) and open(path, "rb").read() == data
                bad += not same
                print("same" if same else "DIFFERS", os.path.relpath(path, HERE))
            else:
                with open(path, "wb") as f:
                    f.write(data)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
