/* llm_reply.c - reading a chat completion, streamed or whole, from servers that take liberties:
 * `content` null or a list of parts, `text` instead of `message`, errors inside a 200, a stop
 * string kept, cut off or ignored, `stream` ignored. Every field is looked for, none is trusted. */
#include "agent/llm_priv.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

/* An honest turn is a few kilobytes; a server that ignores max_tokens is cut off here. */
enum { TEXT_MAX = 1 << 20, EVENT_MAX = 4 << 20, BODY_MAX = 16 << 20 };

static bool on_event(void *ud, const tn_sse_event *ev);

void tn_llm_reply_init(tn_llm_reply *r, const char *const *stops,
                       void (*on_text)(void *ud, const char *text, size_t len), void *ud) {
    *r = (tn_llm_reply){.stops = stops, .on_text = on_text, .ud = ud};
    tn_sse_init(&r->sse, EVENT_MAX, on_event, r);
}

void tn_llm_reply_deinit(tn_llm_reply *r) {
    tn_buf_deinit(&r->text);
    tn_buf_deinit(&r->reasoning);
    tn_buf_deinit(&r->body);
    tn_sse_deinit(&r->sse);
}

/* ---- errors ------------------------------------------------------------------------------- */

static const char *error_message(const json_t *root, const json_t **details) {
    const json_t *e = json_object_get(root, "error");
    *details = json_is_object(e) ? e : root;
    if (json_is_string(e)) return json_string_value(e);
    const char *text = tn_json_str(e, "message", NULL);
    if (!text && e && !json_is_null(e)) text = "an error without a message";
    if (!text) text = tn_json_str(root, "detail", NULL);
    if (!text && strcmp(tn_json_str(root, "object", ""), "error") == 0)
        text = tn_json_str(root, "message", NULL);
    return text;
}

static void add_one_line(const char *s, size_t n, size_t n_max, tn_buf *out) {
    tn_buf fixed = {0};
    tn_utf8_repair(s, n < n_max ? n : n_max, &fixed);
    for (size_t i = 0; i < fixed.len; i++) {
        unsigned char c = (unsigned char)fixed.data[i];
        tn_buf_char(out, c < 0x20 || c == 0x7f ? ' ' : (char)c);
    }
    tn_buf_deinit(&fixed);
}

void tn_llm_error_text(const char *body, size_t len, tn_buf *out, char param[32]) {
    const json_t *details = NULL;
    json_t *root = NULL;
    if (param) param[0] = '\0';
    tern_status st = tn_json_parse(body, len, &root, NULL);
    const char *text = st == TERN_OK ? error_message(root, &details) : NULL;
    if (text) {
        add_one_line(text, strlen(text), 300, out);
        if (param) snprintf(param, 32, "%s", tn_json_str(details, "param", ""));
    } else if (len) {
        add_one_line(body, len, 120, out);
    } else {
        tn_buf_str(out, "no explanation given");
    }
    json_decref(root);
}

static bool fail(tn_llm_reply *r, tern_status status, bool transient, const char *text) {
    if (r->status == TERN_OK) {
        r->status = tern_fail(&r->error, status, 0, "%s", text);
        r->transient = transient;
    }
    r->done = true;
    return false;
}

/* ---- text --------------------------------------------------------------------------------- */

/* End of the first stop string that ends after `from`, or 0. */
static size_t find_stop(const tn_llm_reply *r, size_t from) {
    size_t first = 0;
    for (const char *const *stop = r->stops; stop && *stop; stop++) {
        size_t n = strlen(*stop), start = from >= n ? from - n + 1 : 0;
        const char *at = memmem(r->text.data + start, r->text.len - start, *stop, n);
        size_t end = at ? (size_t)(at - r->text.data) + n : 0;
        if (end && (!first || end < first)) first = end;
    }
    return first;
}

static bool add_text(tn_llm_reply *r, const char *s, size_t n) {
    if (n == 0) return true;
    if (n > TEXT_MAX || r->text.len + n > TEXT_MAX)
        return fail(r, TERN_ERR_LIMIT, false, "the answer has no end: 1 MiB of text in one turn");
    size_t before = r->text.len;
    tn_buf_add(&r->text, s, n);
    if (r->text.failed) return fail(r, TERN_ERR_NOMEM, false, "out of memory for an answer");
    size_t end = find_stop(r, before);
    if (end) {
        r->text.len = end;
        r->text.data[end] = '\0';
        r->finish = TN_LLM_STOP;
        r->closed = r->done = true;
    }
    if (r->on_text && r->text.len > before)
        r->on_text(r->ud, r->text.data + before, r->text.len - before);
    return !r->done;
}

static bool add_reasoning(tn_llm_reply *r, const json_t *from) {
    const char *s = tn_json_str(from, "reasoning_content", NULL);
    if (!s) s = tn_json_str(from, "reasoning", NULL);
    if (!s) return true;
    if (r->reasoning.len + strlen(s) > TEXT_MAX)
        return fail(r, TERN_ERR_LIMIT, false, "the reasoning has no end: 1 MiB in one turn");
    tn_buf_str(&r->reasoning, s);
    if (r->reasoning.failed) return fail(r, TERN_ERR_NOMEM, false, "out of memory for an answer");
    return true;
}

/* content: a string, a list of parts with a text each, or null. */
static bool add_content(tn_llm_reply *r, const json_t *content) {
    if (json_is_string(content))
        return add_text(r, json_string_value(content), json_string_length(content));
    size_t i;
    const json_t *part;
    json_array_foreach(content, i, part) {
        const char *s = tn_json_str(part, "text", "");
        if (!add_text(r, s, strlen(s))) return false;
    }
    return true;
}

static bool take_object(tn_llm_reply *r, const json_t *root) {
    const json_t *details;
    const char *problem = error_message(root, &details);
    const json_t *choice = json_array_get(json_object_get(root, "choices"), 0);
    if (!json_is_object(choice)) {
        if (!problem) return true; /* usage and keep-alive chunks carry no choice */
        tn_buf line = {0};
        add_one_line(problem, strlen(problem), 300, &line);
        fail(r, TERN_ERR_REMOTE, false, tn_buf_cstr(&line));
        tn_buf_deinit(&line);
        return false;
    }
    r->has_choice = true;
    const char *finish = tn_json_str(choice, "finish_reason", NULL);
    if (finish)
        r->finish = strcmp(finish, "stop") == 0     ? TN_LLM_STOP
                    : strcmp(finish, "length") == 0 ? TN_LLM_LENGTH
                                                    : TN_LLM_OTHER;
    const json_t *message = json_object_get(choice, "delta");
    if (!json_is_object(message)) message = json_object_get(choice, "message");
    if (!json_is_object(message)) return add_content(r, json_object_get(choice, "text"));
    return add_reasoning(r, message) && add_content(r, json_object_get(message, "content"));
}

static bool take_json(tn_llm_reply *r, const char *s, size_t n) {
    json_t *root = NULL;
    tern_error inner = {0};
    tern_status st = tn_json_parse(s, n, &root, &inner);
    if (st == TERN_ERR_NOMEM) return fail(r, st, false, inner.text);
    if (st != TERN_OK) {
        tn_buf line = {0};
        tn_buf_printf(&line, "not the answer of an OpenAI-compatible server (%s): ", inner.text);
        add_one_line(s, n, 80, &line);
        fail(r, TERN_ERR_REMOTE, false, tn_buf_cstr(&line));
        tn_buf_deinit(&line);
        return false;
    }
    bool more = take_object(r, root);
    json_decref(root);
    return more;
}

static bool on_event(void *ud, const tn_sse_event *ev) {
    tn_llm_reply *r = ud;
    r->n_events++;
    const char *s = ev->data;
    size_t n = ev->data_len;
    tn_trim(&s, &n);
    if (n == 0) return true;
    if (n == 6 && memcmp(s, "[DONE]", 6) == 0) {
        r->done = true;
        return false;
    }
    return take_json(r, s, n);
}

/* ---- the body ----------------------------------------------------------------------------- */

/* Event streams start with a field name or a colon; anything bracketed is JSON, or an HTML page to
 * be reported as broken JSON. */
static void tell_shape(tn_llm_reply *r) {
    const char *s = r->body.data;
    size_t n = r->body.len;
    if (n >= 3 && memcmp(s, "\xEF\xBB\xBF", 3) == 0) s += 3, n -= 3;
    tn_trim(&s, &n);
    if (n && (n >= 3 || *s != '\xEF')) /* not while it may be half a byte order mark */
        r->shape = strchr("{[<\"", *s) ? TN_LLM_WHOLE : TN_LLM_EVENTS;
}

static bool feed_events(tn_llm_reply *r, const char *bytes, size_t n) {
    tern_error inner = {0};
    tern_status st = tn_sse_feed(&r->sse, bytes, n, &inner);
    if (st != TERN_OK) return fail(r, st, false, inner.text);
    return !r->done;
}

bool tn_llm_reply_feed(tn_llm_reply *r, const char *bytes, size_t n) {
    if (r->done) return false;
    if (r->shape == TN_LLM_EVENTS) return feed_events(r, bytes, n);
    if (r->body.len + n > BODY_MAX)
        return fail(r, TERN_ERR_LIMIT, false, "the answer is longer than 16 MiB");
    tn_buf_add(&r->body, bytes, n);
    if (r->body.failed) return fail(r, TERN_ERR_NOMEM, false, "out of memory for an answer");
    if (r->shape == TN_LLM_UNKNOWN) {
        tell_shape(r);
        if (r->shape == TN_LLM_EVENTS) return feed_events(r, r->body.data, r->body.len);
    }
    return true;
}

/* A stop string cuts the tag it names: "<search> q" becomes "<search> q</search>". Only the tag
 * opened last can have been cut. */
static void close_last_tag(tn_llm_reply *r) {
    const char *text = tn_buf_cstr(&r->text), *last = NULL, *closing = NULL;
    for (const char *const *stop = r->stops; stop && *stop; stop++) {
        char opening[32];
        if (snprintf(opening, sizeof opening, "<%s", *stop + 2) >= (int)sizeof opening) continue;
        for (const char *at = text; (at = strstr(at, opening)); at++)
            if (!last || at > last) last = at, closing = *stop;
    }
    if (!last || strstr(last, closing)) return;
    size_t before = r->text.len;
    tn_buf_str(&r->text, closing);
    if (r->on_text && !r->text.failed) r->on_text(r->ud, closing, r->text.len - before);
}

static void finish_body(tn_llm_reply *r) {
    if (r->shape == TN_LLM_WHOLE) {
        const char *s = r->body.data;
        size_t n = r->body.len;
        if (n >= 3 && memcmp(s, "\xEF\xBB\xBF", 3) == 0) s += 3, n -= 3;
        take_json(r, s, n);
        if (r->finish == TN_LLM_UNFINISHED) r->finish = TN_LLM_OTHER;
        return;
    }
    tern_error inner = {0};
    tern_status st = tn_sse_finish(&r->sse, &inner);
    if (st != TERN_OK) fail(r, st, false, inner.text);
}

tern_status tn_llm_reply_end(tn_llm_reply *r, tern_error *err) {
    if (!r->done) finish_body(r);
    if (!r->has_choice)
        fail(r, TERN_ERR_REMOTE, r->body.len == 0,
             r->body.len ? "the answer holds no choices: is this an OpenAI-compatible server?"
                         : "the answer is empty");
    else if (!r->done && r->finish == TN_LLM_UNFINISHED)
        fail(r, TERN_ERR_REMOTE, true, "the stream broke off in mid-answer");
    if (r->status == TERN_OK) {
        /* A stop string met while reasoning leaves the action there and the content null. */
        const char *s = tn_buf_cstr(&r->text);
        size_t n = r->text.len;
        tn_trim(&s, &n);
        if (n == 0 && r->reasoning.len) {
            r->done = false;
            add_text(r, r->reasoning.data, r->reasoning.len);
        }
    }
    if (r->status == TERN_OK && !r->closed && r->finish != TN_LLM_LENGTH) close_last_tag(r);
    if (r->status == TERN_OK && (r->text.failed || r->reasoning.failed))
        fail(r, TERN_ERR_NOMEM, false, "out of memory for an answer");
    if (r->status != TERN_OK && err) *err = r->error;
    return r->status;
}
