/* llm_policy.c - the language model as a writing policy. The transcript becomes a chat: the rules
 * and the question, then what the model wrote and what it was shown, turn about. The policy is
 * shared by threads; each call borrows an HTTP client, so connections stay open between turns. */
#include "agent/agent_priv.h"
#include "agent/llm_priv.h"
#include <pthread.h>
#include <string.h>

#include "core/base/mem.h"

typedef struct llm_policy {
    tern_policy base;
    tn_llm llm;
    pthread_mutex_t lock; /* guards idle */
    tn_http **idle;
    size_t n_idle, idle_cap;
} llm_policy;

static tern_status borrow(llm_policy *p, tn_http **http, tern_error *err) {
    *http = NULL;
    pthread_mutex_lock(&p->lock);
    if (p->n_idle) *http = p->idle[--p->n_idle];
    pthread_mutex_unlock(&p->lock);
    return *http ? TERN_OK : tn_http_open(http, err);
}

static void give_back(llm_policy *p, tn_http *http) {
    pthread_mutex_lock(&p->lock);
    if (TN_GROW(p->idle, p->idle_cap, p->n_idle + 1) == 0) {
        p->idle[p->n_idle++] = http;
        http = NULL;
    }
    pthread_mutex_unlock(&p->lock);
    tn_http_close(http);
}

static void on_text(void *ud, const char *text, size_t len) {
    tn_episode_text(ud, text, len);
}

static void add_message(tn_llm_message *list, size_t *n, const char *role, const char *text,
                        size_t len) {
    if (len) list[(*n)++] = (tn_llm_message){role, text, len};
}

/* What the user says first, or last when no search is left: the text is kept in `text`. */
static tern_status build_chat(const tn_episode *ep, bool last, tn_buf *prompt, tn_buf *closing,
                              tn_llm_message *list, size_t *n, tern_error *err) {
    *n = 0;
    tn_protocol_prompt(ep->question, ep->question_len, ep->opts->obs_style, prompt);
    tn_buf *final = ep->n_turns ? closing : prompt;
    if (ep->n_turns) {
        const tn_turn *t = &ep->turns[ep->n_turns - 1];
        tn_buf_add(closing, t->observation, t->observation_len);
    }
    if (last) tn_buf_str(final, tn_protocol_last);
    add_message(list, n, "user", prompt->data, prompt->len);
    for (size_t i = 0; i < ep->n_turns; i++) {
        const tn_turn *t = &ep->turns[i];
        add_message(list, n, "assistant", t->wrote, t->wrote_len);
        if (i + 1 < ep->n_turns)
            add_message(list, n, "user", t->observation, t->observation_len);
        else
            add_message(list, n, "user", closing->data, closing->len);
    }
    tern_status st = tn_buf_status(prompt, err);
    return st == TERN_OK ? tn_buf_status(closing, err) : st;
}

static tern_status llm_write(const tern_policy *base, tn_episode *ep, bool last, tn_buf *out,
                             tern_error *err) {
    llm_policy *p = (llm_policy *)base; /* immutable but for the idle list and learned refusals */
    tn_http *http = NULL;
    tn_buf prompt = {0}, closing = {0};
    tn_llm_message *list = tn_calloc(2 * ep->n_turns + 1, sizeof *list);
    tern_status st = TERN_OK;
    size_t n;
    if (!list) st = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a transcript");
    if (st == TERN_OK) st = build_chat(ep, last, &prompt, &closing, list, &n, err);
    if (st == TERN_OK) st = borrow(p, &http, err);
    if (st == TERN_OK) {
        tn_llm_ask ask = {.messages = list,
                          .n_messages = n,
                          .temperature = ep->opts->temperature,
                          .stops = tn_protocol_stops,
                          .seed = ep->opts->seed,
                          .stream = tn_episode_stream(ep),
                          .host = ep->host,
                          .on_text = on_text,
                          .ud = ep};
        st = tn_llm_complete(&p->llm, http, &ask, out, err);
        give_back(p, http);
    }
    tn_buf_deinit(&closing);
    tn_buf_deinit(&prompt);
    tn_free(list);
    return st;
}

static void llm_free(tern_policy *base) {
    llm_policy *p = (llm_policy *)base;
    for (size_t i = 0; i < p->n_idle; i++) tn_http_close(p->idle[i]);
    tn_free(p->idle);
    tn_llm_deinit(&p->llm);
    pthread_mutex_destroy(&p->lock);
    tn_free(p);
}

tern_status tern_policy_llm(const tern_llm_opts *opts, tern_policy **out, tern_error *err) {
    *out = NULL;
    llm_policy *p = tn_calloc(1, sizeof *p);
    if (!p) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a language model client");
    tern_status st = tn_llm_init(&p->llm, opts, err);
    if (st != TERN_OK) {
        tn_free(p);
        return st;
    }
    p->base = (tern_policy){
        .name = "llm", .kind = TN_POLICY_WRITING, .write = llm_write, .free = llm_free};
    pthread_mutex_init(&p->lock, NULL);
    *out = &p->base;
    return TERN_OK;
}
