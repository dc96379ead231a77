#!/usr/bin/env bash
# Exit codes are a promise: 0 ok, 1 failure, 2 usage, 4 index missing or damaged, 5 remote
# unreachable, 130 interrupted. Whatever goes wrong, the message says so and the JSON does too.
set -u
fail() { echo "FAILED: $*" >&2; exit 1; }
dir=$(mktemp -d) || exit 1
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir" || exit 1

# expect CODE STATUS TEXT ARG...: exit code, status in the JSON on stdout, text on stderr.
expect() {
    local code=$1 status=$2 text=$3 got
    shift 3
    "${TERN:?}" "$@" --json >out 2>err
    got=$?
    [ $got -eq "$code" ] || fail "tern $*: exit code $got, expected $code: $(cat err)"
    grep -q -- "$text" err || fail "tern $*: message lacks '$text': $(cat err)"
    python3 -c 'import json,sys; e = json.load(open("out"))["error"]; assert e["status"] == sys.argv[1], e; assert e["message"]' \
        "$status" || fail "tern $*: JSON of the error: $(cat out)"
}

echo '{"id":"a","title":"A","text":"one fish"}' >ok.jsonl
"${TERN:?}" index ix ok.jsonl -q >/dev/null || fail "exit code 0"

"$TERN" --version --json | python3 -c 'import json,sys; assert json.load(sys.stdin)["version"]' ||
    fail "the version as JSON"

# 2: the line is wrong
expect 2 usage "unknown command '--json'"
expect 2 usage "unknown command 'serach'" serach ix fish
expect 2 usage "too few arguments" search ix
expect 2 usage "unknown option '--tpo-k'" search ix fish --tpo-k 3
expect 2 usage "not within 1 to" search ix fish -k 0
expect 2 usage "not bm25" search ix fish --mode best
expect 2 usage "not FIELD=VALUE" search ix fish --where year
expect 2 usage "not a date" search ix fish --as-of someday
expect 2 usage "between 0 and 1" search ix fish --b 7

# 4: no index, or not one any more
expect 4 not_found "no index" search nowhere fish
expect 4 not_found "no index" doctor nowhere
mkdir empty
expect 4 not_found "no index" search empty fish
cp -r ix cut
manifest=$(find cut -maxdepth 1 -type f -name '*anifest*' | head -n 1)
[ -n "$manifest" ] || fail "where is the manifest?"
head -c 20 "$manifest" >cut.bytes && cat cut.bytes >"$manifest"
expect 4 corrupt "" search cut fish
cp -r ix flipped
file=$(find flipped -name 'postings.tn')
python3 - "$file" <<'END'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[len(data) // 2] ^= 1
open(sys.argv[1], "wb").write(data)
END
"$TERN" doctor flipped --deep --json -q >out 2>err
[ $? -eq 4 ] || fail "a flipped bit: exit code of doctor --deep"
grep -q postings.tn err || fail "a flipped bit: the file is named: $(cat err)"

# Thousands of files that are no documents do not flood the terminal.
mkdir many && echo "one fish" >many/a.txt
for i in $(seq 1 25); do printf 'a\0b' >"many/$i.dat"; done
"$TERN" index few many >out 2>err || fail "a folder of binary files"
[ "$(grep -c 'binary file' err)" -eq 20 ] || fail "20 warnings are shown: $(cat err)"
grep -q "5 more warnings; run with -v to see all" err || fail "the rest is counted: $(cat err)"
grep -q "25 lines or files skipped" out || fail "all are counted in the end: $(cat out)"
"$TERN" index few many -v >out 2>err || fail "the same with -v"
[ "$(grep -c 'binary file' err)" -eq 25 ] || fail "-v shows all warnings"

# 1: everything else
expect 1 not_found "gone.jsonl" index other gone.jsonl
if [ "$(id -u)" -ne 0 ]; then
    mkdir -p home/tern && echo "top-k = 3" >home/tern/config && chmod 000 home/tern/config
    XDG_CONFIG_HOME=$PWD/home "$TERN" search ix fish >out 2>err || fail "a configuration of others"
    grep -q "its settings do not apply" err || fail "it is named: $(cat err)"
    mkdir locked && chmod a-w locked
    expect 1 io "locked" index locked/ix ok.jsonl
fi
: >file
expect 1 io "file" index file/ix ok.jsonl
"$TERN" search ix fish --json >/dev/full 2>err
[ $? -eq 1 ] || fail "a full disk on output: exit code"
grep -q 'cannot write' err || fail "a full disk on output: message"

# Input that is not what it should be is counted and skipped, never swallowed.
head -c 4000 /dev/urandom >noise.jsonl
printf '{"id":"x","text":"caf\xff"}\n{"id": broken\n\n[1,2]\n{"id":"y","title":"no text"}\n' >bad.jsonl
: >nothing.jsonl
"$TERN" index ix bad.jsonl noise.jsonl nothing.jsonl --json >out 2>err || fail "bad lines do not stop the rest: $(cat err)"
grep -q 'bad.jsonl:2: ' err || fail "a broken line is named: $(cat err)"
grep -q 'bad.jsonl:4: ' err || fail "an array is named"
expect 1 format "bad.jsonl:2" index ix bad.jsonl --strict
"$TERN" search ix fish --json | grep -q '"id":"a"' || fail "the index is as good as before"

# 130: Ctrl-C while indexing; the index opens with what was committed before.
python3 - >big.jsonl <<'END'
import random
random.seed(1)
words = ["w%d" % i for i in range(50000)]
for i in range(40000):
    print('{"id":"d%d","title":"t","text":"%s"}' % (i, " ".join(random.choices(words, k=60))))
END
for signal in INT TERM; do
    # A job of a script ignores SIGINT unless it is made to listen.
    python3 - "$signal" <<'END'
import os, signal, subprocess, sys, time
p = subprocess.Popen([os.environ["TERN"], "index", "ix", "big.jsonl", "--json"], stdout=open("out", "w"),
                     stderr=open("err", "w"), preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
time.sleep(0.3)
p.send_signal(getattr(signal, "SIG" + sys.argv[1]))
sys.exit(p.wait(timeout=60))
END
    [ $? -eq 130 ] || fail "SIG$signal while indexing: exit code: $(cat err)"
    grep -q interrupted err || fail "SIG$signal while indexing: message: $(cat err)"
    python3 -m json.tool out >/dev/null || fail "SIG$signal while indexing: JSON: $(cat out)"
    "$TERN" search ix fish --json | grep -q '"id":"a"' || fail "SIG$signal: the index still opens"
done

# 5: a server that is not there
if "$TERN" help ask >/dev/null 2>&1; then
    "$TERN" ask ix "one fish?" --llm http://127.0.0.1:9 --json >out 2>err
    [ $? -eq 5 ] || fail "no server: exit code: $(cat err)"
fi
echo ok
