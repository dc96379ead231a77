#!/usr/bin/env bash
# Install, build and test. Ends in a line "N passed, N failed".
#   scripts/test.sh            everything: release, ASan+UBSan, TSan, fuzz targets 5 s each
#   scripts/test.sh --quick    the release tests only
# TERN_FUZZ_SECONDS=60 scripts/test.sh fuzzes longer.
set -uo pipefail
cd "$(dirname "$0")/.."
scripts/install-deps.sh --test || exit 1

passed=0
failed=0

# Build and test one preset; ctest's summary reads "P% tests passed, F tests failed out of N".
stage() {
    local preset=$1 log=build/$1.log started=$SECONDS summary n n_failed
    echo "== $preset"
    mkdir -p build
    if ! { cmake --preset "$preset" && cmake --build --preset "$preset"; } >"$log" 2>&1; then
        grep -E 'error|FAILED' "$log" | head -n 20
        failed=$((failed + 1))
        return
    fi
    echo "built in $((SECONDS - started)) s"
    ctest --preset "$preset" >"$log" 2>&1
    grep -vE ' +Passed +[0-9.]+ sec$|^ +Start +[0-9]+:' "$log"
    summary=$(grep -E 'tests passed, .* out of ' "$log" | tail -n 1)
    n=$(sed -n 's/.* out of \([0-9]*\).*/\1/p' <<<"$summary")
    n_failed=$(sed -n 's/.*passed, \([0-9]*\) tests* failed.*/\1/p' <<<"$summary")
    passed=$((passed + ${n:-0} - ${n_failed:-0}))
    failed=$((failed + ${n_failed:-1}))
}

stage release
if [ "${1:-}" != --quick ]; then
    stage asan
    stage tsan
    echo "== fuzz"
    out=$(scripts/fuzz.sh "${TERN_FUZZ_SECONDS:-5}")
    echo "$out"
    passed=$((passed + $(grep -c ': clean' <<<"$out")))
    failed=$((failed + $(grep -c ': FAILED' <<<"$out")))
fi
echo "took $SECONDS s"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
