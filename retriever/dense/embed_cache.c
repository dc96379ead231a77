/* embed_cache.c - see embed_cache.h. Hashes are held in memory, 24 bytes a record; vectors are read
 * from the file when asked for. */
#include "retriever/dense/embed_cache.h"
#include "core/base/buf.h"
#include "core/base/crc32c.h"
#include "core/base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "core/base/mem.h"

enum { HEADER_BYTES = 24, SCAN_RECORDS = 256 };
static const char magic[8] = {'T', 'E', 'R', 'N', 'E', 'M', 'B', '1'};

typedef struct entry {
    tn_text_hash hash;
    bool used;
} entry;

struct tn_embed_cache {
    char *path;
    int fd;
    uint64_t epoch;
    uint32_t dim;
    size_t record_bytes;
    entry *entries; /* [n] in file order */
    size_t n, entries_cap;
    uint32_t *slots; /* [n_slots] open addressing: entry number + 1, or 0 */
    size_t n_slots;
    unsigned char *record; /* [record_bytes] scratch */
};

tn_text_hash tn_text_hash_of(const char *text, size_t len) {
    XXH128_hash_t h = XXH3_128bits(text, len);
    return (tn_text_hash){{h.low64, h.high64}};
}

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for the cache of vectors");
}

static bool same(tn_text_hash a, tn_text_hash b) {
    return a.half[0] == b.half[0] && a.half[1] == b.half[1];
}

/* --- the table of hashes --- */

/* The slot that holds `hash`, or the empty one where it belongs. */
static uint32_t *slot_of(const tn_embed_cache *c, tn_text_hash hash) {
    size_t i = hash.half[0] & (c->n_slots - 1);
    while (c->slots[i] && !same(c->entries[c->slots[i] - 1].hash, hash))
        i = (i + 1) & (c->n_slots - 1);
    return &c->slots[i];
}

static tern_status grow_table(tn_embed_cache *c, tern_error *err) {
    size_t n_slots = c->n_slots ? 2 * c->n_slots : 1024;
    uint32_t *slots = tn_calloc(n_slots, sizeof *slots);
    if (!slots) return no_memory(err);
    tn_free(c->slots);
    c->slots = slots;
    c->n_slots = n_slots;
    for (size_t i = 0; i < c->n; i++) *slot_of(c, c->entries[i].hash) = (uint32_t)i + 1;
    return TERN_OK;
}

/* Note record number c->n. Of two records of one text the later is found. */
static tern_status note(tn_embed_cache *c, tn_text_hash hash, bool used, tern_error *err) {
    if (c->n >= UINT32_MAX - 1)
        return tern_fail(err, TERN_ERR_LIMIT, 0, "%s: too many vectors", c->path);
    if (2 * (c->n + 1) > c->n_slots) {
        tern_status st = grow_table(c, err);
        if (st != TERN_OK) return st;
    }
    if (TN_GROW(c->entries, c->entries_cap, c->n + 1) != 0) return no_memory(err);
    c->entries[c->n] = (entry){hash, used};
    *slot_of(c, hash) = (uint32_t)++c->n;
    return TERN_OK;
}

/* --- records --- */

static off_t place_of(const tn_embed_cache *c, size_t i) {
    return (off_t)(HEADER_BYTES + i * c->record_bytes);
}

static void pack(const tn_embed_cache *c, tn_text_hash hash, const float *vector,
                 unsigned char *record) {
    size_t n = sizeof hash + c->dim * sizeof *vector;
    memcpy(record, &hash, sizeof hash);
    memcpy(record + sizeof hash, vector, c->dim * sizeof *vector);
    uint32_t crc = tn_crc32c(0, record, n);
    memcpy(record + n, &crc, sizeof crc);
}

static bool is_whole(const tn_embed_cache *c, const unsigned char *record) {
    uint32_t crc;
    memcpy(&crc, record + c->record_bytes - sizeof crc, sizeof crc);
    return crc == tn_crc32c(0, record, c->record_bytes - sizeof crc);
}

/* Read n bytes at `at`; how many were there. */
static size_t read_at(int fd, void *data, size_t n, off_t at) {
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(fd, (char *)data + done, n - done, at + (off_t)done);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        done += (size_t)got;
    }
    return done;
}

static tern_status write_at(const tn_embed_cache *c, const void *data, size_t n, off_t at,
                            tern_error *err) {
    if (lseek(c->fd, at, SEEK_SET) < 0) return tn_fail_errno(err, errno, c->path, "cannot seek");
    return tn_write_all(c->fd, data, n, c->path, err);
}

/* --- open --- */

static void fill_header(const tn_embed_cache *c, unsigned char h[HEADER_BYTES]) {
    memcpy(h, magic, sizeof magic);
    memcpy(h + 8, &c->epoch, sizeof c->epoch);
    memcpy(h + 16, &c->dim, sizeof c->dim);
    uint32_t crc = tn_crc32c(0, h, 20);
    memcpy(h + 20, &crc, sizeof crc);
}

/* Note the whole records of the file and cut what follows them. */
static tern_status scan(tn_embed_cache *c, tern_error *err) {
    unsigned char *many = tn_realloc(NULL, SCAN_RECORDS, c->record_bytes);
    if (!many) return no_memory(err);
    tern_status st = TERN_OK;
    for (bool more = true; more && st == TERN_OK;) {
        size_t got = read_at(c->fd, many, SCAN_RECORDS * c->record_bytes, place_of(c, c->n));
        size_t n = got / c->record_bytes;
        more = n == SCAN_RECORDS;
        for (size_t i = 0; st == TERN_OK && i < n; i++) {
            const unsigned char *record = many + i * c->record_bytes;
            tn_text_hash hash;
            if (!is_whole(c, record)) {
                more = false;
                break;
            }
            memcpy(&hash, record, sizeof hash);
            st = note(c, hash, false, err);
        }
    }
    tn_free(many);
    if (st == TERN_OK && ftruncate(c->fd, place_of(c, c->n)) != 0)
        st = tn_fail_errno(err, errno, c->path, "cannot cut");
    return st;
}

static tern_status open_file(tn_embed_cache *c, tern_error *err) {
    unsigned char have[HEADER_BYTES], want[HEADER_BYTES];
    c->fd = open(c->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (c->fd < 0) return tn_fail_errno(err, errno, c->path, "cannot open");
    fill_header(c, want);
    if (read_at(c->fd, have, sizeof have, 0) == sizeof have && memcmp(have, want, sizeof have) == 0)
        return scan(c, err);
    if (ftruncate(c->fd, 0) != 0) return tn_fail_errno(err, errno, c->path, "cannot empty");
    return write_at(c, want, sizeof want, 0, err);
}

tern_status tn_embed_cache_open(const char *dir, uint64_t epoch, uint32_t dim, tn_embed_cache **out,
                                tern_error *err) {
    *out = NULL;
    char name[64];
    snprintf(name, sizeof name, "embedded-%016" PRIx64 ".cache", epoch);
    tn_embed_cache *c = tn_calloc(1, sizeof *c);
    if (!c) return no_memory(err);
    *c = (tn_embed_cache){.fd = -1, .epoch = epoch, .dim = dim};
    c->record_bytes = sizeof(tn_text_hash) + dim * sizeof(float) + sizeof(uint32_t);
    c->path = tn_path_join(dir, name);
    c->record = tn_alloc(c->record_bytes);
    tern_status st = c->path && c->record ? open_file(c, err) : no_memory(err);
    if (st == TERN_OK)
        *out = c;
    else
        tn_embed_cache_close(c);
    return st;
}

void tn_embed_cache_close(tn_embed_cache *c) {
    if (!c) return;
    if (c->fd >= 0) close(c->fd);
    tn_free(c->path);
    tn_free(c->entries);
    tn_free(c->slots);
    tn_free(c->record);
    tn_free(c);
}

size_t tn_embed_cache_n(const tn_embed_cache *c) {
    return c->n;
}

/* --- use --- */

bool tn_embed_cache_get(tn_embed_cache *c, tn_text_hash hash, float *out) {
    uint32_t found = c->n_slots ? *slot_of(c, hash) : 0;
    if (!found) return false;
    if (read_at(c->fd, c->record, c->record_bytes, place_of(c, found - 1)) != c->record_bytes ||
        !is_whole(c, c->record))
        return false;
    memcpy(out, c->record + sizeof hash, c->dim * sizeof *out);
    c->entries[found - 1].used = true;
    return true;
}

tern_status tn_embed_cache_add(tn_embed_cache *c, tn_text_hash hash, const float *vector,
                               tern_error *err) {
    pack(c, hash, vector, c->record);
    tern_status st = write_at(c, c->record, c->record_bytes, place_of(c, c->n), err);
    return st == TERN_OK ? note(c, hash, true, err) : st;
}

tern_status tn_embed_cache_sync(tn_embed_cache *c, tern_error *err) {
    return fdatasync(c->fd) == 0 ? TERN_OK : tn_fail_errno(err, errno, c->path, "cannot sync");
}

static tern_status write_used(const tn_embed_cache *c, int fd, const char *path, tern_error *err) {
    unsigned char header[HEADER_BYTES];
    fill_header(c, header);
    tern_status st = tn_write_all(fd, header, sizeof header, path, err);
    for (size_t i = 0; st == TERN_OK && i < c->n; i++) {
        if (!c->entries[i].used) continue;
        if (read_at(c->fd, c->record, c->record_bytes, place_of(c, i)) != c->record_bytes)
            return tn_fail_errno(err, errno, c->path, "cannot read");
        st = tn_write_all(fd, c->record, c->record_bytes, path, err);
    }
    if (st == TERN_OK && fsync(fd) != 0) st = tn_fail_errno(err, errno, path, "cannot sync");
    return st;
}

tern_status tn_embed_cache_prune(tn_embed_cache *c, tern_error *err) {
    tn_buf tmp = {0};
    tn_buf_printf(&tmp, "%s.tmp", c->path);
    tern_status st = tn_buf_status(&tmp, err);
    if (st != TERN_OK) return st;
    int fd = open(tmp.data, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        st = tn_fail_errno(err, errno, tmp.data, "cannot write");
    } else {
        st = write_used(c, fd, tmp.data, err);
        if (st == TERN_OK && rename(tmp.data, c->path) != 0)
            st = tn_fail_errno(err, errno, c->path, "cannot replace");
        if (st != TERN_OK) {
            close(fd);
            unlink(tmp.data);
        }
    }
    tn_buf_deinit(&tmp);
    if (st != TERN_OK) return st;
    close(c->fd);
    c->fd = fd;
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        if (c->entries[i].used) c->entries[n++] = c->entries[i];
    c->n = n;
    memset(c->slots, 0, c->n_slots * sizeof *c->slots);
    for (size_t i = 0; i < c->n; i++) *slot_of(c, c->entries[i].hash) = (uint32_t)i + 1;
    return TERN_OK;
}
