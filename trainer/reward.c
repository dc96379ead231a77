/* reward.c - see reward.h.
 *
 * ccs-lexical stands in for the neural reconstructor. The rebuilt question q' is the bag of those
 * words of q that can be read back from passages that hang together; the similarity is the squared
 * cosine of the two bags, weighted by idf. With C(S) = sum of idf^2 of q's words in the passages of
 * S, over the sum of idf^2 of all its words: R = (C2 + C3) / 2,   C2 = max(0.8 C(one passage), C(a
 * linked pair)),   C3 = max(C2, C(three passages, linked in a chain)) Two passages are linked when
 * one names the other's title, or the question names both: a multi-hop question is rebuilt from
 * passages that hang together, not from any that share words. One passage counts 0.8: a page on the
 * subject rebuilds the subject, not the question. R never falls when more is found, so stopping
 * early or adding passages to a set cannot win it. docs/CCS.md compares the forms that were tried.
 */
#include "trainer/reward.h"
#include "core/base/rng.h"
#include "core/base/strmap.h"
#include "core/base/text.h"
#include <math.h>
#include <string.h>

#include "core/base/mem.h"

enum { Q_TERMS_MAX = 256, PASSAGES_MAX = 64, SET_MAX = 3 };
static const double single_share = 0.8;

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
}

/* --- the bottleneck --- */

tern_status tn_traj_bottleneck(const tn_masker *m, const char *question, bool backstop,
                               const tn_trajectory *raw, tn_arena *arena, tn_trajectory *out,
                               tern_error *err) {
    *out = (tn_trajectory){.answer = ""};
    tn_traj_turn *turns = tn_arena_calloc(arena, raw->n_turns, sizeof *turns);
    if (!turns) return no_memory(err);
    tn_buf masked = {0};
    tern_status st = TERN_OK;
    for (size_t i = 0; i < raw->n_turns && st == TERN_OK; i++) {
        const char *query = raw->turns[i].query;
        size_t n_masked = 0;
        tn_buf_reset(&masked);
        st = tn_mask_text(m, query, strlen(query), backstop ? question : NULL, &masked, &n_masked,
                          err);
        turns[i] = raw->turns[i];
        turns[i].query =
            st == TERN_OK ? tn_arena_strndup(arena, tn_buf_cstr(&masked), masked.len) : NULL;
        if (st == TERN_OK && !turns[i].query) st = no_memory(err);
        out->n_masked += n_masked;
    }
    tn_buf_deinit(&masked);
    out->turns = turns;
    out->n_turns = raw->n_turns;
    return st;
}

void tn_traj_render(const tn_trajectory *t, tn_buf *out) {
    for (size_t i = 0; i < t->n_turns; i++) {
        const tn_traj_turn *turn = &t->turns[i];
        tn_buf_printf(out, "Query %zu: %s\nResults %zu:\n", i + 1, turn->query, i + 1);
        for (size_t p = 0; p < turn->n_passages; p++)
            tn_buf_printf(out, "[%s] %s\n", turn->titles[p], turn->texts[p]);
        if (turn->n_passages == 0) tn_buf_str(out, "(no results)\n");
    }
    if (t->answer[0]) tn_buf_printf(out, "Answer: %s\n", t->answer);
}

/* --- bags of words --- */

typedef struct bag {
    tn_strmap terms;
    double *tf; /* [terms.n] */
    size_t cap;
} bag;

static void bag_deinit(bag *b) {
    tn_strmap_deinit(&b->terms);
    tn_free(b->tf);
}

static tern_status bag_add(bag *b, tn_analyzer *a, const char *text, tern_error *err) {
    const tn_token *tokens;
    size_t n;
    tern_status st = tn_analyze(a, text, strlen(text), &tokens, &n, err);
    for (size_t i = 0; i < n && st == TERN_OK; i++) {
        if (tokens[i].is_stop) continue;
        uint32_t n_before = b->terms.n;
        if (TN_GROW(b->tf, b->cap, n_before + 1u) != 0) return no_memory(err);
        uint32_t id = tn_strmap_add(&b->terms, tokens[i].term, tokens[i].term_len);
        if (id == TN_STRMAP_NONE) return no_memory(err);
        if (id == n_before) b->tf[id] = 0;
        b->tf[id] += 1;
    }
    return st;
}

static double idf_of(const tn_lexicon *lx, const char *term, size_t len) {
    double df = (double)lx->term_df(lx->ud, term, len), n = (double)lx->n_passages;
    return log(1 + (n - df + 0.5) / (df + 0.5));
}

static double cosine(const bag *q, const bag *d, const tn_lexicon *lx) {
    double qq = 0, dd = 0, qd = 0;
    for (uint32_t i = 0; i < d->terms.n; i++) {
        const struct tn_strmap_key *k = &d->terms.keys[i];
        double w = (1 + log(d->tf[i])) * idf_of(lx, k->s, k->len);
        dd += w * w;
        uint32_t j = tn_strmap_find(&q->terms, k->s, k->len);
        if (j != TN_STRMAP_NONE) qd += w * (1 + log(q->tf[j])) * idf_of(lx, k->s, k->len);
    }
    for (uint32_t j = 0; j < q->terms.n; j++) {
        const struct tn_strmap_key *k = &q->terms.keys[j];
        double w = (1 + log(q->tf[j])) * idf_of(lx, k->s, k->len);
        qq += w * w;
    }
    return qq > 0 && dd > 0 ? qd / sqrt(qq * dd) : 0;
}

/* What of a trajectory is read back. */
enum { READ_QUERIES = 1, READ_PASSAGES = 2, READ_ANSWER = 4 };

static tern_status bag_of(const tn_trajectory *t, unsigned what, tn_analyzer *a, bag *b,
                          tern_error *err) {
    tern_status st = TERN_OK;
    for (size_t i = 0; i < t->n_turns && st == TERN_OK; i++) {
        const tn_traj_turn *turn = &t->turns[i];
        if (what & READ_QUERIES) st = bag_add(b, a, turn->query, err);
        for (size_t p = 0; (what & READ_PASSAGES) && p < turn->n_passages && st == TERN_OK; p++) {
            st = bag_add(b, a, turn->titles[p], err);
            if (st == TERN_OK) st = bag_add(b, a, turn->texts[p], err);
        }
    }
    if (st == TERN_OK && (what & READ_ANSWER)) st = bag_add(b, a, t->answer, err);
    return st;
}

static tern_status cosine_reward(const tn_reward_input *in, const tn_trajectory *t, unsigned what,
                                 double *value, tern_error *err) {
    bag q = {0}, d = {0};
    *value = 0;
    tern_status st = bag_add(&q, in->analyzer, in->question, err);
    if (st == TERN_OK) st = bag_of(t, what, in->analyzer, &d, err);
    if (st == TERN_OK) *value = cosine(&q, &d, in->lexicon);
    bag_deinit(&q);
    bag_deinit(&d);
    return st;
}

/* --- linked passages --- */

typedef struct seen_passage {
    const char *title, *text;
    tn_buf folded_title, folded_text;
    uint64_t covers[Q_TERMS_MAX / 64]; /* which question terms it holds */
    bool in_question;                  /* the question names its title */
} seen_passage;

/* `needle` occurs in `hay` between word boundaries. Both folded. */
static bool names(const tn_buf *hay, const tn_buf *needle) {
    if (needle->len < 3 || !hay->len) return false;
    const char *at = hay->data, *end = hay->data + hay->len;
    while ((at = memmem(at, (size_t)(end - at), needle->data, needle->len))) {
        const char *after = at + needle->len;
        bool left =
            at == hay->data || !((unsigned char)at[-1] >= 'a' && (unsigned char)at[-1] <= 'z');
        bool right =
            after == end || !((unsigned char)*after >= 'a' && (unsigned char)*after <= 'z');
        if (left && right) return true;
        at++;
    }
    return false;
}

static tern_status passage_prepare(seen_passage *p, const bag *q, const tn_buf *question,
                                   tn_analyzer *a, tern_error *err) {
    const char *paren = strstr(p->title, " ("); /* a page is named without its qualifier */
    tn_text_fold(p->title, paren ? (size_t)(paren - p->title) : strlen(p->title), &p->folded_title);
    tn_text_fold(p->text, strlen(p->text), &p->folded_text);
    if (p->folded_title.failed || p->folded_text.failed) return no_memory(err);
    p->in_question = names(question, &p->folded_title);
    const char *const parts[2] = {p->title, p->text};
    for (int k = 0; k < 2; k++) {
        const tn_token *tokens;
        size_t n;
        tern_status st = tn_analyze(a, parts[k], strlen(parts[k]), &tokens, &n, err);
        if (st != TERN_OK) return st;
        for (size_t i = 0; i < n; i++) {
            uint32_t id = tn_strmap_find(&q->terms, tokens[i].term, tokens[i].term_len);
            if (id < Q_TERMS_MAX && !tokens[i].is_stop)
                p->covers[id / 64] |= UINT64_C(1) << id % 64;
        }
    }
    return TERN_OK;
}

typedef struct linked_set {
    const seen_passage *p;
    size_t n;
    const bool *links; /* [n][n], symmetric */
    const double *weight;
    size_t n_terms;
    double best[SET_MAX + 1]; /* by number of passages */
} linked_set;

static bool linked(const seen_passage *a, const seen_passage *b) {
    return (a->in_question && b->in_question) || names(&a->folded_text, &b->folded_title) ||
           names(&b->folded_text, &a->folded_title);
}

/* Try every connected set that holds `members`, covers `held` and adds words with each passage. */
static void grow(linked_set *s, uint64_t members, const uint64_t *held, size_t size) {
    double sum = 0;
    for (size_t i = 0; i < s->n_terms; i++)
        if (held[i / 64] >> i % 64 & 1) sum += s->weight[i];
    if (sum > s->best[size]) s->best[size] = sum;
    if (size == SET_MAX) return;
    for (size_t k = 0; k < s->n; k++) {
        uint64_t more[Q_TERMS_MAX / 64];
        bool reached = false, adds = false;
        for (size_t i = 0; i < s->n; i++) reached |= (members >> i & 1) && s->links[i * s->n + k];
        for (size_t w = 0; w < Q_TERMS_MAX / 64; w++) {
            more[w] = held[w] | s->p[k].covers[w];
            adds |= more[w] != held[w];
        }
        if (reached && adds) grow(s, members | UINT64_C(1) << k, more, size + 1);
    }
}

static tern_status best_sets(const seen_passage *p, size_t n, const double *weight, size_t n_terms,
                             tn_arena *arena, double *value, tern_error *err) {
    tn_arena_mark mark = tn_arena_get_mark(arena);
    bool *links = tn_arena_calloc(arena, n * n, sizeof *links);
    if (!links) return no_memory(err);
    linked_set s = {.p = p, .n = n, .links = links, .weight = weight, .n_terms = n_terms};
    double total = 0;
    for (size_t i = 0; i < n_terms; i++) total += weight[i];
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) links[i * n + j] = links[j * n + i] = linked(&p[i], &p[j]);
    for (size_t i = 0; i < n; i++) grow(&s, UINT64_C(1) << i, p[i].covers, 1);
    double pair = fmax(single_share * s.best[1], s.best[2]), triple = fmax(pair, s.best[3]);
    *value = total > 0 ? (pair + triple) / (2 * total) : 0;
    tn_arena_rewind(arena, mark);
    return TERN_OK;
}

static tern_status linked_reward(const tn_reward_input *in, double *value, tern_error *err) {
    bag q = {0};
    tn_buf question = {0};
    seen_passage *p = NULL;
    size_t n = 0, n_all = 0;
    double weight[Q_TERMS_MAX];
    *value = 0;
    tern_status st = bag_add(&q, in->analyzer, in->question, err);
    if (st != TERN_OK) goto done;
    size_t n_terms = q.terms.n < Q_TERMS_MAX ? q.terms.n : Q_TERMS_MAX;
    for (size_t i = 0; i < n_terms; i++) {
        double idf = idf_of(in->lexicon, q.terms.keys[i].s, q.terms.keys[i].len);
        weight[i] = idf * idf;
    }
    tn_text_fold(in->question, strlen(in->question), &question);
    for (size_t i = 0; i < in->masked->n_turns; i++) n_all += in->masked->turns[i].n_passages;
    p = tn_calloc(n_all, sizeof *p);
    if (!p || question.failed) {
        st = no_memory(err);
        goto done;
    }
    for (size_t i = 0; i < in->masked->n_turns; i++)
        for (size_t k = 0; k < in->masked->turns[i].n_passages && n < PASSAGES_MAX; k++) {
            p[n].title = in->masked->turns[i].titles[k];
            p[n].text = in->masked->turns[i].texts[k];
            st = passage_prepare(&p[n++], &q, &question, in->analyzer, err);
            if (st != TERN_OK) goto done;
        }
    st = best_sets(p, n, weight, n_terms, in->arena, value, err);
done:
    for (size_t i = 0; i < n; i++) {
        tn_buf_deinit(&p[i].folded_title);
        tn_buf_deinit(&p[i].folded_text);
    }
    tn_free(p);
    tn_buf_deinit(&question);
    bag_deinit(&q);
    return st;
}

/* --- the arms --- */

static tern_status ccs_lexical(const tn_reward_input *in, double *value, tern_error *err) {
    return linked_reward(in, value, err);
}

static tern_status ccs_cosine(const tn_reward_input *in, double *value, tern_error *err) {
    return cosine_reward(in, in->masked, READ_PASSAGES, value, err);
}

static tern_status leaky(const tn_reward_input *in, double *value, tern_error *err) {
    return cosine_reward(in, in->raw, READ_QUERIES | READ_ANSWER, value, err);
}

static tern_status queries_only(const tn_reward_input *in, double *value, tern_error *err) {
    return cosine_reward(in, in->masked, READ_QUERIES, value, err);
}

static tern_status gold_recall(const tn_reward_input *in, double *value, tern_error *err) {
    (void)err;
    size_t n_found = 0;
    for (size_t g = 0; g < in->gold->n_supporting; g++) {
        bool found = false;
        for (size_t i = 0; i < in->raw->n_turns; i++)
            for (size_t k = 0; k < in->raw->turns[i].n_passages; k++)
                found |= in->raw->turns[i].refs[k] == in->gold->supporting[g];
        n_found += found;
    }
    *value = in->gold->n_supporting ? (double)n_found / (double)in->gold->n_supporting : 0;
    return TERN_OK;
}

static tern_status random_reward(const tn_reward_input *in, double *value, tern_error *err) {
    (void)err;
    tn_rng r = tn_rng_init(in->seed, 0x72616e64); /* "rand" */
    *value = tn_rng_uniform(&r);
    return TERN_OK;
}

/* A right answer stands in a passage: folded, between word boundaries. */
static tern_status gold_answer(const tn_reward_input *in, double *value, tern_error *err) {
    tn_buf answer = {0}, text = {0};
    bool failed = false;
    *value = 0;
    for (size_t g = 0; g < in->gold->n_answers && *value == 0; g++) {
        tn_buf_reset(&answer);
        tn_text_fold(in->gold->answers[g], strlen(in->gold->answers[g]), &answer);
        for (size_t i = 0; i < in->raw->n_turns && *value == 0; i++)
            for (size_t k = 0; k < in->raw->turns[i].n_passages && *value == 0; k++) {
                tn_buf_reset(&text);
                tn_text_fold(in->raw->turns[i].texts[k], strlen(in->raw->turns[i].texts[k]), &text);
                failed |= answer.failed || text.failed;
                if (!failed && names(&text, &answer)) *value = 1;
            }
    }
    tn_buf_deinit(&answer);
    tn_buf_deinit(&text);
    return failed ? no_memory(err) : TERN_OK;
}

static const tn_reward rewards[] = {
    {"ccs-lexical",
     "label-free: the question's words read back from what was found, best when "
     "passages that name each other cover it",
     TN_GOLD_NONE, ccs_lexical},
    {"ccs-cosine", "label-free: tf-idf cosine of question and observations alone", TN_GOLD_NONE,
     ccs_cosine},
    {"gold-recall", "share of the supporting passages found", TN_GOLD_SUPPORTING, gold_recall},
    {"gold-answer", "1 if a right answer stands in a passage found", TN_GOLD_ANSWERS, gold_answer},
    {"leaky", "no bottleneck: the question read back from raw queries and the response",
     TN_GOLD_NONE, leaky},
    {"queries-only", "probe: the question read back from masked queries alone", TN_GOLD_NONE,
     queries_only},
    {"random", "a random number per rollout", TN_GOLD_NONE, random_reward},
};

const tn_reward *tn_reward_list(size_t *n) {
    *n = sizeof rewards / sizeof *rewards;
    return rewards;
}

const tn_reward *tn_reward_find(const char *name) {
    for (size_t i = 0; i < sizeof rewards / sizeof *rewards; i++)
        if (strcmp(rewards[i].name, name) == 0) return &rewards[i];
    return NULL;
}
