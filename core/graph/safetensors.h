/* safetensors.h - what the parts of the safetensors reader and writer share. */
#ifndef TN_SAFETENSORS_H
#define TN_SAFETENSORS_H
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/strmap.h"
#include "tern/safetensors.h"

#define TN_ST_HEADER_MAX (100u * 1000 * 1000) /* the limit of Hugging Face's reader */

struct tern_st {
    const char *path; /* as opened; in the arena of `names`, as are all strings and views */
    tn_strmap names;  /* tensor name -> index into tensors */
    tern_st_tensor *tensors;
    size_t n, cap;
    struct tn_st_file {
        const char *path;
        tn_map map;
        size_t begin, end; /* its tensors */
    } * files;
    size_t n_files;
    tern_st_meta *meta;
    size_t n_meta, meta_cap;
};

/* Add the tensors and metadata of one file's bytes; the views point into `data`. On failure st
 * keeps what it got so far and is good only for tn_st_deinit. */
TERN_MUST_USE tern_status tn_st_parse(tern_st *st, const char *path, const uint8_t *data,
                                      size_t size, tern_error *err);
void tn_st_deinit(tern_st *st); /* zeroed allowed */

int tn_st_dtype_find(const char *name); /* -1: no such type */

/* A name from a file, for a message: cut to a line's size, control characters shown as '?'. */
typedef struct tn_st_shown {
    char text[112];
} tn_st_shown;
tn_st_shown tn_st_show(const char *name);

/* The 8 bytes of length and the padded header of a file that holds tensors[order[0..n)]. */
void tn_st_header(const tern_st_tensor *tensors, const size_t *order, size_t n,
                  const tern_st_meta *meta, size_t n_meta, tn_buf *out);
/* Check what a caller wants to save; order [n] out: wide types first, else as given. */
TERN_MUST_USE tern_status tn_st_plan(const tern_st_tensor *tensors, size_t n, size_t *order,
                                     tern_error *err);
/* Keys once, keys and values UTF-8. */
TERN_MUST_USE tern_status tn_st_check_meta(const tern_st_meta *meta, size_t n, tern_error *err);
/* Write header and elements to path.tmp.PID, sync, rename over path, sync the folder. */
TERN_MUST_USE tern_status tn_st_write(const char *path, const tn_buf *header,
                                      const tern_st_tensor *tensors, const size_t *order, size_t n,
                                      tern_error *err);
/* Bytes of a checked tensor. */
size_t tn_st_bytes(const tern_st_tensor *t);

#endif
