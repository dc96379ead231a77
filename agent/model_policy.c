/* model_policy.c - a local language model as a writing policy (tern/llm.h).
 * The transcript is one assistant turn, as Search-R1 trains it: the rules and the question are the
 * user's message in the model's chat format, and everything after it - what the model wrote, what
 * it was shown - stands in the reply that it goes on writing. Only the chat format's own marks
 * become special tokens; what passages say stays text. */
#include "agent/agent_priv.h"
#include "core/base/file.h"
#include "tern/chat.h"
#include "tern/generate.h"
#include "tern/llm.h"
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

enum { REPLY_TOKENS_MIN = 16 }; /* less than that is no room for an action */

typedef struct model_policy {
    tern_policy base;
    tern_model *model;
    char *path, *prompt; /* prompt: NULL or the user's own rules */
    bool has_chat;       /* false: a base model, whose transcript is plain text */
    tern_chat_family family;
    uint32_t max_tokens;
} model_policy;

tern_model_policy_opts tern_model_policy_defaults(void) {
    return (tern_model_policy_opts){.max_tokens = 500, .weights = TERN_WEIGHTS_BF16};
}

/* --- the transcript --- */

static const char question_mark[] = "{question}";

static void add_rules(const model_policy *p, const tn_episode *ep, tn_buf *out) {
    if (!p->prompt) {
        tn_protocol_prompt(ep->question, ep->question_len, ep->opts->obs_style, out);
        return;
    }
    const char *at = strstr(p->prompt, question_mark); /* checked when the policy was made */
    tn_buf_add(out, p->prompt, (size_t)(at - p->prompt));
    tn_buf_add(out, ep->question, ep->question_len);
    tn_buf_str(out, at + strlen(question_mark));
}

/* What stands in the reply so far. */
static void add_reply(const tn_episode *ep, bool last, tn_buf *out) {
    for (size_t i = 0; i < ep->n_turns; i++) {
        tn_buf_add(out, ep->turns[i].wrote, ep->turns[i].wrote_len);
        tn_buf_add(out, ep->turns[i].observation, ep->turns[i].observation_len);
    }
    if (last) tn_buf_str(out, tn_protocol_last);
}

static tern_status append(tern_tokens *to, const tern_tokens *from, tern_error *err) {
    if (TN_GROW(to->ids, to->cap, to->n + from->n) != 0)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a transcript");
    if (from->n) memcpy(to->ids + to->n, from->ids, from->n * sizeof *from->ids);
    to->n += from->n;
    return TERN_OK;
}

static tern_status encode(const model_policy *p, const tn_episode *ep, bool last,
                          tern_tokens *tokens, tern_error *err) {
    const tern_tokenizer *t = tern_model_tokenizer(p->model);
    tern_encode_opts plain = {.add_special = !p->has_chat};
    tern_tokens reply_tokens = {0};
    tn_buf rules = {0}, reply = {0};
    add_rules(p, ep, &rules);
    add_reply(ep, last, &reply);
    tern_status st = tn_buf_status(&rules, err);
    if (st == TERN_OK) st = tn_buf_status(&reply, err);
    if (st == TERN_OK && p->has_chat) {
        tern_chat_message message = {"user", tn_buf_cstr(&rules)};
        st = tern_chat_encode(t, p->family, &message, 1, NULL, tokens, err);
    } else if (st == TERN_OK) {
        st = tern_tokenizer_encode(t, rules.data, rules.len, &plain, tokens, err);
    }
    plain.add_special = false;
    if (st == TERN_OK && reply.len)
        st = tern_tokenizer_encode(t, reply.data, reply.len, &plain, &reply_tokens, err);
    if (st == TERN_OK) st = append(tokens, &reply_tokens, err);
    tern_tokens_deinit(&reply_tokens);
    tn_buf_deinit(&reply);
    tn_buf_deinit(&rules);
    return st;
}

/* --- writing --- */

typedef struct writing {
    tn_episode *ep;
    tn_buf *out;
    size_t begin; /* of this turn in out */
} writing;

/* The turn ends with its action. */
static bool on_text(void *ud, size_t prompt, size_t sample, const char *text, size_t len) {
    (void)prompt;
    (void)sample;
    writing *w = ud;
    tn_buf_add(w->out, text, len);
    tn_episode_text(w->ep, text, len);
    const char *turn = tn_buf_cstr(w->out) + (w->out->failed ? 0 : w->begin);
    for (const char *const *stop = tn_protocol_stops; *stop; stop++)
        if (strstr(turn, *stop)) return false;
    return true;
}

static tern_status model_write(const tern_policy *base, tn_episode *ep, bool last, tn_buf *out,
                               tern_error *err) {
    const model_policy *p = (const model_policy *)base;
    tern_tokens tokens = {0};
    tern_completions *done = NULL;
    uint32_t context = tern_model_get_info(p->model).context;
    tern_status st = encode(p, ep, last, &tokens, err);
    if (st == TERN_OK && tokens.n + REPLY_TOKENS_MIN > context)
        st =
            tern_fail(err, TERN_ERR_LIMIT, 0,
                      "%s: a transcript of %zu tokens leaves no room in a context of %u; show less "
                      "(--obs-tokens, --turns)",
                      p->path, tokens.n, context);
    if (st == TERN_OK) {
        writing w = {ep, out, out->len};
        size_t room = context - tokens.n;
        tern_prompt prompt = {.tokens = tokens.ids, .n_tokens = tokens.n};
        tern_generate_opts o = tern_generate_defaults(p->model);
        o.max_tokens = room < p->max_tokens ? (uint32_t)room : p->max_tokens;
        o.temperature = (float)ep->opts->temperature;
        o.top_k = 0;
        o.top_p = 1;
        o.min_p = 0;
        o.seed = ep->opts->seed ^ tn_episode_stream(ep);
        o.deterministic = true;
        o.text = on_text;
        o.ud = &w;
        st = tern_generate(p->model, &prompt, 1, &o, ep->host, &done, err);
    }
    tern_completions_free(done);
    tern_tokens_deinit(&tokens);
    return st;
}

static void model_free(tern_policy *base) {
    model_policy *p = (model_policy *)base;
    tern_model_close(p->model);
    tn_free(p->path);
    tn_free(p->prompt);
    tn_free(p);
}

/* --- opening --- */

static tern_status find_chat(model_policy *p, const tern_model_policy_opts *o, tern_error *err) {
    const tern_tokenizer *t = tern_model_tokenizer(p->model);
    if (!t)
        return tern_fail(err, TERN_ERR_UNSUPPORTED, 0, "%s: no tokenizer in the folder", p->path);
    if (o->chat && strcmp(o->chat, "none") == 0) return TERN_OK;
    p->has_chat = true;
    if (o->chat) return tern_chat_find(o->chat, &p->family, err);
    tern_status st = tern_chat_detect(t, &p->family, err);
    if (st == TERN_ERR_UNSUPPORTED && !tern_tokenizer_chat_template(t)) {
        p->has_chat = false; /* a base model */
        st = TERN_OK;
    }
    return st;
}

tern_status tern_policy_model(const char *dir, const tern_model_policy_opts *opts,
                              const tern_host *host, tern_policy **out, tern_error *err) {
    *out = NULL;
    tern_model_policy_opts o = opts ? *opts : tern_model_policy_defaults();
    if (o.prompt && !strstr(o.prompt, question_mark))
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "the prompt does not say where the question goes: "
                         "write {question} there");
    if (o.max_tokens < 1)
        return tern_fail(err, TERN_ERR_ARG, 0, "a policy needs at least 1 token a turn");
    model_policy *p = tn_calloc(1, sizeof *p);
    if (!p) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a policy");
    p->base = (tern_policy){
        .name = "model", .kind = TN_POLICY_WRITING, .write = model_write, .free = model_free};
    p->max_tokens = o.max_tokens;
    p->path = tn_strdup(dir);
    if (o.prompt) p->prompt = tn_strdup(o.prompt);
    tern_model_opts load = tern_model_defaults();
    load.weights = o.weights;
    tern_status st = p->path && (!o.prompt || p->prompt)
                         ? tern_model_open(dir, &load, host, &p->model, err)
                         : tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a policy");
    if (st == TERN_OK && !tern_model_get_info(p->model).generates)
        st = tern_fail(err, TERN_ERR_UNSUPPORTED, 0,
                       "%s: a %s model with head \"%s\" writes no text", dir,
                       tern_model_get_info(p->model).arch, tern_model_get_info(p->model).head);
    if (st == TERN_OK) st = find_chat(p, &o, err);
    if (st == TERN_OK)
        *out = &p->base;
    else
        model_free(&p->base);
    return st;
}
