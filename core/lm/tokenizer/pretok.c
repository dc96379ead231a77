/* pretok.c - the pre-tokenizer: its steps cut the text finer and finer, depth first, so that no
 * list of all words is ever held; what the last step leaves goes to the model. */
#include "core/lm/tokenizer/chars.h"
#include "core/lm/tokenizer/tokenizer_priv.h"
#include <string.h>

#include "core/base/mem.h"

static void walk(tn_encoder *e, const tn_stretch *x, size_t step);

static void give_to_model(tn_encoder *e, const tn_stretch *word) {
    switch (e->t->model) {
    case TN_MODEL_BPE:
        tn_bpe_encode(e, word);
        break;
    case TN_MODEL_WORDPIECE:
        tn_wordpiece_encode(e, word);
        break;
    case TN_MODEL_UNIGRAM:
        tn_unigram_encode(e, word);
        break;
    case TN_MODEL_SENTENCEPIECE:
        tn_sp_model_encode(e, word);
        break;
    }
}

/* ---- ranges: what matched and what lies between ---- */

static void add_range(tn_encoder *e, size_t begin, size_t end, bool match) {
    if (TN_GROW(e->ranges, e->ranges_cap, e->n_ranges + 1) != 0)
        tn_encoder_nomem(e);
    else
        e->ranges[e->n_ranges++] = (struct tn_range){begin, end, match};
}

/* A regular expression sees well-formed text only; what is not lies between its matches. */
static void find_pattern(tn_encoder *e, const tn_split *step, const tn_stretch *x) {
    size_t done = 0, from = 0;
    while (from < x->n && e->st == TERN_OK) {
        size_t to = from;
        uint32_t cp = 0;
        while (to < x->n && !step->pattern.text) {
            size_t len = tn_char_next(x->s + to, x->n - to, &cp);
            if (cp == TN_CHAR_INVALID) break;
            to += len;
        }
        if (step->pattern.text) to = x->n;
        size_t at = from, begin, end;
        int found = 1;
        while (at < to && e->st == TERN_OK) {
            tn_pattern_find(e, &step->pattern, x->s + from, to - from, at - from, &begin, &end,
                            &found);
            if (!found) break;
            if (from + begin > done) add_range(e, done, from + begin, step->invert);
            add_range(e, from + begin, from + end, !step->invert);
            at = done = from + end;
        }
        from = to + 1;
    }
    if (done < x->n) add_range(e, done, x->n, step->invert);
}

static void find_class(tn_encoder *e, const tn_split *step, const tn_stretch *x) {
    size_t done = 0, len;
    for (size_t at = 0; at < x->n; at += len) {
        uint32_t cp;
        len = tn_char_next(x->s + at, x->n - at, &cp);
        if (!(tn_char_class(cp) & step->class_mask)) continue;
        if (at > done) add_range(e, done, at, false);
        add_range(e, at, at + len, true);
        done = at + len;
    }
    if (done < x->n) add_range(e, done, x->n, false);
}

/* \w+|[^\w\s]+ are the words; white space goes. */
static void find_words(tn_encoder *e, const tn_stretch *x) {
    size_t begin = 0, len;
    unsigned kind = 0; /* of the run [begin, at) */
    for (size_t at = 0; at <= x->n; at += len) {
        uint32_t cp;
        unsigned now = 0;
        len = 1;
        if (at < x->n) {
            len = tn_char_next(x->s + at, x->n - at, &cp);
            unsigned class = tn_char_class(cp);
            now = class & TN_CH_WORD ? 1 : class & TN_CH_SPACE ? 0 : 2;
        }
        if (now == kind && at < x->n) continue;
        if (kind) add_range(e, begin, at, false);
        begin = at;
        kind = now;
    }
}

/* Join ranges [first, n_ranges) as the behaviour asks. */
static void behave(tn_encoder *e, size_t first, tn_behavior behavior) {
    struct tn_range *r = e->ranges + first;
    size_t n = e->n_ranges - first, m = 0;
    switch (behavior) {
    case TN_ISOLATED:
        return;
    case TN_REMOVED:
        for (size_t i = 0; i < n; i++)
            if (!r[i].match) r[m++] = r[i];
        break;
    case TN_CONTIGUOUS:
        for (size_t i = 0; i < n; i++) {
            if (m > 0 && r[m - 1].match == r[i].match)
                r[m - 1].end = r[i].end;
            else
                r[m++] = r[i];
        }
        break;
    case TN_MERGED_PREVIOUS: {
        bool was_match = false;
        for (size_t i = 0; i < n; i++) {
            bool match = r[i].match;
            if (match && !was_match && m > 0)
                r[m - 1].end = r[i].end;
            else
                r[m++] = r[i];
            was_match = match;
        }
        break;
    }
    case TN_MERGED_NEXT:
        for (size_t i = 0; i < n; i++) {
            if (i + 1 < n && r[i].match && !r[i + 1].match)
                r[i + 1].begin = r[i].begin;
            else
                r[m++] = r[i];
        }
        break;
    }
    e->n_ranges = first + m;
}

static void walk_ranges(tn_encoder *e, const tn_stretch *x, size_t step, size_t first) {
    size_t last = e->n_ranges;
    for (size_t i = first; i < last && e->st == TERN_OK; i++) {
        struct tn_range r = e->ranges[i]; /* a deeper step may move the array */
        if (r.begin == r.end) continue;
        tn_stretch part = tn_stretch_cut(x, r.begin, r.end);
        walk(e, &part, step + 1);
    }
    e->n_ranges = first;
}

/* ---- steps that write ---- */

static void prefix_space(tn_encoder *e, const tn_stretch *x, size_t step) {
    if (x->s[0] == ' ') {
        walk(e, x, step + 1);
        return;
    }
    tn_writer w = tn_writer_begin(e, x->n + 1);
    tn_write(&w, " ", 1, tn_stretch_span(x, 0, 0));
    tn_write_copy(&w, x, 0, x->n);
    tn_stretch y = tn_writer_end(&w, x);
    if (e->st == TERN_OK) walk(e, &y, step + 1);
}

static bool begins_with(const tn_stretch *x, const char *s, size_t n) {
    return x->n >= n && memcmp(x->s, s, n) == 0;
}

static void metaspace(tn_encoder *e, const tn_stretch *x, const tn_split *m, size_t step) {
    tn_writer w = tn_writer_begin(e, x->n + x->n / 2);
    bool at_start = (x->from ? x->from[0].begin : x->base) == 0;
    bool marked = x->s[0] == ' ' || begins_with(x, m->mark, m->mark_len);
    if (!marked &&
        (m->prepend == TN_PREPEND_ALWAYS || (m->prepend == TN_PREPEND_FIRST && at_start)))
        tn_write(&w, m->mark, m->mark_len, tn_stretch_span(x, 0, 0));
    size_t done = 0;
    for (size_t at = 0; at < x->n; at++) {
        if (x->s[at] != ' ') continue;
        tn_write_copy(&w, x, done, at);
        tn_write(&w, m->mark, m->mark_len, tn_stretch_span(x, at, at + 1));
        done = at + 1;
    }
    tn_write_copy(&w, x, done, x->n);
    tn_stretch y = tn_writer_end(&w, x);
    size_t begin = 0;
    while (begin < y.n && e->st == TERN_OK) {
        size_t end = y.n;
        if (m->cut) {
            const char *next = y.n > begin + 1
                                   ? memmem(y.s + begin + 1, y.n - begin - 1, m->mark, m->mark_len)
                                   : NULL;
            if (next) end = (size_t)(next - y.s);
        }
        tn_stretch part = tn_stretch_cut(&y, begin, end);
        walk(e, &part, step + 1);
        begin = end;
    }
}

static void scan(tn_encoder *e, const tn_stretch *x, tn_scan scan, size_t step) {
    for (size_t at = 0, end; at < x->n && e->st == TERN_OK; at = end) {
        end = tn_scan_next(scan, x->s, x->n, at);
        tn_stretch part = tn_stretch_cut(x, at, end);
        walk(e, &part, step + 1);
    }
}

static void walk(tn_encoder *e, const tn_stretch *x, size_t step) {
    if (step == e->t->n_splits) {
        give_to_model(e, x);
        return;
    }
    const tn_split *s = &e->t->splits[step];
    size_t first = e->n_ranges;
    switch (s->kind) {
    case TN_SPLIT_SCAN:
        scan(e, x, s->scan, step);
        return;
    case TN_SPLIT_PREFIX_SPACE:
        prefix_space(e, x, step);
        return;
    case TN_SPLIT_METASPACE:
        metaspace(e, x, s, step);
        return;
    case TN_SPLIT_PATTERN:
        find_pattern(e, s, x);
        behave(e, first, s->behavior);
        break;
    case TN_SPLIT_CLASS:
        find_class(e, s, x);
        behave(e, first, s->behavior);
        break;
    case TN_SPLIT_WORDS:
        find_words(e, x);
        break;
    }
    walk_ranges(e, x, step, first);
}

void tn_pretokenize(tn_encoder *e, const tn_stretch *in) {
    if (in->n > 0 && e->st == TERN_OK) walk(e, in, 0);
}
