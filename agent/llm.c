/* llm.c - asking an OpenAI-compatible server for one completion, until it answers or the attempts
 * are used up. Pauses double and carry jitter from a counter-based stream, so a run repeats. */
#include "agent/llm_priv.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/rng.h"
#include "core/base/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

enum { PAUSE_MAX_MS = 20000, RETRY_AFTER_MAX_S = 120, WIRE_MAX_BYTES = 64 << 20 };

tern_llm_opts tern_llm_defaults(void) {
    return (tern_llm_opts){.max_tokens = 1024,
                           .n_attempts = 4,
                           .backoff_ms = 500,
                           .connect_ms = 10000,
                           .idle_ms = 120000,
                           .total_ms = 600000,
                           .stream = true};
}

/* ---- set-up ------------------------------------------------------------------------------- */

/* Does the path hold a version segment ("v1", "v1beta")? Then it is the API's root already. */
static bool has_version(const char *url) {
    for (const char *s = strstr(url, "://") + 3; (s = strchr(s, '/')); s++)
        if (s[1] == 'v' && s[2] >= '0' && s[2] <= '9') return true;
    return false;
}

static char *endpoint(const char *url) {
    tn_buf b = {0};
    if (!strstr(url, "://")) tn_buf_str(&b, "http://");
    tn_buf_str(&b, url);
    while (b.len && b.data[b.len - 1] == '/') b.data[--b.len] = '\0';
    const char *tail = "/chat/completions";
    if (!b.failed && strstr(b.data, "://") && !tn_ends_with(b.data, tail)) {
        if (!has_version(b.data)) tn_buf_str(&b, "/v1");
        tn_buf_str(&b, tail);
    }
    return tn_buf_take(&b);
}

static bool is_header_safe(const char *s) {
    for (; *s; s++)
        if ((unsigned char)*s <= 0x20 || (unsigned char)*s >= 0x7f) return false;
    return true;
}

static const char *key_of(const tern_llm_opts *opts) {
    const char *key = opts->api_key;
    if (!key) key = getenv("TERN_API_KEY");
    if (!key || !*key) key = opts->api_key ? opts->api_key : getenv("OPENAI_API_KEY");
    return key && *key ? key : NULL;
}

tern_status tn_llm_init(tn_llm *m, const tern_llm_opts *opts, tern_error *err) {
    *m = (tn_llm){.opts = *opts};
    if (!opts->url || !*opts->url)
        return tern_fail(err, TERN_ERR_ARG, 0, "the address of the language model is missing");
    if (opts->n_attempts < 1 || opts->n_attempts > 20)
        return tern_fail(err, TERN_ERR_ARG, 0, "n_attempts is %u, must be 1 to 20",
                         opts->n_attempts);
    const char *key = key_of(opts);
    if (key && !is_header_safe(key))
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "the API key holds a space, a line break or a non-ASCII character: check "
                         "TERN_API_KEY or OPENAI_API_KEY");
    m->url = endpoint(opts->url);
    m->model = opts->model ? tn_strdup(opts->model) : NULL;
    m->key = key ? tn_strdup(key) : NULL;
    tern_status st = TERN_OK;
    if (!m->url || (opts->model && !m->model) || (key && !m->key))
        st = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a language model client");
    else
        st = tn_http_check_url(m->url, err);
    m->opts.url = m->url;
    m->opts.model = m->model;
    m->opts.api_key = m->key;
    if (st != TERN_OK) tn_llm_deinit(m);
    return st;
}

void tn_llm_deinit(tn_llm *m) {
    if (m->key) explicit_bzero(m->key, strlen(m->key));
    tn_free(m->key);
    tn_free(m->model);
    tn_free(m->url);
    *m = (tn_llm){0};
}

/* ---- the request -------------------------------------------------------------------------- */

/* In thousandths, because printf writes the decimal point of the host program's locale. */
static void add_temperature(double t, tn_buf *b) {
    unsigned milli = (unsigned)(t * 1000 + 0.5);
    tn_buf_printf(b, ",\"temperature\":%u.%03u", milli / 1000, milli % 1000);
}

static void build_body(const tn_llm *m, const tn_llm_ask *ask, unsigned refused, tn_buf *b) {
    tn_buf_str(b, "{");
    if (m->model) {
        tn_buf_str(b, "\"model\":");
        tn_json_escape(m->model, strlen(m->model), b);
        tn_buf_str(b, ",");
    }
    tn_buf_str(b, "\"messages\":[");
    for (size_t i = 0; i < ask->n_messages; i++) {
        const tn_llm_message *msg = &ask->messages[i];
        tn_buf_printf(b, "%s{\"role\":\"%s\",\"content\":", i ? "," : "", msg->role);
        tn_json_escape(msg->text, msg->len, b);
        tn_buf_char(b, '}');
    }
    tn_buf_char(b, ']');
    if (!(refused & TN_LLM_NO_TEMPERATURE)) add_temperature(ask->temperature, b);
    tn_buf_printf(b, ",\"%s\":%u",
                  refused & TN_LLM_NEW_MAX ? "max_completion_tokens" : "max_tokens",
                  m->opts.max_tokens);
    if (!(refused & TN_LLM_NO_STOP) && ask->stops && *ask->stops) {
        for (const char *const *stop = ask->stops; *stop; stop++) {
            tn_buf_str(b, stop == ask->stops ? ",\"stop\":[" : ",");
            tn_json_escape(*stop, strlen(*stop), b);
        }
        tn_buf_char(b, ']');
    }
    tn_buf_printf(b, ",\"stream\":%s}", m->opts.stream ? "true" : "false");
}

/* ---- one attempt -------------------------------------------------------------------------- */

typedef enum verdict { GIVE_UP, TRY_AGAIN, TRY_OTHERWISE } verdict;

typedef struct attempt {
    tn_llm *m;
    const tn_llm_ask *ask;
    bool reported; /* some text of this attempt was shown */
    int64_t retry_after_s;
} attempt;

static void report(void *ud, const char *text, size_t len) {
    attempt *a = ud;
    a->reported = true;
    if (a->ask->on_text) a->ask->on_text(a->ask->ud, text, len);
}

static bool on_body(void *ud, const char *data, size_t n) {
    return tn_llm_reply_feed(ud, data, n);
}

static const char *advice(int status) {
    switch (status) {
    case 401:
    case 403:
        return "; the key comes from TERN_API_KEY or OPENAI_API_KEY";
    case 404:
        return "; check the address and the model's name";
    case 301:
    case 302:
    case 307:
    case 308:
        return "; redirects are not followed, give the final address";
    default:
        return "";
    }
}

/* An HTTP status outside 2xx: what it means and whether asking again may help. */
static verdict judge_status(attempt *a, const tn_http_answer *ans, tern_error *err) {
    char safe[160], param[32];
    tn_buf text = {0};
    tn_llm_error_text(ans->error_body, ans->error_len, &text, param);
    tn_http_safe_url(a->m->url, safe, sizeof safe);
    const char *why = tn_buf_cstr(&text);
    if (a->m->key && strstr(why, a->m->key)) why = "(the server's message repeats the key)";
    tern_fail(err, TERN_ERR_REMOTE, ans->status, "%s: HTTP %d: %s%s", safe, ans->status, why,
              advice(ans->status));
    tn_buf_deinit(&text);
    a->retry_after_s = ans->retry_after_s;
    if (ans->status == 429 || ans->status == 408 || ans->status >= 500) return TRY_AGAIN;
    unsigned flag = strcmp(param, "temperature") == 0  ? TN_LLM_NO_TEMPERATURE
                    : strcmp(param, "stop") == 0       ? TN_LLM_NO_STOP
                    : strcmp(param, "max_tokens") == 0 ? TN_LLM_NEW_MAX
                                                       : 0;
    if (ans->status != 400 || !flag) return GIVE_UP;
    return atomic_fetch_or(&a->m->refused, flag) & flag ? GIVE_UP : TRY_OTHERWISE;
}

/* Put the address in front of what the reader of the answer had to say. */
static void name_server(const tn_llm *m, tern_error *err) {
    if (!err) return;
    tern_error inner = *err;
    char safe[160];
    tn_http_safe_url(m->url, safe, sizeof safe);
    tern_fail(err, inner.status, inner.os_code, "%s: %s", safe, inner.text);
}

static tern_status try_once(attempt *a, tn_http *http, tn_buf *out, verdict *next,
                            tern_error *err) {
    tn_llm *m = a->m;
    *next = GIVE_UP;
    tn_buf body = {0};
    tn_llm_reply reply;
    tn_llm_reply_init(&reply, a->ask->stops, report, a);
    build_body(m, a->ask, atomic_load(&m->refused), &body);
    tern_status st = tn_buf_status(&body, err);
    if (st != TERN_OK) goto done;
    tn_http_post post = {.url = m->url,
                         .bearer = m->key,
                         .accept = m->opts.stream ? "text/event-stream, application/json"
                                                  : "application/json",
                         .body = body.data,
                         .body_len = body.len,
                         .connect_ms = m->opts.connect_ms,
                         .idle_ms = m->opts.idle_ms,
                         .total_ms = m->opts.total_ms,
                         .max_bytes = WIRE_MAX_BYTES,
                         .host = a->ask->host,
                         .on_body = on_body,
                         .ud = &reply};
    tn_http_answer ans;
    st = tn_http_send(http, &post, &ans, err);
    /* A connection lost after the last word of the model has cost nothing. */
    if (st != TERN_OK && ans.transient && reply.finish != TN_LLM_UNFINISHED) st = TERN_OK;
    if (st != TERN_OK) {
        if (ans.transient) *next = TRY_AGAIN;
    } else if (ans.status / 100 != 2) {
        st = TERN_ERR_REMOTE;
        *next = judge_status(a, &ans, err);
    } else if ((st = tn_llm_reply_end(&reply, err)) != TERN_OK) {
        if (reply.transient) *next = TRY_AGAIN;
        name_server(m, err);
    } else {
        tn_buf_add(out, reply.text.data, reply.text.len);
        st = tn_buf_status(out, err);
    }
done:
    tn_llm_reply_deinit(&reply);
    tn_buf_deinit(&body);
    return st;
}

/* ---- attempts ----------------------------------------------------------------------------- */

static tern_status pause_for(const tn_llm_ask *ask, uint64_t ms, tern_error *err) {
    uint64_t end = tn_clock_ns() + ms * 1000000;
    for (;;) {
        if (ask->host && ask->host->cancelled && ask->host->cancelled(ask->host->ud))
            return tern_fail(err, TERN_ERR_CANCELLED, 0,
                             "cancelled while waiting for the language model");
        uint64_t now = tn_clock_ns();
        if (now >= end) return TERN_OK;
        uint64_t left_ms = (end - now) / 1000000 + 1;
        tn_sleep_ms(left_ms < 50 ? (unsigned)left_ms : 50);
    }
}

static void say_again(const tn_llm_ask *ask, uint32_t n, uint32_t n_max, uint64_t ms,
                      const tern_error *why) {
    if (!ask->host || !ask->host->log) return;
    char line[640];
    snprintf(line, sizeof line, "%s; attempt %u of %u in %.1f s", why->text, n, n_max,
             (double)ms / 1e3);
    ask->host->log(ask->host->ud, TERN_LOG_WARN, line);
}

/* The last failure, with what was done about it before giving up. */
static void give_up(const attempt *a, uint32_t n, tern_error *err) {
    tern_error inner = *err;
    if (a->retry_after_s > RETRY_AFTER_MAX_S)
        tern_fail(err, inner.status, inner.os_code, "%s; it asks to wait %lld s: try again then",
                  inner.text, (long long)a->retry_after_s);
    else if (n > 1)
        tern_fail(err, inner.status, inner.os_code, "%s (tried %u times)", inner.text, n);
}

tern_status tn_llm_complete(tn_llm *m, tn_http *http, const tn_llm_ask *ask, tn_buf *out,
                            tern_error *err) {
    tern_error local;
    if (!err) err = &local;
    tn_rng rng = tn_rng_init(ask->seed, ask->stream);
    attempt a = {.m = m, .ask = ask};
    for (uint32_t n = 1;; n++) {
        verdict next;
        a.retry_after_s = 0;
        tern_status st = try_once(&a, http, out, &next, err);
        /* A refused parameter is not the server's failure; each can be refused only once. */
        while (st != TERN_OK && next == TRY_OTHERWISE) st = try_once(&a, http, out, &next, err);
        if (st == TERN_OK) return TERN_OK;
        if (next != TRY_AGAIN || n == m->opts.n_attempts || a.retry_after_s > RETRY_AFTER_MAX_S) {
            give_up(&a, n, err);
            return st;
        }
        uint64_t ms = m->opts.backoff_ms;
        for (uint32_t i = 1; i < n && ms < PAUSE_MAX_MS; i++) ms *= 2;
        if (ms > PAUSE_MAX_MS) ms = PAUSE_MAX_MS;
        ms = (uint64_t)((double)ms * (0.5 + 0.5 * tn_rng_uniform(&rng)));
        if (ms < (uint64_t)a.retry_after_s * 1000) ms = (uint64_t)a.retry_after_s * 1000;
        say_again(ask, n + 1, m->opts.n_attempts, ms, err);
        st = pause_for(ask, ms, err);
        if (st != TERN_OK) return st;
        if (a.reported && ask->on_text) ask->on_text(ask->ud, "\n", 1);
        a.reported = false;
    }
}
