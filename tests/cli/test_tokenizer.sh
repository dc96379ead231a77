#!/usr/bin/env bash
# `tern tokenizer`: encode, decode, info and train as a user would, and wrong input.
set -u
fail() { echo "FAILED: $*" >&2; exit 1; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
tokenizer() { "${TERN:?}" tokenizer "$@"; }

golden=${TERN_SOURCE_DIR:?}/tests/golden/tokenizer/bpe.json
mkdir bpe
{
    printf '{"model":{"type":"BPE",'
    tail -c +2 "$golden"
    printf ',"added_tokens":[{"id":600,"content":"<|end|>","special":true}],'
    printf '"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},"decoder":{"type":"ByteLevel"}}'
} >bpe/tokenizer.json

# expect TEXT ARG...: what `tern tokenizer ARG...` prints of stdin
expect() {
    local want=$1 got
    shift
    got=$(tokenizer "$@") || fail "tokenizer $*"
    [ "$got" = "$want" ] || fail "tokenizer $*: '$got', expected '$want'"
}
expect '275 331' encode bpe --text "The tern"
expect 'The:0-3 Ġtern:3-8' encode bpe --text "The tern" --pieces --spans
expect '{"ids":[275,331,600],"spans":[[0,3],[3,8],[8,15]]}' encode bpe -t "The tern<|end|>" --json --spans
tokenizer encode bpe -t "<|end|>" --plain | grep -q 600 && fail "--plain parses a special token"
expect $'275 331\n\n275 331' encode bpe <<<$'The tern\n\nThe tern'
printf 'The\ntern' >two.txt
[ "$(tokenizer encode bpe --whole two.txt | wc -l)" -eq 1 ] || fail "--whole"
expect $'The tern<|end|>\nThe tern' decode bpe <<<$'275 331 600\n[275, 331]'
expect 'The tern' decode bpe --skip-special <<<'275 331 600'
expect '{"text":"The"}' decode bpe --json <<<275
tokenizer encode bpe "$golden" | tokenizer decode bpe | cmp - "$golden" || fail "round trip of a file"

tokenizer info bpe | grep -q '^kind *byte-level BPE$' || fail "info"
tokenizer info bpe --json | python3 -c '
import json, sys
d = json.load(sys.stdin)
assert d["size"] == 601 and len(d["hash"]) == 32 and d["chat"] is None, d' || fail "info --json"

# Training, and what it made.
for i in $(seq 300); do echo "the arctic tern flies from pole to pole and back, year $i"; done >corpus.txt
tokenizer train --vocab 330 -o small.model -q corpus.txt | grep -q '^small.model: 330 pieces$' || fail train
tokenizer encode small.model -t "the tern of year 7" >ids || fail "encode with the trained model"
expect 'the tern of year 7' decode small.model ids

# Wrong input: a message, an exit code, nothing written.
refused() { # CODE TEXT ARG...
    local code=$1 text=$2
    shift 2
    tokenizer "$@" 2>err >/dev/null </dev/null
    [ $? -eq "$code" ] || fail "tokenizer $*: exit code, expected $code"
    grep -q -- "$text" err || fail "tokenizer $*: message lacks '$text': $(cat err)"
}
refused 2 "no action 'tokenise'" tokenise bpe
refused 2 'too few arguments' encode
refused 1 'nowhere: cannot open' encode nowhere
mkdir empty
refused 1 'no tokenizer here' info empty
refused 1 'missing.txt' encode bpe missing.txt
refused 2 'one of the two' encode bpe -t x two.txt
refused 2 'Give -o MODEL' train corpus.txt
refused 2 'is not within 300' train --vocab 20 -o none.model corpus.txt
refused 1 'Vocabulary size too high' train --vocab 90000 -o none.model corpus.txt
[ -e none.model ] && fail "a failed training wrote a model"
echo '275 x' | tokenizer decode bpe 2>err && fail "decoded a letter"
grep -q "line 1: 'x' is not a token id" err || fail "decode: $(cat err)"
echo '99999' | tokenizer decode bpe 2>err && fail "decoded an id outside"
grep -q 'id 99999 is not in the vocabulary' err || fail "decode: $(cat err)"
head -c 2000 bpe/tokenizer.json >cut.json
refused 1 'cut.json: JSON, byte' info cut.json
head -c 200 small.model >cut.model
refused 1 'cut.model' info cut.model
tokenizer encode bpe "$golden" >/dev/full 2>/dev/null
[ $? -eq 1 ] || fail "a full disk is a failure"
tokenizer encode bpe "$golden" | head -c 1 >/dev/null

# Ctrl-C while learning: 130, and no model.
for i in $(seq 20000); do echo "line $i of a longer text about $((i * 7919)) terns and $((i % 977)) gulls"; done >long.txt
"$TERN" tokenizer train --vocab 2000 -o none.model -q long.txt 2>err &
pid=$!
sleep 0.2
kill -INT $pid
wait $pid
code=$?
[ $code -eq 130 ] || fail "interrupted training: exit code $code: $(cat err)"
[ -e none.model ] && fail "an interrupted training wrote a model"
echo ok
