#!/usr/bin/env bash
# Help pages, usage errors and completion, for every command in the table.
set -u
fail() { echo "FAILED: $*" >&2; exit 1; }
[ -x "${TERN:?}" ] || fail "no program $TERN"

"$TERN" help >/dev/null || fail "tern help"
"$TERN" >/dev/null || fail "tern alone prints the help"
"$TERN" help --json | python3 -m json.tool >/dev/null || fail "help --json is not JSON"
"$TERN" --version | grep -qE '^tern [0-9]+\.[0-9]+\.[0-9]+$' || fail "--version"

commands=$("$TERN" completion)
[ -n "$commands" ] || fail "no commands"
for c in $commands; do
    page=$("$TERN" help "$c") || fail "help $c"
    grep -q "^tern $c - ." <<<"$page" || fail "help $c: no title line"
    grep -q '^Usage$' <<<"$page" || fail "help $c: no usage"
    grep -q '^Examples$' <<<"$page" || fail "help $c: no examples"
    grep -q '^Exit codes$' <<<"$page" || fail "help $c: no exit codes"
    [ "$(wc -L <<<"$page")" -le 100 ] || fail "help $c: a line over 100 columns"
    [ "$("$TERN" "$c" --help)" = "$page" ] || fail "$c --help differs from help $c"
    "$TERN" "$c" --help --json | python3 -m json.tool >/dev/null || fail "$c --help --json"
    "$TERN" "$c" --no-such-option >/dev/null 2>&1
    [ $? -eq 2 ] || fail "$c --no-such-option: exit code"
    "$TERN" "$c" --json --no-such-option 2>/dev/null |
        python3 -c 'import json,sys; assert json.load(sys.stdin)["error"]["status"] == "usage"' ||
        fail "$c: usage error as JSON"
    for o in $("$TERN" completion "$c"); do
        grep -qE -- "^ .*$o( |$)" <<<"$page" || fail "help $c lacks $o, which completion offers"
    done
done

"$TERN" serach 2>&1 | grep -q "'search'\|unknown command" || fail "no word on an unknown command"
"$TERN" hlep 2>&1 | grep -q "did you mean 'help'" || fail "no suggestion"
"$TERN" hlep >/dev/null 2>&1
[ $? -eq 2 ] || fail "unknown command: exit code"
"$TERN" help >/dev/full 2>/dev/null
[ $? -eq 1 ] || fail "a full disk is a failure"

# Colours: only on request when the output is no terminal.
"$TERN" help help | grep -q $'\033' && fail "colour in a pipe"
"$TERN" help help --color always | grep -q $'\033' || fail "--color always"

# Completion, as bash would call it.
PATH=$(dirname "$TERN"):$PATH
. "${TERN_SOURCE_DIR:?}/cli/completion.bash"
COMP_WORDS=(tern he) COMP_CWORD=1
_tern
[ "${COMPREPLY[*]}" = help ] || fail "completion of 'he': ${COMPREPLY[*]}"
COMP_WORDS=(tern help --js) COMP_CWORD=2
_tern
COMP_WORDS=(tern completion --js) COMP_CWORD=2
_tern
[ "${COMPREPLY[*]}" = --json ] || fail "completion of '--js': ${COMPREPLY[*]}"
echo ok
