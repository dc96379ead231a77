#!/usr/bin/env python3
"""Ids of byte-level BPE by the definitions alone: bpe_reference.py tokenizer.json < lines > ids.

Reads the model, the Split pattern, an NFC normaliser and nothing else of the file; special tokens are
taken for text. Needs the module `regex`. Slow, and that is its use: it shares no code with tern."""
import json
import sys
import unicodedata

import regex

GPT2 = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""


def alphabet():
    keep = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
    table, n = {b: chr(b) for b in keep}, 0
    for b in range(256):
        if b not in table:
            table[b] = chr(256 + n)
            n += 1
    return table


def pattern_of(step):
    if not step:
        sys.exit("no pre_tokenizer")
    if step["type"] == "Sequence":
        return next(p for p in (pattern_of(s) for s in step["pretokenizers"]) if p)
    if step["type"] == "Split":
        return step["pattern"]["Regex"]
    return GPT2 if step.get("use_regex", True) else None


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        file = json.load(f)
    model = file["model"]
    vocab = model["vocab"]
    ranks = {tuple(m.split(" ") if isinstance(m, str) else m): i for i, m in enumerate(model["merges"])}
    pattern = regex.compile(pattern_of(file["pre_tokenizer"]))
    nfc = (file.get("normalizer") or {}).get("type") == "NFC"
    chars, known = alphabet(), {}

    def ids_of(word):
        parts = [chars[b] for b in word.encode("utf-8")]
        if model.get("ignore_merges") and "".join(parts) in vocab:
            return [vocab["".join(parts)]]
        while len(parts) > 1:
            rank, at = min((ranks.get(p, len(ranks)), i) for i, p in enumerate(zip(parts, parts[1:])))
            if rank == len(ranks):
                break
            parts[at:at + 2] = [parts[at] + parts[at + 1]]
        return [vocab[p] for p in parts]

    for line in sys.stdin.buffer:
        text = line.decode("utf-8").removesuffix("\n")
        if nfc:
            text = unicodedata.normalize("NFC", text)
        ids = []
        for m in pattern.finditer(text):
            word = m.group()
            if word not in known:
                known[word] = ids_of(word)
            ids += known[word]
        print(*ids)


main()
