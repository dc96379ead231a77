# Bash completion for tern. The words come from the program itself (`tern completion [COMMAND]`), so
# they always match it.
_tern() {
    local cur=${COMP_WORDS[COMP_CWORD]} program=${COMP_WORDS[0]} words=
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ] || [ "${COMP_WORDS[1]}" = help ]; then
        words=$("$program" completion 2>/dev/null)
    elif [ "${COMP_WORDS[COMP_CWORD - 1]}" = --color ]; then
        words='auto always never'
    elif [ "${COMP_WORDS[COMP_CWORD - 1]}" = --mode ]; then
        words='bm25 dense hybrid'
    elif [[ $cur == -* ]]; then
        words=$("$program" completion "${COMP_WORDS[1]}" 2>/dev/null)
    else
        return # files and folders, by -o default
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -o default -F _tern tern
