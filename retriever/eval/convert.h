/* convert.h - public question-answering layouts -> corpus.jsonl, questions.jsonl, qrels.trec.
 * A reader hands passages and questions to the writer, which gives ids, drops repeated passages and
 * puts all three files in place at the end, or none. */
#ifndef TN_CONVERT_H
#define TN_CONVERT_H
#include "core/base/json.h"
#include "core/base/strmap.h"
#include "tern/host.h"
#include "tern/status.h"
#include <stdint.h>

typedef struct tn_outfile {
    int fd; /* -1: not open */
    char *path, *path_tmp;
    tn_buf buf;
} tn_outfile;

typedef struct tn_convert_opts {
    const char *pool;  /* "tern": only passages whose `pool` holds this; NULL: all */
    const char *split; /* "beir", "tern": which questions; NULL: pool, else the first of test, dev,
                          train that is there */
} tn_convert_opts;

typedef struct tn_convert_counts {
    uint64_t n_passages, n_repeated, n_questions, n_judgements;
    uint64_t n_skipped; /* records the format itself marks as unusable, e.g. unanswerable ones */
} tn_convert_counts;

typedef struct tn_convert {
    tn_outfile corpus, questions, qrels;
    tn_strmap passages;     /* by given id, or by content */
    tn_strmap passage_ids;  /* what number n is called; same numbers as `passages` */
    tn_strmap question_ids; /* to refuse repeats */
    const tn_convert_opts *opts;
    const tern_host *host;
    const char *input; /* the file being read, for messages */
    tn_convert_counts counts;
} tn_convert;

/* Convert inputs of a format into dir (created if missing).
 * Errors: ARG (no such format), NOT_FOUND, IO, FULL, FORMAT (file and record), CANCELLED, NOMEM;
 * after an error no output file has changed. */
TERN_MUST_USE tern_status tn_convert_run(const char *format, const char *const *inputs,
                                         size_t n_inputs, const char *dir,
                                         const tn_convert_opts *opts, const tern_host *host,
                                         tn_convert_counts *counts, tern_error *err);

/* ---- for the readers ---- */

/* A passage; the same content under no id, or the same id, gives the same number.
 *   id     NULL: "p1", "p2", ... by first sight
 *   more   further members of the JSON object, e.g. ",\"year\":1999", or NULL */
TERN_MUST_USE tern_status tn_convert_passage(tn_convert *c, const char *id, const char *title,
                                             const char *text, const char *more, uint32_t *number,
                                             tern_error *err);
/* A question. answers: JSON array of strings, or NULL; supporting: passage numbers.
 *   id   NULL: "q1", "q2", ...
 * Writes a judgement of 1 for each supporting passage. FORMAT: id seen before. */
TERN_MUST_USE tern_status tn_convert_question(tn_convert *c, const char *id, const char *question,
                                              const json_t *answers, const uint32_t *supporting,
                                              size_t n_supporting, tern_error *err);
TERN_MUST_USE tern_status tn_convert_add(tn_convert *c, tn_outfile *f, const char *line, size_t len,
                                         tern_error *err); /* a line of an output file */
/* Call fn for each record of a file: the elements of a JSON array, or the lines of JSON lines.
 * Plain or .gz. FORMAT errors of fn gain "file, record n". */
typedef tern_status tn_record_fn(tn_convert *c, const json_t *record, tern_error *err);
TERN_MUST_USE tern_status tn_convert_records(tn_convert *c, const char *path, tn_record_fn *fn,
                                             tern_error *err);
/* FORMAT "no 'key' in the record". */
tern_status tn_convert_lacks(const char *key, tern_error *err);

typedef tern_status tn_convert_reader(tn_convert *c, const char *input, tern_error *err);
tn_convert_reader tn_convert_squad, tn_convert_hotpotqa, tn_convert_musique, tn_convert_nq,
    tn_convert_beir, tn_convert_tern;

#endif
