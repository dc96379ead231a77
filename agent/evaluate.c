/* evaluate.c - the agent over a question file: many questions at once, resumable.
 *
 * Each question is a function of index, policy, options and its own text, so the records do not
 * depend on threads or on interruptions; totals are summed in question order. */
#include "agent/evaluate.h"
#include "agent/loop.h"
#include "agent/tools.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/pool.h"
#include "retriever/eval/eval_priv.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "core/base/mem.h"

tern_agent_eval_opts tern_agent_eval_defaults(void) {
    return (tern_agent_eval_opts){.agent = tern_agent_defaults()};
}

typedef struct worker {
    tn_index_tools *tools;
    tern_searcher *searcher; /* for the BM25 row */
    tn_analyzer *analyzer;
    tn_arena arena;
} worker;

typedef struct evaluation {
    const tern_index *ix;
    const tern_policy *policy;
    const tern_questions *questions;
    const tern_agent_eval_opts *opts;
    tern_agent_opts agent;
    tern_host host;
    tern_host asking; /* what an episode may ask: is it cancelled, under the lock */
    tn_titles *titles;
    worker *workers;
    int n_workers;
    tn_eval_record *records;
    int fd;               /* of the results file; -1: none */
    pthread_mutex_t lock; /* guards fd, status, err, n_done and the host's callbacks */
    tern_status status;   /* the first failure */
    tern_error err;
    uint64_t n_done;
} evaluation;

/* --- supporting passages ---------------------------------------------------------------------- */

static bool is_supporting(const tern_question *q, size_t i, const tern_passage *p) {
    return strcmp(q->supporting[i], p->id) == 0 || strcmp(q->supporting[i], p->doc_id) == 0;
}

/* How many of the question's supporting ids are among the passages. */
static tern_status count_found(const tern_index *ix, const tern_question *q, const uint32_t *refs,
                               size_t n, uint32_t *found, tern_error *err) {
    *found = 0;
    for (size_t i = 0; i < q->n_supporting; i++) {
        bool have = false;
        for (size_t k = 0; k < n && !have; k++) {
            tern_passage p;
            tern_status st = tern_index_passage(ix, refs[k], &p, err);
            if (st != TERN_OK) return st;
            have = is_supporting(q, i, &p);
        }
        *found += have;
    }
    return TERN_OK;
}

/* All passages of the question's supporting documents. */
static tern_status supporting_refs(const tern_index *ix, const tern_question *q, uint32_t **refs,
                                   size_t *n, tern_error *err) {
    size_t cap = 0;
    *refs = NULL;
    *n = 0;
    for (size_t i = 0; i < q->n_supporting; i++) {
        uint32_t ref = 0;
        tern_status st = tern_index_find(ix, q->supporting[i], &ref, err);
        if (st == TERN_ERR_NOT_FOUND) continue;
        for (; st == TERN_OK && ref < tern_index_n_refs(ix); ref++) {
            tern_passage p;
            st = tern_index_passage(ix, ref, &p, err);
            if (st != TERN_OK || !is_supporting(q, i, &p)) break;
            if (TN_GROW(*refs, cap, *n + 1) != 0)
                return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for supporting passages");
            (*refs)[(*n)++] = ref;
        }
        if (st != TERN_OK) return st;
    }
    return TERN_OK;
}

/* --- the oracle ------------------------------------------------------------------------------- */

/* A scoring policy that is told which candidates bring supporting passages: those first, in the
 * order of the policy it wraps. */
typedef struct oracle {
    tern_policy base; /* first */
    const tern_policy *inner;
    const uint32_t *wanted;
    size_t n_wanted;
} oracle;

static tern_status oracle_propose(const tern_policy *p, tn_episode *ep, tn_candidates *c,
                                  tern_error *err) {
    const tern_policy *inner = ((const oracle *)p)->inner;
    return inner->propose(inner, ep, c, err);
}

static tern_status oracle_score(const tern_policy *p, tn_episode *ep, const tn_candidates *c,
                                float *logits, tern_error *err) {
    const oracle *o = (const oracle *)p;
    uint32_t refs[64], *exclude = tn_arena_alloc(ep->arena, (ep->n_shown + 1) * sizeof *exclude);
    if (!exclude) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for the oracle");
    for (size_t i = 0; i < ep->n_shown; i++) exclude[i] = ep->shown[i].ref;
    tern_status st = o->inner->score(o->inner, ep, c, logits, err);
    for (size_t i = 0; st == TERN_OK && i < c->n; i++) {
        size_t n = 0;
        if (c->items[i].kind != TN_ACT_SEARCH) {
            logits[i] -= 1e6F; /* stopping brings nothing */
            continue;
        }
        st = ep->tools->search(ep->tools->ud, c->items[i].query, c->items[i].query_len,
                               ep->opts->top_k, exclude, ep->n_shown, refs, &n, err);
        for (size_t k = 0; st == TERN_OK && k < n; k++)
            for (size_t w = 0; w < o->n_wanted; w++)
                if (refs[k] == o->wanted[w]) logits[i] += 1e3F;
    }
    return st;
}

/* --- one question ----------------------------------------------------------------------------- */

static tern_status ask(const evaluation *e, worker *w, const tern_policy *policy,
                       const tern_question *q, tern_answer **out, tern_error *err) {
    tn_agent_tools tools = tn_index_tools_table(w->tools);
    return tn_ask(q->text, strlen(q->text), &e->agent, &tools, policy, &e->asking, w->analyzer,
                  &w->arena, out, err);
}

static tern_status ask_bm25(const evaluation *e, worker *w, const tern_question *q,
                            tn_eval_record *r, tern_error *err) {
    size_t k = (size_t)e->agent.turns * e->agent.top_k, n = 0;
    tern_search_opts o = tern_search_defaults();
    tern_hit *hits = tn_alloc(k * (sizeof *hits + sizeof(uint32_t)));
    if (!hits) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for %zu hits", k);
    uint32_t *refs = (uint32_t *)(hits + k);
    char *query = tn_question_as_query(q->text); /* as `tern eval` searches it */
    o.mode = TERN_MODE_BM25;
    o.k = k;
    o.as_of = e->agent.as_of;
    tern_status st = query ? tern_search(w->searcher, query, strlen(query), &o, hits, &n, err)
                           : tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a query");
    for (size_t i = 0; i < n; i++) refs[i] = hits[i].ref;
    if (st == TERN_OK) st = count_found(e->ix, q, refs, n, &r->n_bm25, err);
    tn_free(query);
    tn_free(hits);
    return st;
}

static tern_status ask_oracle(const evaluation *e, worker *w, const tern_question *q,
                              const uint32_t *wanted, size_t n_wanted, tn_eval_record *r,
                              tern_error *err) {
    oracle o = {.base = {.name = "oracle",
                         .kind = TN_POLICY_SCORING,
                         .propose = oracle_propose,
                         .score = oracle_score},
                .inner = e->policy,
                .wanted = wanted,
                .n_wanted = n_wanted};
    tern_answer *a = NULL;
    tern_status st = ask(e, w, &o.base, q, &a, err);
    if (st == TERN_OK) st = count_found(e->ix, q, a->refs, a->n_refs, &r->n_oracle, err);
    r->has_oracle = true;
    tern_answer_free(a);
    return st;
}

static tern_status ask_withheld(const evaluation *e, worker *w, const tern_question *q,
                                const uint32_t *hidden, size_t n_hidden, tn_eval_record *r,
                                tern_error *err) {
    tern_answer *a = NULL;
    tn_index_tools_hide(w->tools, hidden, n_hidden);
    tern_status st = ask(e, w, e->policy, q, &a, err);
    tn_index_tools_hide(w->tools, NULL, 0);
    if (st != TERN_OK) return st;
    r->has_withheld = true;
    r->withheld_known = a->known;
    r->withheld_confidence = a->confidence;
    tern_answer_free(a);
    return TERN_OK;
}

static tern_status evaluate_question(const evaluation *e, worker *w, const tern_question *q,
                                     tn_eval_record *r, tn_buf *line, tern_error *err) {
    tern_answer *a = NULL;
    uint32_t *wanted = NULL;
    size_t n_wanted = 0;
    tern_status st = ask(e, w, e->policy, q, &a, err);
    if (st != TERN_OK) return st;
    *r = (tn_eval_record){.known = a->known,
                          .supported = a->supported,
                          .confidence = a->confidence,
                          .n_supporting = (uint32_t)q->n_supporting,
                          .n_searches = (uint32_t)a->n_searches,
                          .n_passages = (uint32_t)a->n_refs};
    st = count_found(e->ix, q, a->refs, a->n_refs, &r->n_found, err);
    if (st == TERN_OK)
        st = tern_answer_score(a->text, q->answers, q->n_answers, &r->em, &r->f1, err);
    if (st == TERN_OK && q->n_supporting > 0) {
        st = supporting_refs(e->ix, q, &wanted, &n_wanted, err);
        if (st == TERN_OK) st = ask_bm25(e, w, q, r, err);
        if (st == TERN_OK && e->opts->oracle && e->policy->kind == TN_POLICY_SCORING)
            st = ask_oracle(e, w, q, wanted, n_wanted, r, err);
        if (st == TERN_OK && e->opts->withheld)
            st = ask_withheld(e, w, q, wanted, n_wanted, r, err);
    }
    if (st == TERN_OK) st = tn_eval_record_write(r, q, a, e->ix, line, err);
    tn_free(wanted);
    tern_answer_free(a);
    return st;
}

/* --- all questions ---------------------------------------------------------------------------- */

static bool cancelled(evaluation *e) {
    return e->host.cancelled && e->host.cancelled(e->host.ud);
}

static bool cancelled_locked(void *ud) {
    evaluation *e = ud;
    pthread_mutex_lock(&e->lock);
    bool yes = cancelled(e);
    pthread_mutex_unlock(&e->lock);
    return yes;
}

static void report_progress(evaluation *e) {
    if (!e->host.progress) return;
    tern_progress p = {
        .what = "asking", .unit = "questions", .done = e->n_done, .total = e->questions->n};
    e->host.progress(e->host.ud, &p);
}

static bool go_on(evaluation *e) {
    pthread_mutex_lock(&e->lock);
    if (e->status == TERN_OK && cancelled(e))
        e->status = tern_fail(&e->err, TERN_ERR_CANCELLED, 0, "cancelled");
    bool yes = e->status == TERN_OK;
    pthread_mutex_unlock(&e->lock);
    return yes;
}

static void finish_question(evaluation *e, size_t i, tern_status st, const tern_error *err,
                            const tn_buf *line) {
    pthread_mutex_lock(&e->lock);
    if (st == TERN_OK && e->fd >= 0) {
        tern_error io;
        st = tn_write_all(e->fd, line->data, line->len, e->opts->results, &io);
        if (st != TERN_OK && e->status == TERN_OK) {
            e->status = st;
            e->err = io;
        }
    }
    if (st == TERN_OK) {
        e->records[i].done = true;
        e->n_done++;
        report_progress(e);
    } else if (e->status == TERN_OK) {
        e->status = st;
        e->err = *err;
    }
    pthread_mutex_unlock(&e->lock);
}

static void evaluate_some(void *arg, size_t begin, size_t end, int no) {
    evaluation *e = arg;
    for (size_t i = begin; i < end; i++) {
        if (e->records[i].done) continue;
        if (!go_on(e)) return;
        tern_error err = {0};
        tn_buf line = {0};
        tern_status st = evaluate_question(e, &e->workers[no], &e->questions->items[i],
                                           &e->records[i], &line, &err);
        finish_question(e, i, st, &err, &line);
        tn_buf_deinit(&line);
    }
}

static tern_status open_workers(evaluation *e, int n, tern_error *err) {
    tern_index_stats stats = tern_index_get_stats(e->ix);
    e->workers = tn_calloc((size_t)n, sizeof *e->workers);
    if (!e->workers) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for workers");
    e->n_workers = n;
    for (int i = 0; i < n; i++) {
        worker *w = &e->workers[i];
        tern_status st =
            tn_index_tools_new(e->ix, e->titles, e->agent.mode, e->agent.as_of, &w->tools, err);
        if (st == TERN_OK)
            tn_index_tools_rerank(w->tools, e->agent.reranker, e->agent.rerank_depth);
        if (st == TERN_OK) st = tern_searcher_new(e->ix, &w->searcher, err);
        if (st == TERN_OK) st = tn_analyzer_new(stats.language, &w->analyzer, err);
        if (st != TERN_OK) return st;
    }
    return TERN_OK;
}

static void close_workers(evaluation *e) {
    for (int i = 0; i < e->n_workers; i++) {
        tn_index_tools_free(e->workers[i].tools);
        tern_searcher_free(e->workers[i].searcher);
        tn_analyzer_free(e->workers[i].analyzer);
        tn_arena_deinit(&e->workers[i].arena);
    }
    tn_free(e->workers);
}

/* What a results file belongs to, as a short hash: everything a record depends on. */
static tern_status run_name(const evaluation *e, char out[17], tern_error *err) {
    const tern_agent_opts *o = &e->agent;
    tern_index_stats stats = tern_index_get_stats(e->ix);
    tn_buf b = {0};
    tn_buf_printf(&b, "%s %s %u %u %u %d %d %lld %.17g %llu %llu %.17g %d %d", stats.hash,
                  e->policy->name, o->turns, o->top_k, o->obs_tokens, (int)o->obs_style,
                  (int)o->mode, (long long)o->as_of, o->temperature, (unsigned long long)o->seed,
                  (unsigned long long)o->rollout, o->confidence_min, e->opts->oracle,
                  e->opts->withheld);
    if (o->reranker) tn_buf_printf(&b, " %s %zu", o->reranker->name, o->rerank_depth);
    tern_status st = tn_buf_status(&b, err);
    if (st == TERN_OK) snprintf(out, 17, "%016llx", (unsigned long long)XXH3_64bits(b.data, b.len));
    tn_buf_deinit(&b);
    return st;
}

static tern_status run_all(evaluation *e, tern_agent_report *report, tern_error *err) {
    char run[17];
    tn_pool *pool = NULL;
    size_t n = e->questions->n;
    e->records = tn_calloc(n + 1, sizeof *e->records);
    if (!e->records) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for %zu results", n);
    tern_status st = run_name(e, run, err);
    if (st == TERN_OK && e->opts->results)
        st = tn_eval_resume(e->opts->results, run, e->questions, e->records, &e->fd,
                            &report->n_resumed, err);
    if (st == TERN_OK) st = tn_titles_new(e->ix, &e->titles, err);
    if (st == TERN_OK) st = tn_pool_new(e->host.n_threads, &pool, err);
    if (st == TERN_OK) st = open_workers(e, tn_pool_n_threads(pool), err);
    if (st == TERN_OK) {
        e->n_done = report->n_resumed;
        tn_pool_for(pool, n, 1, evaluate_some, e);
        st = e->status;
        if (st != TERN_OK && err) *err = e->err;
    }
    if (st == TERN_OK) st = tn_eval_totals(e->questions, e->records, report, err);
    tn_pool_free(pool);
    return st;
}

tern_status tern_agent_evaluate(const tern_index *ix, const tern_policy *policy,
                                const tern_questions *questions, const tern_agent_eval_opts *opts,
                                const tern_host *host, tern_agent_report *report, tern_error *err) {
    tern_agent_eval_opts defaults = tern_agent_eval_defaults();
    evaluation e = {.ix = ix,
                    .policy = policy,
                    .questions = questions,
                    .opts = opts ? opts : &defaults,
                    .host = host ? *host : (tern_host){.n_threads = 1},
                    .fd = -1};
    e.asking = (tern_host){.cancelled = cancelled_locked, .ud = &e};
    uint64_t start = tn_clock_ns();
    *report = (tern_agent_report){0};
    e.agent = e.opts->agent;
    e.agent.event = NULL;
    e.agent.trace = NULL;
    tern_status st = tn_agent_opts_check(&e.agent, err);
    if (st != TERN_OK) return st;
    pthread_mutex_init(&e.lock, NULL);
    st = run_all(&e, report, err);
    if (e.fd >= 0 && (fsync(e.fd) != 0) + (close(e.fd) != 0) > 0 && st == TERN_OK)
        st = tern_fail(err, TERN_ERR_IO, 0, "%s: cannot finish writing", e.opts->results);
    close_workers(&e);
    tn_titles_free(e.titles);
    tn_free(e.records);
    pthread_mutex_destroy(&e.lock);
    report->seconds = (double)(tn_clock_ns() - start) * 1e-9;
    return st;
}
