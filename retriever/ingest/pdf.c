/* pdf.c - pages of a PDF, by the pdftotext program of poppler.
 * It runs as a child process, without a shell, with limits on memory, processor time, waiting time
 * and output: poppler is a large reader of hostile files under another licence, so it is neither
 * linked nor trusted. It gets the document as its standard input and never sees a name. */
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "retriever/ingest/ingest_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/mem.h"

#define MEMORY_MAX ((rlim_t)2 << 30) /* bytes of address space */
#define COPY_MAX   ((uint64_t)512 << 20)
enum { CPU_MAX_S = 120, WAIT_MAX_S = 180, POLL_MS = 100 };

typedef struct child {
    pid_t pid;
    int out, err;        /* its standard output and error; -1: closed */
    tn_buf said;         /* the beginning of its standard error */
    const char *stopped; /* why we ended it; NULL: it ended by itself */
    int status;
} child;

/* ---- finding and starting it ---- */

/* The program's path, heap; NULL: not found, or no memory (*st). */
static char *find_program(const char *name, tern_status *st, tern_error *err) {
    const char *path = getenv("PATH");
    *st = TERN_OK;
    if (!path || !*path) path = "/usr/local/bin:/usr/bin:/bin";
    for (const char *p = path; *p;) {
        size_t n = strcspn(p, ":");
        tn_buf b = {0};
        tn_buf_add(&b, p, n);
        tn_buf_printf(&b, "/%s", name);
        if ((*st = tn_buf_status(&b, err)) != TERN_OK) return NULL;
        if (p[0] == '/' && access(b.data, X_OK) == 0) return tn_buf_take(&b);
        tn_buf_deinit(&b);
        p += n + (p[n] == ':');
    }
    return NULL;
}

static void limit(int what, rlim_t value) {
    struct rlimit r = {value, value};
    setrlimit(what, &r);
}

/* In the child, between fork and exec: system calls only. */
_Noreturn static void become(const char *program, int in, int out, int err) {
    char *const argv[] = {
        (char[]){"pdftotext"}, (char[]){"-enc"}, (char[]){"UTF-8"}, (char[]){"-eol"},
        (char[]){"unix"},      (char[]){"-"},    (char[]){"-"},     NULL};
    char *const env[] = {(char[]){"LC_ALL=C"}, NULL};
    limit(RLIMIT_AS, MEMORY_MAX);
    limit(RLIMIT_CPU, CPU_MAX_S);
    limit(RLIMIT_CORE, 0);
    if (dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(err, 2) == 2) execve(program, argv, env);
    _exit(127);
}

static tern_status start(child *c, const char *program, int in, tern_error *err) {
    int out[2], said[2];
    *c = (child){.pid = -1, .out = -1, .err = -1};
    if (pipe2(out, O_CLOEXEC) != 0) return tern_fail(err, TERN_ERR_IO, errno, "pipe");
    if (pipe2(said, O_CLOEXEC) != 0) {
        close(out[0]);
        close(out[1]);
        return tern_fail(err, TERN_ERR_IO, errno, "pipe");
    }
    c->pid = fork();
    if (c->pid == 0) become(program, in, out[1], said[1]);
    int e = errno;
    close(out[1]);
    close(said[1]);
    c->out = out[0];
    c->err = said[0];
    if (c->pid < 0) return tern_fail(err, TERN_ERR_IO, e, "fork: %s", strerror(e));
    return TERN_OK;
}

/* ---- listening to it ---- */

static void shut(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

/* Take what is there; closes *fd at its end. `keep` bytes of it are kept, more is dropped. */
static void take(int *fd, tn_buf *to, size_t keep) {
    char block[16384];
    ssize_t n = read(*fd, block, sizeof block);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) {
        shut(fd);
        return;
    }
    size_t room = to->len < keep ? keep - to->len : 0;
    tn_buf_add(to, block, (size_t)n < room ? (size_t)n : room);
}

static bool cancelled(const tern_host *host) {
    return host && host->cancelled && host->cancelled(host->ud);
}

/* Read what the child writes until it has closed both ends, or must be ended. */
static void listen_to(child *c, const tern_host *host, uint64_t deadline_ns, tn_buf *text) {
    while ((c->out >= 0 || c->err >= 0) && !c->stopped) {
        struct pollfd p[2] = {{c->out, POLLIN, 0}, {c->err, POLLIN, 0}};
        if (poll(p, 2, POLL_MS) > 0) {
            if (p[0].revents) take(&c->out, text, TN_LINE_MAX + 1);
            if (p[1].revents) take(&c->err, &c->said, 400);
        }
        if (text->len > TN_LINE_MAX)
            c->stopped = "more than 64 MiB of text";
        else if (text->failed || cancelled(host))
            c->stopped = "ended";
        else if (tn_clock_ns() > deadline_ns)
            c->stopped = "pdftotext took too long";
    }
}

static void finish(child *c, uint64_t deadline_ns) {
    shut(&c->out);
    shut(&c->err);
    for (;;) {
        if (c->stopped) kill(c->pid, SIGKILL);
        pid_t pid = waitpid(c->pid, &c->status, c->stopped ? 0 : WNOHANG);
        if (pid == c->pid || (pid < 0 && errno != EINTR)) return;
        if (tn_clock_ns() > deadline_ns)
            c->stopped = "pdftotext took too long";
        else if (!c->stopped)
            tn_sleep_ms(2);
    }
}

/* What to tell about a run that gave no text; NULL: it went well. */
static const char *complaint(child *c, char *room, size_t cap) {
    if (c->stopped) return c->stopped;
    if (WIFSIGNALED(c->status)) {
        int sig = WTERMSIG(c->status);
        if (sig == SIGXCPU || sig == SIGKILL) return "pdftotext used too much time or memory";
        snprintf(room, cap, "pdftotext died of signal %d", sig);
        return room;
    }
    if (WEXITSTATUS(c->status) == 0) return NULL;
    const char *said = tn_buf_cstr(&c->said);
    snprintf(room, cap, "pdftotext failed (%d): %.*s", WEXITSTATUS(c->status),
             (int)strcspn(said, "\n"), said);
    return room;
}

/* Run it over the file behind `in_fd`. *usable is false when there is no text; then said. */
static tern_status run(tn_intake *in, const char *program, int in_fd, tn_buf *text, bool *usable,
                       tern_error *err) {
    child c;
    char room[512];
    uint64_t deadline_ns = tn_clock_ns() + (uint64_t)WAIT_MAX_S * 1000000000u;
    tern_status st = start(&c, program, in_fd, err);
    if (c.pid > 0) {
        listen_to(&c, in->host, deadline_ns, text);
        finish(&c, deadline_ns);
    }
    shut(&c.out);
    shut(&c.err);
    if (st == TERN_OK) st = tn_buf_status(text, err);
    if (st == TERN_OK && cancelled(in->host))
        st = tern_fail(err, TERN_ERR_CANCELLED, 0, "%s: reading was cancelled", in->path);
    if (st == TERN_OK) {
        const char *what = complaint(&c, room, sizeof room);
        *usable = !what;
        if (what) st = tn_intake_bad(in, 0, err, "%s", what);
    }
    tn_buf_deinit(&c.said);
    return st;
}

/* ---- its input ---- */

/* A descriptor that holds the document from its first byte: the file's own, else a copy in memory
 * (of a stream that was compressed or came through a pipe). */
static tern_status open_input(tn_intake *in, int *fd, tern_error *err) {
    struct stat sb;
    int own = tn_source_plain_fd(in->source);
    if (own >= 0 && fstat(own, &sb) == 0 && S_ISREG(sb.st_mode) && lseek(own, 0, SEEK_SET) == 0) {
        in->counts->n_bytes += (uint64_t)sb.st_size;
        *fd = fcntl(own, F_DUPFD_CLOEXEC, 3);
        return *fd >= 0 ? TERN_OK : tn_fail_errno(err, errno, in->path, "cannot duplicate");
    }
    *fd = memfd_create("tern-pdf", MFD_CLOEXEC);
    if (*fd < 0) return tn_fail_errno(err, errno, in->path, "cannot keep a copy");
    for (;;) {
        const char *data;
        size_t n;
        tern_status st = tn_source_view(in->source, 1, &data, &n, err);
        if (st == TERN_OK && n == 0 && lseek(*fd, 0, SEEK_SET) != 0)
            st = tn_fail_errno(err, errno, in->path, "cannot rewind a copy");
        if (st != TERN_OK || n == 0) return st;
        if (tn_source_offset(in->source) + n > COPY_MAX)
            return tern_fail(err, TERN_ERR_FORMAT, 0, "compressed PDF of more than 512 MiB");
        if ((st = tn_write_all(*fd, data, n, in->path, err)) != TERN_OK) return st;
        tn_source_advance(in->source, n);
    }
}

/* ---- its output ---- */

typedef struct pages {
    size_t *start; /* start[i]: offset of page i + 1 in the text */
    size_t n, cap;
    uint64_t n_bytes; /* of the file */
} pages;

static tern_status find_pages(pages *p, const tn_buf *text, tern_error *err) {
    for (size_t i = 0;;) {
        if (TN_GROW(p->start, p->cap, p->n + 1) != 0)
            return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
        p->start[p->n++] = i;
        const char *feed = i < text->len ? memchr(text->data + i, '\f', text->len - i) : NULL;
        if (!feed) return TERN_OK;
        i = (size_t)(feed - text->data) + 1;
    }
}

/* A passage stands on the page where it begins; the bytes are the whole file's, lines there are
 * none. */
static void locate(const void *ud, size_t begin, size_t end, tn_chunk *out) {
    const pages *p = ud;
    (void)end;
    size_t lo = 0, hi = p->n;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (p->start[mid] <= begin)
            lo = mid;
        else
            hi = mid;
    }
    out->page = (uint32_t)lo + 1;
    out->byte_end = p->n_bytes;
}

tern_status tn_read_pdf(tn_intake *in, tern_error *err) {
    tn_buf text = {0};
    pages p = {0};
    int fd = -1;
    bool usable = false;
    tern_status st;
    char *program = find_program("pdftotext", &st, err);
    if (!program) {
        if (st == TERN_OK)
            st = tn_intake_bad(in, 0, err,
                               "PDF, but pdftotext is not installed (Debian: poppler-utils)");
        return st;
    }
    tern_error failed = {0};
    uint64_t n_before = in->counts->n_bytes;
    st = open_input(in, &fd, &failed);
    if (st != TERN_OK)
        st = tn_intake_broken(in, 0, &failed, err);
    else
        st = run(in, program, fd, &text, &usable, err);
    if (st != TERN_OK || !usable) goto done;
    tn_str body = {text.data ? text.data : "", text.len};
    tn_trim(&body.s, &body.n);
    if (body.n == 0) {
        st = tn_intake_bad(in, 0, err, "no text in it (scanned pages need OCR first)");
        goto done;
    }
    if ((st = find_pages(&p, &text, err)) != TERN_OK) goto done;
    p.n_bytes = in->counts->n_bytes - n_before + tn_source_offset(in->source);
    tn_draft d = {.title = tn_intake_stem(in),
                  .text = {text.data, text.len},
                  .time = TERN_NO_TIME,
                  .line = 1,
                  .locate = locate,
                  .ud = &p};
    st = tn_plain_blocks(&in->arena, text.data, text.len, &d.blocks, &d.n_blocks, err);
    if (st == TERN_OK) st = tn_intake_emit(in, &d, err);
done:
    if (fd >= 0) close(fd);
    tn_free(program);
    tn_free(p.start);
    tn_buf_deinit(&text);
    return st;
}
