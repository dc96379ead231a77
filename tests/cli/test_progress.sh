#!/usr/bin/env bash
# Progress: a bar on a terminal, lines where there is none, silence with -q; results stay the same.
set -u
fail() { echo "FAILED: $*" >&2; exit 1; }
python3 -c 'import pty; pty.openpty()' 2>/dev/null || { echo "skipped: no terminal to be had"; exit 0; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1

python3 - >big.jsonl <<'END'
import random
random.seed(2)
words = ["w%d" % i for i in range(30000)]
texts = [" ".join(random.choices(words, k=60)) for i in range(4000)]
for i in range(60000): # work for several tenths of a second: a shorter task shows no bar
    print('{"id":"d%d","title":"t","text":"%s"}' % (i, texts[i % len(texts)]))
END
# on_terminal ARG...: stderr is a terminal; what it got comes out.
on_terminal() {
    python3 - "$@" <<'END'
import os, pty, subprocess, sys
master, slave = pty.openpty()
p = subprocess.Popen([os.environ["TERN"]] + sys.argv[1:], stdout=open("out", "w"), stderr=slave)
os.close(slave)
seen = b""
while True:
    try:
        piece = os.read(master, 65536)
    except OSError:
        break
    if not piece:
        break
    seen += piece
sys.stdout.buffer.write(seen)
sys.exit(p.wait())
END
}
on_terminal index ix big.jsonl --embedder none >seen || fail "index on a terminal"
grep -q $'\r.*%' seen || grep -q $'\r.*/s' seen || fail "no bar on a terminal: $(cat -v seen)"
tail -c 200 seen | grep -q $'\r\033\\[K' || fail "the bar stays on the screen: $(tail -c 200 seen | cat -v)"
on_terminal index quiet big.jsonl --embedder none -q >seen || fail "index -q"
[ ! -s seen ] || fail "-q is not silent: $(cat -v seen)"
"${TERN:?}" index lines big.jsonl --embedder none >out 2>err || fail "index without a terminal"
grep -q $'\r\|\033' err && fail "control characters outside of a terminal"
a=$("$TERN" doctor ix --json | grep -o '"hash":"[^"]*"')
b=$("$TERN" doctor lines --json | grep -o '"hash":"[^"]*"')
[ -n "$a" ] && [ "$a" = "$b" ] || fail "progress changes the result"
echo ok
