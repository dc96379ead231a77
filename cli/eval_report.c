/* eval_report.c - see eval_report.h. Keys are stable: scripts read them. */
#include "cli/eval_report.h"
#include "core/base/json.h"
#include <string.h>

static const tern_measure_kind per_cut[] = {
    TERN_MEASURE_RECALL, TERN_MEASURE_NDCG,    TERN_MEASURE_MRR,
    TERN_MEASURE_P,      TERN_MEASURE_SUCCESS, TERN_MEASURE_ALL,
};
static const char *const row_names[] = {"recall", "ndcg", "mrr", "p", "success", "all"};
enum { N_PER_CUT = sizeof per_cut / sizeof *per_cut };

void tn_eval_plan(tn_eval_report *r) {
    r->n_measures = 0;
    for (size_t c = 0; c < r->n_cuts; c++)
        for (size_t m = 0; m < N_PER_CUT; m++)
            r->measures[r->n_measures++] = (tern_measure){per_cut[m], r->cuts[c]};
    uint32_t k = (uint32_t)r->supporting_k;
    r->measures[r->n_measures++] = (tern_measure){TERN_MEASURE_MAP, 0};
    r->measures[r->n_measures++] = (tern_measure){TERN_MEASURE_RECALL, k};
    r->measures[r->n_measures++] = (tern_measure){TERN_MEASURE_ALL, k};
}

/* The key of measure i: its name, or what the last two stand for. */
static void key_of(const tn_eval_report *r, size_t i, char out[32]) {
    if (i == r->n_measures - 2)
        memcpy(out, "supporting_recall", sizeof "supporting_recall");
    else if (i == r->n_measures - 1)
        memcpy(out, "all_supporting", sizeof "all_supporting");
    else
        tern_measure_name(r->measures[i], out);
}

static void add_string(tn_buf *b, const char *key, const char *value) {
    tn_buf_printf(b, "\"%s\":", key);
    tn_json_escape(value, strlen(value), b);
    tn_buf_char(b, ',');
}

static void add_differences(const tn_eval_report *r, tn_buf *b) {
    tn_buf_str(b, ",\"compare\":{");
    add_string(b, "run", r->compare);
    for (size_t i = 0; i < r->n_measures; i++) {
        char key[32];
        key_of(r, i, key);
        const tern_bootstrap *d = &r->differences[i];
        tn_buf_printf(b, "%s\"%s\":{\"diff\":%.6g,\"low\":%.6g,\"high\":%.6g,\"p\":%.4g}",
                      i ? "," : "", key, d->diff, d->low, d->high, d->p);
    }
    tn_buf_char(b, '}');
}

void tn_eval_add_json(const tn_eval_report *r, tn_buf *b) {
    tn_buf_printf(b, "{\"n_queries\":%u,\"n_questions\":%zu,", r->scores.n_queries, r->n_questions);
    tn_buf_printf(b, "\"n_missing_queries\":%u,\"n_unjudged_queries\":%u,\"n_missing_docs\":%u,",
                  r->scores.n_missing, r->scores.n_unjudged, r->n_missing_docs);
    if (r->stats) {
        tn_buf_printf(b, "\"corpus_passages\":%llu,\"corpus_documents\":%llu,",
                      (unsigned long long)r->stats->n_passages,
                      (unsigned long long)r->stats->n_documents);
        add_string(b, "corpus_hash", r->stats->hash);
    }
    if (r->mode) {
        add_string(b, "mode", r->mode);
        tn_buf_printf(b, "\"k1\":%.6g,\"b\":%.6g,\"depth\":%zu,\"seconds\":%.3f,", r->k1, r->b,
                      r->depth, r->seconds);
    }
    tn_buf_printf(b, "\"supporting_k\":%zu", r->supporting_k);
    for (size_t i = 0; i < r->n_measures; i++) {
        char key[32];
        key_of(r, i, key);
        tn_buf_printf(b, ",\"%s\":%.6f", key, r->scores.means[i]);
    }
    if (r->has_answers)
        tn_buf_printf(b, ",\"em\":%.6f,\"f1\":%.6f,\"n_answers\":%zu", r->em, r->f1, r->n_answers);
    if (r->compare) add_differences(r, b);
    tn_buf_str(b, "}\n");
}

static void add_table_head(const tn_cli *cli, const tn_eval_report *r, tn_buf *b) {
    tn_buf_printf(b, "%s%-10s", tn_style(cli, "bold"), "at k =");
    for (size_t c = 0; c < r->n_cuts; c++) tn_buf_printf(b, "%8u", r->cuts[c]);
    tn_buf_printf(b, "%s\n", tn_style(cli, "reset"));
}

static void add_conditions(const tn_eval_report *r, tn_buf *b) {
    if (r->stats) {
        tn_add_count(b, r->stats->n_passages);
        tn_buf_printf(b, " passages, hash %s\n", r->stats->hash);
    }
    tn_add_count(b, r->scores.n_queries);
    tn_buf_str(b, " judged queries");
    if (r->mode) tn_buf_printf(b, ", mode %s, k1 %g, b %g", r->mode, r->k1, r->b);
    if (r->mode && r->seconds > 0) {
        tn_buf_printf(b, ", %.2f s (", r->seconds);
        tn_add_count(b, (uint64_t)((double)r->n_questions / r->seconds));
        tn_buf_str(b, " questions/s)");
    }
    tn_buf_str(b, "\n\n");
}

static void add_changes(const tn_eval_report *r, tn_buf *b) {
    tn_buf_printf(b, "\nagainst %s (paired bootstrap, 95 %% interval)\n", r->compare);
    for (size_t i = 0; i < r->n_measures; i++) {
        tern_measure_kind kind = r->measures[i].kind;
        if (kind != TERN_MEASURE_RECALL && kind != TERN_MEASURE_NDCG && kind != TERN_MEASURE_MAP)
            continue;
        char key[32];
        key_of(r, i, key);
        const tern_bootstrap *d = &r->differences[i];
        tn_buf_printf(b, "  %-18s %+.4f  [%+.4f, %+.4f]  p %.3g\n", key, d->diff, d->low, d->high,
                      d->p);
    }
}

void tn_eval_add_table(const tn_cli *cli, const tn_eval_report *r, tn_buf *b) {
    add_conditions(r, b);
    add_table_head(cli, r, b);
    for (size_t m = 0; m < N_PER_CUT; m++) {
        tn_buf_printf(b, "%-10s", row_names[m]);
        for (size_t c = 0; c < r->n_cuts; c++)
            tn_buf_printf(b, "%8.4f", r->scores.means[c * N_PER_CUT + m]);
        tn_buf_char(b, '\n');
    }
    size_t last = r->n_measures - 3;
    tn_buf_printf(b, "%-10s%8.4f\n", "map", r->scores.means[last]);
    tn_buf_printf(b, "supporting passages within %zu: recall %.4f, all of them %.4f\n",
                  r->supporting_k, r->scores.means[last + 1], r->scores.means[last + 2]);
    if (r->has_answers)
        tn_buf_printf(b, "answers of %zu questions: EM %.4f, F1 %.4f\n", r->n_answers, r->em,
                      r->f1);
    if (r->compare) add_changes(r, b);
}
