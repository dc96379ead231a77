#!/usr/bin/env bash
# Build the fuzz targets with libFuzzer, ASan and UBSan, and run each for a while.
#   scripts/fuzz.sh [SECONDS] [NAME...]     default 60 s each, all targets
# New inputs are kept in build/fuzz/corpus/NAME; a crashing input goes to build/fuzz/crashes.
set -uo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
shift || true

mkdir -p build/fuzz/crashes
log=build/fuzz/build.log
if ! { cmake --preset fuzz && cmake --build --preset fuzz; } >"$log" 2>&1; then
    grep -E 'error|FAILED' "$log" | head -n 20
    echo "fuzz build: FAILED"
    exit 1
fi
status=0
for target in build/fuzz/tests/fuzz_*; do
    [ -f "$target" ] && [ -x "$target" ] || continue
    name=$(basename "$target")
    [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
    mkdir -p "build/fuzz/corpus/$name"
    folders=("build/fuzz/corpus/$name")
    [ -d "tests/fuzz/seeds/$name" ] && folders+=("tests/fuzz/seeds/$name")
    if LSAN_OPTIONS=suppressions=tests/lsan.supp "$target" -max_total_time="$seconds" -timeout=10 \
        -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="build/fuzz/crashes/$name-" \
        "${folders[@]}" >"build/fuzz/$name.log" 2>&1; then
        echo "$name: clean, $(sed -n 's/stat::number_of_executed_units: *//p' "build/fuzz/$name.log") runs"
    else
        echo "$name: FAILED, see build/fuzz/$name.log"
        tail -n 30 "build/fuzz/$name.log"
        status=1
    fi
done
exit $status
