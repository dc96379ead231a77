/* answers.c - exact match and F1 after SQuAD's normalisation. Lower-casing is Unicode's simple
 * mapping; only the 32 ASCII punctuation characters go, so dashes and quotes of Unicode stay; an
 * article counts as a word when no letter or digit touches it. */
#include "core/base/buf.h"
#include "core/base/text.h"
#include "tern/eval.h"
#include <string.h>
#include <utf8proc.h>

#include "core/base/mem.h"

static bool is_word_char(uint32_t cp) {
    utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)cp);
    return (c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_LO) ||
           (c >= UTF8PROC_CATEGORY_ND && c <= UTF8PROC_CATEGORY_NO);
}

static bool is_space(uint32_t cp) {
    if ((cp >= 9 && cp <= 13) || (cp >= 0x1C && cp <= 0x1F) || cp == 0x85) return true;
    utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)cp);
    return c >= UTF8PROC_CATEGORY_ZS && c <= UTF8PROC_CATEGORY_ZP;
}

static bool is_ascii_punctuation(uint32_t cp) {
    return (cp >= 33 && cp <= 47) || (cp >= 58 && cp <= 64) || (cp >= 91 && cp <= 96) ||
           (cp >= 123 && cp <= 126);
}

static size_t decode(const char *s, size_t n, uint32_t *cp) {
    size_t len = tn_utf8_decode(s, n, cp);
    if (len) return len;
    *cp = 0xFFFD;
    return 1;
}

static void lower_without_punctuation(const char *s, tn_buf *out) {
    size_t n = strlen(s);
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        i += decode(s + i, n - i, &cp);
        if (is_ascii_punctuation(cp)) continue;
        char u[4];
        tn_buf_add(out, u, tn_utf8_encode((uint32_t)utf8proc_tolower((utf8proc_int32_t)cp), u));
    }
}

static bool is_article(const char *s, size_t n) {
    return (n == 1 && *s == 'a') || (n == 2 && memcmp(s, "an", 2) == 0) ||
           (n == 3 && memcmp(s, "the", 3) == 0);
}

/* Cut into runs of word characters and runs of others; drop articles; join words by one blank. */
static void normalize(const char *s, tn_buf *tmp, tn_buf *out) {
    tn_buf_reset(tmp);
    tn_buf_reset(out);
    lower_without_punctuation(s, tmp);
    const char *p = tn_buf_cstr(tmp);
    bool blank = false;
    for (size_t i = 0; i < tmp->len;) {
        uint32_t cp;
        size_t n = decode(p + i, tmp->len - i, &cp);
        size_t end = i + n;
        bool word = is_word_char(cp), space = is_space(cp);
        while (word && end < tmp->len) {
            size_t m = decode(p + end, tmp->len - end, &cp);
            if (!is_word_char(cp)) break;
            end += m;
        }
        if (space || (word && is_article(p + i, end - i))) {
            blank = true;
        } else {
            if (blank && out->len) tn_buf_char(out, ' ');
            tn_buf_add(out, p + i, end - i);
            blank = false;
        }
        i = end;
    }
}

/* Words of a normalised text; the n-th starts at s and ends at the next blank. */
static const char *next_word(const char *s, size_t *n) {
    s += strspn(s, " ");
    *n = strcspn(s, " ");
    return *n ? s : NULL;
}

static size_t count_words(const char *s) {
    size_t n = 0, len;
    for (const char *w = s; (w = next_word(w, &len)); w += len) n++;
    return n;
}

/* Words in common, as multisets: each word of b is used once. Answers are short. */
static tern_status count_common(const char *a, const char *b, size_t n_b, size_t *n_common,
                                tern_error *err) {
    bool *used = tn_calloc(n_b ? n_b : 1, sizeof *used);
    if (!used) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while comparing answers");
    size_t len_a, len_b;
    *n_common = 0;
    for (const char *w = a; (w = next_word(w, &len_a)); w += len_a) {
        size_t i = 0;
        for (const char *v = b; (v = next_word(v, &len_b)); v += len_b, i++) {
            if (used[i] || len_a != len_b || memcmp(w, v, len_a) != 0) continue;
            used[i] = true;
            ++*n_common;
            break;
        }
    }
    tn_free(used);
    return TERN_OK;
}

static tern_status word_f1(const char *a, const char *b, double *f1, tern_error *err) {
    size_t n_a = count_words(a), n_b = count_words(b), n_common = 0;
    if (n_a == 0 || n_b == 0) {
        *f1 = n_a == n_b;
        return TERN_OK;
    }
    tern_status status = count_common(a, b, n_b, &n_common, err);
    if (status == TERN_OK) *f1 = 2 * (double)n_common / (double)(n_a + n_b);
    return status;
}

tern_status tern_answer_score(const char *prediction, const char *const *golds, size_t n_golds,
                              double *em, double *f1, tern_error *err) {
    *em = *f1 = 0;
    tn_buf tmp = {0}, mine = {0}, gold = {0};
    normalize(prediction, &tmp, &mine);
    tern_status status = TERN_OK;
    for (size_t i = 0; i < n_golds && status == TERN_OK; i++) {
        normalize(golds[i], &tmp, &gold);
        status = tmp.failed ? tn_buf_status(&tmp, err) : tn_buf_status(&gold, err);
        if (status == TERN_OK) status = tn_buf_status(&mine, err);
        if (status != TERN_OK) break;
        double f = 0;
        if (strcmp(tn_buf_cstr(&mine), tn_buf_cstr(&gold)) == 0) *em = 1;
        status = word_f1(tn_buf_cstr(&mine), tn_buf_cstr(&gold), &f, err);
        if (f > *f1) *f1 = f;
    }
    tn_buf_deinit(&tmp);
    tn_buf_deinit(&mine);
    tn_buf_deinit(&gold);
    return status;
}
