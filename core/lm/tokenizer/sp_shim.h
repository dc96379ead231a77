/* sp_shim.h - the SentencePiece library as C. Every exception is caught and no C++ type leaves.
 * The library exits the process on some damaged models: hand it only what sp_proto.c has passed. */
#ifndef TN_SP_SHIM_H
#define TN_SP_SHIM_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tn_sp_lib tn_sp_lib;
typedef enum tn_sp_result { TN_SP_OK, TN_SP_REFUSED, TN_SP_NOMEM, TN_SP_STOPPED } tn_sp_result;

/* why: [why_cap] the library's reason when it refuses */
tn_sp_result tn_sp_lib_open(const void *model, size_t n, tn_sp_lib **out, char *why,
                            size_t why_cap);
void tn_sp_lib_close(tn_sp_lib *lib); /* NULL allowed */

/* One token, in order; begin and end are bytes of the text, 0 unless spans were asked for. */
typedef void tn_sp_token_fn(void *ud, int id, uint32_t begin, uint32_t end);
tn_sp_result tn_sp_lib_encode(const tn_sp_lib *lib, const char *text, size_t n, int spans,
                              tn_sp_token_fn *token, void *ud, char *why, size_t why_cap);

/* The next line to learn from: 1, 0 at the end, -1 to stop with TN_SP_STOPPED. */
typedef int tn_sp_line_fn(void *ud, const char **line, size_t *n);
typedef struct tn_sp_train {
    int vocab_size, byte_fallback;
    double character_coverage;
} tn_sp_train;
/* model: n bytes of malloc, freed with tn_sp_lib_free_model. */
tn_sp_result tn_sp_lib_train(const tn_sp_train *opts, tn_sp_line_fn *line, void *ud, char **model,
                             size_t *n, char *why, size_t why_cap);
void tn_sp_lib_free_model(char *model);

#ifdef __cplusplus
}
#endif
#endif
