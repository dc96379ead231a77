/* recipe.c - see recipe.h. */
#include "trainer/recipe.h"
#include "trainer/members.h"
#include "trainer/reward.h"
#include <stddef.h>
#include <string.h>

#include "core/base/mem.h"

tn_recipe tn_recipe_defaults(void) {
    return (tn_recipe){.reward = "ccs-lexical",
                       .start = "embedded",
                       .advantage = "grpo",
                       .steps = 80,
                       .batch = 16,
                       .group = 8,
                       .hidden = 0,
                       .turns = 4,
                       .top_k = 3,
                       .held_out = 50,
                       .eval_every = 10,
                       .lr = 0.01,
                       .kl = 0.001,
                       .temperature = 1,
                       .spread_min = 1e-3,
                       .clip_norm = 1,
                       .backstop = true,
                       .seed = 1};
}

static const tn_member members[] = {
#define MEMBER(name, type, low, high)                                                              \
    {                                                                                              \
#name, TN_MEMBER_##type, offsetof(tn_recipe, name), sizeof(((tn_recipe *)0)->name), low,   \
            high, NULL                                                                             \
    }
    MEMBER(reward, TEXT, 0, 0),      MEMBER(start, TEXT, 0, 0),
    MEMBER(advantage, TEXT, 0, 0),   MEMBER(steps, COUNT, 1, 1e6),
    MEMBER(batch, COUNT, 1, 4096),   MEMBER(group, COUNT, 2, 64),
    MEMBER(hidden, COUNT, 0, 4096),  MEMBER(turns, COUNT, 1, 64),
    MEMBER(top_k, COUNT, 1, 64),     MEMBER(held_out, COUNT, 0, 1e6),
    MEMBER(eval_every, COUNT, 0, 0), MEMBER(lr, REAL, 1e-9, 10),
    MEMBER(kl, REAL, 0, 100),        MEMBER(temperature, REAL, 0.01, 100),
    MEMBER(spread_min, REAL, 0, 1),  MEMBER(clip_norm, REAL, 0, 1e6),
    MEMBER(backstop, TRUTH, 0, 0),   MEMBER(seed, SEED, 0, 0),
#undef MEMBER
};
enum { N_MEMBERS = sizeof members / sizeof *members };

tern_status tn_recipe_read(tn_recipe *r, const json_t *obj, const char *where, tern_error *err) {
    return tn_members_read(r, members, N_MEMBERS, obj, where, "a recipe", err);
}

tern_status tn_recipe_check(const tn_recipe *r, tern_error *err) {
    tern_status st = tn_members_check(r, members, N_MEMBERS, err);
    if (st != TERN_OK) return st;
    if (!tn_reward_find(r->reward)) {
        size_t n;
        const tn_reward *all = tn_reward_list(&n);
        char names[200] = "";
        for (size_t i = 0; i < n; i++) {
            strncat(names, i ? ", " : "", sizeof names - strlen(names) - 1);
            strncat(names, all[i].name, sizeof names - strlen(names) - 1);
        }
        return tern_fail(err, TERN_ERR_ARG, 0, "recipe: no reward \"%s\"; there are %s", r->reward,
                         names);
    }
    if (strcmp(r->advantage, "grpo") != 0 && strcmp(r->advantage, "rloo") != 0)
        return tern_fail(err, TERN_ERR_ARG, 0, "recipe: advantage is \"%s\", must be grpo or rloo",
                         r->advantage);
    return TERN_OK;
}

json_t *tn_recipe_json(const tn_recipe *r) {
    json_t *obj = json_object();
    if (obj && tn_members_write(r, members, N_MEMBERS, obj)) return obj;
    json_decref(obj);
    return NULL;
}
