#!/usr/bin/env bash
# `tern questions` and `tern train`: from a folder of documents to a searcher trained on them.
set -u
fail() { echo "FAILED: $*" >&2; exit 1; }
tern=${TERN:?}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
ln -s "${TERN_SOURCE_DIR:?}/corpora/skerravoe/docs" "$dir/docs"
cd "$dir" || exit 1

"$tern" index -q ix docs --embedder none || fail "index"
"$tern" questions ix -n 60 -o q.jsonl >out || fail "questions"
grep -q '60 questions' out || fail "not 60 questions: $(cat out)"
[ "$(wc -l <q.jsonl)" = 60 ] || fail "not a question a line"
"$tern" questions ix -n 60 | cmp - q.jsonl || fail "questions to stdout differ"

"$tern" train ccs ix q.jsonl --dry-run -o none >out 2>/dev/null || fail "dry run"
grep -q 'rollouts/s here: about' out || fail "no forecast: $(cat out)"
[ ! -e none ] || fail "a dry run left files"

train() { "$tern" train ccs ix q.jsonl --steps 4 --batch 4 --group 4 --checkpoint 1 -q "$@"; }
train -o whole --json >result || fail "train"
grep -q '"step":4' result || fail "no result: $(cat result)"
for f in policy.json metrics.jsonl report.html result.json events.out.tfevents.tern; do
    [ -s "whole/$f" ] || fail "no $f"
done
grep -q '</svg>' whole/report.html || fail "report without curves"

# kill -9 at some moment, again and again, then to the end: the same policy
for i in 1 2 3; do
    train -o parts --threads "$i" >/dev/null 2>&1 &
    pid=$!
    for _ in $(seq 100); do [ -e parts/checkpoint.bin ] && break; sleep 0.02; done
    kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
done
train -o parts >/dev/null || fail "going on"
cmp whole/policy.json parts/policy.json || fail "killed runs end elsewhere"

# Ctrl-C: says where it stopped, exits with 130, and the same command ends with the same policy
set -m # else the shell has background commands ignore it
"$tern" train ccs ix q.jsonl --steps 100 --batch 4 --group 4 --checkpoint 1 -q -o stopped \
    >/dev/null 2>err &
pid=$!
set +m
for _ in $(seq 500); do [ -e stopped/checkpoint.bin ] && break; sleep 0.02; done
kill -INT "$pid"
wait "$pid"
[ $? = 130 ] || fail "Ctrl-C does not exit with 130"
grep -q 'goes on from there' err || fail "Ctrl-C does not say how to go on: $(cat err)"
train --steps 100 -o unstopped >/dev/null || fail "100 steps"
train --steps 100 -o stopped >/dev/null || fail "going on after Ctrl-C"
cmp unstopped/policy.json stopped/policy.json || fail "a stopped run ends elsewhere"

# a full disk at a checkpoint: an error with the file's name, the old checkpoint stands
train -o full >/dev/null || fail "train"
(trap '' XFSZ; ulimit -f 1; train --steps 8 -o full >/dev/null 2>err) && fail "a full disk went unnoticed"
grep -q 'full/' err || fail "the full disk is not named: $(cat err)"
train -o full >/dev/null && cmp whole/policy.json full/policy.json || fail "the full disk spoilt the run"

# traces: complete, and the same whatever the threads and however often it was stopped
train --trace 1 -o told --threads 1 >/dev/null || fail "train --trace"
[ "$(grep -c '"event":"rollout"' told/rollouts.jsonl)" = 64 ] || fail "not 4 x 4 x 4 rollouts"
[ "$(grep -c '"event":"question"' told/rollouts.jsonl)" = 64 ] || fail "not 64 episodes"
for steps in 1 3; do train --trace 1 --steps $steps -o retold >/dev/null || fail "part of a run"; done
echo 'a torn line' >>retold/rollouts.jsonl
train --trace 1 -o retold >/dev/null || fail "going on with traces"
cmp told/rollouts.jsonl retold/rollouts.jsonl || fail "traces of a stopped run differ"

"$tern" ask ix --policy whole/policy.json -q 'Who founded Camp Lantern?' >out || fail "ask --policy"
"$tern" eval ix --queries q.jsonl --agent --policy whole/policy.json --json -q >out ||
    fail "eval --policy"
grep -q 'whole/policy.json' out || fail "eval does not say whose figures: $(cat out)"

refused() { # refused CODE WHAT COMMAND...: exits with the code and says what
    local code=$1 what=$2
    shift 2
    "$@" >out 2>err
    [ $? = "$code" ] || fail "$*: exit code is not $code"
    grep -q -- "$what" err || fail "$*: stderr lacks '$what': $(cat err)"
}
: >empty.jsonl
echo '{"reward": "praise"}' >praise.json
echo '{"features"' >broken.json
echo '{"id":"1","question":"Wie tief ist der Graben bei Korran?"}' >one.jsonl
refused 2 'no questions' "$tern" train ccs ix empty.jsonl -o r
refused 2 'no reward "praise"' "$tern" train ccs ix q.jsonl -r praise.json -o r
refused 1 'broken.json' "$tern" train ccs ix q.jsonl -r broken.json -o r
refused 1 'broken.json' "$tern" train ccs ix q.jsonl --start broken.json -o r
refused 2 'needs questions with' "$tern" train ccs ix one.jsonl --reward gold-recall -o r
refused 1 'another run' "$tern" train ccs ix q.jsonl --seed 9 -o whole
refused 2 'no method' "$tern" train nothing q.jsonl
refused 2 'not embedded, llm, a policy file or the folder of a model' "$tern" ask ix --policy none.json who
refused 1 'broken.json' "$tern" ask ix --policy broken.json who
refused 4 'nowhere' "$tern" train ccs nowhere q.jsonl
"$tern" train ccs ix one.jsonl --steps 2 -o one -q >out || fail "one question in another language"

# documents that answer none of the questions: a warning, and weights that stay where they were
echo 'Bread is baked from flour and water.' >bread.txt
"$tern" index -q bread bread.txt --embedder none || fail "index"
"$tern" train ccs bread q.jsonl --steps 2 -o bread.run >out 2>err || fail "a corpus without answers"
grep -q 'supporting passages of the questions are not in this index' err || fail "no warning: $(cat err)"
grep -q '32 of 32 groups without spread dropped' out || fail "bread taught something: $(cat out)"
refused 2 'needs questions with' "$tern" train ccs bread q.jsonl --reward gold-recall -o r

cat >names.jsonl <<'END'
{"id":"1","tokens":["Yesterday","Ada","Quill","saw","grenvik"],"tags":["O","B-PER","I-PER","O","B-LOC"]}
{"id":"2","question":"Who was Lord Harrow?","entities":[{"start":8,"end":19,"type":"PER"}]}
END
"$tern" train mask names.jsonl >out || fail "train mask"
grep -Eq '^names.jsonl +3 +66.7 ' out || fail "not two of three: $(cat out)"
grep -Eq '^  PER +2 +100.0 ' out || fail "people: $(cat out)"
"$tern" train mask names.jsonl --lower --titles ix --json >out || fail "train mask --json"
grep -q '"marked":3' out || fail "train mask --json: $(cat out)"
refused 2 'too few arguments' "$tern" train mask
refused 1 'q.jsonl:1' "$tern" train mask q.jsonl
refused 4 'nowhere' "$tern" train mask names.jsonl --titles nowhere

"$tern" train split q.jsonl --dev 10 -o split >out || fail "split"
[ "$(wc -l <split/dev.jsonl)" = 10 ] && [ "$(wc -l <split/train.jsonl)" = 50 ] || fail "not 10 + 50"
head -40 q.jsonl >own.jsonl && tail -20 q.jsonl >test.jsonl
"$tern" train split own.jsonl test.jsonl --dev 10 -o marked >out 2>err # templates may share words
[ "$(grep -c '"dev"' marked/splits.jsonl)" = 10 ] || fail "not 10 questions marked as dev"
"$tern" eval ix --queries marked/dev.jsonl --splits marked/splits.jsonl -q >out || fail "eval of dev"
refused 2 '20 questions are test' "$tern" eval ix --queries test.jsonl --splits marked/splits.jsonl
refused 2 '20 questions are test' "$tern" eval ix --queries test.jsonl --splits marked/splits.jsonl \
    --agent
refused 2 'needs --splits' "$tern" eval ix --queries test.jsonl --final
refused 1 'q.jsonl:1' "$tern" eval ix --queries test.jsonl --splits q.jsonl
"$tern" eval ix --queries test.jsonl --splits marked/splits.jsonl --final -q >out || fail "--final"
sample() { "$tern" eval ix --queries q.jsonl --agent --temperature 1 --json -q "$@" | sed 's/"seconds":[^,]*//'; }
sample --seed 3 >a && sample --seed 3 >b && sample --seed 4 >c || fail "eval --temperature"
cmp -s a b || fail "a seed does not decide the sample"
cmp -s a c && fail "two seeds, one sample"
"$tern" train split q.jsonl q.jsonl --dev 10 -o split >out 2>err && fail "a leak went unnoticed"
grep -q 'share 8 words' err || fail "the leak is not named: $(cat err)"
exit 0
