/* http.c - see http.h. The only file that knows libcurl.
 * The transfer is driven through the multi interface rather than curl_easy_perform: we own the
 * loop, so a cancel or an idle server is noticed within TICK_MS instead of within a second. */
#include "agent/http.h"
#include "core/base/clock.h"
#include "tern/version.h"
#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/mem.h"

enum { TICK_MS = 100, CONNECT_MS = 10000, IDLE_MS = 60000, TOTAL_MS = 600000 };
#define MAX_BYTES ((size_t)64 << 20)

struct tn_http {
    CURLM *multi;
    CURL *easy;
};

typedef struct transfer {
    const tn_http_post *post;
    tn_http_answer *ans;
    CURL *easy;
    char url[256]; /* safe to show */
    char reason[CURL_ERROR_SIZE];
    uint64_t start_ns, active_ns;
    curl_off_t n_moved; /* bytes both ways when last looked at */
    size_t n_body, max_bytes;
    bool too_long;
} transfer;

static uint32_t or_default(uint32_t value, uint32_t fallback) {
    return value ? value : fallback;
}

/* ---- set-up ------------------------------------------------------------------------------- */

static CURLcode global_code;

static void global_init(void) {
    global_code = curl_global_init(CURL_GLOBAL_DEFAULT);
}

const char *tn_http_version(void) {
    return curl_version_info(CURLVERSION_NOW)->version;
}

tern_status tn_http_open(tn_http **out, tern_error *err) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    *out = NULL;
    pthread_once(&once, global_init);
    if (global_code != CURLE_OK)
        return tern_fail(err, TERN_ERR_REMOTE, (int)global_code, "libcurl cannot start: %s",
                         curl_easy_strerror(global_code));
    tn_http *h = tn_calloc(1, sizeof *h);
    if (h) {
        h->multi = curl_multi_init();
        h->easy = curl_easy_init();
    }
    if (!h || !h->multi || !h->easy) {
        tn_http_close(h);
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for an HTTP client");
    }
    *out = h;
    return TERN_OK;
}

void tn_http_close(tn_http *h) {
    if (!h) return;
    if (h->easy) curl_easy_cleanup(h->easy);
    if (h->multi) curl_multi_cleanup(h->multi);
    tn_free(h);
}

/* Parsed by libcurl itself, so that what we check is what it will connect to. */
static CURLU *parse_url(const char *url) {
    CURLU *u = curl_url();
    if (u && curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK) {
        curl_url_cleanup(u);
        u = NULL;
    }
    return u;
}

void tn_http_safe_url(const char *url, char *out, size_t size) {
    CURLU *u = parse_url(url);
    char *text = NULL;
    bool ok = u && curl_url_set(u, CURLUPART_USER, NULL, 0) == CURLUE_OK &&
              curl_url_set(u, CURLUPART_PASSWORD, NULL, 0) == CURLUE_OK &&
              curl_url_set(u, CURLUPART_QUERY, NULL, 0) == CURLUE_OK &&
              curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
              curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK;
    snprintf(out, size, "%s", ok ? text : "(unreadable address)");
    curl_free(text);
    curl_url_cleanup(u);
}

tern_status tn_http_check_url(const char *url, tern_error *err) {
    CURLU *u = parse_url(url);
    char *scheme = NULL;
    bool ok = u && curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    curl_url_cleanup(u);
    char safe[256];
    tn_http_safe_url(url, safe, sizeof safe);
    return ok ? TERN_OK
              : tern_fail(err, TERN_ERR_ARG, 0,
                          "%s: not an http or https address: write it like http://127.0.0.1:8080",
                          safe);
}

static bool is_loopback(const char *url) {
    CURLU *u = parse_url(url);
    char *host = NULL;
    bool yes = u && curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
               (strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
                strcmp(host, "[::1]") == 0);
    curl_free(host);
    curl_url_cleanup(u);
    return yes;
}

/* ---- callbacks ---------------------------------------------------------------------------- */

static size_t on_write(char *data, size_t size, size_t n, void *ud) {
    transfer *t = ud;
    n *= size;
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status / 100 != 2) {
        tn_http_answer *a = t->ans;
        size_t room = sizeof a->error_body - 1 - a->error_len;
        if (room == 0) return CURL_WRITEFUNC_ERROR; /* the start of a complaint is enough */
        size_t take = n < room ? n : room;
        memcpy(a->error_body + a->error_len, data, take);
        a->error_len += take;
        return n;
    }
    t->n_body += n;
    if (t->n_body > t->max_bytes) {
        t->too_long = true;
        return CURL_WRITEFUNC_ERROR;
    }
    if (t->post->on_body && !t->post->on_body(t->post->ud, data, n)) {
        t->ans->stopped = true;
        return CURL_WRITEFUNC_ERROR;
    }
    return n;
}

/* CANCELLED, TIMEOUT, or OK to go on waiting. */
static tern_status watch(transfer *t, tern_error *err) {
    const tern_host *host = t->post->host;
    if (host && host->cancelled && host->cancelled(host->ud))
        return tern_fail(err, TERN_ERR_CANCELLED, 0, "%s: cancelled", t->url);
    curl_off_t up = 0, down = 0;
    curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &up);
    curl_easy_getinfo(t->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
    uint64_t now = tn_clock_ns();
    if (up + down != t->n_moved) {
        t->n_moved = up + down;
        t->active_ns = now;
    }
    uint64_t total_ms = or_default(t->post->total_ms, TOTAL_MS);
    uint64_t idle_ms = or_default(t->post->idle_ms, IDLE_MS);
    if (now - t->start_ns > total_ms * 1000000)
        return tern_fail(err, TERN_ERR_TIMEOUT, 0,
                         "%s: no complete answer within %.1f s; allow more time or ask for less",
                         t->url, (double)total_ms / 1e3);
    if (now - t->active_ns > idle_ms * 1000000)
        return tern_fail(err, TERN_ERR_TIMEOUT, 0,
                         "%s: the server sent nothing for %.1f s; is it overloaded?", t->url,
                         (double)idle_ms / 1e3);
    return TERN_OK;
}

/* ---- one exchange ------------------------------------------------------------------------- */

static struct curl_slist *add_header(struct curl_slist *list, const char *name, const char *value,
                                     bool *ok) {
    size_t size = strlen(name) + strlen(value) + 3;
    char *line = *ok ? tn_alloc(size) : NULL;
    struct curl_slist *longer = NULL;
    if (line) {
        snprintf(line, size, "%s: %s", name, value);
        longer = curl_slist_append(list, line);
        explicit_bzero(line, size);
        tn_free(line);
    }
    if (!longer) *ok = false;
    return longer ? longer : list;
}

static void set_options(CURL *e, transfer *t, struct curl_slist *headers) {
    const tn_http_post *p = t->post;
    char agent[64];
    snprintf(agent, sizeof agent, "tern/%s", tern_version());
    curl_easy_reset(e); /* options only: connections and their TLS sessions stay */
    curl_easy_setopt(e, CURLOPT_URL, p->url);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_POST, 1L);
    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)p->body_len);
    curl_easy_setopt(e, CURLOPT_POSTFIELDS, p->body);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(e, CURLOPT_USERAGENT, agent);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_write);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->reason);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)or_default(p->connect_ms, CONNECT_MS));
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    if (is_loopback(p->url)) curl_easy_setopt(e, CURLOPT_NOPROXY, "*");
    const char *ca = getenv("SSL_CERT_FILE"); /* a house certificate, as OpenSSL programs take it */
    if (ca && *ca) curl_easy_setopt(e, CURLOPT_CAINFO, ca);
}

/* libcurl's verdict as a status, with what to do about it. */
static tern_status translate(transfer *t, CURLcode code, tern_error *err) {
    const char *why = t->reason[0] ? t->reason : curl_easy_strerror(code);
    tn_http_answer *a = t->ans;
    if (t->too_long)
        return tern_fail(err, TERN_ERR_LIMIT, 0, "%s: the answer is longer than %zu bytes", t->url,
                         t->max_bytes);
    if (a->stopped || a->error_len == sizeof a->error_body - 1) return TERN_OK;
    switch (code) {
    case CURLE_OK:
        return TERN_OK;
    case CURLE_OUT_OF_MEMORY:
        return tern_fail(err, TERN_ERR_NOMEM, 0, "%s: out of memory", t->url);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
        return tern_fail(err, TERN_ERR_REMOTE, (int)code,
                         "%s: what answers there does not speak HTTP: is the port right?", t->url);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        a->transient = true;
        return tern_fail(err, TERN_ERR_REMOTE, (int)code,
                         "%s: host not found: check the address and the network", t->url);
    case CURLE_COULDNT_CONNECT:
        a->transient = true;
        return tern_fail(err, TERN_ERR_REMOTE, (int)code,
                         "%s: cannot connect (%s): is the server running, is the port right?",
                         t->url, why);
    case CURLE_OPERATION_TIMEDOUT:
        a->transient = true;
        return tern_fail(err, TERN_ERR_TIMEOUT, (int)code,
                         "%s: no connection within %.1f s: check the address and the network",
                         t->url, (double)or_default(t->post->connect_ms, CONNECT_MS) / 1e3);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return tern_fail(err, TERN_ERR_REMOTE, (int)code,
                         "%s: certificate not trusted (%s): name its authority in SSL_CERT_FILE",
                         t->url, why);
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        a->transient = true;
        return tern_fail(err, TERN_ERR_REMOTE, (int)code, "%s: connection lost: %s", t->url, why);
    default:
        return tern_fail(err, TERN_ERR_REMOTE, (int)code, "%s: %s", t->url, why);
    }
}

static tern_status drive(tn_http *h, transfer *t, tern_error *err) {
    CURLMcode mc = curl_multi_add_handle(h->multi, h->easy);
    int n_running = 1;
    tern_status st = TERN_OK;
    while (mc == CURLM_OK) {
        mc = curl_multi_perform(h->multi, &n_running);
        if (mc != CURLM_OK || n_running == 0) break;
        if ((st = watch(t, err)) != TERN_OK) break;
        mc = curl_multi_poll(h->multi, NULL, 0, TICK_MS, NULL);
    }
    if (mc != CURLM_OK) {
        tern_status kind = mc == CURLM_OUT_OF_MEMORY ? TERN_ERR_NOMEM : TERN_ERR_REMOTE;
        st = tern_fail(err, kind, (int)mc, "%s: %s", t->url, curl_multi_strerror(mc));
    } else if (st == TERN_OK) {
        int n_left;
        CURLMsg *msg = curl_multi_info_read(h->multi, &n_left);
        st = translate(t, msg ? msg->data.result : CURLE_RECV_ERROR, err);
    }
    curl_multi_remove_handle(h->multi, h->easy);
    return st;
}

/* A TLS library may write to a socket the peer has closed. The signal is kept from this thread for
 * the time of the call and eaten if it came, so the process's own handling of it is untouched. */
static bool sigpipe_block(sigset_t *old) {
    sigset_t pipe_only, pending;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_only, old);
    return sigismember(&pending, SIGPIPE) == 1;
}

static void sigpipe_restore(const sigset_t *old, bool was_pending) {
    sigset_t pipe_only;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    struct timespec now = {0};
    if (!was_pending) sigtimedwait(&pipe_only, NULL, &now);
    pthread_sigmask(SIG_SETMASK, old, NULL);
}

static tern_status exchange(tn_http *h, const tn_http_post *post, tn_http_answer *ans,
                            tern_error *err) {
    transfer t = {.post = post, .ans = ans, .easy = h->easy};
    t.max_bytes = post->max_bytes ? post->max_bytes : MAX_BYTES;
    t.start_ns = t.active_ns = tn_clock_ns();
    tn_http_safe_url(post->url, t.url, sizeof t.url);
    bool ok = true;
    struct curl_slist *headers = add_header(NULL, "Content-Type", "application/json", &ok);
    /* Without this libcurl asks for "100 Continue" before a long body and waits a second for it. */
    headers = add_header(headers, "Expect", "", &ok);
    if (post->accept) headers = add_header(headers, "Accept", post->accept, &ok);
    char bearer[] = "Bearer ";
    size_t n_secret = post->bearer ? sizeof bearer + strlen(post->bearer) : 0;
    char *secret = post->bearer ? tn_alloc(n_secret) : NULL;
    if (secret) {
        snprintf(secret, n_secret, "%s%s", bearer, post->bearer);
        headers = add_header(headers, "Authorization", secret, &ok);
        explicit_bzero(secret, n_secret);
        tn_free(secret);
    }
    tern_status st;
    if (!ok || (post->bearer && !secret)) {
        st = tern_fail(err, TERN_ERR_NOMEM, 0, "%s: out of memory", t.url);
    } else {
        set_options(h->easy, &t, headers);
        st = drive(h, &t, err);
        long status = 0;
        curl_off_t wait_s = 0;
        curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(h->easy, CURLINFO_RETRY_AFTER, &wait_s);
        ans->status = (int)status;
        ans->retry_after_s = wait_s;
    }
    curl_easy_reset(h->easy); /* it must not keep pointers into this frame */
    curl_slist_free_all(headers);
    return st;
}

tern_status tn_http_send(tn_http *h, const tn_http_post *post, tn_http_answer *ans,
                         tern_error *err) {
    *ans = (tn_http_answer){0};
    tern_status st = tn_http_check_url(post->url, err);
    if (st != TERN_OK) return st;
    sigset_t old;
    bool was_pending = sigpipe_block(&old);
    st = exchange(h, post, ans, err);
    sigpipe_restore(&old, was_pending);
    return st;
}
