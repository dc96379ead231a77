/* blockfile.c - see blockfile.h.
 * Every byte of the file is covered: header by its own crc, crc table by the header, payload by the
 * table, and the padding between must be zero. A file that shrinks while mapped is outside what a
 * checksum can catch (SIGBUS); committed files are never written again, only unlinked. */
#include "retriever/store/blockfile.h"
#include "core/base/buf.h"
#include "core/base/crc32c.h"
#include "core/base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"

static const char magic[8] = "TERNBLK1";
enum { FORMAT = 1 };

/* Header fields by offset; the rest is zero. */
enum {
    AT_KIND = 8,
    AT_FORMAT = 12,
    AT_PAYLOAD = 16,
    AT_BLOCK = 24,
    AT_TABLE_CRC = 28,
    AT_HEADER_CRC = TN_BLOCK_HEADER_BYTES - 4
};

static void put_u32(uint8_t *p, uint32_t v) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> 8 * i);
}

static uint32_t get_u32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get_u64(const uint8_t *p) {
    return get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
}

/* --- writing --- */

struct tn_bwriter {
    char *path;
    int fd;
    uint32_t kind;
    uint64_t n_payload; /* written or in the buffer */
    size_t n_buffered;
    tn_buf table; /* crcs so far, little endian */
    tern_status status;
    uint8_t buffer[TN_BLOCK_BYTES];
};

tern_status tn_bwriter_open(const char *path, uint32_t kind, tn_bwriter **out, tern_error *err) {
    *out = NULL;
    tn_bwriter *w = tn_alloc(sizeof *w);
    char *copy = tn_strdup(path);
    if (!w || !copy) {
        tn_free(w);
        tn_free(copy);
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    }
    w->path = copy;
    w->kind = kind;
    w->n_payload = 0;
    w->n_buffered = 0;
    w->table = (tn_buf){0};
    w->status = TERN_OK;
    w->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (w->fd < 0) {
        tern_status st = tn_fail_errno(err, errno, path, "cannot create");
        tn_free(copy);
        tn_free(w);
        return st;
    }
    static const uint8_t blank[TN_BLOCK_HEADER_BYTES]; /* until the commit fills it in */
    tern_status st = tn_write_all(w->fd, blank, sizeof blank, path, err);
    if (st != TERN_OK) {
        tn_bwriter_abort(w);
        return st;
    }
    *out = w;
    return TERN_OK;
}

static tern_status flush_block(tn_bwriter *w, tern_error *err) {
    uint8_t crc[4];
    put_u32(crc, tn_crc32c(0, w->buffer, w->n_buffered));
    tn_buf_add(&w->table, crc, sizeof crc);
    w->status = tn_buf_status(&w->table, err);
    if (w->status == TERN_OK)
        w->status = tn_write_all(w->fd, w->buffer, w->n_buffered, w->path, err);
    w->n_buffered = 0;
    return w->status;
}

tern_status tn_bwriter_add(tn_bwriter *w, const void *data, size_t n, tern_error *err) {
    if (w->status != TERN_OK)
        return tern_fail(err, w->status, 0, "%s: an earlier write failed", w->path);
    const uint8_t *p = data;
    while (n > 0) {
        size_t room = sizeof w->buffer - w->n_buffered, take = n < room ? n : room;
        memcpy(w->buffer + w->n_buffered, p, take);
        w->n_buffered += take;
        w->n_payload += take;
        p += take;
        n -= take;
        if (w->n_buffered == sizeof w->buffer && flush_block(w, err) != TERN_OK) return w->status;
    }
    return TERN_OK;
}

tern_status tn_bwriter_align(tn_bwriter *w, size_t align, tern_error *err) {
    static const uint8_t zero[64];
    size_t n = (size_t)((align - w->n_payload % align) % align);
    while (n > 0) {
        size_t take = n < sizeof zero ? n : sizeof zero;
        tern_status st = tn_bwriter_add(w, zero, take, err);
        if (st != TERN_OK) return st;
        n -= take;
    }
    return w->status;
}

uint64_t tn_bwriter_tell(const tn_bwriter *w) {
    return w->n_payload;
}

static void writer_free(tn_bwriter *w) {
    if (w->fd >= 0) close(w->fd);
    tn_buf_deinit(&w->table);
    tn_free(w->path);
    tn_free(w);
}

static tern_status write_tail_and_header(tn_bwriter *w, tern_error *err) {
    static const uint8_t zero[8];
    size_t n_pad = (size_t)((8 - w->n_payload % 8) % 8); /* the header is a multiple of 8 itself */
    tern_status st = tn_write_all(w->fd, zero, n_pad, w->path, err);
    if (st == TERN_OK && w->table.len)
        st = tn_write_all(w->fd, w->table.data, w->table.len, w->path, err);
    if (st != TERN_OK) return st;

    uint8_t header[TN_BLOCK_HEADER_BYTES] = {0};
    memcpy(header, magic, sizeof magic);
    put_u32(header + AT_KIND, w->kind);
    put_u32(header + AT_FORMAT, FORMAT);
    put_u32(header + AT_PAYLOAD, (uint32_t)w->n_payload);
    put_u32(header + AT_PAYLOAD + 4, (uint32_t)(w->n_payload >> 32));
    put_u32(header + AT_BLOCK, TN_BLOCK_BYTES);
    put_u32(header + AT_TABLE_CRC, tn_crc32c(0, w->table.data, w->table.len));
    put_u32(header + AT_HEADER_CRC, tn_crc32c(0, header, AT_HEADER_CRC));
    if (lseek(w->fd, 0, SEEK_SET) != 0) return tn_fail_errno(err, errno, w->path, "cannot seek");
    return tn_write_all(w->fd, header, sizeof header, w->path, err);
}

tern_status tn_bwriter_commit(tn_bwriter *w, tern_error *err) {
    tern_status st = w->status;
    if (st != TERN_OK) tern_fail(err, st, 0, "%s: an earlier write failed", w->path);
    if (st == TERN_OK && w->n_buffered) st = flush_block(w, err);
    if (st == TERN_OK) st = write_tail_and_header(w, err);
    if (st == TERN_OK) {
        int fd = w->fd;
        w->fd = -1;
        if (close(fd) != 0) st = tn_fail_errno(err, errno, w->path, "cannot close");
    }
    if (st != TERN_OK) unlink(w->path);
    writer_free(w);
    return st;
}

void tn_bwriter_abort(tn_bwriter *w) {
    if (!w) return;
    unlink(w->path);
    writer_free(w);
}

/* --- reading --- */

struct tn_bfile {
    char *path;
    tn_map map;
    const uint8_t *payload;
    const uint8_t *table; /* crcs, little endian */
    uint64_t n_payload, n_blocks;
    _Atomic uint64_t *verified; /* bit per block; only ever set, so relaxed order is enough */
};

static tern_status check_header(const tn_bfile *f, uint32_t kind, tern_error *err) {
    const uint8_t *h = f->map.data;
    if (f->map.size < TN_BLOCK_HEADER_BYTES)
        return tern_fail(err, TERN_ERR_CORRUPT, 0, "%s: %zu bytes, too short for its header",
                         f->path, f->map.size);
    if (memcmp(h, magic, sizeof magic) != 0)
        return tern_fail(err, TERN_ERR_CORRUPT, 0, "%s: offset 0: not a tern block file", f->path);
    if (get_u32(h + AT_HEADER_CRC) != tn_crc32c(0, h, AT_HEADER_CRC))
        return tern_fail(err, TERN_ERR_CORRUPT, 0, "%s: offset 0: header checksum is wrong",
                         f->path);
    if (get_u32(h + AT_FORMAT) != FORMAT || get_u32(h + AT_BLOCK) != TN_BLOCK_BYTES)
        return tern_fail(err, TERN_ERR_VERSION, 0,
                         "%s: block format %u, this program reads format %d; build the index again",
                         f->path, get_u32(h + AT_FORMAT), FORMAT);
    if (kind != TN_BLOCK_ANY_KIND && get_u32(h + AT_KIND) != kind)
        return tern_fail(err, TERN_ERR_CORRUPT, 0,
                         "%s: offset %d: a file of kind \"%.4s\", expected \"%.4s\"", f->path,
                         AT_KIND, (const char *)h + AT_KIND, (const char *)&kind);
    return TERN_OK;
}

static tern_status check_layout(tn_bfile *f, tern_error *err) {
    const uint8_t *h = f->map.data;
    uint64_t n = get_u64(h + AT_PAYLOAD), size = f->map.size;
    uint64_t n_blocks = n / TN_BLOCK_BYTES + (n % TN_BLOCK_BYTES != 0);
    /* n is bounded first, so that nothing below can overflow. */
    uint64_t n_padded = n <= size ? (n + 7) / 8 * 8 : 0;
    if (n > size || TN_BLOCK_HEADER_BYTES + n_padded + 4 * n_blocks != size)
        return tern_fail(err, TERN_ERR_CORRUPT, 0,
                         "%s: %" PRIu64 " bytes do not hold a payload of %" PRIu64
                         ": the file was cut or grew",
                         f->path, size, n);
    f->n_payload = n;
    f->n_blocks = n_blocks;
    f->payload = h + TN_BLOCK_HEADER_BYTES;
    f->table = f->payload + n_padded;
    for (uint64_t i = n; i < n_padded; i++)
        if (f->payload[i])
            return tern_fail(err, TERN_ERR_CORRUPT, 0, "%s: offset %" PRIu64 ": padding not zero",
                             f->path, TN_BLOCK_HEADER_BYTES + i);
    if (tn_crc32c(0, f->table, 4 * (size_t)n_blocks) != get_u32(h + AT_TABLE_CRC))
        return tern_fail(err, TERN_ERR_CORRUPT, 0,
                         "%s: offset %" PRIu64 ": checksum table is damaged", f->path,
                         TN_BLOCK_HEADER_BYTES + n_padded);
    return TERN_OK;
}

tern_status tn_bfile_open(const char *path, uint32_t kind, tn_bfile **out, tern_error *err) {
    *out = NULL;
    tn_bfile *f = tn_calloc(1, sizeof *f);
    if (!f || !(f->path = tn_strdup(path))) {
        tn_free(f);
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    }
    tern_status st = tn_map_open(path, &f->map, err);
    if (st == TERN_OK) st = check_header(f, kind, err);
    if (st == TERN_OK) st = check_layout(f, err);
    if (st == TERN_OK) {
        f->verified = tn_calloc((size_t)(f->n_blocks / 64 + 1), sizeof *f->verified);
        if (!f->verified) st = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    }
    if (st != TERN_OK) {
        tn_bfile_close(f);
        return st;
    }
    *out = f;
    return TERN_OK;
}

void tn_bfile_close(tn_bfile *f) {
    if (!f) return;
    tn_map_close(&f->map);
    tn_free(f->verified);
    tn_free(f->path);
    tn_free(f);
}

uint64_t tn_bfile_size(const tn_bfile *f) {
    return f->n_payload;
}
const char *tn_bfile_path(const tn_bfile *f) {
    return f->path;
}

static tern_status check_block(const tn_bfile *f, uint64_t block, tern_error *err) {
    uint64_t begin = block * TN_BLOCK_BYTES, n = f->n_payload - begin;
    if (n > TN_BLOCK_BYTES) n = TN_BLOCK_BYTES;
    if (tn_crc32c(0, f->payload + begin, (size_t)n) != get_u32(f->table + 4 * block))
        return tern_fail(err, TERN_ERR_CORRUPT, 0,
                         "%s: offset %" PRIu64 ": damaged block (checksum of %" PRIu64
                         " bytes is wrong); restore the file or build the index again",
                         f->path, TN_BLOCK_HEADER_BYTES + begin, n);
    return TERN_OK;
}

static bool block_is_verified(const tn_bfile *f, uint64_t block) {
    return atomic_load_explicit(&f->verified[block / 64], memory_order_relaxed) >> block % 64 & 1;
}

tern_status tn_bfile_view(const tn_bfile *f, uint64_t off, uint64_t n, const void **out,
                          tern_error *err) {
    if (off > f->n_payload || n > f->n_payload - off)
        return tern_fail(err, TERN_ERR_CORRUPT, 0,
                         "%s: offset %" PRIu64 ": %" PRIu64
                         " bytes wanted beyond the end of the payload",
                         f->path, off, n);
    *out = f->payload + off;
    if (n == 0) return TERN_OK;
    for (uint64_t b = off / TN_BLOCK_BYTES; b <= (off + n - 1) / TN_BLOCK_BYTES; b++) {
        if (block_is_verified(f, b)) continue;
        tern_status st = check_block(f, b, err);
        if (st != TERN_OK) return st;
        atomic_fetch_or_explicit(&f->verified[b / 64], UINT64_C(1) << b % 64, memory_order_relaxed);
    }
    return TERN_OK;
}

bool tn_bfile_is_verified(const tn_bfile *f, uint64_t off, uint64_t n) {
    if (off > f->n_payload || n > f->n_payload - off) return false;
    if (n == 0) return true;
    for (uint64_t b = off / TN_BLOCK_BYTES; b <= (off + n - 1) / TN_BLOCK_BYTES; b++)
        if (!block_is_verified(f, b)) return false;
    return true;
}

tern_status tn_bfile_check(const tn_bfile *f, void (*bad)(void *ud, const char *text), void *ud,
                           tern_error *err) {
    (void)err; /* reading mapped memory cannot fail; damage is what `bad` is for */
    for (uint64_t b = 0; b < f->n_blocks; b++) {
        tern_error damage;
        if (check_block(f, b, &damage) != TERN_OK) bad(ud, damage.text);
    }
    return TERN_OK;
}
