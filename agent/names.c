/* names.c - the names in a text, by form alone: capitals, quotation marks, the corpus's titles.
 * No tagger: what is missed by form is caught by the gazetteer, and a false name costs one
 * candidate that scores low. */
#include "agent/lens.h"
#include "core/base/text.h"
#include <string.h>
#include "core/base/mem.h"

enum { NAMES_MAX = 400, RUN_MAX = 8, GAZETTEER_WORDS = 6 };

typedef struct name_list {
    tn_name items[NAMES_MAX];
    uint32_t n;
} name_list;

static void add_name(name_list *l, const tn_view *v, uint32_t wb, uint32_t we, bool quoted) {
    if (we <= wb || l->n == NAMES_MAX) return;
    uint32_t begin = v->words[wb].begin, end = v->words[we - 1].end;
    /* "St. Louis (band)": a closing bracket belongs to the span when its opening one does. */
    if (memchr(v->text + begin, '(', end - begin) && end < v->len && v->text[end] == ')') end++;
    for (uint32_t i = 0; i < l->n; i++)
        if (l->items[i].begin == begin && l->items[i].end == end) return;
    l->items[l->n++] = (tn_name){wb, we, begin, end, quoted, false};
}

/* Small words that stand inside names: "Bank of England", "Joan of Arc", "Vincent van Gogh". */
static bool is_joint(const tn_view *v, const tn_word *w) {
    static const char *const joints[] = {"of",  "the", "and", "de",  "la",  "le",  "du", "van",
                                         "von", "in",  "on",  "for", "del", "der", "at", "to",
                                         "da",  "di",  "a",   "al",  "el",  "y",   "et", "und"};
    char small[4] = {0};
    size_t len = w->end - w->begin;
    if (len > 3) return false;
    memcpy(small, v->text + w->begin, len);
    for (size_t i = 0; i < sizeof joints / sizeof *joints; i++)
        if (strcmp(small, joints[i]) == 0) return true;
    return false;
}

static bool in_name(const tn_word *w) {
    return (w->flags & TN_WORD_CAP) && !((w->flags & TN_WORD_FIRST) && (w->flags & TN_WORD_STOP));
}

/* Can a name begin at word i? A capitalised stop word ("The") only with a further one after it. */
static bool begins_name(const tn_view *v, uint32_t i) {
    if (!in_name(&v->words[i])) return false;
    if (!(v->words[i].flags & TN_WORD_STOP) || v->n_words == 1) return true;
    return i + 1 < v->n_words && in_name(&v->words[i + 1]) &&
           (v->words[i + 1].flags & TN_WORD_JOINED);
}

/* Maximal runs of capitalised words; numbers may follow ("Apollo 11"), at most two joints in a row
 * may lie between. A run with joints also gives its parts: "Tom Hanks and the Terminal". */
static void capital_runs(name_list *l, const tn_view *v) {
    for (uint32_t i = 0; i < v->n_words;) {
        if (!begins_name(v, i)) {
            i++;
            continue;
        }
        uint32_t end = i + 1, part = i;
        bool has_joint = false;
        for (;;) {
            uint32_t next = end;
            while (next < v->n_words && next < end + 2 && (v->words[next].flags & TN_WORD_JOINED) &&
                   is_joint(v, &v->words[next]) && !(v->words[next].flags & TN_WORD_FIRST))
                next++;
            if (next >= v->n_words || !(v->words[next].flags & TN_WORD_JOINED) ||
                (v->words[next].flags & TN_WORD_FIRST) || next - i >= RUN_MAX)
                break;
            bool number = next == end && (v->words[next].flags & TN_WORD_DIGIT);
            if (!(v->words[next].flags & TN_WORD_CAP) && !number) break;
            if (next > end) {
                add_name(l, v, part, end, false);
                has_joint = true;
                part = next;
            }
            end = next + 1;
        }
        if (has_joint) add_name(l, v, part, end, false);
        add_name(l, v, i, end, false);
        i = end;
    }
}

/* Is there a quotation mark at s? Returns its bytes. */
static size_t quote_at(const char *s, size_t n) {
    if (n && *s == '"') return 1;
    if (n >= 3 && memcmp(s, "\xE2\x80", 2) == 0 &&
        ((unsigned char)s[2] == 0x9C || (unsigned char)s[2] == 0x9D))
        return 3;
    if (n >= 2 && (memcmp(s, "\xC2\xAB", 2) == 0 || memcmp(s, "\xC2\xBB", 2) == 0)) return 2;
    return 0;
}

static void quoted_runs(name_list *l, const tn_view *v) {
    size_t open = SIZE_MAX;
    uint32_t word = 0;
    for (size_t i = 0; i < v->len;) {
        size_t q = quote_at(v->text + i, v->len - i);
        if (q == 0) {
            i++;
            continue;
        }
        if (open != SIZE_MAX) {
            while (word < v->n_words && v->words[word].begin < open) word++;
            uint32_t end = word;
            while (end < v->n_words && v->words[end].end <= i) end++;
            if (end > word && end - word <= 2 * RUN_MAX) {
                add_name(l, v, word, end, true);
                open = SIZE_MAX;
                i += q;
                continue;
            }
        }
        i += q;
        open = i;
    }
}

/* Runs of any case that are titles of the corpus, longest first; a run inside a longer title is
 * left out. This is what finds the names of a question typed without capitals. */
static void gazetteer_runs(tn_lens *l, name_list *list, const tn_view *v) {
    for (uint32_t i = 0; i < v->n_words; i++) {
        for (uint32_t n = GAZETTEER_WORDS; n >= 1; n--) {
            if (i + n > v->n_words) continue;
            const tn_word *last = &v->words[i + n - 1];
            bool content = false;
            for (uint32_t k = i; k < i + n; k++) content |= tn_word_is_content(&v->words[k]);
            if (!content || (n == 1 && (last->flags & TN_WORD_STOP))) continue;
            uint32_t begin = v->words[i].begin;
            if (!l->tools->title_known(l->tools->ud, v->text + begin, last->end - begin)) continue;
            add_name(list, v, i, i + n, false);
            i += n - 1;
            break;
        }
    }
}

tern_status tn_lens_names(tn_lens *l, const tn_view *v, bool gazetteer, tn_name **names,
                          uint32_t *n, tern_error *err) {
    *names = NULL;
    *n = 0;
    name_list *list = tn_alloc(sizeof *list);
    if (!list) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for names");
    list->n = 0;
    capital_runs(list, v);
    quoted_runs(list, v);
    if (gazetteer && l->tools->title_known) gazetteer_runs(l, list, v);
    tn_name *own = tn_arena_alloc(l->arena, (list->n + 1) * sizeof *own);
    if (own) {
        memcpy(own, list->items, list->n * sizeof *own);
        for (uint32_t i = 0; l->tools->title_known && i < list->n; i++)
            own[i].known = l->tools->title_known(l->tools->ud, v->text + own[i].begin,
                                                 own[i].end - own[i].begin);
        *names = own;
        *n = list->n;
    }
    tn_free(list);
    return own ? TERN_OK : tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for names");
}
