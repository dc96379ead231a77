#!/usr/bin/env python3
"""A small byte-level BPE vocabulary and the ids it must give: make_bpe.py writes bpe.json and
bpe_expected.jsonl beside itself, or with --check compares. Needs the module `regex`.

The trainer and the encoder are written for this file from the definitions alone: the merge with the
lowest rank first, leftmost first, over the pieces of the published regular expressions."""
import collections
import json
import os
import sys

import regex

PATTERNS = {
    "gpt2": r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""",
    "llama3": r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"""
              r""" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
    "qwen2": r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"""
             r""" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
}
TEXT = """The Arctic tern is a seabird. The tern flies from the Arctic to the Antarctic and back, the
longest migration of any animal; it sees two summers each year. Terns aren't gulls: they're lighter,
and they've forked tails. A colony's noise can't be missed. In 1982 a chick ringed on the Farne
Islands, Northumberland, reached Melbourne in October, 22,000 km in three months.
Die Küstenseeschwalbe brütet im Norden. Полярная крачка летит на юг. 北極燕鷗是一種海鳥。キョクアジサシ
The search agent asks, reads, asks again, and answers with citations; training needs no labels.
"""
LINES = [
    "The tern's search agent", "They're here, aren't THEY'RE", "I'LL go; we'd 'SAY it'", "'ſ is folded",
    "  two  spaces   three ", "tab\tand\n\nnewlines \n \r\n end\n", "x \n y", "1234567 12 1,000.50", "a1b2c3",
    "naïve Küstenseeschwalbe", "Полярная крачка", "北極燕鷗是一種海鳥。", "キョクアジサシ ﾃｽﾄ", "한국어 문장",
    "e\u0301 combining a\u0308\u0323", "\u00a0nbsp\u3000wide\u2003em", "\U0001F468\u200D\U0001F469\u200D\U0001F467 family",
    "½ ² Ⅷ ٣٤ १२३", "!!! ... ?!\n?", " !x", "\n", " ", "   ", "\t\t", "a", "end with space ", "$9.99 (net)",
    "http://a.b/c?d=e#f", "\u180e\u200b\ufeff odd", "the" * 60, "migration" * 12 + "s", "\u0085next\u2028line",
    "हिन्दी में", "עברית שלום", "مرحبا بالعالم", "ไทย", "\U00020000\U0001D400 astral",
]


def alphabet():
    keep = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
    table, n = {b: chr(b) for b in keep}, 0
    for b in range(256):
        if b not in table:
            table[b] = chr(256 + n)
            n += 1
    return table


CHARS = alphabet()


def train(n_merges):
    words = collections.Counter(m.group() for m in regex.finditer(PATTERNS["gpt2"], TEXT))
    split = {w: [CHARS[b] for b in w.encode()] for w in words}
    merges = []
    for _ in range(n_merges):
        pairs = collections.Counter()
        for w, n in words.items():
            for pair in zip(split[w], split[w][1:]):
                pairs[pair] += n
        best = min(pairs, key=lambda p: (-pairs[p], p))
        merges.append(best)
        for w in words:
            split[w] = merge(split[w], best)
    return merges


def merge(parts, pair):
    out, i = [], 0
    while i < len(parts):
        if i + 1 < len(parts) and (parts[i], parts[i + 1]) == pair:
            out.append(parts[i] + parts[i + 1])
            i += 2
        else:
            out.append(parts[i])
            i += 1
    return out


def encode(text, pattern, vocab, ranks):
    ids = []
    for m in regex.finditer(PATTERNS[pattern], text):
        parts = [CHARS[b] for b in m.group().encode()]
        while True:
            known = [p for p in zip(parts, parts[1:]) if p in ranks]
            if not known:
                break
            parts = merge(parts, min(known, key=ranks.get))
        ids += [vocab[p] for p in parts]
    return ids


def main():
    merges = train(240)
    pieces = [CHARS[b] for b in range(256)] + [a + b for a, b in merges]
    vocab = {p: i for i, p in enumerate(pieces)}
    ranks = {p: i for i, p in enumerate(merges)}
    files = {"bpe.json": json.dumps({"vocab": vocab, "merges": [" ".join(m) for m in merges]},
                                    ensure_ascii=False, separators=(",", ":")) + "\n"}
    lines = [json.dumps({"pattern": name, "text": text, "ids": encode(text, name, vocab, ranks)},
                        ensure_ascii=True, separators=(",", ":"))
             for name in PATTERNS for text in LINES]
    files["bpe_expected.jsonl"] = "\n".join(lines) + "\n"
    here = os.path.dirname(os.path.abspath(__file__))
    for name, text in files.items():
        path = os.path.join(here, name)
        if "--check" in sys.argv:
            if open(path, encoding="utf-8").read() != text:
                sys.exit(f"{name} is not what this script makes")
        else:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)


main()
