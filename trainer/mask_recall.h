/* mask_recall.h - how much of what people marked as a name does the masker hide?
 *
 * Annotated text is JSON lines (plain or .gz) of one of two shapes:
 *   {"tokens": ["Ada", "Quill", "lived", ...], "tags": ["B-PER", "I-PER", "O", ...]}        IOB2
 *   {"question": "Who was Ada Quill?", "entities": [{"start": 8, "end": 17, "type": "PER"}, ...]}
 * Tokens are joined by blanks; start and end count code points, and a start of -1 says that the
 * text does not hold the entity, which is left out. The masker sees no question here,
 * so its backstop, which compares a query with one, has no part in the figures. */
#ifndef TN_MASK_RECALL_H
#define TN_MASK_RECALL_H
#include "trainer/mask.h"

enum { TN_MASK_TYPES_MAX = 32, TN_MASK_TYPE_BYTES = 24 };

/* Marked spans, and what became of them. Letters are bytes of letters and digits. */
typedef struct tn_mask_count {
    size_t n_marked;
    size_t n_whole;   /* all their letters are hidden */
    size_t n_touched; /* at least one is */
    size_t n_letters, n_letters_hidden;
} tn_mask_count;

typedef struct tn_mask_recall {
    size_t n_texts, n_unplaced;    /* entities whose start is -1 */
    size_t n_spans, n_spans_right; /* of the masker; those that touch a marked one */
    tn_mask_count all;
    struct tn_mask_type {
        char name[TN_MASK_TYPE_BYTES]; /* as annotated; cut when longer */
        tn_mask_count count;
    } types[TN_MASK_TYPES_MAX]; /* in order of appearance; further types count in `all` alone */
    size_t n_types;
} tn_mask_recall;

/* Mask one annotated line and add to *r. lower: after putting it in lower case.
 * FORMAT: not an annotated line, a span outside its text, tokens and tags of different number. */
TERN_MUST_USE tern_status tn_mask_recall_line(const tn_masker *m, const char *line, size_t len,
                                              bool lower, tn_mask_recall *r, tern_error *err);
/* All lines of a file; *r starts from zero. Errors name file and line. */
TERN_MUST_USE tern_status tn_mask_recall_file(const tn_masker *m, const char *path, bool lower,
                                              tn_mask_recall *r, tern_error *err);
#endif
