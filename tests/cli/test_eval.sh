#!/usr/bin/env bash
# `tern eval`: figures worked out by hand, files in and out, warnings, and the demo corpus.
set -u
fail() { echo "FAILED: $*" >&2; exit 1; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
json() { python3 -c "import json,sys; d=json.load(sys.stdin); sys.exit(0 if ($1) else 1)"; }

printf '%s\n' '{"id":"a","title":"","text":"red fox jumps"}' '{"id":"b","title":"","text":"blue whale dives deep"}' \
    '{"id":"c","title":"","text":"red red rose"}' >corpus.jsonl
printf '%s\n' '{"id":"q1","question":"red","answers":["a fox"],"supporting":["a","c"]}' \
    '{"id":"q2","question":"whale","answers":["Blue"],"supporting":["b"]}' \
    '{"id":"q3","question":"zeppelin","supporting":["b"]}' \
    '{"id":"q4","question":"not judged"}' >q.jsonl
"${TERN:?}" index ix corpus.jsonl -q >/dev/null || fail "index"

# q1: both of 2; q2: the one; q3: nothing found; q4: left out.
"$TERN" eval ix --queries q.jsonl -k 1,2 --json 2>err >out.json || fail "eval: $(cat err)"
grep -q '1 queries are not judged' err || fail "unjudged queries are told: $(cat err)"
json 'd["n_queries"] == 3 and abs(d["recall@1"] - 0.5) < 1e-6 and abs(d["recall@2"] - 2/3) < 1e-6' <out.json ||
    fail "recall: $(cat out.json)"
json 'abs(d["p@2"] - 0.5) < 1e-6 and abs(d["map"] - 2/3) < 1e-6 and abs(d["mrr@1"] - 2/3) < 1e-6' <out.json ||
    fail "p, map, mrr"
json 'abs(d["ndcg@2"] - 2/3) < 1e-6 and abs(d["all_supporting"] - 2/3) < 1e-6' <out.json || fail "ndcg, all"
json 'd["corpus_passages"] == 3 and len(d["corpus_hash"]) == 32 and "supporting_recall" in d' <out.json ||
    fail "corpus size and hash"

# Judgements from a file, TREC or BEIR, plain or gzipped; ids that the index lacks are counted.
printf 'q1 0 a 2\nq1 0 c 1\nq2 0 gone 1\nq9 0 a 1\n' >qrels.trec
printf 'query-id\tcorpus-id\tscore\nq1\ta\t2\nq1\tc\t1\nq2\tgone\t1\nq9\ta\t1\n' | gzip >qrels.tsv.gz
gzip -k q.jsonl
for qrels in qrels.trec qrels.tsv.gz; do
    "$TERN" eval ix --queries q.jsonl.gz --qrels $qrels --json 2>err >out.json || fail "$qrels"
    json 'd["n_missing_docs"] == 1 and d["n_queries"] == 2' <out.json || fail "$qrels: $(cat out.json)"
    grep -q "1 of 3 judged documents are not in the index, e.g. 'gone'" err || fail "$qrels: warning"
done

# A run written is a run read: the same figures, for any number of threads.
"$TERN" eval ix --queries q.jsonl --run one.run --threads 1 --json -q 2>/dev/null >a.json || fail "--run"
"$TERN" eval ix --queries q.jsonl --run three.run --threads 3 --json -q >/dev/null 2>&1 || fail "--threads"
cmp -s one.run three.run || fail "the run depends on the number of threads"
"$TERN" eval --from-run one.run --queries q.jsonl --json -q 2>/dev/null >b.json || fail "--from-run"
python3 - <<'END' || fail "a run read back gives other figures"
import json
a, b = json.load(open("a.json")), json.load(open("b.json"))
keys = [k for k in a if "@" in k or k in ("map", "supporting_recall")]
assert len(keys) > 20
for k in keys:
    # q3 found nothing, so its run has no line for it: judged all the same
    assert abs(a[k] - b[k]) < 1e-9, k
END
"$TERN" eval --from-run one.run --qrels qrels.trec 2>err | grep -q '^ndcg' || fail "the table for people"
grep -q '1 judged queries are not in the run' err || fail "missing queries are told"
"$TERN" eval ix --queries q.jsonl --compare one.run --json -q 2>/dev/null |
    json 'd["compare"]["ndcg@10"]["diff"] == 0 and d["compare"]["map"]["p"] == 1' || fail "--compare"

# Answers from a file.
printf '%s\n' '{"id":"q1","answer":"the fox!"}' '{"id":"q2","prediction":"blue whale"}' >answers.jsonl
"$TERN" eval ix --queries q.jsonl --predictions answers.jsonl --json -q 2>/dev/null |
    json 'abs(d["em"] - 0.5) < 1e-6 and abs(d["f1"] - (1 + 2/3) / 2) < 1e-6 and d["n_answers"] == 2' ||
    fail "--predictions"

# A document of several passages counts by its best one.
python3 - >long.jsonl <<'END'
import json
print(json.dumps({"id": "long", "title": "L", "text": "filler words here. " * 900 + "The zebra hides."}))
print(json.dumps({"id": "other", "title": "O", "text": "no animal"}))
END
echo '{"id":"z","question":"zebra","supporting":["long"]}' >z.jsonl
"$TERN" index long.ix long.jsonl -q >/dev/null || fail "index of long documents"
"$TERN" eval long.ix --queries z.jsonl --run z.run --json | json 'd["mrr@1"] == 1 and d["corpus_passages"] > 2' ||
    fail "best passage"
grep -q '^z Q0 long 1 ' z.run || fail "the run names documents: $(cat z.run)"

# The agent: the passages it collects, resumable, with judgements from either place; its answers.
"$TERN" eval ix --queries q.jsonl --agent --results done.jsonl --json -q >a.json 2>/dev/null || fail "--agent"
json 'd["supporting_recall"] > 0.6 and d["bm25_all_supporting"] > 0.6 and {"em", "f1", "auroc"} <= set(d)' <a.json ||
    fail "--agent: $(cat a.json)"
"$TERN" eval ix --queries q.jsonl --agent --results done.jsonl --threads 3 --json -q >b.json 2>/dev/null ||
    fail "--agent again"
json 'd["n_resumed"] == 4' <b.json || fail "--results resumes: $(cat b.json)"
python3 -c 'import json; a, b = (json.load(open(f)) for f in ("a.json", "b.json"));
assert all(a[k] == b[k] for k in a if k not in ("n_resumed", "seconds")), (a, b)' || fail "resumed figures differ"
"$TERN" eval ix --queries q.jsonl --qrels qrels.trec --agent --json -q 2>/dev/null |
    json 'd["n_queries"] == 2' || fail "--agent with --qrels"
"$TERN" eval ix --queries q.jsonl --agent 2>/dev/null | grep -q '^BM25 top 12' || fail "the agent's table"
"$TERN" eval ix --queries q.jsonl --answers --json -q 2>/dev/null |
    json 'd["n_answers"] == 2 and 0 <= d["em"] <= d["f1"] <= 1 and "ndcg@10" in d' || fail "--answers"

# What cannot work is said before anything is searched.
refused() { # CODE TEXT ARG...
    local code=$1 text=$2
    shift 2
    "$TERN" eval "$@" >out 2>err
    [ $? -eq "$code" ] || fail "eval $*: exit code, expected $code: $(cat err)"
    grep -q -- "$text" err || fail "eval $*: message lacks '$text': $(cat err)"
}
refused 2 'needs DIR and --queries' ix
refused 2 "not a list such as" ix --queries q.jsonl -k 1,,2
refused 2 "not a list such as" ix --queries q.jsonl -k 0
refused 2 'need --agent' ix --queries q.jsonl --oracle
refused 2 'give one' ix --queries q.jsonl --answers --predictions answers.jsonl
refused 2 'need DIR and' --agent --from-run one.run --qrels qrels.trec
refused 4 'no index' nowhere --queries q.jsonl
refused 1 'gone.jsonl' ix --queries gone.jsonl
refused 1 'corpus.jsonl:1: expected 4 columns' ix --queries q.jsonl --qrels corpus.jsonl
echo '{"id":"x","question":"x"}' >unjudged.jsonl
refused 1 'nothing is judged' ix --queries unjudged.jsonl
refused 1 'no query is both judged and asked' ix --queries unjudged.jsonl --qrels qrels.trec
refused 1 "no question has the id 'zz'" ix --queries q.jsonl --predictions <(echo '{"id":"zz","answer":"x"}')

# The demo corpus, from its own folder: paths are ids.
cd "${TERN_SOURCE_DIR:?}" || exit 1
"$TERN" index "$dir/demo.ix" corpora/skerravoe/docs -q >/dev/null || fail "index the demo corpus"
"$TERN" eval "$dir/demo.ix" --queries corpora/skerravoe/questions.jsonl --qrels corpora/skerravoe/qrels.trec \
    --mode bm25 --json | json 'd["n_missing_docs"] == 0 and d["recall@10"] > 0.7' || fail "demo corpus"
echo ok
