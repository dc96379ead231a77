#!/usr/bin/env python3
"""Writes the Skerravoe corpus: docs/, questions.jsonl and qrels.trec.

    python3 corpora/skerravoe/generate.py           write the files
    python3 corpora/skerravoe/generate.py --check   compare them with what is on disk, write nothing

The same facts give the same bytes on every machine. Facts live in facts/, phrasings in pages.py and
records.py, questions in questions.txt. Whatever contradicts itself stops the run.
"""
import argparse
import html
import json
import pathlib
import re
import sys
import textwrap

import model
import pages
import questions
import records
from voice import Voice

HERE = pathlib.Path(__file__).resolve().parent
ROOT = "corpora/skerravoe/docs"  # document ids are paths as seen from the root of the repository
PAGE_WORDS = (80, 200)  # a page is one passage
FOLDER = {kind: "people" for kind in model.PEOPLE}
SUFFIX = {"museums": "html", "treaties": "txt"}


class Document:
    """One retrievable unit: `text` is what a reader sees of it, title included."""

    def __init__(self, doc_id, title, text, date=None):
        self.id, self.title, self.text, self.date = doc_id, title, text, date


def wrap(sentences, **indents):
    return textwrap.fill(" ".join(sentences), 96, break_on_hyphens=False, **indents)


def markdown(title, blocks):
    parts = [f"# {title}"]
    for heading, sentences in blocks:
        parts += [f"## {heading}"] if heading else []
        parts.append(wrap(sentences))
    return "\n\n".join(parts) + "\n"


def plain(title, blocks):
    return "\n\n".join([title] + [wrap(s) for _, s in blocks]) + "\n"


def web(title, blocks):
    body = []
    for heading, sentences in blocks:
        body += [f"    <h2>{html.escape(heading, False)}</h2>"] if heading else []
        text = [html.escape(s, False) for s in sentences]
        body.append(wrap(text, initial_indent="    <p>", subsequent_indent="    ") + "</p>")
    name = html.escape(title, False)
    return (f'<!DOCTYPE html>\n<html lang="en">\n<head>\n  <meta charset="utf-8">\n'
            f"  <title>{name}</title>\n  <style>main {{ max-width: 40em }}</style>\n</head>\n<body>\n"
            f"  <main>\n    <h1>{name}</h1>\n" + "\n".join(body) + "\n  </main>\n</body>\n</html>\n")


FORMATS = {"md": markdown, "txt": plain, "html": web}


def build(world):
    """(files by path below this folder, documents by key); a key is an entity or a bulletin."""
    voice, files, documents = Voice(), {}, {}
    for title, e in world.entities.items():
        if e.table == "wrecks":
            continue
        suffix = SUFFIX.get(e.table, "md")
        blocks = pages.render(world, voice, e)
        path = f"{FOLDER.get(e.table, e.table)}/{e.slug}.{suffix}"
        files[f"docs/{path}"] = FORMATS[suffix](title, blocks)
        text = " ".join([title] + [w for h, s in blocks for w in [h, *s] if w])
        documents[title] = Document(f"{ROOT}/{path}", title, text)
    for notice in sorted((model.FACTS / "notices").iterdir()):
        text = notice.read_text("utf-8")
        files[f"docs/notices/{notice.name}"] = text
        documents[notice.stem] = Document(f"{ROOT}/notices/{notice.name}", text.split("\n", 1)[0],
                                          " ".join(text.split()))
    lines = []
    for b in sorted(world.bulletins, key=lambda b: b.date):
        title, text = records.bulletin(world, voice, b)
        documents[b] = Document(b.doc_id, title, f"{title} {text}", b.date)
        lines.append(json.dumps({"id": b.doc_id, "title": title, "text": text, "timestamp": b.date},
                                ensure_ascii=False))
    files["docs/gazette.jsonl"] = "\n".join(lines) + "\n"
    rows = ["id\ttext\ttitle"]
    for w in world.kinds["wrecks"]:
        title, text = records.wreck(world, voice, w)
        documents[title] = Document(f"wreck-{w.slug}", title, f"{title} {text}")
        rows.append(f"wreck-{w.slug}\t{text}\t{title}")
    files["docs/wrecks.tsv"] = "\n".join(rows) + "\n"
    return files, documents


def check_documents(documents):
    faults, seen = [], {}
    for d in documents.values():
        n = len(d.text.split())
        if d.id.endswith(".md") and not PAGE_WORDS[0] <= n <= PAGE_WORDS[1]:
            faults.append(f"{d.id}: {n} words")
        if seen.setdefault(d.id, d) is not d:
            faults.append(f"{d.id}: used twice")
        for slip in re.findall(r"\b[Aa] [aeio]\w+|\b[Aa]n [bcdfgjklmnpqrstvwxyz]\w+|\bthe the\b|"
                               r"None|\{|  |\.\.|\b[Tt]he The\b", d.text):
            faults.append(f"{d.id}: {slip!r}")
    return faults


def main():
    parser = argparse.ArgumentParser(description="Write or check the Skerravoe corpus.")
    parser.add_argument("--check", action="store_true", help="only compare with the files on disk")
    check = parser.parse_args().check
    try:
        world = model.World()
        files, documents = build(world)
        faults = check_documents(documents)
        asked, more = questions.load(world, documents)
        if faults + more:
            raise ValueError("\n  ".join(["the corpus is not sound:"] + faults + more))
    except ValueError as fault:
        sys.exit(f"generate.py: {fault}")
    files["questions.jsonl"] = "".join(json.dumps(q, ensure_ascii=False) + "\n" for q in asked)
    files["qrels.trec"] = "".join(f"{q['id']} 0 {d} 1\n" for q in asked for d in q["supporting"])
    on_disk = {str(p.relative_to(HERE)) for p in (HERE / "docs").rglob("*") if p.is_file()}
    stale = sorted(on_disk - set(files))
    if check:
        wrong = [n for n, text in files.items()
                 if not (HERE / n).is_file() or (HERE / n).read_bytes() != text.encode()]
        if wrong + stale:
            sys.exit("generate.py: not what the facts say: " + ", ".join((wrong + stale)[:10]))
    else:
        for name in stale:
            (HERE / name).unlink()
        for name, text in files.items():
            (HERE / name).parent.mkdir(parents=True, exist_ok=True)
            (HERE / name).write_bytes(text.encode())
    size = sum(len(t.encode()) for t in files.values())
    print(f"{len(documents)} documents, {len(asked)} questions, {len(files)} files, {size} bytes"
          + (": as on disk" if check else ""))


if __name__ == "__main__":
    main()
