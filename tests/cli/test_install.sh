#!/usr/bin/env bash
# An installed tree is complete, can be moved, and libtern.so shows the public API alone.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

# A build for a sanitizer links its runtime into every program: only the plain one is installed.
grep -q 'CMAKE_C_FLAGS:.*fsanitize' "$TERN_BUILD_DIR/CMakeCache.txt" && exit 0

cmake --install "$TERN_BUILD_DIR" --prefix "$work/first" >/dev/null
mv "$work/first" "$work/moved"
"$work/moved/bin/tern" --version | grep -q '^tern ' || fail "the installed program does not run"
"$work/moved/bin/tern" bench | grep -q "^search$" || fail "no benchmark is installed"
[ -f "$work/moved/share/bash-completion/completions/tern" ] || fail "no bash completion"

library=$(find "$work/moved" -name 'libtern.so')
alien=$(nm -D --defined-only "$library" | grep -vE ' (tern_[a-z0-9_]+@@TERN_0\.1|TERN_0\.1)$' || true)
[ -z "$alien" ] || fail "libtern.so shows more than its API: $(head -n 3 <<<"$alien")"

# The program of the README, built against the installed library as a user would.
sed -n '/^#include <tern\/search.h>/,/^}/p' "$TERN_SOURCE_DIR/README.md" >"$work/example.c"
export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$work/moved" -name tern.pc)")
# shellcheck disable=SC2046
cc -Wall -Wextra -Werror -o "$work/example" "$work/example.c" $(pkg-config --cflags --libs tern)
printf '{"id":"a","title":"Gauges","text":"Tidal gauge calibration is done in June."}\n' >"$work/in.jsonl"
cd "$work"
"$work/moved/bin/tern" index -q my.tern in.jsonl
LD_LIBRARY_PATH=$(dirname "$library") ./example | grep -q 'Gauges (in.jsonl:1)' || fail "the README's program finds nothing"
