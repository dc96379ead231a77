/* gemm.c - checks the arguments of a product and says which micro-kernel serves it. */
#include "core/kernels/gemm_priv.h"

static tern_status check_operand(const char *name, const tn_mat *x, size_t rows, size_t cols,
                                 tern_error *err) {
    if (x->dtype != TN_F32 && x->dtype != TN_BF16 && x->dtype != TN_F64)
        return tern_fail(err, TERN_ERR_ARG, 0, "matrix product: %s is not f32, bf16 or f64", name);
    size_t width = x->trans ? rows : cols;
    if (x->ld < width && rows > 0 && cols > 0)
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "matrix product: rows of %s have %zu elements but ld is %zu", name, width,
                         x->ld);
    return TERN_OK;
}

static tern_status check(const tn_gemm_args *args, tern_error *err) {
    tern_status st = check_operand("A", &args->a, args->m, args->k, err);
    if (st != TERN_OK) return st;
    st = check_operand("B", &args->b, args->k, args->n, err);
    if (st != TERN_OK) return st;
    bool any_f64 = args->a.dtype == TN_F64 || args->b.dtype == TN_F64 || args->c_type == TN_F64;
    bool all_f64 = args->a.dtype == TN_F64 && args->b.dtype == TN_F64 && args->c_type == TN_F64;
    if (any_f64 && !all_f64)
        return tern_fail(err, TERN_ERR_ARG, 0, "matrix product: f64 needs A, B and C in f64");
    if (any_f64 && args->epilogue)
        return tern_fail(err, TERN_ERR_ARG, 0, "matrix product: no epilogue in f64");
    if (!any_f64 && args->c_type != TN_F32 && args->c_type != TN_BF16)
        return tern_fail(err, TERN_ERR_ARG, 0, "matrix product: C is not f32, bf16 or f64");
    if (args->accumulate && (args->c_type == TN_BF16 || args->epilogue))
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "matrix product: accumulate needs C in f32 or f64 and no epilogue");
    if (args->ldc < args->n && args->m > 0)
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "matrix product: rows of C have %zu elements but ldc is %zu", args->n,
                         args->ldc);
    return TERN_OK;
}

/* Rows of op(A) and columns of op(B) are lines; `lines_are_rows`: of the stored matrix. */
static tn_lines lines_from(const tn_mat *x, bool lines_are_rows, bool round) {
    return (tn_lines){.data = x->data,
                      .dtype = x->dtype,
                      .line_stride = lines_are_rows ? x->ld : 1,
                      .k_stride = lines_are_rows ? 1 : x->ld,
                      .round = round};
}

tern_status tn_gemm_run_batch(tn_gemm *g, const tn_gemm_args *args, size_t n_batch, size_t stride_a,
                              size_t stride_b, size_t stride_c, tern_error *err) {
    tern_status st = check(args, err);
    if (st != TERN_OK) return st;
    if (n_batch > 1 && args->epilogue && args->epilogue->residual)
        return tern_fail(err, TERN_ERR_ARG, 0, "matrix product: no residual in a batch");
    if (args->c_type == TN_F64) {
        tn_gemm_f64(g->pool, args, n_batch, stride_a, stride_b, stride_c);
        return TERN_OK;
    }
    bool bf16 = args->bf16 || (args->a.dtype == TN_BF16 && args->b.dtype == TN_BF16);
    tn_product p = {.u = bf16 ? g->set->bf16 : g->set->f32,
                    .m = args->m,
                    .n = args->n,
                    .k = args->k,
                    .a = lines_from(&args->a, !args->a.trans, bf16),
                    .b = lines_from(&args->b, args->b.trans, bf16),
                    .c = args->c,
                    .c_type = args->c_type,
                    .ldc = args->ldc,
                    .alpha = args->alpha,
                    .accumulate = args->accumulate,
                    .n_batch = n_batch,
                    .stride_a = stride_a,
                    .stride_b = stride_b,
                    .stride_c = stride_c};
    if (args->epilogue) p.epilogue = *args->epilogue;
    return tn_product_run(g, &p, err);
}

tern_status tn_gemm_run(tn_gemm *g, const tn_gemm_args *args, tern_error *err) {
    return tn_gemm_run_batch(g, args, 1, 0, 0, 0, err);
}
