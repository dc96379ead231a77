/* strmap.h - byte strings -> dense numbers 0, 1, 2, ... in order of first sight (interning). */
#ifndef TN_STRMAP_H
#define TN_STRMAP_H
#include "core/base/arena.h"
#include <stdint.h>

#define TN_STRMAP_NONE UINT32_MAX

typedef struct tn_strmap {
    uint32_t n;       /* keys so far */
    uint32_t n_slots; /* power of two, or 0 */
    uint32_t *slots;  /* key number + 1, or 0 */
    struct tn_strmap_key {
        const char *s; /* in the arena, NUL-terminated */
        uint32_t len;
        uint32_t hash;
    } * keys;
    size_t keys_cap;
    tn_arena arena;
} tn_strmap; /* zero-initialise to start */

void tn_strmap_deinit(tn_strmap *m);
/* Number of key, adding it if new. TN_STRMAP_NONE: no memory (the map is unchanged). */
uint32_t tn_strmap_add(tn_strmap *m, const char *key, size_t len);
/* Number of key, or TN_STRMAP_NONE if absent. */
uint32_t tn_strmap_find(const tn_strmap *m, const char *key, size_t len);
size_t tn_strmap_bytes(const tn_strmap *m); /* memory held */

#endif
