#!/bin/bash
# A quotation mark in a question of `tern eval` is punctuation; in `tern search` it asks for a phrase.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat > "$dir/corpus.jsonl" <<'JSON'
{"id":"a","title":"Grey Wing","text":"A novel by Ada Hill."}
{"id":"b","title":"Ada Hill","text":"The author of novels was born in Lund."}
{"id":"c","title":"Terns","text":"Birds of the coast."}
JSON
echo '{"id":"q","question":"Where was the author of the novel \"Grey Wing\" born?"}' > "$dir/q.jsonl"
printf 'q 0 a 1\nq 0 b 1\n' > "$dir/qrels"
"$TERN" index -q "$dir/ix" "$dir/corpus.jsonl" --embedder none
"$TERN" eval -q "$dir/ix" --queries "$dir/q.jsonl" --qrels "$dir/qrels" --json | grep -q '"recall@2":1.0' ||
    { echo "the quoted title shut out the second passage"; exit 1; }
n=$("$TERN" search "$dir/ix" 'author "grey wing"' --json | grep -o '"rank"' | wc -l)
[ "$n" = 1 ] || { echo "the phrase matched $n passages, expected 1"; exit 1; }
