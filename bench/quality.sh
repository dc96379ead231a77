#!/usr/bin/env bash
# The quality table: BM25, dense, hybrid and the search agent on public question sets.
#   bench/quality.sh DATA [OUT]      DATA holds hotpotqa/, musique/, beir_scifact/, nq_gold/, ...
#                                    (the layout of `tern convert`: corpus.jsonl, questions, qrels)
# Indexes go to OUT (default build/quality) and are reused; one JSON line per measurement is printed
# and appended to OUT/results.jsonl. These are final measurements: choose settings on training sets.
set -euo pipefail
data=${1:?usage: bench/quality.sh DATA [OUT]}
cd "$(dirname "$0")/.."
out=${2:-build/quality}
tern=${TERN:-build/release/tern}
mkdir -p "$out"

# name, corpus, pool ("" = all), questions, qrels
sets=(
    "hotpotqa|hotpotqa/corpus.jsonl.gz|test|hotpotqa/questions.test.jsonl.gz|hotpotqa/qrels.test.trec"
    "musique|musique/corpus.jsonl.gz|test|musique/questions.test.jsonl|musique/qrels.test.trec"
    "2wiki|2wikimultihopqa_train/corpus.jsonl.gz||2wikimultihopqa_train/questions.train.jsonl|2wikimultihopqa_train/qrels.train.trec"
    "scifact|beir_scifact/corpus.jsonl.gz||beir_scifact/questions.test.jsonl|beir_scifact/qrels.test.trec"
    "nq|nq_gold/corpus.jsonl.gz||nq_gold/questions.dev.jsonl.gz|nq_gold/qrels.dev.trec"
)

for set in "${sets[@]}"; do
    IFS='|' read -r name corpus pool questions qrels <<<"$set"
    [ -f "$data/$corpus" ] || { echo "skipped $name: no $corpus" >&2; continue; }
    if [ ! -f "$out/$name.tern/manifest.json" ]; then
        mkdir -p "$out/$name"
        if [ -n "$pool" ]; then # one object per line; `pool` lists the question sets a passage serves
            gzip -dc "$data/$corpus" | grep "\"pool\":\[[^]]*\"$pool\"" >"$out/$name/corpus.jsonl"
        else
            gzip -dc "$data/$corpus" >"$out/$name/corpus.jsonl"
        fi
        "$tern" index -q "$out/$name.tern" "$out/$name/corpus.jsonl"
    fi
    common=("$out/$name.tern" --queries "$data/$questions" --qrels "$data/$qrels" -q --json)
    for setting in "bm25" "bm25 --k1 0.9 --b 0.4" "dense" "hybrid"; do
        # shellcheck disable=SC2086
        result=$("$tern" eval "${common[@]}" --mode $setting)
        echo "{\"set\":\"$name\",\"setting\":\"$setting\",\"result\":$result}"
    done
    case $name in hotpotqa | musique | 2wiki)
        result=$("$tern" eval "${common[@]}" --agent --answers)
        echo "{\"set\":\"$name\",\"setting\":\"agent\",\"result\":$result}"
        ;;
    esac
done | tee -a "$out/results.jsonl"
