#!/usr/bin/env bash
# `tern search` and `tern doctor` on a small index, as a person and as a script would use them.
set -u
fail() { echo "FAILED: $*" >&2; exit 1; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
json() { python3 -c "import json,sys; d=json.load(sys.stdin); sys.exit(0 if ($1) else 1)"; }

cat >birds.jsonl <<'END'
{"id":"tern","title":"Arctic tern","text":"The Arctic tern flies from pole to pole and back every year.","date":"2020-05-01","lang":"en"}
{"id":"crow","title":"Crow","text":"A crow stays where it is. It is clever, and it likes shiny things.","date":"2010","lang":"en"}
{"id":"swift","title":"Swift","text":"Swifts sleep while they fly.","lang":"de"}
END
mkdir notes
printf '# Migration\n\nShort text.\n\n## Terns\n\nNobody knows why terns fly so far.\n' >notes/far.md
"${TERN:?}" index ix birds.jsonl notes -q --json | python3 -m json.tool >/dev/null || fail "index"

# A script reads JSON.
"$TERN" search ix flying terns --json >hits.json || fail "search"
json 'd["hits"][0]["rank"] == 1 and {"rank","id","score","title","text","source"} <= set(d["hits"][0])' \
    <hits.json || fail "keys of a hit: $(cat hits.json)"
json '{h["id"] for h in d["hits"]} >= {"tern", "swift"}' <hits.json || fail "stems: $(cat hits.json)"
json '[h for h in d["hits"] if h["id"] == "tern"][0]["source"] == "birds.jsonl:1"' <hits.json ||
    fail "source of a record"
"$TERN" search ix nobody knows --json |
    json 'd["hits"][0]["source"].startswith("notes/far.md:") and d["hits"][0]["title"] == "Migration"' ||
    fail "source and title of a Markdown passage"
"$TERN" search ix tern -k 1 --json --explain | json '"explain" in d["hits"][0] and len(d["hits"]) == 1' ||
    fail "--explain"
"$TERN" search ix zeppelin --json | json 'd["hits"] == []' || fail "no hit is an empty list"
"$TERN" search ix zeppelin >out 2>err || fail "no hit is not an error"
[ ! -s out ] && grep -q 'no passage matches' err || fail "no hit: message"

# Filters and phrases.
"$TERN" search ix fly --where lang=de --json | json '[h["id"] for h in d["hits"]] == ["swift"]' ||
    fail "--where"
"$TERN" search ix clever tern crow --as-of 2015 --json |
    json '"crow" in [h["id"] for h in d["hits"]] and "tern" not in [h["id"] for h in d["hits"]]' ||
    fail "--as-of"
"$TERN" search ix tern crow --since 2015 --json | json '[h["id"] for h in d["hits"]] == ["tern"]' ||
    fail "--since"
"$TERN" search ix '"pole to pole"' --json | json '[h["id"] for h in d["hits"]] == ["tern"]' ||
    fail "phrase"

# A person reads text: title, place, the words in question set off on request.
"$TERN" search ix 'arctic terns' -k 1 >out || fail "human output"
grep -q '1. Arctic tern  (birds.jsonl:1)' out || fail "heading: $(cat out)"
"$TERN" search ix 'arctic terns' -k 1 --color always | grep -q $'\033\\[1mtern\033\\[0m' ||
    fail "highlighting compares stems"
printf '{"id":"esc","title":"x","text":"evil \\u001b]0;title\\u0007 \\u009b31m marker"}\n' |
    "$TERN" index ix - -q >/dev/null || fail "index from stdin"
"$TERN" search ix marker | grep -q $'[\033\a]' && fail "a passage can write to the terminal"
NO_COLOR=1 "$TERN" search ix tern | grep -q $'\033' && fail "NO_COLOR"
"$TERN" search ix tern --full | grep -q 'back every year' || fail "--full"
for i in $(seq 40); do "$TERN" search ix tern; done 2>err | head -n 1 >/dev/null
[ ! -s err ] || fail "a closed pipe is no news: $(cat err)"

# The same bits for any number of threads.
[ "$("$TERN" search ix fly far --threads 1 --json)" = "$("$TERN" search ix fly far --threads 4 --json)" ] ||
    fail "threads"

# Doctor: machine and index.
"$TERN" doctor --json | json 'd["cores"] >= 1 and all(l["ok"] for l in d["libraries"])' || fail "doctor"
"$TERN" doctor ix --deep --json | json 'd["index"]["defects"] == 0 and d["index"]["documents"] == 5' ||
    fail "doctor --deep"
"$TERN" doctor ix | grep -q 'passages of 5 documents' || fail "doctor for people"
TERN_CPU=ref "$TERN" doctor --json | json 'd["cpu"]["level"] == "ref"' || fail "TERN_CPU"

# Benchmarks are found beside the program.
mkdir -p prog/bench
cp "$TERN" prog/tern
printf '#!/bin/sh\necho "got $*"\nexit 3\n' >prog/bench/bench_fake
chmod +x prog/bench/bench_fake
prog/tern bench --json | json '"fake" in d["benchmarks"]' || fail "bench lists"
[ "$(prog/tern bench fake --json -n 3)" = "got --json -n 3" ] || fail "bench passes its arguments on"
prog/tern bench fake >/dev/null
[ $? -eq 3 ] || fail "bench passes the exit code on"
prog/tern bench faek 2>&1 | grep -q "did you mean 'fake'" || fail "bench suggests"
echo ok
