/* plain.c - text without markup: paragraphs parted by empty lines, and lists among them. */
#include "core/base/text.h"
#include "retriever/ingest/ingest_priv.h"
#include <string.h>

#include "core/base/mem.h"

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool tn_is_list_line(const char *s, size_t n) {
    while (n && (*s == ' ' || *s == '\t')) s++, n--;
    if (n < 2) return false;
    if (*s == '|') return true;
    if ((*s == '-' || *s == '*' || *s == '+') && (s[1] == ' ' || s[1] == '\t')) return true;
    if (n > 3 && memcmp(s, "\xE2\x80\xA2", 3) == 0) return true; /* bullet */
    size_t i = 0;
    while (i < n && i < 4 && is_digit(s[i])) i++;
    return i > 0 && i + 1 < n && (s[i] == '.' || s[i] == ')') && s[i + 1] == ' ';
}

typedef struct lines {
    size_t begin, end; /* of the block so far; begin == end: none */
    size_t n_list;     /* lines of it that look like list items */
} lines;

static void flush(lines *l, tn_block_list *list) {
    tn_block_kind kind = l->n_list >= 2 ? TN_BLOCK_LINES : TN_BLOCK_PROSE;
    if (l->begin < l->end)
        tn_block_list_add(list, (tn_block){.begin = l->begin, .end = l->end, .kind = kind});
    *l = (lines){0};
}

tern_status tn_plain_blocks(tn_arena *arena, const char *text, size_t len, const tn_block **out,
                            size_t *n_out, tern_error *err) {
    tn_block_list list = {0};
    lines now = {0};
    for (size_t i = 0; i < len;) {
        const char *nl = memchr(text + i, '\n', len - i);
        size_t end = nl ? (size_t)(nl - text) : len;
        const char *s = text + i;
        size_t k = end - i;
        tn_trim(&s, &k);
        if (k == 0 || text[i] == '\f') flush(&now, &list); /* at '\f' a page begins */
        if (k > 0) {
            if (now.begin == now.end) now.begin = i;
            now.end = end;
            now.n_list += tn_is_list_line(s, k);
        }
        i = end + 1;
    }
    flush(&now, &list);
    tn_block *copy = list.failed ? NULL : tn_arena_alloc(arena, list.n * sizeof *copy);
    if (copy && list.n) memcpy(copy, list.v, list.n * sizeof *copy);
    *out = copy;
    *n_out = copy ? list.n : 0;
    tn_free(list.v);
    return copy ? TERN_OK : tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
}

tern_status tn_read_plain(tn_intake *in, tern_error *err) {
    tn_buf text = {0};
    tn_line_table table = {0};
    uint64_t base = tn_source_offset(in->source);
    bool usable;
    tern_status st = tn_intake_slurp(in, &text, &usable, err);
    if (st != TERN_OK || !usable) goto done;
    st = tn_line_table_build(&table, text.data, text.len, base, err);
    tn_draft d = {.title = tn_intake_stem(in),
                  .text = {text.data, text.len},
                  .time = TERN_NO_TIME,
                  .line = 1,
                  .locate = tn_line_table_locate,
                  .ud = &table};
    if (st == TERN_OK)
        st = tn_plain_blocks(&in->arena, text.data, text.len, &d.blocks, &d.n_blocks, err);
    if (st == TERN_OK) st = tn_intake_emit(in, &d, err);
done:
    tn_line_table_deinit(&table);
    tn_buf_deinit(&text);
    return st;
}
