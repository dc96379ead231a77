/* chat.c - see tern/chat.h. A renderer writes markup and contents into one text and notes where the
 * contents lie: there special tokens are not looked for. */
#include "tern/chat.h"
#include "core/base/buf.h"
#include "core/lm/tokenizer/guarded.h"
#include <string.h>

#include "core/base/mem.h"

static const char *const names[TERN_CHAT_N] = {
    [TERN_CHAT_CHATML] = "chatml",         [TERN_CHAT_QWEN2] = "qwen2",
    [TERN_CHAT_QWEN2_5] = "qwen2.5",       [TERN_CHAT_QWEN3] = "qwen3",
    [TERN_CHAT_SMOLLM2] = "smollm2",       [TERN_CHAT_LLAMA2] = "llama2",
    [TERN_CHAT_LLAMA3] = "llama3",         [TERN_CHAT_LLAMA3_1] = "llama3.1",
    [TERN_CHAT_MISTRAL_V1] = "mistral-v1", [TERN_CHAT_MISTRAL_V3] = "mistral-v3",
    [TERN_CHAT_GEMMA] = "gemma",           [TERN_CHAT_ZEPHYR] = "zephyr",
};
static const char name_list[] = "chatml, qwen2, qwen2.5, qwen3, smollm2, llama2, llama3, llama3.1, "
                                "mistral-v1, mistral-v3, gemma, zephyr";

const char *tern_chat_name(tern_chat_family family) {
    return (unsigned)family < TERN_CHAT_N ? names[family] : NULL;
}

tern_status tern_chat_find(const char *name, tern_chat_family *out, tern_error *err) {
    for (int f = 0; f < TERN_CHAT_N; f++) {
        if (strcmp(names[f], name) != 0) continue;
        *out = (tern_chat_family)f;
        return TERN_OK;
    }
    return tern_fail(err, TERN_ERR_NOT_FOUND, 0, "no chat format '%.60s'; there are %s", name,
                     name_list);
}

/* ---- whose template is it ---- */

tern_status tern_chat_detect_template(const char *s, tern_chat_family *out, tern_error *err) {
    /* In order; the first rule whose `has` is found and whose `lacks` is not. */
    static const struct {
        const char *has, *also, *lacks;
        tern_chat_family family;
    } rules[] = {
        {"<|im_start|>", "enable_thinking", NULL, TERN_CHAT_QWEN3},
        {"<|im_start|>", "You are Qwen, created by Alibaba Cloud", "<think>", TERN_CHAT_QWEN2_5},
        {"<|im_start|>", "named SmolLM, trained by Hugging Face", "<think>", TERN_CHAT_SMOLLM2},
        {"<|im_start|>", "You are a helpful assistant", "<think>", TERN_CHAT_QWEN2},
        {"<|im_start|>", "<|im_end|>", "<think>", TERN_CHAT_CHATML},
        {"<|start_header_id|>", "Cutting Knowledge Date", NULL, TERN_CHAT_LLAMA3_1},
        {"<|start_header_id|>", "<|eot_id|>", NULL, TERN_CHAT_LLAMA3},
        {"<start_of_turn>", "<end_of_turn>", NULL, TERN_CHAT_GEMMA},
        {"[INST]", "<<SYS>>", NULL, TERN_CHAT_LLAMA2},
        {"[INST]", "[AVAILABLE_TOOLS]", "[SYSTEM_PROMPT]", TERN_CHAT_MISTRAL_V3},
        {"[INST]", " [/INST]", "[SYSTEM_PROMPT]", TERN_CHAT_MISTRAL_V1},
        {"[INST]", "[/INST]", "[SYSTEM_PROMPT]", TERN_CHAT_MISTRAL_V3},
        {"<|user|>", "eos_token", "<|end|>", TERN_CHAT_ZEPHYR},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (!strstr(s, rules[i].has) || !strstr(s, rules[i].also)) continue;
        if (rules[i].lacks && strstr(s, rules[i].lacks)) continue;
        *out = rules[i].family;
        return TERN_OK;
    }
    return tern_fail(err, TERN_ERR_UNSUPPORTED, 0,
                     "the model's chat template is of no family known here; name one: %s",
                     name_list);
}

tern_status tern_chat_detect(const tern_tokenizer *t, tern_chat_family *out, tern_error *err) {
    static const struct {
        const char *token;
        tern_chat_family family;
    } marks[] = {{"<|im_start|>", TERN_CHAT_CHATML},
                 {"<|start_header_id|>", TERN_CHAT_LLAMA3},
                 {"<start_of_turn>", TERN_CHAT_GEMMA}};
    const char *s = tern_tokenizer_chat_template(t);
    if (s) return tern_chat_detect_template(s, out, err);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (!tern_tokenizer_is_special(t, tern_tokenizer_find(t, marks[i].token))) continue;
        *out = marks[i].family;
        return TERN_OK;
    }
    return tern_fail(err, TERN_ERR_UNSUPPORTED, 0,
                     "the model has no chat template; name a format: %s", name_list);
}

/* ---- writing ---- */

typedef struct rendering {
    const tern_chat_message *m;
    size_t n;
    const tern_chat_opts *opts;
    const char *system; /* the first message, if it is one; m and n are without it */
    tn_buf out;
    tern_token_span *contents;
    size_t n_contents, contents_cap;
} rendering;

static void mark_up(rendering *r, const char *s) {
    tn_buf_str(&r->out, s);
}

static void content_n(rendering *r, const char *s, size_t n) {
    if (TN_GROW(r->contents, r->contents_cap, r->n_contents + 1) != 0) {
        tn_buf_fail(&r->out);
        return;
    }
    size_t begin = r->out.len;
    tn_buf_add(&r->out, s, n);
    r->contents[r->n_contents++] =
        (tern_token_span){(uint32_t)begin, (uint32_t)(r->out.failed ? begin : r->out.len)};
}

static void content(rendering *r, const char *s) {
    content_n(r, s, strlen(s));
}

static void trim_any(const char **s, size_t *n, const char *what) {
    while (*n && strchr(what, **s)) (*s)++, (*n)--;
    while (*n && strchr(what, (*s)[*n - 1])) (*n)--;
}

static void trimmed(rendering *r, const char *s) {
    size_t n = strlen(s);
    trim_any(&s, &n, " \t\n\v\f\r");
    content_n(r, s, n);
}

static bool is_user(const tern_chat_message *m) {
    return strcmp(m->role, "user") == 0;
}

/* ---- chatml ---- */

static void chatml_turn(rendering *r, const char *role, const char *text) {
    mark_up(r, "<|im_start|>");
    mark_up(r, role);
    mark_up(r, "\n");
    content(r, text);
    mark_up(r, "<|im_end|>\n");
}

static void chatml(rendering *r, const char *default_system) {
    if (r->system || default_system)
        chatml_turn(r, "system", r->system ? r->system : default_system);
    for (size_t i = 0; i < r->n; i++) chatml_turn(r, r->m[i].role, r->m[i].content);
    if (r->opts->open_reply) mark_up(r, "<|im_start|>assistant\n");
}

/* An assistant's message that was reasoned: what stands before </think> is shown again only behind
 * the last question. */
static void qwen3_reply(rendering *r, const tern_chat_message *m, bool last, bool behind_question) {
    const char *text = m->content, *end = NULL, *thought = "";
    size_t n_thought = 0;
    for (const char *at = text; (at = strstr(at, "</think>")); at++) end = at;
    if (end) {
        const char *first_end = strstr(text, "</think>"), *open = text;
        thought = text;
        for (; (open = strstr(open, "<think>")) && open < first_end; open += 7) thought = open + 7;
        n_thought = (size_t)(first_end - thought);
        trim_any(&thought, &n_thought, "\n");
        text = end + 8;
        while (*text == '\n') text++;
    }
    mark_up(r, "<|im_start|>assistant\n");
    if (behind_question && (last || n_thought)) {
        mark_up(r, "<think>\n");
        content_n(r, thought, n_thought);
        mark_up(r, "\n</think>\n\n");
        while (*text == '\n') text++;
    }
    content(r, text);
    mark_up(r, "<|im_end|>\n");
}

static void qwen3(rendering *r) {
    size_t question = 0; /* the last user message */
    for (size_t i = 0; i < r->n; i++)
        if (is_user(&r->m[i])) question = i;
    if (r->system) chatml_turn(r, "system", r->system);
    for (size_t i = 0; i < r->n; i++) {
        if (is_user(&r->m[i]))
            chatml_turn(r, "user", r->m[i].content);
        else
            qwen3_reply(r, &r->m[i], i + 1 == r->n, i > question);
    }
    if (!r->opts->open_reply) return;
    mark_up(r, "<|im_start|>assistant\n");
    if (r->opts->no_thinking) mark_up(r, "<think>\n\n</think>\n\n");
}

/* ---- the others ---- */

static void llama3_turn(rendering *r, const char *role, const char *text) {
    mark_up(r, "<|start_header_id|>");
    mark_up(r, role);
    mark_up(r, "<|end_header_id|>\n\n");
    trimmed(r, text);
    mark_up(r, "<|eot_id|>");
}

static void llama3(rendering *r, bool dated) {
    mark_up(r, "<|begin_of_text|>");
    if (dated) {
        mark_up(r, "<|start_header_id|>system<|end_header_id|>\n\n"
                   "Cutting Knowledge Date: December 2023\nToday Date: ");
        content(r, r->opts->date ? r->opts->date : "26 Jul 2024");
        mark_up(r, "\n\n");
        trimmed(r, r->system ? r->system : "");
        mark_up(r, "<|eot_id|>");
    } else if (r->system) {
        llama3_turn(r, "system", r->system);
    }
    for (size_t i = 0; i < r->n; i++) llama3_turn(r, r->m[i].role, r->m[i].content);
    if (r->opts->open_reply) mark_up(r, "<|start_header_id|>assistant<|end_header_id|>\n\n");
}

static void llama2(rendering *r) {
    for (size_t i = 0; i < r->n; i++) {
        if (is_user(&r->m[i])) {
            mark_up(r, "<s>[INST] ");
            if (i == 0 && r->system) {
                mark_up(r, "<<SYS>>\n");
                content(r, r->system);
                mark_up(r, "\n<</SYS>>\n\n");
            }
            trimmed(r, r->m[i].content);
            mark_up(r, " [/INST]");
        } else {
            mark_up(r, " ");
            trimmed(r, r->m[i].content);
            mark_up(r, " </s>");
        }
    }
}

/* v1 puts the system message before the first question, v3 before the last. */
static void mistral(rendering *r, bool v3) {
    size_t last_user = 0;
    for (size_t i = 0; i < r->n; i++)
        if (is_user(&r->m[i])) last_user = i;
    mark_up(r, "<s>");
    for (size_t i = 0; i < r->n; i++) {
        if (is_user(&r->m[i])) {
            mark_up(r, "[INST] ");
            if (r->system && i == (v3 ? last_user : 0)) {
                content(r, r->system);
                mark_up(r, "\n\n");
            }
            content(r, r->m[i].content);
            mark_up(r, v3 ? "[/INST]" : " [/INST]");
        } else if (v3) {
            mark_up(r, " ");
            trimmed(r, r->m[i].content);
            mark_up(r, "</s>");
        } else {
            content(r, r->m[i].content);
            mark_up(r, "</s>");
        }
    }
}

static void gemma(rendering *r) {
    mark_up(r, "<bos>");
    for (size_t i = 0; i < r->n; i++) {
        mark_up(r, is_user(&r->m[i]) ? "<start_of_turn>user\n" : "<start_of_turn>model\n");
        if (i == 0 && r->system) {
            content(r, r->system);
            mark_up(r, "\n\n");
        }
        trimmed(r, r->m[i].content);
        mark_up(r, "<end_of_turn>\n");
    }
    if (r->opts->open_reply) mark_up(r, "<start_of_turn>model\n");
}

static void zephyr_turn(rendering *r, const char *role, const char *text) {
    mark_up(r, "<|");
    mark_up(r, role);
    mark_up(r, "|>\n");
    content(r, text);
    mark_up(r, "</s>\n");
}

static void zephyr(rendering *r) {
    if (r->system) zephyr_turn(r, "system", r->system);
    for (size_t i = 0; i < r->n; i++) zephyr_turn(r, r->m[i].role, r->m[i].content);
    if (r->opts->open_reply) mark_up(r, "<|assistant|>\n");
}

static void write_all(rendering *r, tern_chat_family family) {
    switch (family) {
    case TERN_CHAT_CHATML:
        chatml(r, NULL);
        break;
    case TERN_CHAT_QWEN2:
        chatml(r, "You are a helpful assistant.");
        break;
    case TERN_CHAT_QWEN2_5:
        chatml(r, "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.");
        break;
    case TERN_CHAT_SMOLLM2:
        chatml(r, "You are a helpful AI assistant named SmolLM, trained by Hugging Face");
        break;
    case TERN_CHAT_QWEN3:
        qwen3(r);
        break;
    case TERN_CHAT_LLAMA2:
        llama2(r);
        break;
    case TERN_CHAT_LLAMA3:
    case TERN_CHAT_LLAMA3_1:
        llama3(r, family == TERN_CHAT_LLAMA3_1);
        break;
    case TERN_CHAT_MISTRAL_V1:
    case TERN_CHAT_MISTRAL_V3:
        mistral(r, family == TERN_CHAT_MISTRAL_V3);
        break;
    case TERN_CHAT_GEMMA:
        gemma(r);
        break;
    case TERN_CHAT_ZEPHYR:
        zephyr(r);
        break;
    case TERN_CHAT_N:
        break;
    }
}

/* ---- checks and doors ---- */

static bool must_alternate(tern_chat_family f) {
    return f == TERN_CHAT_LLAMA2 || f == TERN_CHAT_MISTRAL_V1 || f == TERN_CHAT_MISTRAL_V3 ||
           f == TERN_CHAT_GEMMA;
}

static tern_status check(rendering *r, tern_chat_family family, tern_error *err) {
    if ((unsigned)family >= TERN_CHAT_N)
        return tern_fail(err, TERN_ERR_ARG, 0, "no chat format number %d", (int)family);
    if (r->n > 0 && strcmp(r->m[0].role, "system") == 0) {
        r->system = r->m[0].content;
        r->m++;
        r->n--;
    }
    if (r->n == 0) return tern_fail(err, TERN_ERR_ARG, 0, "a conversation without messages");
    for (size_t i = 0; i < r->n; i++) {
        const char *role = r->m[i].role;
        if (strcmp(role, "system") == 0)
            return tern_fail(err, TERN_ERR_ARG, 0, "only the first message may be the system's");
        if (!is_user(&r->m[i]) && strcmp(role, "assistant") != 0)
            return tern_fail(err, TERN_ERR_ARG, 0, "'%.40s' is no role: system, user, assistant",
                             role);
        if (must_alternate(family) && is_user(&r->m[i]) != (i % 2 == 0))
            return tern_fail(err, TERN_ERR_ARG, 0,
                             "%s wants user and assistant by turns, the user first", names[family]);
    }
    return TERN_OK;
}

static tern_status render(rendering *r, tern_chat_family family, tern_error *err) {
    tern_status st = check(r, family, err);
    if (st != TERN_OK) return st;
    write_all(r, family);
    return tn_buf_status(&r->out, err);
}

tern_chat_opts tern_chat_defaults(void) {
    return (tern_chat_opts){.open_reply = true};
}

tern_status tern_chat_render(tern_chat_family family, const tern_chat_message *messages, size_t n,
                             const tern_chat_opts *opts, char **text, size_t *len,
                             tern_error *err) {
    tern_chat_opts defaults = tern_chat_defaults();
    rendering r = {.m = messages, .n = n, .opts = opts ? opts : &defaults};
    tern_status st = render(&r, family, err);
    *text = NULL;
    *len = st == TERN_OK ? r.out.len : 0;
    if (st == TERN_OK && !(*text = tn_buf_take(&r.out)))
        st = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    tn_buf_deinit(&r.out);
    tn_free(r.contents);
    return st;
}

tern_status tern_chat_encode(const tern_tokenizer *t, tern_chat_family family,
                             const tern_chat_message *messages, size_t n,
                             const tern_chat_opts *opts, tern_tokens *tokens, tern_error *err) {
    tern_chat_opts defaults = tern_chat_defaults();
    tern_encode_opts how = {.parse_special = true};
    rendering r = {.m = messages, .n = n, .opts = opts ? opts : &defaults};
    tokens->n = 0;
    tern_status st = render(&r, family, err);
    if (st == TERN_OK)
        st = tn_encode_guarded(t, r.out.data, r.out.len, r.contents, r.n_contents, &how, tokens,
                               err);
    tn_buf_deinit(&r.out);
    tn_free(r.contents);
    return st;
}
