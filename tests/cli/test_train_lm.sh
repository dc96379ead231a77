#!/usr/bin/env bash
# `tern train lm`: from texts to a model that generates; killed, interrupted, out of disk; wrong input.
set -u
fail() { echo "FAILED: $*" >&2; exit 1; }
tern=${TERN:?}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1

cat "${TERN_SOURCE_DIR:?}"/corpora/skerravoe/docs/*/*.md >corpus.txt
"$tern" tokenizer train corpus.txt --vocab 500 -o small.model -q >/dev/null || fail "tokenizer train"
cat >recipe.json <<'EOF'
{"task": "pretrain", "tokenizer": "small.model", "data": "corpus.txt", "held_out": 8,
 "model": {"model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
           "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
           "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": true},
 "context": 32, "batch": 4, "lr": 0.01, "steps": 30, "validate_every": 10, "checkpoint_every": 5}
EOF
losses() { grep -o '"step":[0-9]*\|"[a-z]*/loss":[0-9.e-]*' "$1/metrics.jsonl"; }
train() { "$tern" train lm recipe.json -q "$@"; }

"$tern" train lm --defaults | grep -q '^lr  *0.0003' || fail "no table of defaults"
train --dry-run -o dry >out || fail "dry run: $(cat out)"
grep -q 'for the whole run' out || fail "no forecast: $(cat out)"
[ ! -e dry/model ] || fail "a dry run left a model"

train -o whole --json >result || fail "train"
grep -q '"step":30' result || fail "no result: $(cat result)"
for f in recipe.json metrics.jsonl report.html result.json events.out.tfevents.tern \
    model/config.json model/model.safetensors model/tokenizer.model; do
    [ -s "whole/$f" ] || fail "no $f"
done
grep -q '</svg>' whole/report.html || fail "report without curves"
"$tern" generate whole/model 'The island' -m 5 -t 0 -q >out || fail "generate: the model does not load"
[ "$(ls whole/checkpoints | wc -l)" = 2 ] || fail "not two checkpoints kept: $(ls whole/checkpoints)"

# kill -9 at some moment, again and again, then to the end: the same losses and the same weights
for i in 1 2 3; do
    "$tern" train lm recipe.json -q -o parts --threads "$i" >/dev/null 2>&1 & # no function: its own pid
    pid=$!
    for _ in $(seq 100); do ls parts/checkpoints/*.safetensors >/dev/null 2>&1 && break; sleep 0.02; done
    sleep 0.0$i
    kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
done
train -o parts >/dev/null || fail "going on"
cmp <(losses whole) <(losses parts) || fail "killed runs have other losses"
cmp whole/model/model.safetensors parts/model/model.safetensors || fail "killed runs end elsewhere"

# Ctrl-C: 130, a checkpoint, and the way to go on
"$tern" train lm recipe.json -q -o stopped --steps 100000 >/dev/null 2>err &
pid=$!
for _ in $(seq 200); do [ -s stopped/metrics.jsonl ] && break; sleep 0.05; done
kill -INT "$pid"
wait "$pid"
[ $? = 130 ] || fail "Ctrl-C: not 130: $(cat err)"
grep -q 'the same command goes on' err || fail "Ctrl-C: not said how to go on: $(cat err)"
ls stopped/checkpoints/*.safetensors >/dev/null || fail "Ctrl-C: no checkpoint"

# a full disk at a checkpoint: an error with the file's name, the old checkpoint stands
cp -r parts full && rm -r full/model
before=$(cksum full/checkpoints/*)
(trap '' XFSZ; ulimit -f 20; "$tern" train lm recipe.json -q -o full2 >/dev/null 2>err) && fail "a full disk went unnoticed"
grep -q 'full2/' err || fail "the full disk is not named: $(cat err)"
(trap '' XFSZ; ulimit -f 20; train -o full >/dev/null 2>err) && fail "a full disk went unnoticed at the end"
[ "$before" = "$(cksum full/checkpoints/*)" ] || fail "the full disk spoilt the checkpoints"
train -o full >/dev/null && cmp whole/model/model.safetensors full/model/model.safetensors ||
    fail "the full disk spoilt the run"

# tokens apart from the run
"$tern" train tokens recipe.json -o corpus.tokens >out || fail "tokens"
grep -q 'bytes a token' out || fail "tokens: $(cat out)"
train corpus.tokens -o apart >/dev/null || fail "training on a token file"
cmp <(losses whole) <(losses apart) || fail "a token file changes the losses"

refused() { # refused CODE WHAT COMMAND...: exits with the code and says what
    local code=$1 what=$2
    shift 2
    "$@" >out 2>err
    [ $? = "$code" ] || fail "$*: exit code is not $code: $(cat err)"
    grep -q -- "$what" err || fail "$*: stderr lacks '$what': $(cat err)"
}
head -c 2000 corpus.tokens >cut.tokens
echo '{"text": 5}' >bad.jsonl
echo '{"task"' >broken.json
: >empty.txt
refused 1 'broken.json' "$tern" train lm broken.json
refused 4 'cut.tokens' "$tern" train lm recipe.json cut.tokens -o r
refused 1 'bad.jsonl:1: "text" is missing' "$tern" train lm recipe.json bad.jsonl -o r
refused 2 'no text in it' "$tern" train lm recipe.json empty.txt -o r
refused 1 'has no member "speed"; there are task' "$tern" train lm recipe.json --set speed=9 -o r
refused 2 'lr is 50' "$tern" train lm recipe.json --lr 50 -o r
refused 2 'another run' "$tern" train lm recipe.json --seed 9 -o whole
refused 2 'NAME=VALUE' "$tern" train lm recipe.json --set speed -o r
refused 2 'needs -o FILE' "$tern" train tokens recipe.json
exit 0
