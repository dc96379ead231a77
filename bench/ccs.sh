#!/usr/bin/env bash
# The tables of docs/CCS.md: every arm from the uniform policy and label-free training from the
# hand-set one, three seeds each, then both tests, read once by each policy.
#   bench/ccs.sh DATA [OUT]     DATA holds hotpotqa/ and musique/ (the layout of `tern convert`)
# Indexes, runs and results go to OUT (default build/ccs); what is there is not made again, so a
# stopped script goes on. SEEDS="1 2 3" and ARMS="..." pick. OUT/table.txt has the rows: arm, set,
# supporting recall, all supporting, EM, F1 in percent, the mean of the seeds and in brackets the
# lowest and highest recall. OUT/dev.txt has each arm's own reward and figures on the held-out
# questions, before and after.
set -euo pipefail
data=$(cd "${1:?usage: bench/ccs.sh DATA [OUT]}" && pwd)
cd "$(dirname "$0")/.."
out=${2:-build/ccs}
tern=$(realpath "${TERN:-build/release/tern}")
read -ra seeds <<<"${SEEDS:-1 2 3}"
read -ra arms <<<"${ARMS:-ccs-lexical gold-recall gold-answer leaky queries-only ccs-cosine random}"
mkdir -p "$out/runs" "$out/eval"
cd "$out"

unpack() { # unpack FILE: to stdout, compressed or not
    if [ -f "$data/$1.gz" ]; then gzip -dc "$data/$1.gz"; else cat "$data/$1"; fi
}
pool() { # pool SET SPLIT: the passages that serve the questions of a split
    unpack "$1/corpus.jsonl" | grep "\"pool\":\[[^]]*\"$2\""
}
for set in hotpotqa musique; do
    n_dev=200
    [ $set = musique ] && n_dev=40
    [ -f $set.test.jsonl ] || unpack $set/questions.test.jsonl >$set.test.jsonl
    [ -f $set.train.jsonl ] || unpack $set/questions.train.jsonl >$set.train.jsonl
    [ -f $set/splits.jsonl ] || # exit code 1: some test question shares eight words with one of training
        "$tern" train split $set.train.jsonl $set.test.jsonl --dev $n_dev -o $set || true
    [ -f $set.passages.jsonl ] || pool $set train >$set.passages.jsonl
    if [ ! -f $set.tern/manifest.json ]; then
        pool $set test >$set.pool.jsonl
        "$tern" index -q $set.tern $set.pool.jsonl
    fi
done
[ -f train.tern/manifest.json ] ||
    "$tern" index -q train.tern hotpotqa.passages.jsonl musique.passages.jsonl
cat {hotpotqa,musique}/train.jsonl >train.jsonl
cat {hotpotqa,musique}/dev.jsonl >dev.jsonl

train() { # train NAME OPTION...
    local name=$1
    shift
    [ -f "runs/$name/result.json" ] && return
    "$tern" train ccs train.tern train.jsonl --held-out dev.jsonl -q -o "runs/$name" "$@" >&2
}
judge() { # judge NAME OPTION...: on both tests
    local name=$1 set
    shift
    for set in hotpotqa musique; do
        [ -f "eval/$name.$set.json" ] && continue
        "$tern" eval $set.tern --queries $set.test.jsonl --splits $set/splits.jsonl --final \
            --agent --answers --results "eval/$name.$set.jsonl" -q --json "$@" >"eval/$name.part"
        mv "eval/$name.part" "eval/$name.$set.json"
    done
}
# The uniform policy as a file: no group's rewards spread by 1, so its weights stay zero.
if [ ! -f runs/uniform/policy.json ]; then
    echo '{"start": "uniform", "steps": 1, "batch": 1, "group": 2, "spread_min": 1}' >uniform.json
    train uniform -r uniform.json
fi
# The hand-set weights as a file, the same way.
if [ ! -f runs/hand-set/policy.json ]; then
    echo '{"start": "hand-set", "steps": 1, "batch": 1, "group": 2, "spread_min": 1}' >hand-set.json
    train hand-set -r hand-set.json
fi
judge hand-set.1 --policy runs/hand-set/policy.json
judge embedded.1
for seed in "${seeds[@]}"; do
    judge "start.$seed" --policy runs/uniform/policy.json --temperature 1 --seed "$seed"
    train "hand-set+ccs-lexical.$seed" --start hand-set --seed "$seed"
    judge "hand-set+ccs-lexical.$seed" --policy "runs/hand-set+ccs-lexical.$seed/policy.json"
    for arm in "${arms[@]}"; do
        train "$arm.$seed" --start uniform --lr 0.05 --seed "$seed" --reward "$arm"
        judge "$arm.$seed" --policy "runs/$arm.$seed/policy.json"
    done
done

command -v jq >/dev/null || { echo "install jq for the tables" >&2; exit 1; }
for arm in start hand-set hand-set+ccs-lexical embedded "${arms[@]}"; do
    for set in hotpotqa musique; do
        jq -rs --arg arm "$arm" --arg set $set '
            def pc(f): (map(f) | add / length) * 1000 | round / 10;
            def low(f): (map(f) | min) * 1000 | round / 10;
            def high(f): (map(f) | max) * 1000 | round / 10;
            "\($arm)\t\($set)\t\(pc(.supporting_recall)) (\(low(.supporting_recall))-\(high(.supporting_recall)))\t\(pc(.all_supporting))\t\(pc(.em))\t\(pc(.f1))"
            ' "eval/$arm".[0-9]*.$set.json
    done
done | tee table.txt
for arm in hand-set+ccs-lexical "${arms[@]}"; do
    jq -rs --arg arm "$arm" --arg reward "${arm#hand-set+}" '
        def mean(f): (map(f) | add / length) * 1000 | round / 1000;
        def step(f): "\(mean(.before | f)) -> \(mean(.after | f))";
        "\($arm)\t\(step(.rewards[$reward]))\t\(step(.supporting_recall))\t\(step(.all_supporting))\t\(step(.answer_in_evidence))\t\(step(.em))\t\(step(.f1))"
        ' runs/"$arm".[0-9]*/result.json
done | tee dev.txt
