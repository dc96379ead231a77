/* safetensors.h - named tensors in a file: the format in which Hugging Face models are shared.
 *
 * A file is, byte by byte:
 *   0        u64, little-endian: n, the length of the header, at most 100 MB
 *   8        n bytes of JSON: {"NAME": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
 *            ..., "__metadata__": {"KEY": "VALUE", ...}}, padded with spaces
 *   8 + n    the elements, little-endian, row-major; data_offsets count from here and cover every
 *            byte to the end of the file exactly once
 * A large model is a folder of such files and a model.safetensors.index.json, whose "weight_map"
 * says which tensor lies in which file.
 *
 * Nothing in a file is believed: whatever does not fit is refused with a message that names the
 * file, the tensor and the bytes. */
#ifndef TERN_SAFETENSORS_H
#define TERN_SAFETENSORS_H
#include "tern/status.h"
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(NAME, bytes per element): the names are those of the files. BOOL is one byte, 0 or 1. */
#define TERN_ST_DTYPE_MAP(X)                                                                       \
    X(F64, 8)                                                                                      \
    X(F32, 4)                                                                                      \
    X(F16, 2)                                                                                      \
    X(BF16, 2)                                                                                     \
    X(I64, 8)                                                                                      \
    X(I32, 4)                                                                                      \
    X(I16, 2)                                                                                      \
    X(I8, 1)                                                                                       \
    X(U8, 1)                                                                                       \
    X(BOOL, 1)

typedef enum tern_st_dtype {
#define TERN_ST_ENUM_(name, size) TERN_ST_##name,
    TERN_ST_DTYPE_MAP(TERN_ST_ENUM_)
#undef TERN_ST_ENUM_
} tern_st_dtype;

enum { TERN_ST_DIMS_MAX = 8 };

typedef struct tern_st_tensor {
    const char *name; /* UTF-8 */
    tern_st_dtype dtype;
    int n_dims; /* 0: one element */
    int64_t dims[TERN_ST_DIMS_MAX];
    const void *data; /* row-major; from an opened file: aligned only as the file aligns it, which
                         for files of tern and of Hugging Face's library means to the element */
    size_t n_bytes;   /* product of dims x bytes per element; saving ignores what stands here */
} tern_st_tensor;

typedef struct tern_st_meta {
    const char *key, *value; /* UTF-8 */
} tern_st_meta;

/* Opened tensors: mapped, read-only, immutable; any thread may read them without locks. A mapped
 * file must be replaced by rename, as tern does, and never be cut while it is open. */
typedef struct tern_st tern_st;

/* Open `path`: a file, an index (*.index.json), or a folder with model.safetensors or
 * model.safetensors.index.json. Costs the headers; elements are read when touched.
 * Errors: NOT_FOUND (the file, or a shard that the index names), FORMAT, LIMIT (header beyond
 * 100 MB), IO, NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_st_open(const char *path, tern_st **out, tern_error *err);
TERN_API void tern_st_close(tern_st *st); /* NULL allowed; all views end here */

TERN_API size_t tern_st_n_tensors(const tern_st *st);
/* The i-th tensor in the order of the bytes, i < n. Valid until close, as are all views below. */
TERN_API const tern_st_tensor *tern_st_at(const tern_st *st, size_t i);
/* The tensor of this name, or NULL. */
TERN_API const tern_st_tensor *tern_st_find(const tern_st *st, const char *name);
/* The tensor of this name and shape: NOT_FOUND or SHAPE with a message that names the file. */
TERN_API TERN_MUST_USE tern_status tern_st_get(const tern_st *st, const char *name, int n_dims,
                                               const int64_t *dims, const tern_st_tensor **out,
                                               tern_error *err);
/* The value of a key of "__metadata__" (of the first shard that has it), or NULL. */
TERN_API const char *tern_st_meta_find(const tern_st *st, const char *key);

/* "F32" for TERN_ST_F32, ...; bytes per element. */
TERN_API const char *tern_st_dtype_name(tern_st_dtype dtype);
TERN_API size_t tern_st_dtype_bytes(tern_st_dtype dtype);
/* Elements of a shape, or -1 if a dimension is negative or the product exceeds 2^62. */
TERN_API int64_t tern_st_count(int n_dims, const int64_t *dims);

/* Copy a tensor's n elements, converted from any dtype: to f32, and to bf16 (as its 16 bits) by
 * rounding to nearest even. f64 and integers beyond the target's precision round. SHAPE: the tensor
 * has not n elements. */
TERN_API TERN_MUST_USE tern_status tern_st_read_f32(const tern_st_tensor *t, float *out, size_t n,
                                                    tern_error *err);
TERN_API TERN_MUST_USE tern_status tern_st_read_bf16(const tern_st_tensor *t, uint16_t *out,
                                                     size_t n, tern_error *err);

/* Write n tensors as one file. The elements go from `data` to the file without a copy; wider types
 * come first, so that each tensor is aligned to its element. The file is written beside `path`,
 * synced and renamed over it: after a crash or on a full disk the old one stands.
 *   meta     [n_meta], unique keys; NULL if n_meta is 0
 * Errors: ARG (a name twice, empty or not UTF-8; too many dimensions), SHAPE, IO, FULL, NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_st_save(const char *path, const tern_st_tensor *tensors,
                                                size_t n, const tern_st_meta *meta, size_t n_meta,
                                                tern_error *err);
/* The same as a set of files of at most shard_bytes_max bytes of elements each (a tensor is never
 * cut) in the folder `dir`, made if missing: model-00001-of-00003.safetensors, ... and, last, the
 * index. EXISTS: the folder holds a model already; a set of files cannot replace another in one
 * step, so save to a fresh folder. */
TERN_API TERN_MUST_USE tern_status tern_st_save_sharded(const char *dir,
                                                        const tern_st_tensor *tensors, size_t n,
                                                        uint64_t shard_bytes_max,
                                                        const tern_st_meta *meta, size_t n_meta,
                                                        tern_error *err);

#ifdef __cplusplus
}
#endif
#endif
