/* trace.c - an episode as JSON lines, one event per line; the schema is docs/TRACE.md. */
#include "agent/answer.h"
#include "agent/features.h"
#include "core/base/json.h"
#include <string.h>
#include "core/base/mem.h"

enum { TRACE_VERSION = 1 };

static void key(tn_buf *b, const char *name) {
    tn_buf_printf(b, ",\"%s\":", name);
}

static void put_str(tn_buf *b, const char *name, const char *s, size_t len) {
    key(b, name);
    tn_json_escape(s, len, b);
}

static void begin(tn_buf *b, const char *event) {
    tn_buf_printf(b, "{\"v\":%d,\"event\":\"%s\"", TRACE_VERSION, event);
}

static tern_status finish(const tn_episode *ep, tn_buf *b, tern_error *err) {
    tn_buf_str(b, "}\n");
    tern_status st = tn_buf_status(b, err);
    if (st == TERN_OK) ep->opts->trace(ep->opts->ud, b->data, b->len);
    tn_buf_deinit(b);
    return st;
}

tern_status tn_trace_begin(const tn_episode *ep, tern_error *err) {
    static const char *const styles[] = {
        [TERN_OBS_SEARCH_R1] = "search-r1", [TERN_OBS_VERL] = "verl", [TERN_OBS_PLAIN] = "plain"};
    const tern_agent_opts *o = ep->opts;
    tn_buf b = {0};
    if (!o->trace) return TERN_OK;
    begin(&b, "question");
    put_str(&b, "question", ep->question, ep->question_len);
    put_str(&b, "policy", ep->policy->name, strlen(ep->policy->name));
    tn_buf_printf(&b, ",\"kind\":\"%s\",\"turns\":%u,\"top_k\":%u,\"obs_style\":\"%s\"",
                  ep->policy->kind == TN_POLICY_SCORING ? "scoring" : "writing", o->turns, o->top_k,
                  styles[o->obs_style]);
    tn_buf_printf(&b, ",\"obs_tokens\":%u,\"temperature\":%.17g", o->obs_tokens, o->temperature);
    tn_buf_printf(&b, ",\"seed\":\"%llu\",\"rollout\":\"%llu\"", (unsigned long long)o->seed,
                  (unsigned long long)o->rollout);
    return finish(ep, &b, err);
}

static const char *form_name(uint8_t form) {
    static const char *const names[] = {
        [TN_FORM_STOP] = "stop",           [TN_FORM_QUESTION] = "question",
        [TN_FORM_REST] = "rest",           [TN_FORM_ALONE] = "alone",
        [TN_FORM_WITH_REST] = "with_rest", [TN_FORM_WITH_ALL] = "with_all"};
    return form < sizeof names / sizeof *names ? names[form] : "other";
}

static void put_candidates(tn_buf *b, const tn_turn *t) {
    key(b, "candidates");
    tn_buf_char(b, '[');
    for (size_t i = 0; i < t->candidates.n; i++) {
        const tn_candidate *c = &t->candidates.items[i];
        tn_buf_str(b, i ? ",{\"query\":" : "{\"query\":");
        tn_json_escape(c->query, c->query_len, b);
        tn_buf_printf(b, ",\"form\":\"%s\",\"logit\":%.9g}", form_name(c->form),
                      (double)t->logits[i]);
    }
    tn_buf_printf(b, "],\"chosen\":%u,\"logprob\":%.17g", t->chosen, t->logprob);
}

static void put_passages(tn_buf *b, const tn_episode *ep, const tn_turn *t) {
    key(b, "passages");
    tn_buf_char(b, '[');
    for (uint32_t i = 0; i < t->n_shown; i++) {
        const tn_shown *s = &ep->shown[t->first_shown + i];
        tn_buf_str(b, i ? ",{\"id\":" : "{\"id\":");
        tn_json_escape(s->passage.id, strlen(s->passage.id), b);
        put_str(b, "title", s->passage.title, strlen(s->passage.title));
        put_str(b, "source", s->passage.source, strlen(s->passage.source));
        tn_buf_printf(b, ",\"byte_begin\":%llu,\"byte_end\":%llu",
                      (unsigned long long)s->passage.byte_begin,
                      (unsigned long long)s->passage.byte_end);
        tn_buf_printf(b, ",\"shown\":[0,%zu]}", s->text_len);
    }
    tn_buf_char(b, ']');
}

tern_status tn_trace_turn(const tn_episode *ep, size_t turn, tern_error *err) {
    static const char *const actions[] = {
        [TN_ACT_INVALID] = "invalid", [TN_ACT_SEARCH] = "search", [TN_ACT_ANSWER] = "answer"};
    const tn_turn *t = &ep->turns[turn];
    tn_buf b = {0};
    if (!ep->opts->trace) return TERN_OK;
    begin(&b, "turn");
    tn_buf_printf(&b, ",\"turn\":%zu,\"action\":\"%s\"", turn + 1, actions[t->kind]);
    put_str(&b, "content", t->content, t->content_len);
    if (ep->policy->kind == TN_POLICY_WRITING) put_str(&b, "wrote", t->wrote, t->wrote_len);
    if (t->candidates.n > 0) put_candidates(&b, t);
    if (t->kind == TN_ACT_SEARCH) put_passages(&b, ep, t);
    return finish(ep, &b, err);
}

static void put_citations(tn_buf *b, const tern_answer *a) {
    key(b, "citations");
    tn_buf_char(b, '[');
    for (size_t i = 0; i < a->n_citations; i++) {
        const tern_citation *c = &a->citations[i];
        tn_buf_printf(b, "%s{\"n\":%u", i ? "," : "", c->n);
        put_str(b, "id", c->id, strlen(c->id));
        put_str(b, "quote", c->quote, strlen(c->quote));
        tn_buf_printf(b, ",\"byte_begin\":%llu,\"byte_end\":%llu,\"supported\":%s}",
                      (unsigned long long)c->byte_begin, (unsigned long long)c->byte_end,
                      c->supported ? "true" : "false");
    }
    tn_buf_char(b, ']');
}

tern_status tn_trace_answer(const tn_episode *ep, const tern_answer *a, tern_error *err) {
    tn_buf b = {0};
    if (!ep->opts->trace) return TERN_OK;
    begin(&b, "answer");
    put_str(&b, "answer", a->text, strlen(a->text));
    tn_buf_printf(&b, ",\"known\":%s,\"supported\":%s,\"confidence\":%.6f",
                  a->known ? "true" : "false", a->supported ? "true" : "false", a->confidence);
    tn_buf_printf(&b, ",\"searches\":%zu,\"logprob\":%.17g", a->n_searches, a->logprob);
    put_citations(&b, a);
    return finish(ep, &b, err);
}
