/* rollout.c - see rollout.h. */
#include "trainer/rollout.h"
#include "agent/answer.h"
#include "agent/features.h"
#include "agent/policy_scorer.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/strmap.h"
#include "trainer/grpo.h"
#include <math.h>
#include <string.h>

#include "core/base/mem.h"

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for rollouts");
}

/* --- the stage -------------------------------------------------------------------------------- */

tern_status tn_stage_init(tn_stage *s, const tern_index *ix, const tn_recipe *recipe, int n_players,
                          tern_error *err) {
    *s = (tn_stage){.ix = ix, .recipe = recipe};
    tern_index_stats stats = tern_index_get_stats(ix);
    s->players = tn_calloc((size_t)n_players, sizeof *s->players);
    if (!s->players) return no_memory(err);
    s->n_players = n_players;
    tern_status st = tn_titles_new(ix, &s->titles, err);
    if (st == TERN_OK) st = tn_masker_new(&s->masker, err);
    if (st == TERN_OK) st = tn_masker_add_index(s->masker, ix, err);
    for (int i = 0; i < n_players && st == TERN_OK; i++) {
        tn_player *p = &s->players[i];
        st = tn_index_tools_new(ix, s->titles, TERN_MODE_DEFAULT, TERN_NO_TIME, &p->tools, err);
        if (st == TERN_OK) st = tn_analyzer_new(stats.language, &p->analyzer, err);
    }
    return st;
}

void tn_stage_deinit(tn_stage *s) {
    for (int i = 0; i < s->n_players; i++) {
        tn_index_tools_free(s->players[i].tools);
        tn_analyzer_free(s->players[i].analyzer);
        tn_arena_deinit(&s->players[i].arena);
    }
    tn_free(s->players);
    tn_titles_free(s->titles);
    tn_masker_free(s->masker);
    *s = (tn_stage){0};
}

/* --- one episode ------------------------------------------------------------------------------ */

static tern_status record(tn_played *e, tn_arena *arena, tern_error *err) {
    const tn_episode *ep = &e->episode;
    tn_traj_turn *turns = tn_arena_calloc(arena, ep->n_turns + 1, sizeof *turns);
    uint32_t *refs = tn_arena_alloc(arena, (ep->n_shown + 1) * sizeof *refs);
    const char **titles = tn_arena_alloc(arena, (ep->n_shown + 1) * sizeof *titles);
    const char **texts = tn_arena_alloc(arena, (ep->n_shown + 1) * sizeof *texts);
    if (!turns || !refs || !titles || !texts) return no_memory(err);
    for (size_t i = 0; i < ep->n_shown; i++) {
        const tn_shown *shown = &ep->shown[i];
        bool whole = shown->text_len == shown->passage.text_len;
        refs[i] = shown->ref;
        titles[i] = shown->passage.title;
        texts[i] = whole ? shown->passage.text
                         : tn_arena_strndup(arena, shown->passage.text, shown->text_len);
        if (!texts[i]) return no_memory(err);
    }
    size_t n = 0;
    for (size_t t = 0; t < ep->n_turns; t++) {
        const tn_turn *turn = &ep->turns[t];
        e->n_actions += turn->candidates.n > 0;
        if (turn->kind != TN_ACT_SEARCH) continue;
        turns[n++] = (tn_traj_turn){.query = turn->content,
                                    .refs = refs + turn->first_shown,
                                    .titles = titles + turn->first_shown,
                                    .texts = texts + turn->first_shown,
                                    .n_passages = turn->n_shown};
    }
    e->raw =
        (tn_trajectory){.turns = turns, .n_turns = n, .answer = e->answer ? e->answer->text : ""};
    return TERN_OK;
}

static void add_event(void *ud, const char *line, size_t len) {
    tn_buf_add(ud, line, len);
}

static tern_agent_opts episode_opts(const tn_recipe *r, double temperature, uint64_t rollout) {
    tern_agent_opts o = tern_agent_defaults();
    o.turns = r->turns;
    o.top_k = r->top_k;
    o.temperature = temperature;
    o.seed = r->seed;
    o.rollout = rollout;
    return o;
}

tern_status tn_play(const tn_stage *s, tn_player *p, const tern_policy *policy, const tn_task *task,
                    double temperature, uint64_t rollout, bool with_answer, tn_played *out,
                    tern_error *err) {
    *out = (tn_played){.rollout = rollout};
    const char *q = task->question->text;
    tern_agent_opts *opts = tn_arena_alloc(&p->arena, sizeof *opts);
    tn_agent_tools *tools = tn_arena_alloc(&p->arena, sizeof *tools);
    if (!opts || !tools) return no_memory(err);
    *opts = episode_opts(s->recipe, temperature, rollout);
    if (p->trace) {
        opts->trace = add_event;
        opts->ud = p->trace;
    }
    *tools = tn_index_tools_table(p->tools);
    tern_status st = tn_episode_init(&out->episode, q, strlen(q), opts, tools, policy, NULL,
                                     p->analyzer, &p->arena, err);
    if (st == TERN_OK) st = tn_episode_run(&out->episode, err);
    if (st == TERN_OK && with_answer) st = tn_answer_build(&out->episode, &out->answer, err);
    if (st == TERN_OK) st = record(out, &p->arena, err);
    if (st == TERN_OK)
        st = tn_traj_bottleneck(s->masker, q, s->recipe->backstop, &out->raw, &p->arena,
                                &out->masked, err);
    return st;
}

void tn_played_end(tn_played *e) {
    tern_answer_free(e->answer);
    tn_episode_deinit(&e->episode);
    *e = (tn_played){0};
}

/* A stream of its own per (question, rollout): the random arm must not reward a rollout number. */
static uint64_t reward_seed(const tn_recipe *r, const tn_task *task, uint64_t rollout) {
    uint64_t h = 0xcbf29ce484222325U;
    for (const char *c = task->question->text; *c; c++)
        h = (h ^ (unsigned char)*c) * 0x100000001b3U;
    return h ^ (r->seed * 0x9e3779b97f4a7c15U) ^ (rollout * 0xd1342543de82ef95U);
}

tern_status tn_played_reward(const tn_stage *s, tn_player *p, const tn_task *task,
                             const tn_played *e, const tn_reward *reward, double *value,
                             tern_error *err) {
    tn_agent_tools tools = tn_index_tools_table(p->tools);
    tn_lexicon lexicon = {
        .ud = tools.ud, .n_passages = tools.n_passages(tools.ud), .term_df = tools.term_df};
    tn_reward_input in = {.question = task->question->text,
                          .raw = &e->raw,
                          .masked = &e->masked,
                          .gold = reward->needs != TN_GOLD_NONE ? &task->gold : NULL,
                          .seed = reward_seed(s->recipe, task, e->rollout),
                          .analyzer = p->analyzer,
                          .lexicon = &lexicon,
                          .arena = &p->arena};
    *value = 0;
    if (e->raw.n_turns == 0) return TERN_OK; /* nothing was searched: nothing is rebuilt */
    return reward->fn(&in, value, err);
}

/* --- leakage ---------------------------------------------------------------------------------- */

static tern_status terms_of(tn_analyzer *an, const char *text, tn_strmap *terms, tern_error *err) {
    const tn_token *tokens;
    size_t n;
    tern_status st = tn_analyze(an, text, strlen(text), &tokens, &n, err);
    for (size_t i = 0; i < n && st == TERN_OK; i++)
        if (!tokens[i].is_stop &&
            tn_strmap_add(terms, tokens[i].term, tokens[i].term_len) == TN_STRMAP_NONE)
            st = no_memory(err);
    return st;
}

static tern_status overlap(tn_analyzer *an, const tn_strmap *question, const tn_trajectory *t,
                           double *share, tern_error *err) {
    tn_strmap queries = {0};
    tern_status st = TERN_OK;
    uint32_t n = 0;
    for (size_t i = 0; i < t->n_turns && st == TERN_OK; i++)
        st = terms_of(an, t->turns[i].query, &queries, err);
    for (uint32_t i = 0; i < question->n; i++)
        n += tn_strmap_find(&queries, question->keys[i].s, question->keys[i].len) != TN_STRMAP_NONE;
    *share = question->n ? (double)n / question->n : 0;
    tn_strmap_deinit(&queries);
    return st;
}

tern_status tn_played_leakage(tn_player *p, const tn_task *task, const tn_played *e,
                              tn_leakage *out, tern_error *err) {
    tn_strmap question = {0};
    *out = (tn_leakage){.n_masked = e->masked.n_masked, .n_queries = e->raw.n_turns};
    tern_status st = terms_of(p->analyzer, task->question->text, &question, err);
    if (st == TERN_OK) st = overlap(p->analyzer, &question, &e->raw, &out->overlap_raw, err);
    if (st == TERN_OK) st = overlap(p->analyzer, &question, &e->masked, &out->overlap_masked, err);
    tn_strmap_deinit(&question);
    return st;
}

/* --- a group ---------------------------------------------------------------------------------- */

/* Below this a candidate's part of the gradient is lost in rounding beside the others'. */
static const double dlogit_min = 1e-12;

/* One action's part of loss, KL and gradient. */
static tern_status learn_action(const tn_stage *s, tn_player *p, const tn_turn *turn,
                                double advantage, const tn_group_opts *o, tn_group *g,
                                tern_error *err) {
    size_t n = turn->candidates.n;
    tn_arena_mark mark = tn_arena_get_mark(&p->arena);
    double *probs = tn_arena_alloc(&p->arena, n * sizeof *probs);
    double *dlogits = tn_arena_calloc(&p->arena, n, sizeof *dlogits);
    float *ref = tn_arena_alloc(&p->arena, n * sizeof *ref);
    if (!probs || !dlogits || !ref) return no_memory(err);
    double t = s->recipe->temperature;
    for (size_t i = 0; i < n; i++)
        ref[i] = (float)tn_scorer_forward(o->start, turn->candidates.items[i].features);
    double lp = tn_softmax_logprob(turn->logits, n, turn->chosen, t, probs);
    double lp_ref = tn_softmax_logprob(ref, n, turn->chosen, t, NULL);
    g->loss +=
        tn_grpo_action(probs, n, turn->chosen, lp, lp_ref, advantage, s->recipe->kl, t, 1, dlogits);
    g->kl += exp(lp_ref - lp) - (lp_ref - lp) - 1;
    for (size_t i = 0; i < n; i++)
        if (fabs(dlogits[i]) >= dlogit_min)
            tn_scorer_backward(o->scorer, turn->candidates.items[i].features, dlogits[i], g->grad);
    tn_arena_rewind(&p->arena, mark);
    return TERN_OK;
}

static tern_status add_entropy(const tn_stage *s, tn_player *p, const tn_turn *turn, tn_group *g,
                               tern_error *err) {
    size_t n = turn->candidates.n;
    tn_arena_mark mark = tn_arena_get_mark(&p->arena);
    double *probs = tn_arena_alloc(&p->arena, n * sizeof *probs);
    if (!probs) return no_memory(err);
    tn_softmax_logprob(turn->logits, n, turn->chosen, s->recipe->temperature, probs);
    g->entropy += tn_softmax_entropy(probs, n);
    tn_arena_rewind(&p->arena, mark);
    return TERN_OK;
}

static void close_trace(const tn_task *task, const tn_group_opts *o, const tn_played *e,
                        double reward, tn_buf *b) {
    tn_buf_str(b, "{\"v\":1,\"event\":\"rollout\",\"id\":");
    tn_json_escape(task->question->id, strlen(task->question->id), b);
    tn_buf_printf(b, ",\"step\":%llu,\"rollout\":\"%llu\",\"arm\":\"%s\",\"reward\":",
                  (unsigned long long)o->step, (unsigned long long)e->rollout, o->reward->name);
    if (isfinite(reward))
        tn_buf_printf(b, "%.17g}\n", reward);
    else
        tn_buf_str(b, "null}\n");
}

static tern_status play_one(const tn_stage *s, tn_player *p, const tern_policy *policy,
                            const tn_task *task, const tn_group_opts *o, size_t i, tn_played *e,
                            tn_group *g, tern_error *err) {
    bool with_answer = strcmp(o->reward->name, "leaky") == 0; /* the one that reads the response */
    uint64_t start = tn_clock_ns();
    tern_status st = tn_play(s, p, policy, task, s->recipe->temperature, o->first_rollout + i,
                             with_answer, e, err);
    uint64_t played = tn_clock_ns();
    tn_leakage leak = {0};
    if (st == TERN_OK) st = tn_played_reward(s, p, task, e, o->reward, &g->rewards[i], err);
    if (st == TERN_OK) st = tn_played_leakage(p, task, e, &leak, err);
    for (size_t t = 0; t < e->n_actions && st == TERN_OK; t++)
        st = add_entropy(s, p, &e->episode.turns[t], g, err);
    if (p->trace && st == TERN_OK) {
        close_trace(task, o, e, g->rewards[i], p->trace);
        st = tn_buf_status(p->trace, err);
    }
    g->ns_play += played - start;
    g->ns_reward += tn_clock_ns() - played;
    g->n_actions += e->n_actions;
    g->n_searches += leak.n_queries;
    g->n_masked += leak.n_masked;
    g->overlap_raw += leak.overlap_raw;
    g->overlap_masked += leak.overlap_masked;
    return st;
}

tern_status tn_group_play(const tn_stage *s, tn_player *p, const tn_task *task,
                          const tn_group_opts *o, tn_group *g, tern_error *err) {
    size_t n = s->recipe->group;
    double *rewards = g->rewards, *grad = g->grad;
    tn_buf trace = g->trace;
    *g = (tn_group){.rewards = rewards, .grad = grad, .trace = trace};
    tn_buf_reset(&g->trace);
    p->trace = o->trace ? &g->trace : NULL;
    tn_arena_reset(&p->arena);
    tn_scorer_policy policy;
    tn_scorer_policy_init(&policy, o->scorer, "training");
    policy.previews = true; /* weights of zero learn, too */
    tn_played *played = tn_calloc(n, sizeof *played);
    double *advantages = tn_calloc(n, sizeof *advantages);
    tern_status st = played && advantages ? TERN_OK : no_memory(err);
    for (size_t i = 0; i < n && st == TERN_OK; i++)
        st = play_one(s, p, &policy.base, task, o, i, &played[i], g, err);
    if (st != TERN_OK) goto done;

    uint64_t start = tn_clock_ns();
    tn_advantage kind = strcmp(s->recipe->advantage, "rloo") == 0 ? TN_ADV_RLOO : TN_ADV_GRPO;
    g->useful = tn_group_advantages(kind, rewards, n, s->recipe->spread_min, advantages);
    for (size_t i = 0; g->useful && i < n; i++)
        for (size_t t = 0; t < played[i].n_actions && st == TERN_OK; t++)
            st = learn_action(s, p, &played[i].episode.turns[t], advantages[i], o, g, err);
    g->ns_learn = tn_clock_ns() - start;
done:
    p->trace = NULL;
    for (size_t i = 0; played && i < n; i++) tn_played_end(&played[i]);
    tn_free(played);
    tn_free(advantages);
    return st;
}
