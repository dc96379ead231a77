/* ingest.c - see ingest.h: which reader for which file, and the walk over all of them. */
#include "retriever/ingest/ingest.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "retriever/ingest/ingest_priv.h"
#include "retriever/ingest/walk.h"
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

typedef struct format {
    const char *name;
    const char *extensions; /* each between spaces */
    tern_status (*read)(tn_intake *in, tern_error *err);
} format;

static const format formats[] = {
    {"jsonl", " .jsonl .ndjson .jsonlines ", tn_read_jsonl},
    {"tsv", " .tsv .tab ", tn_read_tsv},
    {"csv", " .csv ", tn_read_csv},
    {"md", " .md .markdown .mdown .mkd ", tn_read_markdown},
    {"html", " .html .htm .xhtml ", tn_read_html},
    {"pdf", " .pdf ", tn_read_pdf},
    {"txt", " .txt .text .rst .org .adoc .asciidoc .tex .log ", tn_read_plain},
};
enum { N_FORMATS = sizeof formats / sizeof *formats };

static const format *format_named(const char *name) {
    for (int i = 0; i < N_FORMATS; i++)
        if (strcmp(formats[i].name, name) == 0) return &formats[i];
    return NULL;
}

static tern_status check_format(const char *name, tern_error *err) {
    if (!name || format_named(name)) return TERN_OK;
    char known[128] = "";
    size_t len = 0;
    for (int i = 0; i < N_FORMATS; i++)
        len += (size_t)snprintf(known + len, sizeof known - len, "%s%s", i ? ", " : "",
                                formats[i].name);
    return tern_fail(err, TERN_ERR_ARG, 0, "unknown format \"%s\"; known are %s", name, known);
}

/* The extension of the name, without that of a compression; "" if it has none. */
static void extension_of(const char *path, char *out, size_t cap) {
    static const char *const packed[] = {".gz", ".zst", ".zstd"};
    const char *base = tn_path_base(path);
    size_t n = strlen(base);
    for (size_t i = 0; i < sizeof packed / sizeof *packed; i++)
        if (tn_ends_with(base, packed[i])) {
            n -= strlen(packed[i]);
            break;
        }
    size_t dot = n;
    while (dot > 0 && base[dot - 1] != '.') dot--;
    out[0] = '\0';
    if (dot < 2 || n - dot + 2 > cap) return; /* no dot, or only a first one */
    for (size_t i = dot - 1; i < n; i++) {
        char c = base[i];
        *out++ = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    *out = '\0';
}

static const format *format_of_extension(const char *extension) {
    char key[24];
    snprintf(key, sizeof key, " %s ", extension);
    for (int i = 0; extension[0] && i < N_FORMATS; i++)
        if (strstr(formats[i].extensions, key)) return &formats[i];
    return NULL;
}

/* Files beside documents that are text and yet nothing to read: left out of folders by name. */
static bool is_furniture(const char *path, const char *extension) {
    static const char extensions[] = " .css .scss .less .js .mjs .map .svg .ps .eps .lock .po .pot "
                                     ".pem .crt .key .sig .asc .sha256 .md5 ";
    static const char *const names[] = {"package-lock.json", "go.sum"};
    char key[24];
    snprintf(key, sizeof key, " %s ", extension);
    if (extension[0] && strstr(extensions, key)) return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(tn_path_base(path), names[i]) == 0) return true;
    return false;
}

/* Text by its first bytes: at most 1 in 100 is a control character that text has no use for, and
 * at most 1 in 10 is no UTF-8, which lets Latin-1 of western languages pass. */
static bool looks_like_text(const char *s, size_t n) {
    static const char allowed[] = "\t\n\v\f\r\b\x1B";
    size_t n_control = 0, n_ill = 0;
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t k = tn_utf8_decode(s + i, n - i, &cp);
        unsigned char c = (unsigned char)s[i];
        n_ill += k == 0;
        n_control += (c < 0x20 && !memchr(allowed, c, sizeof allowed - 1)) || c == 0x7F;
        i += k ? k : 1;
    }
    return n_control <= n / 100 && n_ill <= n / 10;
}

/* One JSON object per line, going by the first line? */
static bool looks_like_jsonl(const char *s, size_t n) {
    const char *nl = memchr(s, '\n', n);
    if (nl) n = (size_t)(nl - s);
    tn_trim(&s, &n);
    if (n < 2 || s[0] != '{' || (nl && s[n - 1] != '}')) return false;
    s++, n--;
    tn_trim(&s, &n);
    return s[0] == '"' || s[0] == '}'; /* "{ a comment }" opens programs and templates */
}

/* Is the first line an object that names a text, or too long to tell? */
static bool looks_like_records(const char *s, size_t n) {
    if (!looks_like_jsonl(s, n)) return false;
    const char *nl = memchr(s, '\n', n);
    if (!nl) return true;
    n = (size_t)(nl - s);
    return memmem(s, n, "\"text\"", 6) || memmem(s, n, "\"contents\"", 10);
}

static bool begins_with(const char *s, size_t n, const char *prefix) {
    char head[24];
    tn_trim(&s, &n);
    size_t k = strlen(prefix);
    if (n < k || k >= sizeof head) return false;
    memcpy(head, s, k);
    head[k] = '\0';
    return tn_ascii_ieq(head, prefix);
}

static const format *format_of_content(const char *s, size_t n) {
    if (looks_like_records(s, n)) return format_named("jsonl");
    if (begins_with(s, n, "<!doctype html") || begins_with(s, n, "<html"))
        return format_named("html");
    return format_named("txt");
}

/* Choose by opts->format, else by the first bytes and the name. NULL: *why says why not. */
static const format *choose(const tn_intake *in, const char *head, size_t n, bool named,
                            const char **why) {
    const format *forced = in->opts->format ? format_named(in->opts->format) : NULL;
    const format *pdf = format_named("pdf");
    if (pdf && forced == pdf) return pdf;
    if (!forced && pdf && n >= 5 && memcmp(head, "%PDF-", 5) == 0) return pdf;
    if (n >= 2 && (memcmp(head, "\xFF\xFE", 2) == 0 || memcmp(head, "\xFE\xFF", 2) == 0)) {
        *why = "UTF-16 text; convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)";
        return NULL;
    }
    if (memchr(head, '\0', n)) {
        *why = "binary file, left out";
        return NULL;
    }
    if (forced) return forced;
    if (strcmp(in->path, "-") == 0) return format_named("jsonl");
    char extension[20];
    extension_of(in->path, extension, sizeof extension);
    const format *by_name = format_of_extension(extension);
    if (by_name == format_named("csv") && !tn_csv_names_text(head, n))
        return format_named("txt"); /* figures, or a table of its own kind */
    if (by_name && by_name != pdf) return by_name;
    bool json = strcmp(extension, ".json") == 0;
    if (json && looks_like_jsonl(head, n)) return format_named("jsonl");
    if (by_name)
        *why = "not a PDF, whatever its name says";
    else if (!named && is_furniture(in->path, extension))
        *why = "no document by its name; name it itself to index it";
    else if (json)
        *why = "JSON, but not one object per line (jq -c '.[]' makes that of an array)";
    else if (!looks_like_text(head, n))
        *why = "neither text nor a known format, left out (--format txt reads it all the same)";
    else
        return format_of_content(head, n);
    return NULL;
}

static tern_status read_source(tn_intake *in, bool named, tern_error *err) {
    const char *head, *why = "unknown kind of file";
    size_t n;
    tern_error failed = {0};
    tern_status st = tn_source_view(in->source, TN_SOURCE_PEEK, &head, &n, &failed);
    if (st != TERN_OK) return tn_intake_broken(in, 0, &failed, err);
    if (n == 0) return tn_intake_bad(in, 0, err, "empty file");
    const format *f = choose(in, head, n, named, &why);
    if (!f) return tn_intake_bad(in, 0, err, "%s", why);
    if (n >= 3 && memcmp(head, "\xEF\xBB\xBF", 3) == 0) tn_source_advance(in->source, 3);
    st = f->read(in, err);
    in->counts->n_bytes += tn_source_offset(in->source);
    return st;
}

static tern_status read_file(tn_intake *in, const tn_walk_file *file, tern_error *err) {
    tern_error failed = {0};
    in->path = file->path;
    tern_status st = tn_source_open(file->path, &in->source, &failed);
    if (st == TERN_OK) {
        st = read_source(in, file->named, err);
    } else if (file->named || st == TERN_ERR_NOMEM) {
        if (err) *err = failed;
    } else { /* a file of a folder: gone meanwhile, or not ours to read */
        st = tn_intake_bad(in, 0, err, "cannot open: %s", strerror(failed.os_code));
    }
    in->n_raw_before += file->size;
    tn_source_close(in->source);
    in->source = NULL;
    return st;
}

static tern_status on_skipped(void *ud, const char *path, bool bad, const char *why,
                              tern_error *err) {
    tn_intake *in = ud;
    in->path = path;
    if (bad) return tn_intake_bad(in, 0, err, "%s", why);
    tn_intake_log(in, TERN_LOG_INFO, "%s: %s", path, why);
    return TERN_OK;
}

static bool cancelled(const tern_host *host) {
    return host && host->cancelled && host->cancelled(host->ud);
}

tern_status tn_ingest(const char *const *inputs, size_t n_inputs, const tern_index_opts *opts,
                      const tern_host *host, const tn_ingest_sink *sink, tn_ingest_counts *counts,
                      tern_error *err) {
    tn_ingest_counts own = {0};
    tn_intake in = {.opts = opts, .host = host, .sink = sink, .counts = counts ? counts : &own};
    tn_walk walk = {.skipped = on_skipped, .ud = &in};
    *in.counts = (tn_ingest_counts){0};
    tern_status st = check_format(opts->format, err);
    for (size_t i = 0; st == TERN_OK && i < n_inputs; i++) st = tn_walk_add(&walk, inputs[i], err);
    in.n_raw_total = walk.n_bytes;
    for (size_t i = 0; st == TERN_OK && i < walk.n_files; i++) {
        if (cancelled(host))
            st = tern_fail(err, TERN_ERR_CANCELLED, 0, "reading was cancelled");
        else
            st = read_file(&in, &walk.files[i], err);
    }
    tn_walk_deinit(&walk);
    tn_arena_deinit(&in.arena);
    tn_buf_deinit(&in.scratch);
    return st;
}

tern_status tn_ingest_memory(const char *format_name, const char *name, const void *data, size_t n,
                             const tern_index_opts *opts, const tn_ingest_sink *sink,
                             tn_ingest_counts *counts, tern_error *err) {
    tn_ingest_counts own = {0};
    tern_index_opts forced = *opts;
    forced.format = format_name;
    tn_intake in = {.opts = &forced, .sink = sink, .counts = counts ? counts : &own, .path = name};
    *in.counts = (tn_ingest_counts){0};
    tern_status st = check_format(format_name, err);
    if (st == TERN_OK) st = tn_source_open_memory(data, n, &in.source, err);
    if (st == TERN_OK) st = read_source(&in, true, err);
    tn_source_close(in.source);
    tn_arena_deinit(&in.arena);
    tn_buf_deinit(&in.scratch);
    return st;
}
