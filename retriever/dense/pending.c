/* pending.c - stands in for the dense room until it lands; the commit that brings lsa.c and
 * vectors.c removes this file. An index is then built and searched without vectors. */
#include "retriever/dense/dense.h"

static tern_status none(tern_error *err) {
    return tern_fail(err, TERN_ERR_UNSUPPORTED, 0, "this build has no vectors");
}
tern_status tn_lsa_fit(const tn_inv *const *invs, const uint64_t *const *keep, size_t n_invs,
                       const char *language, uint64_t epoch, const char *path,
                       const tern_host *host, tern_error *err) {
    (void)invs, (void)keep, (void)n_invs, (void)language, (void)epoch, (void)path, (void)host;
    return none(err);
}
tern_status tn_lsa_open(const char *path, tern_embedder **out, tern_error *err) {
    (void)path, (void)out;
    return none(err);
}
tern_status tn_lsa_unknown_share(const tern_embedder *e, const tn_inv *inv, double *share,
                                 tern_error *err) {
    (void)e, (void)inv, (void)share;
    return none(err);
}
tern_status tn_vectors_build(const tern_embedder *e, const tn_inv *inv, const char *kind,
                             const char *path, const tern_host *host, tern_error *err) {
    (void)e, (void)inv, (void)kind, (void)path, (void)host;
    return none(err);
}
tern_status tn_vectors_open(const char *path, const tern_embedder *e, uint32_t n_docs,
                            tn_vectors **out, tern_error *err) {
    (void)path, (void)e, (void)n_docs, (void)out;
    return none(err);
}
void tn_vectors_close(tn_vectors *v) {
    (void)v;
}
tern_status tn_vectors_search(const tn_vectors *v, const float *query, const uint64_t *allow,
                              size_t k, uint32_t *docs, float *sims, size_t *n, tern_error *err) {
    (void)v, (void)query, (void)allow, (void)k, (void)docs, (void)sims, (void)n;
    return none(err);
}
tern_status tn_vectors_sim(const tn_vectors *v, const float *query, uint32_t doc, float *sim,
                           tern_error *err) {
    (void)v, (void)query, (void)doc, (void)sim;
    return none(err);
}
tern_status tn_vectors_check(const tn_vectors *v, void (*bad)(void *ud, const char *text), void *ud,
                             tern_error *err) {
    (void)v, (void)bad, (void)ud;
    return none(err);
}
