#!/usr/bin/env bash
# The main job in one command: install what is needed, build, index the Skerravoe corpus and ask it.
#   scripts/demo.sh                     three questions
#   scripts/demo.sh "your question"     your own, of the same corpus
#   scripts/demo.sh DIR "question"      of your own documents
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install-deps.sh

tern=build/release/tern
mkdir -p build
if ! { cmake --preset release -DTERN_TESTS=OFF -DTERN_BENCH=OFF && cmake --build --preset release --target tern; } \
    >build/demo.log 2>&1; then
    tail -n 30 build/demo.log
    echo "the build failed; the whole log is build/demo.log" >&2
    exit 1
fi

documents=corpora/skerravoe/docs
index=build/skerravoe.tern
if [ $# -ge 2 ]; then
    documents=$1
    index=build/$(basename "$documents").tern
    shift
fi
"$tern" index "$index" "$documents"

questions=("$@")
[ $# -eq 0 ] && questions=(
    "Where was the present leader of Corvin Dome Station born?"
    "Where was the founder of the Halyard Line born?"
    "Which was founded first, Pellmouth or Varnwick?"
)
for question in "${questions[@]}"; do
    printf '\n$ tern ask %s "%s"\n' "$index" "$question"
    "$tern" ask "$index" "$question"
done
