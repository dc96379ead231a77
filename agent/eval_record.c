/* eval_record.c - results of an evaluation as JSON lines, read back on resuming, and their totals.
 * Numbers are written with 17 digits, so totals after a resumed run have the same bits. */
#include "agent/evaluate.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/strmap.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"

static const char FORMAT[] = "tern-agent-eval";
enum { VERSION = 1 };
#define RESULTS_MAX ((size_t)4 << 30)

static const char *yes_no(bool b) {
    return b ? "true" : "false";
}

static void put_str(tn_buf *b, const char *key, const char *s) {
    tn_buf_printf(b, ",\"%s\":", key);
    tn_json_escape(s, strlen(s), b);
}

static tern_status put_searches(const tern_answer *a, const tern_index *ix, tn_buf *b,
                                tern_error *err) {
    tn_buf_str(b, ",\"searches\":[");
    for (size_t i = 0; i < a->n_searches; i++) {
        tn_buf_str(b, i ? ",{\"query\":" : "{\"query\":");
        tn_json_escape(a->searches[i].query, strlen(a->searches[i].query), b);
        tn_buf_str(b, ",\"hits\":[");
        for (size_t k = 0; k < a->searches[i].n_refs; k++) {
            tern_passage p;
            tern_status st = tern_index_passage(ix, a->searches[i].refs[k], &p, err);
            if (st != TERN_OK) return st;
            if (k) tn_buf_char(b, ',');
            tn_json_escape(p.id, strlen(p.id), b);
        }
        tn_buf_str(b, "]}");
    }
    tn_buf_char(b, ']');
    return TERN_OK;
}

tern_status tn_eval_record_write(const tn_eval_record *r, const tern_question *q,
                                 const tern_answer *answer, const tern_index *ix, tn_buf *out,
                                 tern_error *err) {
    tn_buf_str(out, "{\"id\":");
    tn_json_escape(q->id, strlen(q->id), out);
    put_str(out, "answer", answer->text);
    tn_buf_printf(out, ",\"known\":%s,\"supported\":%s,\"confidence\":%.17g", yes_no(r->known),
                  yes_no(r->supported), r->confidence);
    tn_buf_printf(out, ",\"em\":%.17g,\"f1\":%.17g", r->em, r->f1);
    tn_buf_printf(out, ",\"supporting\":%u,\"found\":%u,\"bm25_found\":%u", r->n_supporting,
                  r->n_found, r->n_bm25);
    tn_buf_printf(out, ",\"n_searches\":%u,\"n_passages\":%u", r->n_searches, r->n_passages);
    if (r->has_oracle) tn_buf_printf(out, ",\"oracle_found\":%u", r->n_oracle);
    if (r->has_withheld)
        tn_buf_printf(out, ",\"withheld\":{\"known\":%s,\"confidence\":%.17g}",
                      yes_no(r->withheld_known), r->withheld_confidence);
    tern_status st = put_searches(answer, ix, out, err);
    if (st != TERN_OK) return st;
    tn_buf_str(out, "}\n");
    return tn_buf_status(out, err);
}

static void read_record(const json_t *v, tn_eval_record *r) {
    const json_t *withheld = json_object_get(v, "withheld");
    *r = (tn_eval_record){.done = true,
                          .known = tn_json_bool(v, "known", false),
                          .supported = tn_json_bool(v, "supported", false),
                          .confidence = tn_json_num(v, "confidence", 0),
                          .em = tn_json_num(v, "em", 0),
                          .f1 = tn_json_num(v, "f1", 0),
                          .n_supporting = (uint32_t)tn_json_int(v, "supporting", 0),
                          .n_found = (uint32_t)tn_json_int(v, "found", 0),
                          .n_bm25 = (uint32_t)tn_json_int(v, "bm25_found", 0),
                          .n_searches = (uint32_t)tn_json_int(v, "n_searches", 0),
                          .n_passages = (uint32_t)tn_json_int(v, "n_passages", 0),
                          .has_oracle = json_object_get(v, "oracle_found") != NULL,
                          .n_oracle = (uint32_t)tn_json_int(v, "oracle_found", 0),
                          .has_withheld = withheld != NULL,
                          .withheld_known = tn_json_bool(withheld, "known", false),
                          .withheld_confidence = tn_json_num(withheld, "confidence", 0)};
}

/* --- resuming --------------------------------------------------------------------------------- */

static tern_status check_head(const char *path, const json_t *v, const char *run, tern_error *err) {
    if (strcmp(tn_json_str(v, "format", ""), FORMAT) != 0)
        return tern_fail(err, TERN_ERR_EXISTS, 0,
                         "%s: exists and is no results file: name another, or remove it", path);
    if (tn_json_int(v, "version", 0) != VERSION || strcmp(tn_json_str(v, "run", ""), run) != 0)
        return tern_fail(err, TERN_ERR_EXISTS, 0,
                         "%s: results of another run (index, policy or options differ): name "
                         "another file, or remove it",
                         path);
    return TERN_OK;
}

/* Take over every whole line. *end: bytes of whole lines. */
static tern_status read_lines(const char *path, const tn_buf *text, const char *run,
                              const tern_questions *questions, tn_eval_record *records, size_t *end,
                              uint64_t *n_resumed, tern_error *err) {
    tn_strmap ids = {0};
    tern_status st = TERN_OK;
    for (size_t i = 0; i < questions->n && st == TERN_OK; i++)
        if (tn_strmap_add(&ids, questions->items[i].id, strlen(questions->items[i].id)) ==
            TN_STRMAP_NONE)
            st = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for question ids");
    for (*end = 0; st == TERN_OK && *end < text->len;) {
        const char *line = text->data + *end;
        const char *nl = memchr(line, '\n', text->len - *end);
        json_t *v = NULL;
        if (!nl) break;
        st = tn_json_parse(line, (size_t)(nl - line), &v, err);
        if (st == TERN_OK && *end == 0) st = check_head(path, v, run, err);
        const char *id = tn_json_str(v, "id", NULL);
        uint32_t i = id ? tn_strmap_find(&ids, id, strlen(id)) : TN_STRMAP_NONE;
        if (st == TERN_OK && i != TN_STRMAP_NONE) {
            *n_resumed += !records[i].done;
            read_record(v, &records[i]);
        }
        json_decref(v);
        *end = (size_t)(nl + 1 - text->data);
    }
    tn_strmap_deinit(&ids);
    return st;
}

tern_status tn_eval_resume(const char *path, const char *run, const tern_questions *questions,
                           tn_eval_record *records, int *fd, uint64_t *n_resumed, tern_error *err) {
    tn_buf text = {0}, head = {0};
    size_t end = 0;
    tern_status st = TERN_OK;
    if (tn_file_exists(path)) st = tn_file_read(path, RESULTS_MAX, &text, err);
    if (st == TERN_OK) st = read_lines(path, &text, run, questions, records, &end, n_resumed, err);
    if (st != TERN_OK) goto done;
    *fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (*fd < 0) {
        st = tn_fail_errno(err, errno, path, "cannot write results");
        goto done;
    }
    if (end < text.len && ftruncate(*fd, (off_t)end) != 0) {
        st = tn_fail_errno(err, errno, path, "cannot cut an unfinished line");
        goto done;
    }
    if (end == 0) {
        tn_buf_printf(&head, "{\"format\":\"%s\",\"version\":%d,\"run\":", FORMAT, VERSION);
        tn_json_escape(run, strlen(run), &head);
        tn_buf_str(&head, "}\n");
        st = tn_buf_status(&head, err);
        if (st == TERN_OK) st = tn_write_all(*fd, head.data, head.len, path, err);
    }
done:
    tn_buf_deinit(&text);
    tn_buf_deinit(&head);
    return st;
}

/* --- totals ----------------------------------------------------------------------------------- */

typedef struct ranked {
    double confidence;
    bool withheld;
} ranked;

static int by_confidence(const void *a, const void *b) {
    double x = ((const ranked *)a)->confidence, y = ((const ranked *)b)->confidence;
    return (x > y) - (x < y);
}

/* How often a question with its evidence is believed more than one without: ties count half. */
static tern_status auroc(const tn_eval_record *r, size_t n, double *out, tern_error *err) {
    ranked *all = tn_alloc(2 * n * sizeof *all + 1);
    size_t m = 0, n_with = 0;
    double rank_sum = 0;
    *out = NAN;
    if (!all) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for %zu results", n);
    for (size_t i = 0; i < n; i++) {
        if (!r[i].has_withheld || r[i].n_supporting == 0) continue;
        all[m++] = (ranked){r[i].confidence, false};
        all[m++] = (ranked){r[i].withheld_confidence, true};
        n_with++;
    }
    qsort(all, m, sizeof *all, by_confidence);
    for (size_t i = 0; i < m;) {
        size_t j = i;
        while (j < m && all[j].confidence == all[i].confidence) j++;
        for (size_t k = i; k < j; k++)
            if (!all[k].withheld) rank_sum += (double)(i + 1 + j) / 2;
        i = j;
    }
    double pairs = (double)n_with * (double)n_with;
    if (n_with > 0) *out = (rank_sum - (double)n_with * (double)(n_with + 1) / 2) / pairs;
    tn_free(all);
    return TERN_OK;
}

static double mean(double sum, uint64_t n) {
    return n > 0 ? sum / (double)n : NAN;
}

static double share(uint32_t part, uint32_t of) {
    return (double)part / (double)of;
}

tern_status tn_eval_totals(const tern_questions *questions, const tn_eval_record *records,
                           tern_agent_report *out, tern_error *err) {
    tern_agent_report s = {0}; /* sums */
    uint64_t n = questions->n, n_oracle = 0, n_withheld = 0;
    for (size_t i = 0; i < n; i++) {
        const tn_eval_record *r = &records[i];
        s.known += r->known;
        s.supported += r->supported;
        s.searches += r->n_searches;
        s.passages += r->n_passages;
        if (questions->items[i].n_answers > 0) {
            s.n_answers++;
            s.em += r->em;
            s.f1 += r->f1;
        }
        if (r->has_withheld) {
            n_withheld++;
            s.known_withheld += r->withheld_known;
        }
        if (r->n_supporting == 0) continue;
        s.n_supporting++;
        s.supporting_recall += share(r->n_found, r->n_supporting);
        s.all_supporting += r->n_found == r->n_supporting;
        s.bm25_recall += share(r->n_bm25, r->n_supporting);
        s.bm25_all += r->n_bm25 == r->n_supporting;
        if (!r->has_oracle) continue;
        n_oracle++;
        s.oracle_recall += share(r->n_oracle, r->n_supporting);
        s.oracle_all += r->n_oracle == r->n_supporting;
    }
    out->n_questions = n;
    out->n_supporting = s.n_supporting;
    out->n_answers = s.n_answers;
    out->supporting_recall = mean(s.supporting_recall, s.n_supporting);
    out->all_supporting = mean(s.all_supporting, s.n_supporting);
    out->bm25_recall = mean(s.bm25_recall, s.n_supporting);
    out->bm25_all = mean(s.bm25_all, s.n_supporting);
    out->oracle_recall = mean(s.oracle_recall, n_oracle);
    out->oracle_all = mean(s.oracle_all, n_oracle);
    out->em = mean(s.em, s.n_answers);
    out->f1 = mean(s.f1, s.n_answers);
    out->known = mean(s.known, n);
    out->supported = mean(s.supported, n);
    out->searches = mean(s.searches, n);
    out->passages = mean(s.passages, n);
    out->known_withheld = mean(s.known_withheld, n_withheld);
    return auroc(records, questions->n, &out->auroc, err);
}
