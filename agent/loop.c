/* loop.c - the episode: a policy acts, the tools answer, until there is an answer.
 *
 * Invariants: no passage is shown twice in an episode; text from passages reaches a policy only
 * through the escaping of protocol.c; an episode is a function of (seed, rollout, question, index,
 * policy), whatever thread runs it. */
#include "agent/loop.h"
#include "agent/answer.h"
#include "agent/protocol.h"
#include "core/base/rng.h"
#include "core/base/text.h"
#include <math.h>
#include <string.h>
#include "core/base/mem.h"

enum { TURNS_MAX = 64, TOP_K_MAX = 64, OBS_TOKENS_WRITING = 500 };

tern_agent_opts tern_agent_defaults(void) {
    return (tern_agent_opts){.turns = 4,
                             .top_k = 3,
                             .obs_style = TERN_OBS_SEARCH_R1,
                             .mode = TERN_MODE_DEFAULT,
                             .as_of = TERN_NO_TIME,
                             .rerank_depth = 50,
                             .confidence_min = 0.25};
}

tern_status tn_agent_opts_check(const tern_agent_opts *o, tern_error *err) {
    if (o->turns < 1 || o->turns > TURNS_MAX)
        return tern_fail(err, TERN_ERR_ARG, 0, "turns is %u, must be 1 to %d", o->turns, TURNS_MAX);
    if (o->top_k < 1 || o->top_k > TOP_K_MAX)
        return tern_fail(err, TERN_ERR_ARG, 0, "top-k is %u, must be 1 to %d", o->top_k, TOP_K_MAX);
    if (!(o->temperature >= 0) || o->temperature > 1000)
        return tern_fail(err, TERN_ERR_ARG, 0, "temperature is %g, must be 0 to 1000",
                         o->temperature);
    if (o->obs_style > TERN_OBS_PLAIN)
        return tern_fail(err, TERN_ERR_ARG, 0, "unknown observation style %d", (int)o->obs_style);
    return TERN_OK;
}

bool tn_episode_cancelled(const tn_episode *ep) {
    return ep->host && ep->host->cancelled && ep->host->cancelled(ep->host->ud);
}

static void emit(const tn_episode *ep, tern_agent_event_kind kind, const char *text, size_t len,
                 const tern_passage *passages, size_t n) {
    if (!ep->opts->event) return;
    tern_agent_event ev = {.kind = kind,
                           .turn = (uint32_t)ep->n_turns + 1,
                           .text = text,
                           .text_len = len,
                           .passages = passages,
                           .n_passages = n};
    ep->opts->event(ep->opts->ud, &ev);
}

void tn_episode_text(const tn_episode *ep, const char *text, size_t len) {
    emit(ep, TERN_EVENT_TEXT, text, len, NULL, 0);
}

uint64_t tn_episode_stream(const tn_episode *ep) {
    uint64_t h = 14695981039346656037u; /* FNV-1a of the question */
    for (size_t i = 0; i < ep->question_len; i++)
        h = (h ^ (unsigned char)ep->question[i]) * 1099511628211u;
    return h + ep->n_turns;
}

static tern_status nomem(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for the episode");
}

tern_status tn_episode_init(tn_episode *ep, const char *question, size_t len,
                            const tern_agent_opts *opts, const tn_agent_tools *tools,
                            const tern_policy *policy, const tern_host *host, tn_analyzer *an,
                            tn_arena *arena, tern_error *err) {
    *ep =
        (tn_episode){.opts = opts, .tools = tools, .policy = policy, .host = host, .arena = arena};
    tern_status st = tn_agent_opts_check(opts, err);
    if (st != TERN_OK) return st;
    tn_trim(&question, &len);
    if (len == 0) return tern_fail(err, TERN_ERR_ARG, 0, "the question is empty");
    tn_buf clean = {0};
    tn_utf8_repair(question, len, &clean);
    ep->question = tn_arena_strndup(arena, tn_buf_cstr(&clean), clean.len);
    ep->question_len = clean.len;
    st = clean.failed || !ep->question ? nomem(err) : TERN_OK;
    tn_buf_deinit(&clean);
    if (st != TERN_OK) return st;
    ep->lens = tn_calloc(1, sizeof *ep->lens);
    if (!ep->lens) return nomem(err);
    return tn_lens_init(ep->lens, an, tools, arena, ep->question, ep->question_len, err);
}

void tn_episode_deinit(tn_episode *ep) {
    if (ep->lens) tn_lens_deinit(ep->lens);
    tn_free(ep->lens);
    tn_free(ep->turns);
    tn_free(ep->shown);
    *ep = (tn_episode){0};
}

/* --- choosing --------------------------------------------------------------------------------- */

uint32_t tn_choose(const float *logits, size_t n, double temperature, double uniform,
                   double *logprob) {
    size_t best = 0;
    double t = temperature > 0 ? temperature : 1, sum = 0;
    for (size_t i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = i;
    double top = logits[best] / t;
    for (size_t i = 0; i < n; i++) sum += exp(logits[i] / t - top);
    size_t pick = best;
    if (temperature > 0) {
        double target = uniform * sum, acc = 0;
        for (size_t i = 0; i < n; i++) {
            acc += exp(logits[i] / t - top);
            if (acc <= target) continue;
            pick = i;
            break;
        }
    }
    *logprob = logits[pick] / t - top - log(sum);
    return (uint32_t)pick;
}

/* Draws are taken per turn from a stream of their own, so a turn's draw does not depend on how many
 * were used before. */
static double turn_uniform(const tn_episode *ep) {
    uint64_t h = 0xcbf29ce484222325U; /* FNV-1a of the question */
    for (size_t i = 0; i < ep->question_len; i++)
        h = (h ^ (unsigned char)ep->question[i]) * 0x100000001b3U;
    tn_rng r = tn_rng_init(ep->opts->seed, h + ep->opts->rollout * 0x9e3779b97f4a7c15U);
    r.n = ep->n_turns;
    return tn_rng_uniform(&r);
}

/* --- searching -------------------------------------------------------------------------------- */

static bool same_text(const tern_passage *a, const tern_passage *b) {
    return a->text_len == b->text_len && strcmp(a->title, b->title) == 0 &&
           memcmp(a->text, b->text, a->text_len) == 0;
}

static bool already_shown(const tn_episode *ep, size_t n_shown, const tern_passage *p,
                          uint32_t ref) {
    for (size_t i = 0; i < n_shown; i++)
        if (ep->shown[i].ref == ref || same_text(&ep->shown[i].passage, p)) return true;
    return false;
}

/* Fetch top_k passages that were not shown, going deeper while copies of shown texts come up. */
static tern_status search(tn_episode *ep, const char *query, size_t len, tn_turn *turn,
                          tern_error *err) {
    uint32_t k = ep->opts->top_k, refs[TOP_K_MAX];
    size_t n_exclude = ep->n_shown, cap = ep->n_shown + 4 * (size_t)k;
    uint32_t *exclude = tn_arena_alloc(ep->arena, cap * sizeof *exclude);
    if (!exclude || TN_GROW(ep->shown, ep->shown_cap, ep->n_shown + k) != 0) return nomem(err);
    for (size_t i = 0; i < ep->n_shown; i++) exclude[i] = ep->shown[i].ref;
    turn->first_shown = (uint32_t)ep->n_shown;
    for (int round = 0; round < 4 && turn->n_shown < k; round++) {
        size_t n = 0, want = k - turn->n_shown;
        tern_status st =
            ep->tools->search(ep->tools->ud, query, len, want, exclude, n_exclude, refs, &n, err);
        if (st != TERN_OK) return st;
        for (size_t i = 0; i < n && i < want; i++) {
            tern_passage p;
            st = ep->tools->read(ep->tools->ud, refs[i], &p, err);
            if (st != TERN_OK) return st;
            if (n_exclude < cap) exclude[n_exclude++] = refs[i];
            if (already_shown(ep, ep->n_shown, &p, refs[i])) continue;
            ep->shown[ep->n_shown++] = (tn_shown){.ref = refs[i],
                                                  .turn = (uint32_t)ep->n_turns,
                                                  .rank = turn->n_shown++,
                                                  .text_len = p.text_len,
                                                  .passage = p};
        }
        if (n < want) break;
    }
    return TERN_OK;
}

static tern_status observe(tn_episode *ep, tn_turn *turn, tern_error *err) {
    bool writing = ep->policy->kind == TN_POLICY_WRITING;
    uint32_t budget = ep->opts->obs_tokens ? ep->opts->obs_tokens
                      : writing            ? OBS_TOKENS_WRITING
                                           : 0;
    tn_buf text = {0};
    tn_shown *first = ep->shown ? ep->shown + turn->first_shown : NULL;
    tn_protocol_observe(ep->opts->obs_style, first, turn->n_shown, turn->first_shown, budget,
                        &text);
    turn->observation = tn_arena_strndup(ep->arena, tn_buf_cstr(&text), text.len);
    turn->observation_len = text.len;
    tern_status st = text.failed || !turn->observation ? nomem(err) : TERN_OK;
    tn_buf_deinit(&text);
    return st;
}

static tern_status do_search(tn_episode *ep, tn_turn *turn, tern_error *err) {
    emit(ep, TERN_EVENT_SEARCH, turn->content, turn->content_len, NULL, 0);
    tern_status st = search(ep, turn->content, turn->content_len, turn, err);
    if (st == TERN_OK) st = observe(ep, turn, err);
    if (st != TERN_OK) return st;
    ep->n_searches++;
    if (!ep->opts->event) return TERN_OK;
    tern_passage hits[TOP_K_MAX];
    for (uint32_t i = 0; i < turn->n_shown; i++) hits[i] = ep->shown[turn->first_shown + i].passage;
    emit(ep, TERN_EVENT_HITS, "", 0, hits, turn->n_shown);
    return TERN_OK;
}

/* --- turns ------------------------------------------------------------------------------------ */

static tern_status act_scoring(tn_episode *ep, bool last, tn_turn *turn, tern_error *err) {
    turn->wrote = turn->content = turn->observation = "";
    turn->kind = TN_ACT_ANSWER;
    if (last) return TERN_OK;
    const tern_policy *p = ep->policy;
    tern_status st = p->propose(p, ep, &turn->candidates, err);
    if (st != TERN_OK) return st;
    size_t n = turn->candidates.n;
    float *logits = tn_arena_alloc(ep->arena, (n + 1) * sizeof *logits);
    if (!logits) return nomem(err);
    st = p->score(p, ep, &turn->candidates, logits, err);
    if (st != TERN_OK) return st;
    double u = ep->opts->temperature > 0 ? turn_uniform(ep) : 0;
    turn->logits = logits;
    turn->chosen = tn_choose(logits, n, ep->opts->temperature, u, &turn->logprob);
    const tn_candidate *c = &turn->candidates.items[turn->chosen];
    turn->kind = c->kind;
    turn->content = c->query;
    turn->content_len = c->query_len;
    return TERN_OK;
}

static tern_status act_writing(tn_episode *ep, bool last, tn_turn *turn, tern_error *err) {
    turn->content = turn->observation = "";
    tn_buf text = {0}, clean = {0};
    tern_status st = ep->policy->write(ep->policy, ep, last, &text, err);
    if (st != TERN_OK) goto done;
    tn_utf8_repair(tn_buf_cstr(&text), text.len, &clean);
    const char *s = tn_buf_cstr(&clean);
    tn_action a = tn_protocol_parse(s, clean.len);
    turn->kind = last && a.kind == TN_ACT_SEARCH ? TN_ACT_INVALID : a.kind;
    turn->wrote_len = a.after;
    turn->wrote = tn_arena_strndup(ep->arena, s, a.after);
    turn->content_len = a.end - a.begin;
    turn->content = tn_arena_strndup(ep->arena, s + a.begin, turn->content_len);
    if (text.failed || clean.failed || !turn->wrote || !turn->content) {
        st = nomem(err);
        goto done;
    }
    if (turn->kind == TN_ACT_INVALID && !last) {
        turn->observation = tn_protocol_invalid;
        turn->observation_len = strlen(tn_protocol_invalid);
    }
done:
    tn_buf_deinit(&text);
    tn_buf_deinit(&clean);
    return st;
}

tern_status tn_episode_run(tn_episode *ep, tern_error *err) {
    bool writing = ep->policy->kind == TN_POLICY_WRITING;
    tern_status begun = tn_trace_begin(ep, err);
    if (begun != TERN_OK) return begun;
    for (bool done = false; !done;) {
        if (tn_episode_cancelled(ep)) return tern_fail(err, TERN_ERR_CANCELLED, 0, "cancelled");
        bool last = ep->n_turns >= ep->opts->turns;
        tn_turn turn = {0};
        tern_status st =
            writing ? act_writing(ep, last, &turn, err) : act_scoring(ep, last, &turn, err);
        if (st == TERN_OK && turn.kind == TN_ACT_SEARCH) {
            if (tn_episode_cancelled(ep)) return tern_fail(err, TERN_ERR_CANCELLED, 0, "cancelled");
            st = do_search(ep, &turn, err);
        }
        if (st != TERN_OK) return st;
        if (turn.kind == TN_ACT_INVALID)
            emit(ep, TERN_EVENT_INVALID, turn.wrote, turn.wrote_len, NULL, 0);
        if (TN_GROW(ep->turns, ep->turns_cap, ep->n_turns + 1) != 0) return nomem(err);
        ep->turns[ep->n_turns++] = turn;
        st = tn_trace_turn(ep, ep->n_turns - 1, err);
        if (st != TERN_OK) return st;
        done = last || turn.kind == TN_ACT_ANSWER;
    }
    return TERN_OK;
}

tern_status tn_ask(const char *question, size_t len, const tern_agent_opts *opts,
                   const tn_agent_tools *tools, const tern_policy *policy, const tern_host *host,
                   tn_analyzer *an, tn_arena *arena, tern_answer **out, tern_error *err) {
    tn_episode ep;
    *out = NULL;
    tn_arena_reset(arena);
    tern_status st = tn_episode_init(&ep, question, len, opts, tools, policy, host, an, arena, err);
    if (st == TERN_OK) st = tn_episode_run(&ep, err);
    if (st == TERN_OK) st = tn_answer_build(&ep, out, err);
    if (st == TERN_OK) st = tn_trace_answer(&ep, *out, err);
    if (st == TERN_OK && opts->event) {
        tern_agent_event ev = {.kind = TERN_EVENT_ANSWER,
                               .turn = (uint32_t)ep.n_turns,
                               .text = (*out)->text,
                               .text_len = strlen((*out)->text)};
        opts->event(opts->ud, &ev);
    }
    if (st != TERN_OK) {
        tern_answer_free(*out);
        *out = NULL;
    }
    tn_episode_deinit(&ep);
    return st;
}
