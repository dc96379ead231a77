#!/usr/bin/env bash
# Compare the ids of `tern tokenizer` with others' on 10,000 lines of mixed scripts.
#   bench/compare_tokenizers.sh TEXT [TOKENIZER.JSON...]
# TEXT, lines or JSON lines, is mixed into the lines and trains two SentencePiece models (Unigram, and
# BPE with byte fallback), whose reference is spm_encode. For each byte-level tokenizer.json the
# reference is bench/bpe_reference.py. TERN names the program (default: build/release/tern).
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,6s/^# \?//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
tern=${TERN:-$here/../build/release/tern}
text=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 "$here/tokenizer_lines.py" 10000 "$text" >"$work/lines"
{ head -c 3000000 "$text" | iconv -c -f utf-8 -t utf-8; echo; head -n 3000 "$work/lines"; } >"$work/train"
status=0
report() { # NAME REFERENCE OURS
    local n
    n=$(diff "$2" "$3" | grep -c '^<' || true)
    echo "$1: $n of $(wc -l <"$2") lines differ"
    [ "$n" -eq 0 ] || status=1
}

for type in unigram bpe; do
    options=(--character_coverage=0.98 --minloglevel=2)
    [ $type = bpe ] && options+=(--byte_fallback --normalization_rule_name=identity --remove_extra_whitespaces=false)
    spm_train --input="$work/train" --model_prefix="$work/$type" --model_type=$type --vocab_size=8000 "${options[@]}"
    spm_encode --model="$work/$type.model" --output_format=id <"$work/lines" >"$work/theirs"
    "$tern" tokenizer encode --plain "$work/$type.model" "$work/lines" >"$work/ours"
    report "SentencePiece $type" "$work/theirs" "$work/ours"
done
for json in "$@"; do
    python3 "$here/bpe_reference.py" "$json" <"$work/lines" >"$work/theirs"
    "$tern" tokenizer encode --plain --no-special "$json" "$work/lines" >"$work/ours"
    report "$json" "$work/theirs" "$work/ours"
done
exit $status
