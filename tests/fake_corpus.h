/* fake_corpus.h - the agent's tools over a handful of passages in an array: search by counting the
 * query's words, so that episodes are tested with no index and no network. */
#ifndef TN_FAKE_CORPUS_H
#define TN_FAKE_CORPUS_H
#include "agent/loop.h"
#include "core/base/text.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef struct fake_corpus {
    const char *const (*rows)[2]; /* title, text */
    uint32_t n;
    int n_searches;
    int fail_search_at; /* this search (from 1) fails with IO; 0: none */
    bool ignores_excludes;
} fake_corpus;

/* How many words of the query (3 letters or more) occur in the row. */
static int fake_score(const char *const row[2], const char *query, size_t len) {
    int score = 0;
    for (size_t i = 0; i < len;) {
        size_t j = i;
        char word[64];
        while (j < len && isalnum((unsigned char)query[j])) j++;
        if (j - i >= 3 && j - i < sizeof word) {
            memcpy(word, query + i, j - i);
            word[j - i] = '\0';
            score += strcasestr(row[0], word) != NULL;
            score += strcasestr(row[1], word) != NULL;
        }
        i = j + 1;
    }
    return score;
}

static tern_status fake_search(void *ud, const char *query, size_t query_len, size_t k,
                               const uint32_t *exclude, size_t n_exclude, uint32_t *refs,
                               size_t *n_refs, tern_error *err) {
    fake_corpus *c = ud;
    int best[64];
    size_t n = 0;
    *n_refs = 0;
    if (++c->n_searches == c->fail_search_at) return tern_fail(err, TERN_ERR_IO, 0, "disk gone");
    for (uint32_t r = 0; r < c->n; r++) {
        bool skip = false;
        for (size_t i = 0; i < n_exclude && !c->ignores_excludes; i++) skip |= exclude[i] == r;
        int s = skip ? 0 : fake_score(c->rows[r], query, query_len);
        if (s == 0 || (n == k && s <= best[n - 1])) continue;
        size_t at = n < k ? n++ : n - 1;
        for (; at > 0 && best[at - 1] < s; at--) {
            best[at] = best[at - 1];
            refs[at] = refs[at - 1];
        }
        best[at] = s;
        refs[at] = r;
    }
    *n_refs = n;
    return TERN_OK;
}

static tern_status fake_read(void *ud, uint32_t ref, tern_passage *out, tern_error *err) {
    static char ids[64][16];
    fake_corpus *c = ud;
    if (ref >= c->n) return tern_fail(err, TERN_ERR_ARG, 0, "no passage %u", ref);
    snprintf(ids[ref], sizeof ids[ref], "d%u", ref);
    *out = (tern_passage){.id = ids[ref],
                          .doc_id = ids[ref],
                          .title = c->rows[ref][0],
                          .section = "",
                          .text = c->rows[ref][1],
                          .source = "corpus.md",
                          .meta = "",
                          .text_len = strlen(c->rows[ref][1]),
                          .byte_begin = 1000,
                          .byte_end = 1000 + strlen(c->rows[ref][1]),
                          .line_begin = 10 * ref + 1,
                          .line_end = 10 * ref + 1,
                          .time = TERN_NO_TIME};
    return TERN_OK;
}

static uint64_t fake_n_passages(void *ud) {
    return ((fake_corpus *)ud)->n;
}

static uint64_t fake_term_df(void *ud, const char *term, size_t len) {
    fake_corpus *c = ud;
    char word[64];
    uint64_t df = 0;
    if (len >= sizeof word) return 0;
    memcpy(word, term, len);
    word[len] = '\0';
    for (uint32_t r = 0; r < c->n; r++)
        df += strcasestr(c->rows[r][0], word) || strcasestr(c->rows[r][1], word);
    return df;
}

static bool fake_title_known(void *ud, const char *title, size_t len) {
    fake_corpus *c = ud;
    for (uint32_t r = 0; r < c->n; r++)
        if (strlen(c->rows[r][0]) == len && strncasecmp(c->rows[r][0], title, len) == 0)
            return true;
    return false;
}

static tn_agent_tools fake_tools(fake_corpus *c) {
    return (tn_agent_tools){.ud = c,
                            .search = fake_search,
                            .read = fake_read,
                            .n_passages = fake_n_passages,
                            .term_df = fake_term_df,
                            .title_known = fake_title_known};
}

/* A writing policy that says its lines one after the other. */
typedef struct scripted {
    tern_policy policy; /* first */
    const char *const *lines;
    int n, at;
    int n_last; /* times it was told that no search is left */
} scripted;

static tern_status scripted_write(const tern_policy *p, tn_episode *ep, bool last, tn_buf *out,
                                  tern_error *err) {
    scripted *s = (scripted *)(uintptr_t)p;
    (void)ep;
    s->n_last += last;
    if (s->at >= s->n) return tern_fail(err, TERN_ERR_REMOTE, 0, "out of lines");
    tn_buf_str(out, s->lines[s->at++]);
    return TERN_OK;
}

static void scripted_free(tern_policy *p) {
    (void)p;
}

static inline scripted scripted_policy(const char *const *lines, int n) {
    return (scripted){.policy = {.name = "scripted",
                                 .kind = TN_POLICY_WRITING,
                                 .write = scripted_write,
                                 .free = scripted_free},
                      .lines = lines,
                      .n = n};
}
#endif
