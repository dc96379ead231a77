#!/usr/bin/env bash
# Language models from the command line: info, verify, convert, quantize, generate, embed.
set -u
fail() { echo "FAILED: $*" >&2; exit 1; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
models=${TERN_SOURCE_DIR:?}/tests/golden/lm
json() { python3 -c "import json,sys; o=[json.loads(l) for l in sys.stdin]; assert $1, o"; }
# expect CODE TEXT ARG...: exit code, text on stderr
expect() {
    local code=$1 text=$2 got
    shift 2
    "${TERN:?}" "$@" >"$dir/out" 2>"$dir/err" </dev/null
    got=$?
    [ $got -eq "$code" ] || fail "tern $*: exit code $got, expected $code: $(cat "$dir/err")"
    [ -z "$text" ] || grep -q -- "$text" "$dir/err" || fail "tern $*: lacks '$text': $(cat "$dir/err")"
}

# --- model ---
"${TERN:?}" model info "$models/qwen3" | grep -q 'qwen3, head causal, generates' || fail "info"
"$TERN" model info "$models/bert-sentence" --json | json "o[0]['dim'] == 7 and o[0]['embeds']" ||
    fail "info --json"
for m in llama3 mistral qwen2 qwen3 gemma3 llama-score bert-pairs xlmr-masked; do
    "$TERN" model verify "$models/$m" "$models/$m/expected.safetensors" -w f32 --json |
        json "o[0]['passed'] and o[0]['tolerance'] == 1e-4" || fail "verify $m"
done
expect 1 "" model verify "$models/llama3" "$models/llama3/expected.safetensors" --tolerance 1e-9
grep -q FAILED "$dir/out" || fail "a failed verification says so"
expect 1 "not the shape" model verify "$models/llama3" "$models/gemma3/expected.safetensors"
"$TERN" model convert "$models/llama3" "$dir/f32" --type f32 -q || fail "convert"
"$TERN" model quantize "$models/llama3" "$dir/int8" -q || fail "quantize"
for m in f32 int8; do
    "$TERN" model verify "$dir/$m" "$models/llama3/expected.safetensors" -w int8 >/dev/null ||
        fail "verify the $m copy"
done
expect 1 "exists" model quantize "$models/llama3" "$dir/int8"
expect 1 "config.json" model info "$dir/nowhere"
expect 2 "no action 'polish'" model polish "$models/llama3"
expect 2 "none of bf16, f32" model info "$models/llama3" --weights f16

# --- generate ---
a=$("$TERN" generate "$models/llama3" 'hello tern' -m 20 -t 1 --seed 7) || fail "generate"
[ "$a" = "$("$TERN" generate "$models/llama3" 'hello tern' -m 20 -t 1 --seed 7)" ] ||
    fail "the same seed gives other text"
[ "$a" = "$(printf 'hello tern' | "$TERN" generate "$models/llama3" -m 20 -t 1 --seed 7)" ] ||
    fail "a prompt from standard input"
printf 'hello\n\na bird\n' | "$TERN" generate "$models/llama3" --lines -n 2 -m 9 -t 1 --json |
    json "len(o) == 4 and [x['prompt'] for x in o] == [0, 0, 1, 1] and all(len(x['tokens']) == len(x['log_probs']) > 0 for x in o)" ||
    fail "generate --lines --json"
expect 2 "does not generate" generate "$models/bert-pairs" hello
expect 2 "no tokenizer" generate "$models/qwen3" hello
expect 1 "context of 64" generate "$models/llama3" "$(printf 'a%.0s' {1..80})"
expect 2 "empty" generate "$models/llama3"
expect 1 "template\|chat" generate "$models/llama3" --chat hello
expect 2 "--top-p must be" generate "$models/llama3" hello --top-p 0
expect 2 "need --chat" generate "$models/llama3" hello --system x
expect 2 "too few" generate

# --- embed ---
printf 'a c b\nz\n' | "$TERN" embed "$models/bert-sentence" |
    json "len(o) == 2 and len(o[0]['embedding']) == 7 and abs(sum(x * x for x in o[1]['embedding']) - 1) < 1e-3" ||
    fail "embed"
printf '{"text":"a c b"}\n{"text":"z"}\n' >"$dir/t.jsonl"
"$TERN" embed "$models/bert-sentence" "$dir/t.jsonl" -f text -o "$dir/v.npy" -q || fail "embed -o"
python3 - "$dir/v.npy" <<'END' || fail "the NumPy array"
import ast, struct, sys
b = open(sys.argv[1], "rb").read()
assert b[:8] == b"\x93NUMPY\x01\x00"
n = struct.unpack("<H", b[8:10])[0]
h = ast.literal_eval(b[10:10 + n].decode())
assert (10 + n) % 64 == 0 and h["shape"] == (2, 7) and h["descr"] == "<f4"
assert len(b) == 10 + n + 4 * 14
END
expect 2 "no prompt 'quarry'" embed "$models/bert-sentence" "$dir/t.jsonl" -p quarry
expect 1 'no string member "body"' embed "$models/bert-sentence" "$dir/t.jsonl" -f body
expect 2 "modules.json" embed "$models/llama3" "$dir/t.jsonl"
expect 1 "no texts" embed "$models/bert-sentence"
echo ok
