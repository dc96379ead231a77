/* judge.c - a policy on one held-out question: all figures. See rollout.h. */
#include "trainer/html.h"
#include "trainer/rollout.h"
#include <math.h>
#include <string.h>

#include "core/base/mem.h"

static bool is_gold(const tn_gold *g, uint32_t ref) {
    for (size_t i = 0; i < g->n_supporting; i++)
        if (g->supporting[i] == ref) return true;
    return false;
}

static char *tell(const tn_task *task, const tn_played *e) {
    tn_buf b = {0};
    for (size_t t = 0; t < e->raw.n_turns; t++) {
        const tn_traj_turn *turn = &e->raw.turns[t];
        tn_buf_str(&b, "<li><q>");
        tn_html_text(&b, turn->query);
        tn_buf_str(&b, "</q><small>");
        tn_html_text(&b, e->masked.turns[t].query);
        tn_buf_str(&b, "</small><ul>");
        for (size_t i = 0; i < turn->n_passages; i++) {
            bool gold = is_gold(&task->gold, turn->refs[i]);
            tn_buf_str(&b, gold ? "<li class=gold>" : "<li>");
            tn_html_text(&b, turn->titles[i][0] ? turn->titles[i] : "(untitled)");
            tn_buf_str(&b, "</li>");
        }
        tn_buf_str(&b, "</ul></li>");
    }
    tn_buf_str(&b, "<li class=answer>");
    tn_html_text(&b, e->raw.answer);
    tn_buf_str(&b, "</li>");
    return tn_buf_take(&b);
}

static tern_status gold_figures(const tn_task *task, const tn_played *e, tn_judged *j,
                                tern_error *err) {
    const tern_question *q = task->question;
    size_t n_arms;
    const tn_reward *arms = tn_reward_list(&n_arms);
    for (size_t a = 0; a < n_arms; a++) {
        if (strcmp(arms[a].name, "gold-recall") == 0) j->recall = j->rewards[a];
        if (strcmp(arms[a].name, "gold-answer") == 0) j->in_evidence = j->rewards[a];
    }
    if (!isnan(j->recall)) j->all = j->recall >= 1;
    if (q->n_answers == 0) return TERN_OK;
    return tern_answer_score(e->raw.answer, q->answers, q->n_answers, &j->em, &j->f1, err);
}

tern_status tn_judge(const tn_stage *s, tn_player *p, const tern_policy *policy,
                     const tn_task *task, double temperature, bool with_story, tn_judged *out,
                     tern_error *err) {
    *out = (tn_judged){
        .recall = NAN, .all = NAN, .in_evidence = NAN, .em = NAN, .f1 = NAN, .searches = 0};
    tn_played e;
    tn_arena_reset(&p->arena);
    size_t n_arms;
    const tn_reward *arms = tn_reward_list(&n_arms);
    tern_status st = tn_play(s, p, policy, task, temperature, 0, true, &e, err);
    for (size_t a = 0; a < TN_ARMS_MAX; a++) out->rewards[a] = NAN;
    for (size_t a = 0; a < n_arms && a < TN_ARMS_MAX && st == TERN_OK; a++) {
        if (tn_reward_sees(&arms[a], &task->gold))
            st = tn_played_reward(s, p, task, &e, &arms[a], &out->rewards[a], err);
    }
    if (st == TERN_OK) st = tn_played_leakage(p, task, &e, &out->leakage, err);
    if (st == TERN_OK) st = gold_figures(task, &e, out, err);
    if (st == TERN_OK) out->searches = (double)e.raw.n_turns;
    if (st == TERN_OK && with_story && !(out->story = tell(task, &e)))
        st = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a trajectory");
    tn_played_end(&e);
    return st;
}
