/* recipe.c - see recipe.h. One table names the members for reading and for writing. */
#include "trainer/recipe.h"
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

typedef enum member_type { TEXT, COUNT, REAL, TRUTH, SEED } member_type;

static const struct member {
    const char *name;
    member_type type;
    size_t at, size;
} members[] = {
#define MEMBER(name, type)                                                                         \
    { #name, type, offsetof(tn_recipe, name), sizeof(((tn_recipe *)0)->name) }
    MEMBER(reward, TEXT),    MEMBER(start, TEXT),       MEMBER(advantage, TEXT),
    MEMBER(steps, COUNT),    MEMBER(batch, COUNT),      MEMBER(group, COUNT),
    MEMBER(hidden, COUNT),   MEMBER(turns, COUNT),      MEMBER(top_k, COUNT),
    MEMBER(held_out, COUNT), MEMBER(eval_every, COUNT), MEMBER(lr, REAL),
    MEMBER(kl, REAL),        MEMBER(temperature, REAL), MEMBER(spread_min, REAL),
    MEMBER(clip_norm, REAL), MEMBER(backstop, TRUTH),   MEMBER(seed, SEED),
#undef MEMBER
};
enum { N_MEMBERS = sizeof members / sizeof *members };

static bool take(tn_recipe *r, const struct member *m, const json_t *v) {
    char *dest = (char *)r + m->at;
    json_int_t n = json_integer_value(v);
    switch (m->type) {
    case TEXT:
        if (!json_is_string(v) || json_string_length(v) >= m->size) return false;
        memcpy(dest, json_string_value(v), json_string_length(v) + 1);
        return true;
    case COUNT:
        if (!json_is_integer(v) || n < 0 || n > UINT32_MAX) return false;
        *(uint32_t *)(void *)dest = (uint32_t)n;
        return true;
    case REAL:
        if (!json_is_number(v)) return false;
        *(double *)(void *)dest = json_number_value(v);
        return true;
    case TRUTH:
        if (!json_is_boolean(v)) return false;
        *(bool *)(void *)dest = json_is_true(v);
        return true;
    case SEED:
        if (!json_is_integer(v) || n < 0) return false;
        *(uint64_t *)(void *)dest = (uint64_t)n;
        return true;
    }
    return false;
}

tern_status tn_recipe_read(tn_recipe *r, const json_t *obj, const char *where, tern_error *err) {
    static const char *const wanted[] = {"a short string", "a whole number, 0 or more", "a number",
                                         "true or false", "a whole number, 0 or more"};
    const char *key;
    json_t *value;
    if (!json_is_object(obj))
        return tern_fail(err, TERN_ERR_FORMAT, 0, "%s: a recipe is a JSON object", where);
    json_object_foreach((json_t *)(uintptr_t)obj, key, value) {
        const struct member *m = NULL;
        for (size_t i = 0; i < N_MEMBERS && !m; i++)
            if (strcmp(members[i].name, key) == 0) m = &members[i];
        if (!m)
            return tern_fail(err, TERN_ERR_FORMAT, 0, "%s: a recipe has no member \"%s\"", where,
                             key);
        if (!take(r, m, value))
            return tern_fail(err, TERN_ERR_FORMAT, 0, "%s: \"%s\" must be %s", where, key,
                             wanted[m->type]);
    }
    return TERN_OK;
}

static tern_status in_range(const char *name, double v, double low, double high, tern_error *err) {
    if (v >= low && v <= high) return TERN_OK; /* false for NaN */
    return tern_fail(err, TERN_ERR_ARG, 0, "recipe: %s is %g, must be %g to %g", name, v, low,
                     high);
}

tern_status tn_recipe_check(const tn_recipe *r, tern_error *err) {
    const struct range {
        const char *name;
        double value, low, high;
    } ranges[] = {
        {"steps", r->steps, 1, 1e6},
        {"batch", r->batch, 1, 4096},
        {"group", r->group, 2, 64},
        {"hidden", r->hidden, 0, 4096},
        {"turns", r->turns, 1, 64},
        {"top_k", r->top_k, 1, 64},
        {"held_out", r->held_out, 0, 1e6},
        {"lr", r->lr, 1e-9, 10},
        {"kl", r->kl, 0, 100},
        {"temperature", r->temperature, 0.01, 100},
        {"spread_min", r->spread_min, 0, 1},
        {"clip_norm", r->clip_norm, 0, 1e6},
    };
    tern_status st = TERN_OK;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges && st == TERN_OK; i++)
        st = in_range(ranges[i].name, ranges[i].value, ranges[i].low, ranges[i].high, err);
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

static json_t *give(const tn_recipe *r, const struct member *m) {
    const char *src = (const char *)r + m->at;
    switch (m->type) {
    case TEXT:
        return json_string(src);
    case COUNT:
        return json_integer(*(const uint32_t *)(const void *)src);
    case REAL:
        return json_real(*(const double *)(const void *)src);
    case TRUTH:
        return json_boolean(*(const bool *)(const void *)src);
    case SEED:
        return json_integer((json_int_t) * (const uint64_t *)(const void *)src);
    }
    return NULL;
}

json_t *tn_recipe_json(const tn_recipe *r) {
    json_t *obj = json_object();
    bool ok = obj != NULL;
    for (size_t i = 0; ok && i < N_MEMBERS; i++)
        ok = json_object_set_new(obj, members[i].name, give(r, &members[i])) == 0;
    if (ok) return obj;
    json_decref(obj);
    return NULL;
}
