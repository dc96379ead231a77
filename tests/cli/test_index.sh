#!/usr/bin/env bash
# `tern index`, `tern remove` and `tern compact`: the life of an index from the shell.
set -u
fail() { echo "FAILED: $*" >&2; exit 1; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
json() { python3 -c "import json,sys; d=json.load(sys.stdin); sys.exit(0 if ($1) else 1)"; }
expect() { # CODE COMMAND...
    local want=$1 got=0
    shift
    "$@" >out 2>err || got=$?
    [ "$got" -eq "$want" ] || fail "$* gives $got, not $want: $(cat out err)"
}

printf '{"id":"a","text":"terns fly"}\nno json\n{"id":"b","text":"crows walk"}\n' >docs.jsonl
expect 0 "${TERN:?}" index ix docs.jsonl
grep -q '^ix: 2 passages, 2 documents added, 1 line or file skipped; ' out || fail "line: $(cat out)"
grep -q 'docs.jsonl:2' err || fail "the bad line is not named: $(cat err)"

# Every field of the report, and nothing else on stdout.
expect 0 "$TERN" index ix docs.jsonl --json -q
json 'set(d) == {"index","added","replaced","unchanged","removed","passages","bad","repaired","duplicates","bytes","seconds"} and d["unchanged"] == 2 and d["bad"] == 1' \
    <out || fail "report: $(cat out)"
expect 0 "$TERN" index ix docs.jsonl -q
[ ! -s out ] || fail "-q prints: $(cat out)"

# Standard input, and options that cannot change any more.
echo '{"id":"c","text":"swifts sleep"}' >c.jsonl
expect 0 "$TERN" index ix - --json <c.jsonl
json 'd["added"] == 1 and d["passages"] == 3' <out || fail "stdin: $(cat out)"
expect 2 "$TERN" index ix docs.jsonl --language german
grep -q 'english' err || fail "the language of the index is not named: $(cat err)"
expect 2 "$TERN" index ix docs.jsonl --chunk-tokens 0
expect 2 "$TERN" index ix
expect 1 "$TERN" index ix missing.jsonl
expect 1 "$TERN" index ix docs.jsonl --strict

expect 1 "$TERN" remove ix a nobody
grep -q 'nobody' err || fail "the missing id is not named: $(cat err)"
expect 0 "$TERN" remove ix a --json
json 'd["removed"] == 1 and d["passages"] == 2' <out || fail "remove: $(cat out)"
expect 0 "$TERN" compact ix --json
json 'd["passages"] == 2' <out || fail "compact: $(cat out)"
expect 4 "$TERN" compact nowhere
expect 4 "$TERN" remove nowhere a
[ ! -e nowhere ] || fail "a folder was made"

# A folder of other files is left alone; a damaged or foreign manifest is exit code 4.
mkdir letters && echo dear >letters/letter.txt
expect 2 "$TERN" index letters docs.jsonl
[ "$(ls letters)" = letter.txt ] || fail "letters: $(ls letters)"
sed -i 's/"generation": \([0-9]*\)/"generation": 1\1/' ix/manifest.json
expect 4 "$TERN" index ix docs.jsonl
expect 4 "$TERN" compact ix
echo ok
