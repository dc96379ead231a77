/* host.c - what the library may say and ask while it works: log lines and progress on stderr, and
 * Ctrl-C as a flag. One process has one terminal, so the state here is static; the library calls
 * from one thread at a time (tern/host.h). */
#include "cli/cli.h"
#include "core/base/clock.h"
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { TTY_EVERY_MS = 100, LINE_EVERY_MS = 5000, BAR_CELLS = 24 };

static atomic_bool interrupted; /* set by a signal, read by every worker */

static struct {
    char what[48];
    uint64_t start_ns; /* when this task began */
    uint64_t first;    /* what was done then: a resumed task does not start at 0 */
    uint64_t drawn_ns; /* last output */
    bool on_screen;
} bar;

static uint64_t n_warnings; /* of this run */

bool tn_interrupted(void) {
    return atomic_load_explicit(&interrupted, memory_order_relaxed);
}

static void on_signal(int sig) {
    (void)sig;
    if (atomic_exchange(&interrupted, true))
        _exit(EXIT_INTERRUPTED); /* asked twice: do not wait for a clean stop */
}

void tn_host_clear(void) {
    if (!bar.on_screen) return;
    fputs("\r\033[K", stderr);
    bar.on_screen = false;
}

void tn_add_count(tn_buf *b, uint64_t n) {
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0) tn_buf_char(b, ',');
        tn_buf_char(b, digits[i]);
    }
}

void tn_add_bytes(tn_buf *b, uint64_t n_bytes) {
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    if (n_bytes < 1024) {
        tn_buf_printf(b, "%llu B", (unsigned long long)n_bytes);
        return;
    }
    double x = (double)n_bytes / 1024;
    size_t u = 0;
    while (x >= 1023.95 && u < 3) x /= 1024, u++;
    tn_buf_printf(b, "%.1f %s", x, units[u]);
}

static void add_amount(tn_buf *b, uint64_t n, const char *unit) {
    if (strcmp(unit, "bytes") == 0)
        tn_add_bytes(b, n);
    else
        tn_add_count(b, n);
}

static void add_cells(tn_buf *b, double share) {
    int full = (int)(share * BAR_CELLS);
    tn_buf_str(b, " [");
    for (int i = 0; i < BAR_CELLS; i++) tn_buf_char(b, i < full ? '#' : '.');
    tn_buf_str(b, "]");
}

static void add_eta(tn_buf *b, double seconds) {
    unsigned long s = (unsigned long)(seconds + 0.5);
    if (s >= 3600)
        tn_buf_printf(b, "  %lu:%02lu:%02lu left", s / 3600, s / 60 % 60, s % 60);
    else
        tn_buf_printf(b, "  %lu:%02lu left", s / 60, s % 60);
}

/* "indexing [#####...]  42%  4,115/9,798 passages  1,830/s  0:03 left" */
static void add_status(tn_buf *b, const tern_progress *p, double seconds, bool cells) {
    const char *unit = p->unit ? p->unit : "";
    double rate = seconds > 0 ? (double)(p->done - bar.first) / seconds : 0;
    tn_buf_str(b, bar.what);
    if (p->total) {
        double share = p->done < p->total ? (double)p->done / (double)p->total : 1;
        if (cells) add_cells(b, share);
        tn_buf_printf(b, " %3d%%", (int)(share * 100));
    }
    tn_buf_str(b, "  ");
    add_amount(b, p->done, unit);
    if (p->total) {
        tn_buf_char(b, '/');
        add_amount(b, p->total, unit);
    }
    if (strcmp(unit, "bytes") != 0) tn_buf_printf(b, " %s", unit);
    if (rate >= 1) {
        tn_buf_str(b, "  ");
        add_amount(b, (uint64_t)rate, unit);
        tn_buf_str(b, "/s");
    }
    if (p->total > p->done && rate > 0) add_eta(b, (double)(p->total - p->done) / rate);
}

static size_t terminal_columns(void) {
    struct winsize w;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 10) return w.ws_col;
    return 80;
}

static void host_progress(void *ud, const tern_progress *p) {
    const tn_cli *cli = ud;
    if (cli->quiet) return;
    uint64_t now = tn_clock_ns();
    const char *what = p->what ? p->what : "working";
    if (strncmp(bar.what, what, sizeof bar.what - 1) != 0 || p->done < bar.first) {
        snprintf(bar.what, sizeof bar.what, "%s", what);
        bar.start_ns = bar.drawn_ns = now;
        bar.first = p->done;
        return; /* a task that ends at once says nothing */
    }
    bool tty = isatty(STDERR_FILENO) != 0;
    if (now - bar.drawn_ns < (uint64_t)(tty ? TTY_EVERY_MS : LINE_EVERY_MS) * 1000000) return;
    bar.drawn_ns = now;
    tn_buf b = {0};
    add_status(&b, p, (double)(now - bar.start_ns) * 1e-9, tty);
    if (tty) {
        size_t columns = terminal_columns() - 1;
        int len = (int)(b.len < columns ? b.len : columns);
        fprintf(stderr, "\r%.*s\033[K", len, tn_buf_cstr(&b));
        fflush(stderr);
        bar.on_screen = true;
    } else {
        fprintf(stderr, "%s\n", tn_buf_cstr(&b));
    }
    tn_buf_deinit(&b);
}

static void host_log(void *ud, tern_log_level level, const char *text) {
    const tn_cli *cli = ud;
    static const char *const names[] = {"debug: ", "", "warning: ", "error: "};
    tern_log_level least = cli->quiet     ? TERN_LOG_WARN
                           : cli->verbose ? TERN_LOG_DEBUG
                                          : TERN_LOG_INFO;
    if (level < least) return;
    if (level == TERN_LOG_WARN && !cli->verbose && cli->warnings_max &&
        ++n_warnings > cli->warnings_max)
        return;
    tn_host_clear();
    fprintf(stderr, "tern: %s%s\n", names[level], text);
}

void tn_log(const tn_cli *cli, tern_log_level level, const char *fmt, ...) {
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (cli->host.log) cli->host.log(cli->host.ud, level, text);
}

void tn_host_end(const tn_cli *cli) {
    tn_host_clear();
    if (!cli->warnings_max || n_warnings <= cli->warnings_max) return;
    tn_buf b = {0};
    tn_add_count(&b, n_warnings - cli->warnings_max);
    fprintf(stderr, "tern: %s more warning%s; run with -v to see all\n", tn_buf_cstr(&b),
            n_warnings - cli->warnings_max == 1 ? "" : "s");
    tn_buf_deinit(&b);
    n_warnings = 0;
}

static bool host_cancelled(void *ud) {
    (void)ud;
    return tn_interrupted();
}

void tn_host_init(tn_cli *cli) {
    /* No SA_RESTART: a read from a terminal or a pipe returns, and the caller sees the flag. */
    struct sigaction sa = {.sa_handler = on_signal};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an EPIPE for the writer to handle */
    cli->host = (tern_host){
        .log = host_log,
        .progress = host_progress,
        .cancelled = host_cancelled,
        .ud = cli,
    };
}
