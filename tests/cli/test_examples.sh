#!/usr/bin/env bash
# Each program of docs/examples (a file with a main) compiles against the installed headers alone, runs, and does what
# the documentation says of it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

# A build for a sanitizer links its runtime into every program: only the plain one is installed.
grep -q 'CMAKE_C_FLAGS:.*fsanitize' "$TERN_BUILD_DIR/CMakeCache.txt" && exit 0

cmake --install "$TERN_BUILD_DIR" --prefix "$work/tern" >/dev/null
export PKG_CONFIG_PATH LD_LIBRARY_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$work/tern" -name tern.pc)")
LD_LIBRARY_PATH=$(dirname "$(find "$work/tern" -name libtern.so)")
cd "$work"

for source in "$TERN_SOURCE_DIR"/docs/examples/*.c; do
    grep -q '^int main' "$source" || continue
    name=$(basename "$source" .c)
    # shellcheck disable=SC2046
    cc -std=gnu11 -O1 -Wall -Wextra -Werror -o "$name" "$source" $(pkg-config --cflags --libs tern) -lm
done

[ "$(wc -l <"$TERN_SOURCE_DIR/docs/examples/train_mlp.c")" -lt 100 ] || fail "train_mlp.c has 100 lines or more"
./train_mlp mlp.safetensors >out
grep -qE '^right: (39[0-9]|400) of 400, loaded again: ' out || fail "train_mlp learns nothing: $(tail -n 1 out)"
read -r _ first _ _ _ _ again < <(tail -n 1 out)
[ "$first" = "$again" ] || fail "the loaded network answers otherwise: $(tail -n 1 out)"
[ -s mlp.safetensors ] || fail "no model was saved"
./train_mlp /nonexistent/mlp.safetensors 2>err >/dev/null && fail "an unwritable path is not an error"
grep -q '/nonexistent/mlp.safetensors' err || fail "the error does not name the path"
