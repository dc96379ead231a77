#!/usr/bin/env bash
# `tern convert`: each published layout, made small by hand, comes out as it should.
set -u
fail() { echo "FAILED: $*" >&2; exit 1; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1

convert() { "${TERN:?}" convert -q --json "$@" -o out >report || fail "convert $*"; }
# expect NAME FILE TEXT: the file is exactly the text
expect() { printf '%s\n' "$3" | diff - "out/$2" >&2 || fail "$1: $2"; }
report_has() { grep -q "$1" report || fail "report lacks $1: $(cat report)"; }

cat >squad.json <<'END'
{"version": "v2.0", "data": [{"title": "Two_Birds", "paragraphs": [
 {"context": " Terns fly far. ", "qas": [
  {"id": "a", "question": "Who flies?", "answers": [{"text": "Terns", "answer_start": 1},
   {"text": "Terns", "answer_start": 1}, {"text": "terns", "answer_start": 1}]},
  {"id": "b", "question": "Who swims?", "is_impossible": true, "answers": []}]}]}]}
END
convert squad squad.json
expect squad corpus.jsonl '{"id":"p1","title":"Two Birds","text":"Terns fly far."}'
expect squad questions.jsonl '{"id":"a","question":"Who flies?","answers":["Terns","terns"],"supporting":["p1"]}
{"id":"b","question":"Who swims?","answers":[],"supporting":[]}'
expect squad qrels.trec 'a 0 p1 1'

cat >hotpot.json <<'END'
[{"_id": "h1", "question": "Q, [one]?", "answer": "yes",
  "supporting_facts": [["A", 0], ["B", 1], ["B", 0]],
  "context": [["A", ["One.", " Two."]], ["B", ["Three.", "Four."]], ["C", ["\"}],"]]]},
 {"id": "h2", "question": "Q2", "answer": "no", "supporting_facts": {"title": ["A"], "sent_id": [0]},
  "context": {"title": ["A"], "sentences": [["One.", " Two."]]}}]
END
for format in hotpotqa 2wiki; do
    convert $format hotpot.json
    expect $format corpus.jsonl '{"id":"p1","title":"A","text":"One. Two."}
{"id":"p2","title":"B","text":"Three. Four."}
{"id":"p3","title":"C","text":"\"}],"}'
    expect $format qrels.trec 'h1 0 p1 1
h1 0 p2 1
h2 0 p1 1'
    report_has '"n_repeated":1'
done

cat >musique.jsonl <<'END'
{"id":"2hop__1","question":"Q?","answer":"x","answer_aliases":["y"],"answerable":true,"paragraphs":[{"idx":0,"title":"T","paragraph_text":"one","is_supporting":true},{"idx":1,"title":"U","paragraph_text":"two","is_supporting":false}]}
{"id":"2hop__1b","question":"Q?","answer":"x","answerable":false,"paragraphs":[{"idx":0,"title":"U","paragraph_text":"two","is_supporting":false}]}
END
gzip -k musique.jsonl
convert musique musique.jsonl.gz
expect musique questions.jsonl '{"id":"2hop__1","question":"Q?","answers":["x","y"],"supporting":["p1"]}'
report_has '"n_skipped":1'

cat >nq.jsonl <<'END'
{"example_id": 77, "question_text": "who sings", "document_url": "//x/index.php?title=A_Song&oldid=1", "document_text": "<H1> A Song </H1> <P> It 's sung ( loudly ) , by Ann . </P> <P> Other </P>", "long_answer_candidates": [{"start_token": 4, "end_token": 16, "top_level": true}, {"start_token": 16, "end_token": 19, "top_level": true}], "annotations": [{"yes_no_answer": "NONE", "long_answer": {"start_token": 4, "end_token": 16}, "short_answers": [{"start_token": 13, "end_token": 14}]}]}
{"example_id": 78, "question_text": "nobody", "document_text": "<P> x </P>", "long_answer_candidates": [], "annotations": [{"long_answer": {"start_token": -1, "end_token": -1}, "short_answers": []}]}
END
convert nq nq.jsonl
expect nq corpus.jsonl '{"id":"p1","title":"A Song","text":"It'"'"'s sung (loudly), by Ann."}
{"id":"p2","title":"A Song","text":"Other"}'
expect nq questions.jsonl '{"id":"77","question":"who sings","answers":["Ann"],"supporting":["p1"]}'

echo '[{"question":"q","answers":["x"],"positive_ctxs":[{"title":"T","text":"one","passage_id":"9"}],"negative_ctxs":[],"hard_negative_ctxs":[{"title":"T","text":"two","passage_id":"8"}]}]' >dpr.json
convert nq dpr.json
expect dpr qrels.trec 'q1 0 9 1'
echo '{"id":"k","input":"q","output":[{"answer":"x","provenance":[{"wikipedia_id":"5"},{"wikipedia_id":"5"}]}]}' >kilt.jsonl
convert nq kilt.jsonl
expect kilt questions.jsonl '{"id":"k","question":"q","answers":["x"],"supporting":["5"]}'

mkdir -p beir/qrels
echo '{"_id":"d1","title":"","text":"one","metadata":{"url":"u"}}' >beir/corpus.jsonl
printf '%s\n' '{"_id":"1","text":"first"}' '{"_id":"2","text":"second"}' >beir/queries.jsonl
printf 'query-id\tcorpus-id\tscore\n2\td1\t2\n' >beir/qrels/test.tsv
convert beir beir
expect beir corpus.jsonl '{"id":"d1","title":"","text":"one","metadata":{"url":"u"}}'
expect beir questions.jsonl '{"id":"2","question":"second","answers":[],"supporting":["d1"]}'
expect beir qrels.trec '2 0 d1 2'

mkdir own
printf '%s\n' '{"id":"a","title":"t","text":"one","pool":["test","train"]}' \
    '{"id":"b","title":"t","text":"two","pool":["train"]}' | gzip >own/corpus.jsonl.gz
echo '{"id":"q","question":"?","answers":["x"],"supporting":["a"]}' >own/questions.test.jsonl
convert tern own --pool test
expect tern corpus.jsonl '{"id":"a","title":"t","text":"one","pool":["test","train"]}'
expect tern qrels.trec 'q 0 a 1'

# Wrong input: a message, an exit code, and the outputs of before untouched.
before=$(cat out/*)
refused() { # CODE TEXT ARG...
    local code=$1 text=$2
    shift 2
    "$TERN" convert -q "$@" -o out 2>err >/dev/null
    [ $? -eq "$code" ] || fail "convert $*: exit code, expected $code"
    grep -q -- "$text" err || fail "convert $*: message lacks '$text': $(cat err)"
    [ "$(cat out/*)" = "$before" ] || fail "convert $*: outputs changed"
    [ "$(find out -name '*.tmp*')" = "" ] || fail "convert $*: temporary files left"
}
refused 2 "no format 'squid'" squid x
refused 1 'nowhere.json' squad nowhere.json
refused 1 'record 1' hotpotqa squad.json
echo '[{"_id":"a","question":"q","context":[]},' >cut.json
refused 1 'record 2' hotpotqa cut.json
printf '%s\n' '{"id":"a","question":"q","paragraphs":[]}' '{"id":"a","question":"q","paragraphs":[]}' >twice.jsonl
refused 1 "record 2: question id 'a'" musique twice.jsonl
head -c 60 musique.jsonl.gz >cut.gz
refused 1 'cut.gz' musique cut.gz
refused 1 "no passage has pool 'nope'" tern own --pool nope
refused 1 'not a JSON' nq /dev/stdin < <(echo 3)
"$TERN" convert squad squad.json 2>/dev/null
[ $? -eq 2 ] || fail "-o is required"
echo ok
