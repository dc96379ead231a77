/* loop.h - running one episode. */
#ifndef TN_LOOP_H
#define TN_LOOP_H
#include "agent/lens.h"

/* Prepare an episode: question checked, trimmed, repaired if it is not valid UTF-8. opts, tools,
 * policy, host and analyzer are borrowed; arena holds all that grows. Errors: ARG, NOMEM. */
TERN_MUST_USE tern_status tn_episode_init(tn_episode *ep, const char *question, size_t len,
                                          const tern_agent_opts *opts, const tn_agent_tools *tools,
                                          const tern_policy *policy, const tern_host *host,
                                          tn_analyzer *an, tn_arena *arena, tern_error *err);
void tn_episode_deinit(tn_episode *ep);
/* Search until the policy answers or the turns are used up. On return the last turn is an answer,
 * except that a writing policy may have failed to give one. Errors: CANCELLED, the tools', the
 * policy's. */
TERN_MUST_USE tern_status tn_episode_run(tn_episode *ep, tern_error *err);
TERN_MUST_USE tern_status tn_agent_opts_check(const tern_agent_opts *opts, tern_error *err);

/* One question from begin to end: init, run, read and cite, trace. The arena is reset first. *out
 * is freed with tern_answer_free. */
TERN_MUST_USE tern_status tn_ask(const char *question, size_t len, const tern_agent_opts *opts,
                                 const tn_agent_tools *tools, const tern_policy *policy,
                                 const tern_host *host, tn_analyzer *an, tn_arena *arena,
                                 tern_answer **out, tern_error *err);

/* Which candidate: argmax for temperature 0 (first of equals), else a draw from
 * softmax(logits / temperature). *logprob: its natural logarithm (at temperature 1 for argmax). */
uint32_t tn_choose(const float *logits, size_t n, double temperature, double uniform,
                   double *logprob);

#endif
