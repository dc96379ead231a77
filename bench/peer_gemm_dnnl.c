/* peer_gemm_dnnl.c - oneDNN's matmul (the C interface of version 2). */
#include "bench/peer_gemm.h"
#include <dnnl.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

typedef struct product {
    dnnl_primitive_t primitive;
    dnnl_memory_t a, b, c;
} product;

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static const char *version(int n_threads) {
    static char text[64];
    const dnnl_version_t *v = dnnl_version();
    omp_set_num_threads(n_threads);
    snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
    if (!engine && (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success ||
                    dnnl_stream_create(&stream, engine, dnnl_stream_default_flags) != dnnl_success))
        snprintf(text, sizeof text, "does not start");
    return text;
}

static void free_product(void *product_) {
    product *p = product_;
    if (!p) return;
    if (p->primitive) dnnl_primitive_destroy(p->primitive);
    if (p->a) dnnl_memory_destroy(p->a);
    if (p->b) dnnl_memory_destroy(p->b);
    if (p->c) dnnl_memory_destroy(p->c);
    tn_free(p);
}

/* B as the primitive likes it. */
static bool pack(product *p, const dnnl_memory_desc_t *plain, const dnnl_memory_desc_t *wanted,
                 void *b) {
    dnnl_memory_t from = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t reorder = NULL;
    bool ok = dnnl_memory_create(&from, plain, engine, b) == dnnl_success &&
              dnnl_memory_create(&p->b, wanted, engine, DNNL_MEMORY_ALLOCATE) == dnnl_success &&
              dnnl_reorder_primitive_desc_create(&pd, plain, engine, wanted, engine, NULL) ==
                  dnnl_success &&
              dnnl_primitive_create(&reorder, pd) == dnnl_success;
    if (ok) {
        dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, p->b}};
        ok = dnnl_primitive_execute(reorder, stream, 2, args) == dnnl_success &&
             dnnl_stream_wait(stream) == dnnl_success;
    }
    if (reorder) dnnl_primitive_destroy(reorder);
    if (pd) dnnl_primitive_desc_destroy(pd);
    if (from) dnnl_memory_destroy(from);
    return ok;
}

static void *open_product(gemm_type type, size_t m, size_t n, size_t k, const void *a,
                          const void *b, bool packed, float *c) {
    static const dnnl_data_type_t types[] = {
        [GEMM_F32] = dnnl_f32, [GEMM_BF16] = dnnl_bf16, [GEMM_I8] = dnnl_s8};
    dnnl_dims_t da = {(dnnl_dim_t)m, (dnnl_dim_t)k}, db = {(dnnl_dim_t)k, (dnnl_dim_t)n},
                dc = {(dnnl_dim_t)m, (dnnl_dim_t)n};
    dnnl_memory_desc_t ma, mb, mc, plain;
    dnnl_matmul_desc_t desc;
    dnnl_primitive_desc_t pd = NULL;
    product *p = tn_calloc(1, sizeof *p);
    void *plain_a = (void *)(size_t)a, *plain_b = (void *)(size_t)b; /* it takes no const */
    if (!p || !engine) goto fail;
    if (dnnl_memory_desc_init_by_tag(&ma, 2, da, types[type], dnnl_ab) != dnnl_success ||
        dnnl_memory_desc_init_by_tag(&plain, 2, db, types[type], dnnl_ab) != dnnl_success ||
        dnnl_memory_desc_init_by_tag(&mb, 2, db, types[type],
                                     packed ? dnnl_format_tag_any : dnnl_ab) != dnnl_success ||
        dnnl_memory_desc_init_by_tag(&mc, 2, dc, dnnl_f32, dnnl_ab) != dnnl_success ||
        dnnl_matmul_desc_init(&desc, &ma, &mb, NULL, &mc) != dnnl_success ||
        dnnl_primitive_desc_create(&pd, &desc, NULL, engine, NULL) != dnnl_success ||
        dnnl_primitive_create(&p->primitive, pd) != dnnl_success ||
        dnnl_memory_create(&p->a, &ma, engine, plain_a) != dnnl_success ||
        dnnl_memory_create(&p->c, &mc, engine, c) != dnnl_success)
        goto fail;
    if (packed) {
        if (!pack(p, &plain, dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0), plain_b))
            goto fail;
    } else if (dnnl_memory_create(&p->b, &plain, engine, plain_b) != dnnl_success) {
        goto fail;
    }
    dnnl_primitive_desc_destroy(pd);
    return p;
fail:
    if (pd) dnnl_primitive_desc_destroy(pd);
    free_product(p);
    return NULL;
}

static void run(void *product_) {
    product *p = product_;
    dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, p->a}, {DNNL_ARG_WEIGHTS, p->b}, {DNNL_ARG_DST, p->c}};
    if (dnnl_primitive_execute(p->primitive, stream, 3, args) == dnnl_success)
        (void)dnnl_stream_wait(stream);
}

const gemm_peer gemm_peer_dnnl = {"oneDNN", version, open_product, run, free_product};
