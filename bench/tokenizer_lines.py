#!/usr/bin/env python3
"""Lines of mixed scripts for comparing tokenizers: tokenizer_lines.py [N] [TEXT-FILE...] > lines.txt

N lines (default 10000), the same for the same arguments: words made of letters of thirty scripts,
digits, punctuation, emoji with joiners, combining marks, odd white space, contractions, very long
words, and lines of the text files (JSON lines give their strings). No line holds a newline."""
import json
import random
import sys
import unicodedata

RANGES = {
    "latin": (0x61, 0x7A), "latin-1": (0xC0, 0xFF), "latin-ext": (0x100, 0x24F), "ipa": (0x250, 0x2AF),
    "greek": (0x391, 0x3C9), "cyrillic": (0x410, 0x44F), "armenian": (0x561, 0x586),
    "hebrew": (0x5D0, 0x5EA), "arabic": (0x621, 0x64A), "syriac": (0x710, 0x72F),
    "devanagari": (0x904, 0x94D), "bengali": (0x985, 0x9CD), "tamil": (0xB85, 0xBCD),
    "thai": (0xE01, 0xE3A), "lao": (0xE81, 0xEB9), "tibetan": (0xF40, 0xF7D), "myanmar": (0x1000, 0x103A),
    "georgian": (0x10D0, 0x10F0), "jamo": (0x1100, 0x11C2), "ethiopic": (0x1200, 0x1248),
    "cherokee": (0x13A0, 0x13F4), "khmer": (0x1780, 0x17B3), "mongolian": (0x1820, 0x1842),
    "hiragana": (0x3041, 0x3096), "katakana": (0x30A1, 0x30FA), "han": (0x4E00, 0x9FA5),
    "hangul": (0xAC00, 0xD7A3), "fullwidth": (0xFF01, 0xFF5E), "halfwidth": (0xFF66, 0xFFBE),
    "compat": (0xFB00, 0xFB06), "math": (0x1D400, 0x1D454), "gothic": (0x10330, 0x1034A),
    "symbols": (0x2190, 0x23FF), "emoji": (0x1F600, 0x1F64F), "ext-b": (0x20000, 0x20100),
}
MARKS = "\u0300\u0301\u0308\u0327\u0323\u3099\u0483\u05b0\u064b\u093c"
SPACES = ["\t", "  ", "   ", "\u00a0", "\u3000", "\u2003", "\u200b", "\u202f", " \t ", "\u1680"]
ENDS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "'x", "''", "\u2019s"]
OTHER = ["...", "?!", "--", "=>", "::", "<|x|>", "<b>", "$9.99", "1,234,567", "3.14159", "2026-11-24",
         "a_b", "x@y.z", "http://a.b/c?d=e#f", "\U0001F468\u200D\U0001F469\u200D\U0001F467", "\u2581",
         "\ufeff", "\u00ad", "½", "²", "Ⅷ", "٣٤", "०१", "\ufffd", "İstanbul", "ΣΑΣ", "ß", "ﬁ", "№", "㈱"]


def assigned(first, last):
    return [chr(c) for c in range(first, last + 1) if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")]


def word(rng, letters):
    n = min(1 + int(rng.expovariate(0.25)), 40)
    w = "".join(rng.choice(letters) for _ in range(n))
    how = rng.random()
    if how < 0.15:
        w = w.capitalize()
    elif how < 0.2:
        w = w.upper()
    if rng.random() < 0.1:
        at = rng.randrange(len(w)) + 1
        w = w[:at] + rng.choice(MARKS) + w[at:]
    return unicodedata.normalize(rng.choice(["NFC", "NFC", "NFD"]), w)


def line(rng, scripts):
    names = rng.sample(sorted(scripts), rng.choice([1, 1, 1, 2, 3, 6]))
    out = []
    for _ in range(1 + int(rng.expovariate(0.1))):
        out.append(word(rng, scripts[rng.choice(names)]))
        r = rng.random()
        if r < 0.08:
            out.append(rng.choice(ENDS))
        elif r < 0.2:
            out.append(rng.choice(OTHER))
        elif r < 0.27:
            out.append(str(rng.randrange(10 ** rng.randrange(1, 9))))
        elif r < 0.35:
            out.append(rng.choice(",.;:!?()[]{}\"'-/\\*&%"))
        out.append(rng.choice(SPACES) if rng.random() < 0.06 else "" if rng.random() < 0.1 else " ")
    text = "".join(out)
    return text if rng.random() < 0.1 else text.strip()


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for v in value.values() if isinstance(value, dict) else value:
            yield from strings(v)


def file_lines(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        for raw in f:
            try:
                found = list(strings(json.loads(raw)))
            except ValueError:
                found = [raw]
            for s in found:
                yield from (x for x in s.splitlines() if x.strip())


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
    rng = random.Random(20240229)
    scripts = {k: assigned(*v) for k, v in RANGES.items()}
    pool = []
    for path in sys.argv[2:]:
        for s in file_lines(path):
            pool.append(s)
            if len(pool) >= 100000:
                break
    for i in range(n):
        if pool and i % 3 == 0:
            s = pool[rng.randrange(len(pool))]
        elif i % 500 == 1:
            s = word(rng, scripts["latin"]) * 300
        else:
            s = line(rng, scripts)
        print(s.replace("\n", " ").replace("\r", " ").replace("\x00", " "))


main()
