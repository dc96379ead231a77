/* snippet.h - passages on a terminal: the part of a text that answers a query best, query words
 * highlighted, control characters taken out. */
#ifndef TN_SNIPPET_H
#define TN_SNIPPET_H
#include "cli/cli.h"
#include "tern/index.h"

typedef struct tn_snippets tn_snippets; /* one query, many texts; one thread */
/* language: of the index; words are compared as the index does. Errors: ARG, NOMEM. */
TERN_MUST_USE tern_status tn_snippets_new(const char *language, const char *query,
                                          tn_snippets **out, tern_error *err);
void tn_snippets_free(tn_snippets *s); /* NULL allowed */
/* Append about `width` columns of text around the densest place of query words, wrapped at `line`
 * columns and indented. Errors: NOMEM. */
TERN_MUST_USE tern_status tn_snippet(tn_snippets *s, const tn_cli *cli, const char *text,
                                     size_t len, size_t width, size_t line, size_t indent,
                                     tn_buf *out, tern_error *err);
/* Append text safe to show on a terminal: control characters become blanks. */
void tn_add_plain(tn_buf *out, const char *text, size_t len);
/* "file:12-15", "file p. 3", "file:12" */
void tn_add_place(tn_buf *out, const tern_passage *p);

#endif
