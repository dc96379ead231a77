/* alarms.c - the ways a search agent's reward can rise while its search does not get better, as
 * thresholds on the metrics: the mean of the last steps against the mean of the first. */
#include "trainer/ccs_run.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WINDOW = 10 };

static double window_mean(const tn_run *run, uint64_t from, int metric) {
    double sum = 0;
    for (uint64_t s = from; s < from + WINDOW; s++) sum += run->history[s][metric];
    return sum / WINDOW;
}

static void raise_alarm(tn_run *run, const char *kind, const char *what, double then, double now) {
    tn_ccs_result *r = run->result;
    for (size_t i = 0; i < r->n_alarms; i++)
        if (strncmp(r->alarms[i], kind, strlen(kind)) == 0) return;
    if (r->n_alarms == TN_ALARMS_MAX) return;
    char *text = r->alarms[r->n_alarms++];
    snprintf(text, sizeof r->alarms[0], "%s: %s, from %.3f to %.3f by step %llu", kind, what, then,
             now, (unsigned long long)run->step + 1);
    if (run->host.log) run->host.log(run->host.ud, TERN_LOG_WARN, text);
}

void tn_run_alarms(tn_run *run, uint64_t step) {
    if (step + 1 < 2 * WINDOW) return;
    double then[TN_N_METRICS], now[TN_N_METRICS];
    for (int m = 0; m < TN_N_METRICS; m++) {
        then[m] = window_mean(run, 0, m);
        now[m] = window_mean(run, step + 1 - WINDOW, m);
    }
    bool rising = now[TN_M_REWARD] > then[TN_M_REWARD] + 0.01;
    double batch = run->opts.recipe.batch;
    if (now[TN_M_REWARD] < then[TN_M_REWARD] - 0.05)
        raise_alarm(run, "reward", "it fell", then[TN_M_REWARD], now[TN_M_REWARD]);
    if (now[TN_M_ENTROPY] < 0.05 * then[TN_M_ENTROPY])
        raise_alarm(run, "entropy", "the policy hardly explores any more", then[TN_M_ENTROPY],
                    now[TN_M_ENTROPY]);
    if (now[TN_M_SEARCHES] < 0.5 * then[TN_M_SEARCHES])
        raise_alarm(run, "length", "episodes became short", then[TN_M_SEARCHES],
                    now[TN_M_SEARCHES]);
    if (rising && now[TN_M_SPAN_RATE] < 0.5 * then[TN_M_SPAN_RATE])
        raise_alarm(run, "mask",
                    "reward rises while fewer spans are masked: names may slip through",
                    then[TN_M_SPAN_RATE], now[TN_M_SPAN_RATE]);
    if (rising && now[TN_M_OVERLAP_MASKED] > then[TN_M_OVERLAP_MASKED] + 0.15)
        raise_alarm(run, "overlap", "reward rises while masked queries repeat more of the question",
                    then[TN_M_OVERLAP_MASKED], now[TN_M_OVERLAP_MASKED]);
    if (now[TN_M_DROPPED] > 0.8 * batch)
        raise_alarm(run, "spread", "most groups have equal rewards and teach nothing",
                    then[TN_M_DROPPED], now[TN_M_DROPPED]);
}
