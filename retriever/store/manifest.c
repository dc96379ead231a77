/* manifest.c - see manifest.h. */
#include "retriever/store/manifest.h"
#include "core/base/crc32c.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/mem.h"

/* A block file's header without its own checksum, which would cancel itself out of ours. */
enum { HEAD_BYTES = 60, MANIFEST_MAX = 64 << 20 };

/* The end of every manifest, now and in later formats: a reader of any version can tell damage from
 * a format it does not know. */
#define TAIL_FORMAT ",\n  \"crc32c\": \"%08" PRIx32 "\"\n}\n"
enum { TAIL_BYTES = 27 };

void tn_manifest_deinit(tn_manifest *m) {
    tn_free(m->segs);
    *m = (tn_manifest){0};
}

tn_msegment *tn_manifest_grow(tn_manifest *m) {
    if (TN_GROW(m->segs, m->segs_cap, m->n_segs + 1) != 0) return NULL;
    m->segs[m->n_segs] = (tn_msegment){0};
    return &m->segs[m->n_segs];
}

/* --- writing --- */

static void print_file(const char *key, const tn_mfile *f, tn_buf *out) {
    if (key) tn_buf_printf(out, "\"%s\": ", key);
    tn_buf_printf(out, "{\"name\": \"%s\", \"size\": %" PRIu64 ", \"crc32c\": \"%08" PRIx32 "\"}",
                  f->name, f->size, f->crc);
}

static void print_segment(const tn_msegment *s, tn_buf *out) {
    tn_buf_printf(out,
                  "    {\"name\": \"%s\", \"passages\": %" PRIu32 ", \"dead\": %" PRIu32
                  ", \"live_documents\": %" PRIu32 ",\n     \"files\": [",
                  s->name, s->n, s->n_dead, s->n_live_docs);
    for (size_t i = 0; i < s->n_files; i++) {
        if (i) tn_buf_str(out, ",\n               ");
        print_file(NULL, &s->files[i], out);
    }
    tn_buf_char(out, ']');
    if (s->tombstones.name[0]) {
        tn_buf_str(out, ",\n     ");
        print_file("tombstones", &s->tombstones, out);
    }
    if (s->vectors.name[0]) {
        tn_buf_str(out, ",\n     ");
        print_file("vectors", &s->vectors, out);
    }
    tn_buf_char(out, '}');
}

void tn_manifest_print(const tn_manifest *m, tn_buf *out) {
    size_t start = out->len;
    tn_buf_printf(
        out,
        "{\n  \"format\": %d,\n  \"generation\": %" PRIu64 ",\n  \"next_segment\": %" PRIu64
        ",\n  \"language\": \"%s\",\n  \"embedder\": \"%s\",\n  \"vectors\": \"%s\""
        ",\n  \"chunk_tokens\": %" PRIu32 ",\n  \"chunk_overlap\": %" PRIu32
        ",\n  \"record_tokens\": %" PRIu32 ",\n  \"hash\": \"%016" PRIx64 "%016" PRIx64 "\"",
        TN_MANIFEST_FORMAT, m->generation, m->next_segment, m->language, m->embedder, m->vectors,
        m->chunk_tokens, m->chunk_overlap, m->record_tokens, m->hash[1], m->hash[0]);
    if (m->model.name[0]) {
        tn_buf_str(out, ",\n  ");
        print_file("model", &m->model, out);
        tn_buf_printf(out, ",\n  \"epoch\": %" PRIu64 ",\n  \"dim\": %" PRIu32, m->epoch, m->dim);
    }
    tn_buf_str(out, ",\n  \"segments\": [");
    for (size_t i = 0; i < m->n_segs; i++) {
        tn_buf_str(out, i ? ",\n" : "\n");
        print_segment(&m->segs[i], out);
    }
    tn_buf_char(out, ']');
    uint32_t crc = out->failed ? 0 : tn_crc32c(0, out->data + start, out->len - start);
    tn_buf_printf(out, TAIL_FORMAT, crc);
}

static tern_status path_in(const char *dir, const char *name, char **out, tern_error *err) {
    *out = tn_path_join(dir, name);
    return *out ? TERN_OK : tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
}

tern_status tn_manifest_save(const tn_manifest *m, const char *dir, tern_error *err) {
    char *path;
    tn_buf text = {0};
    tern_status st = path_in(dir, TN_MANIFEST_FILE, &path, err);
    if (st == TERN_OK) {
        tn_manifest_print(m, &text);
        st = tn_buf_status(&text, err);
    }
    if (st == TERN_OK) st = tn_file_replace(path, text.data, text.len, err);
    tn_buf_deinit(&text);
    tn_free(path);
    return st;
}

/* --- reading --- */

/* What a parse carries along: the first complaint wins. */
typedef struct reader {
    const char *path;
    tern_error *err;
    tern_status status;
} reader;

static bool complain(reader *r, const char *key, const char *what) {
    if (r->status == TERN_OK)
        r->status = tern_fail(r->err, TERN_ERR_CORRUPT, 0,
                              "%s: \"%s\": %s; restore the file or build the index again", r->path,
                              key, what);
    return false;
}

static bool get_uint(reader *r, const json_t *obj, const char *key, uint64_t max, uint64_t *out) {
    int64_t v = tn_json_int(obj, key, -1);
    if (v < 0 || (uint64_t)v > max) return complain(r, key, "missing or out of range");
    *out = (uint64_t)v;
    return true;
}

static bool get_u32(reader *r, const json_t *obj, const char *key, uint32_t *out) {
    uint64_t v = 0;
    bool ok = get_uint(r, obj, key, UINT32_MAX - 1, &v);
    *out = (uint32_t)v;
    return ok;
}

/* Names end up in paths: letters, digits, '-', '_' and '.', not first a dot. */
static bool is_name(const char *s) {
    if (*s == '.' || *s == '\0') return false;
    for (; *s; s++) {
        bool alnum =
            (*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z');
        if (!alnum && *s != '-' && *s != '_' && *s != '.') return false;
    }
    return true;
}

static bool get_name(reader *r, const json_t *obj, const char *key, char *out, size_t cap) {
    const json_t *v = json_object_get(obj, key);
    const char *s = json_is_string(v) ? json_string_value(v) : "";
    if (!is_name(s) || strlen(s) != json_string_length(v) || strlen(s) >= cap)
        return complain(r, key, "missing or not a name");
    memcpy(out, s, strlen(s) + 1);
    return true;
}

/* Exactly n lower-case hexadecimal digits at s. */
static bool parse_hex(const char *s, size_t n, uint64_t *out) {
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *out = v;
    return true;
}

static bool get_file(reader *r, const json_t *obj, tn_mfile *f) {
    uint64_t crc = 0;
    const char *hex = tn_json_str(obj, "crc32c", "");
    if (!get_name(r, obj, "name", f->name, sizeof f->name) ||
        !get_uint(r, obj, "size", INT64_MAX, &f->size))
        return false;
    if (strlen(hex) != 8 || !parse_hex(hex, 8, &crc)) return complain(r, f->name, "bad crc32c");
    f->crc = (uint32_t)crc;
    return true;
}

static bool get_optional_file(reader *r, const json_t *obj, const char *key, tn_mfile *f) {
    const json_t *v = json_object_get(obj, key);
    return !v || get_file(r, v, f);
}

static bool get_segment(reader *r, const json_t *v, tn_msegment *s) {
    if (!get_name(r, v, "name", s->name, sizeof s->name) || !get_u32(r, v, "passages", &s->n) ||
        !get_u32(r, v, "dead", &s->n_dead) || !get_u32(r, v, "live_documents", &s->n_live_docs))
        return false;
    if (s->n == 0 || s->n_dead > s->n || s->n_live_docs > s->n - s->n_dead)
        return complain(r, s->name, "counts do not agree");
    const json_t *files = json_object_get(v, "files");
    if (!json_is_array(files) || json_array_size(files) > TN_SEGMENT_FILES)
        return complain(r, s->name, "no list of files");
    for (size_t i = 0; i < json_array_size(files); i++, s->n_files++)
        if (!get_file(r, json_array_get(files, i), &s->files[i])) return false;
    if (!get_optional_file(r, v, "tombstones", &s->tombstones) ||
        !get_optional_file(r, v, "vectors", &s->vectors))
        return false;
    return (s->n_dead > 0) == (s->tombstones.name[0] != 0) ||
           complain(r, s->name, "counts do not agree");
}

static bool get_segments(reader *r, const json_t *root, tn_manifest *m) {
    const json_t *list = json_object_get(root, "segments");
    if (!json_is_array(list) || json_array_size(list) > TN_SEGMENTS_MAX)
        return complain(r, "segments", "missing or too many");
    uint64_t n_refs = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        tn_msegment *s = tn_manifest_grow(m);
        if (!s) {
            r->status = tern_fail(r->err, TERN_ERR_NOMEM, 0, "out of memory");
            return false;
        }
        if (!get_segment(r, json_array_get(list, i), s)) return false;
        m->n_segs++;
        n_refs += s->n;
    }
    return n_refs < UINT32_MAX || complain(r, "segments", "too many passages");
}

static bool get_all(reader *r, const json_t *root, tn_manifest *m) {
    if (!get_uint(r, root, "generation", INT64_MAX, &m->generation) ||
        !get_uint(r, root, "next_segment", UINT32_MAX, &m->next_segment) ||
        !get_name(r, root, "language", m->language, sizeof m->language) ||
        !get_name(r, root, "embedder", m->embedder, sizeof m->embedder) ||
        !get_name(r, root, "vectors", m->vectors, sizeof m->vectors) ||
        !get_u32(r, root, "chunk_tokens", &m->chunk_tokens) ||
        !get_u32(r, root, "chunk_overlap", &m->chunk_overlap) ||
        !get_u32(r, root, "record_tokens", &m->record_tokens))
        return false;
    const char *hash = tn_json_str(root, "hash", "");
    if (strlen(hash) != 32 || !parse_hex(hash, 16, &m->hash[1]) ||
        !parse_hex(hash + 16, 16, &m->hash[0]))
        return complain(r, "hash", "not 32 hexadecimal digits");
    if (!get_optional_file(r, root, "model", &m->model)) return false;
    if (m->model.name[0] &&
        (!get_uint(r, root, "epoch", INT64_MAX, &m->epoch) || !get_u32(r, root, "dim", &m->dim)))
        return false;
    return get_segments(r, root, m);
}

static bool tail_matches(const char *text, size_t n) {
    if (n < TAIL_BYTES) return false;
    char want[TAIL_BYTES + 1];
    snprintf(want, sizeof want, TAIL_FORMAT, tn_crc32c(0, text, n - TAIL_BYTES));
    return memcmp(text + n - TAIL_BYTES, want, TAIL_BYTES) == 0;
}

static tern_status check_format(const json_t *root, const char *path, tern_error *err) {
    int64_t format = tn_json_int(root, "format", -1);
    if (format == TN_MANIFEST_FORMAT) return TERN_OK;
    return tern_fail(
        err, TERN_ERR_VERSION, 0, "%s: index format %" PRId64 ", this program reads format %d; %s",
        path, format, TN_MANIFEST_FORMAT,
        format > TN_MANIFEST_FORMAT ? "install a newer tern"
                                    : "build the index again from its documents with `tern index`");
}

tern_status tn_manifest_parse(const char *text, size_t n, const char *path, tn_manifest *m,
                              tern_error *err) {
    *m = (tn_manifest){0};
    if (!tail_matches(text, n))
        return tern_fail(
            err, TERN_ERR_CORRUPT, 0,
            "%s: offset 0: the checksum of its %zu bytes is wrong; restore the file or "
            "build the index again",
            path, n);
    json_t *root = NULL;
    tern_error inner = {0};
    tern_status st = tn_json_parse(text, n, &root, &inner);
    if (st != TERN_OK)
        return tern_fail(err, st == TERN_ERR_FORMAT ? TERN_ERR_CORRUPT : st, 0, "%s: %s", path,
                         inner.text);
    st = check_format(root, path, err);
    reader r = {path, err, TERN_OK};
    if (st == TERN_OK && !get_all(&r, root, m)) st = r.status;
    json_decref(root);
    if (st != TERN_OK) tn_manifest_deinit(m);
    return st;
}

tern_status tn_manifest_load(const char *dir, tn_manifest *m, tern_error *err) {
    *m = (tn_manifest){0};
    char *path;
    tn_buf text = {0};
    tern_error read_error = {0};
    tern_status st = path_in(dir, TN_MANIFEST_FILE, &path, err);
    if (st != TERN_OK) return st;
    st = tn_file_read(path, MANIFEST_MAX, &text, &read_error);
    if (st == TERN_OK)
        st = tn_manifest_parse(tn_buf_cstr(&text), text.len, path, m, err);
    else if (st == TERN_ERR_NOT_FOUND || read_error.os_code == ENOTDIR)
        st = tern_fail(err, TERN_ERR_NOT_FOUND, ENOENT,
                       "%s: no index here; make one with `tern index %s FILE...`", dir, dir);
    else if (err)
        *err = read_error;
    tn_buf_deinit(&text);
    tn_free(path);
    return st;
}

/* --- the files it names --- */

static tern_status read_head(int fd, const char *path, tn_mfile *f, tern_error *err) {
    struct stat sb;
    uint8_t head[HEAD_BYTES];
    size_t n = 0;
    if (fstat(fd, &sb) != 0) return tn_fail_errno(err, errno, path, "cannot stat");
    while (n < sizeof head) {
        ssize_t k = pread(fd, head + n, sizeof head - n, (off_t)n);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return tn_fail_errno(err, errno, path, "cannot read");
        if (k == 0) break;
        n += (size_t)k;
    }
    f->size = (uint64_t)sb.st_size;
    f->crc = tn_crc32c(0, head, n);
    return TERN_OK;
}

static tern_status with_file(const char *dir, const char *name, bool sync, tn_mfile *f,
                             tern_error *err) {
    char *path;
    tern_status st = path_in(dir, name, &path, err);
    if (st != TERN_OK) return st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) st = tn_fail_errno(err, errno, path, "cannot open");
    if (st == TERN_OK && sync && fsync(fd) != 0)
        st = tn_fail_errno(err, errno, path, "cannot sync");
    if (st == TERN_OK) st = read_head(fd, path, f, err);
    if (fd >= 0) close(fd);
    tn_free(path);
    return st;
}

tern_status tn_mfile_stamp(const char *dir, tn_mfile *f, tern_error *err) {
    return with_file(dir, f->name, true, f, err);
}

tern_status tn_mfile_check(const char *dir, const tn_mfile *f, tern_error *err) {
    tn_mfile now = {0};
    tern_status st = with_file(dir, f->name, false, &now, err);
    if (st != TERN_OK) return st;
    if (now.size != f->size)
        return tern_fail(err, TERN_ERR_CORRUPT, 0,
                         "%s/%s: offset %" PRIu64 ": %" PRIu64 " bytes, the manifest says %" PRIu64,
                         dir, f->name, now.size < f->size ? now.size : f->size, now.size, f->size);
    if (now.crc != f->crc)
        return tern_fail(err, TERN_ERR_CORRUPT, 0,
                         "%s/%s: offset 0: the first bytes are not those the manifest knows", dir,
                         f->name);
    return TERN_OK;
}
