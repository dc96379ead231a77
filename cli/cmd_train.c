/* cmd_train.c - tern train: a better searcher from questions, with or without answers. */
#include "cli/cli.h"
#include "cli/train_lm.h"
#include "cli/train_mask.h"
#include "cli/train_split.h"
#include "tern/eval.h"
#include "trainer/ccs.h"
#include "trainer/ccs_run.h"
#include <math.h>
#include <string.h>

#include "core/base/mem.h"

static struct {
    const char *recipe, *out, *reward, *start, *advantage, *held_out, *titles;
    int64_t steps, batch, group, hidden, seed, checkpoint, dev, trace;
    double lr, kl;
    bool dry_run, lower, defaults;
    tn_list settings;
} args;

static size_t options(tn_opt *opts, size_t cap) {
    args.recipe = args.reward = args.start = args.advantage = args.held_out = args.titles = NULL;
    args.out = NULL;
    args.settings = (tn_list){0};
    args.steps = args.batch = args.group = args.hidden = args.seed = -1;
    args.checkpoint = 10;
    args.dev = 50;
    args.trace = 0;
    args.lr = args.kl = NAN;
    args.dry_run = args.lower = args.defaults = false;
    const tn_opt own[] = {
        {"recipe", 'r', TN_OPT_STRING, &args.recipe, "FILE",
         "a JSON object of settings; the options below come on top"},
        {"out", 'o', TN_OPT_STRING, &args.out, "DIR",
         "where the run keeps its files (default run); a run found there goes on"},
        {"reward", 0, TN_OPT_STRING, &args.reward, "ARM",
         "ccs-lexical (default), ccs-cosine, gold-recall, gold-answer, leaky, queries-only, "
         "random"},
        {"start", 0, TN_OPT_STRING, &args.start, "POLICY",
         "embedded (default), hand-set, uniform, or a policy file"},
        {"advantage", 0, TN_OPT_STRING, &args.advantage, "KIND", "grpo (default) or rloo"},
        {"steps", 'n', TN_OPT_INT, &args.steps, "N", "updates (default 80)"},
        {"batch", 0, TN_OPT_INT, &args.batch, "N", "questions per update (default 16)"},
        {"group", 0, TN_OPT_INT, &args.group, "N", "rollouts per question (default 8)"},
        {"hidden", 0, TN_OPT_INT, &args.hidden, "N",
         "hidden units beside the linear part (default 0)"},
        {"lr", 0, TN_OPT_FLOAT, &args.lr, "X",
         "learning rate of Adam (default 0.01; 0.05 suits the uniform start)"},
        {"kl", 0, TN_OPT_FLOAT, &args.kl, "X",
         "how strongly to stay near the start (default 0.001)"},
        {"seed", 0, TN_OPT_INT, &args.seed, "N", "of everything random (default 1)"},
        {"held-out", 0, TN_OPT_STRING, &args.held_out, "FILE",
         "judge on these questions (default: 50 of QUESTIONS, not trained on)"},
        {"checkpoint", 0, TN_OPT_INT, &args.checkpoint, "N", "steps between checkpoints (10)"},
        {"trace", 0, TN_OPT_INT, &args.trace, "N",
         "keep the rollouts of every Nth step in rollouts.jsonl (1: all; default 0: none)"},
        {"dev", 0, TN_OPT_INT, &args.dev, "N", "split: questions for dev.jsonl (default 50)"},
        {"titles", 0, TN_OPT_STRING, &args.titles, "INDEX",
         "mask: the masker knows the titles of this index"},
        {"lower", 0, TN_OPT_FLAG, &args.lower, NULL, "mask: the texts in lower case"},
        {"dry-run", 0, TN_OPT_FLAG, &args.dry_run, NULL,
         "only measure how long it will take; write nothing"},
        {"set", 0, TN_OPT_LIST, &args.settings, "NAME=VALUE",
         "lm, tokens: a member of the recipe; may be given several times"},
        {"defaults", 0, TN_OPT_FLAG, &args.defaults, NULL,
         "lm: list the members of a recipe, with their defaults"},
    };
    size_t n = sizeof own / sizeof *own;
    if (n > cap) n = cap;
    memcpy(opts, own, n * sizeof *own);
    return n;
}

static tern_status set_text(json_t *o, const char *name, const char *value) {
    return !value || json_object_set_new(o, name, json_string(value)) == 0 ? TERN_OK
                                                                           : TERN_ERR_NOMEM;
}

static tern_status set_count(json_t *o, const char *name, int64_t value) {
    return value < 0 || json_object_set_new(o, name, json_integer(value)) == 0 ? TERN_OK
                                                                               : TERN_ERR_NOMEM;
}

static tern_status set_real(json_t *o, const char *name, double value) {
    return isnan(value) || json_object_set_new(o, name, json_real(value)) == 0 ? TERN_OK
                                                                               : TERN_ERR_NOMEM;
}

/* Options are a recipe, too: the same names, the same checks. */
static tern_status recipe_of_options(tn_recipe *r, tern_error *err) {
    json_t *o = json_object();
    tern_status st = o ? TERN_OK : TERN_ERR_NOMEM;
    if (st == TERN_OK) st = set_text(o, "reward", args.reward);
    if (st == TERN_OK) st = set_text(o, "start", args.start);
    if (st == TERN_OK) st = set_text(o, "advantage", args.advantage);
    if (st == TERN_OK) st = set_count(o, "steps", args.steps);
    if (st == TERN_OK) st = set_count(o, "batch", args.batch);
    if (st == TERN_OK) st = set_count(o, "group", args.group);
    if (st == TERN_OK) st = set_count(o, "hidden", args.hidden);
    if (st == TERN_OK) st = set_count(o, "seed", args.seed);
    if (st == TERN_OK) st = set_real(o, "lr", args.lr);
    if (st == TERN_OK) st = set_real(o, "kl", args.kl);
    if (st != TERN_OK)
        tern_fail(err, st, 0, "out of memory for the recipe");
    else
        st = tn_recipe_read(r, o, "options", err);
    json_decref(o);
    return st;
}

static tern_status read_recipe(tn_recipe *r, tern_error *err) {
    *r = tn_recipe_defaults();
    if (args.recipe) {
        json_t *o;
        tern_status st = tn_json_load(args.recipe, &o, err);
        if (st == TERN_OK) st = tn_recipe_read(r, o, args.recipe, err);
        if (st != TERN_OK) return st;
        json_decref(o);
    }
    tern_status st = recipe_of_options(r, err);
    return st == TERN_OK ? tn_recipe_check(r, err) : st;
}

/* --- what came out ---------------------------------------------------------------------------- */

static void add_row(const char *name, double before, double after, double unit, tn_buf *b) {
    if (isnan(before) || isnan(after)) return;
    tn_buf_printf(b, "  %-24s %8.*f %8.*f\n", name, unit > 1 ? 1 : 3, unit * before,
                  unit > 1 ? 1 : 3, unit * after);
}

static void add_table(const tn_cli *cli, const tn_recipe *recipe, const tn_ccs_result *r,
                      tn_buf *b) {
    const tn_ccs_figures *x = &r->before, *y = &r->after;
    size_t n;
    const tn_reward *arms = tn_reward_list(&n);
    tn_buf_printf(b, "%s%zu held-out questions%s         before    after\n", tn_style(cli, "bold"),
                  r->n_held_out, tn_style(cli, "reset"));
    add_row("supporting recall, %", x->recall, y->recall, 100, b);
    add_row("all supporting, %", x->all, y->all, 100, b);
    add_row("answer in evidence, %", x->in_evidence, y->in_evidence, 100, b);
    add_row("answer F1, %", x->f1, y->f1, 100, b);
    for (size_t a = 0; a < n; a++)
        if (strcmp(arms[a].name, recipe->reward) == 0)
            add_row("reward", x->rewards[a], y->rewards[a], 1, b);
    add_row("searches", x->searches, y->searches, 1, b);
    if (r->n_held_out)
        tn_buf_printf(b, "%s %+.3f (95%% interval %+.3f to %+.3f)\n",
                      r->gain_is_recall ? "recall" : "reward", r->gain.diff, r->gain.low,
                      r->gain.high);
    tn_buf_printf(b,
                  "%llu steps, %llu rollouts in %.1f s (%.0f/s), %llu of %llu groups without "
                  "spread dropped\n",
                  (unsigned long long)(r->step - r->first_step), (unsigned long long)r->n_rollouts,
                  r->seconds, r->rollouts_per_s, (unsigned long long)r->n_dropped,
                  (unsigned long long)r->n_groups);
    tn_buf_printf(b, "%s/policy.json, %s/report.html\n", args.out, args.out);
}

static int print(tn_cli *cli, const tn_recipe *recipe, const tn_ccs_result *r) {
    tn_buf b = {0};
    if (cli->json) {
        json_t *o = tn_ccs_result_json(r);
        if (o) tn_json_dump(o, &b);
        if (!o) b.failed = true;
        tn_buf_char(&b, '\n');
        json_decref(o);
    } else if (args.dry_run) {
        tn_buf_printf(&b, "%zu questions, %zu held out; %u steps of %u x %u rollouts\n", r->n_train,
                      r->n_held_out, recipe->steps, recipe->batch, recipe->group);
        tn_buf_printf(&b, "%.0f rollouts/s here: about %.0f s, ", r->forecast_rate, r->forecast_s);
        tn_add_bytes(&b, r->peak_bytes);
        tn_buf_str(&b, " of memory\n");
    } else {
        add_table(cli, recipe, r, &b);
    }
    int code = tn_cli_out(cli, &b);
    tn_buf_deinit(&b);
    return code;
}

static tn_train_lm_args lm_args(void) {
    return (tn_train_lm_args){.out = args.out,
                              .recipe = args.recipe,
                              .steps = args.steps,
                              .batch = args.batch,
                              .seed = args.seed,
                              .lr = args.lr,
                              .settings = &args.settings,
                              .dry_run = args.dry_run,
                              .defaults = args.defaults};
}

static int run(tn_cli *cli, int argc, char **argv) {
    tn_opt opts[TN_OPTS_MAX];
    size_t n_opts = options(opts, TN_OPTS_MAX);
    int code = tn_cli_parse(cli, argc, argv, opts, n_opts, 1, SIZE_MAX);
    if (code >= 0) return code;
    tn_train_lm_args lm = lm_args();
    if (strcmp(cli->args[0], "tokens") == 0) return tn_train_tokens(cli, &lm);
    if (!args.out) lm.out = args.out = "run";
    if (strcmp(cli->args[0], "lm") == 0) return tn_train_lm(cli, &lm);
    if (cli->n_args < 2) return tn_cli_usage(cli, "too few arguments");
    if (strcmp(cli->args[0], "split") == 0) return tn_train_split(cli, args.dev, args.out);
    if (strcmp(cli->args[0], "mask") == 0) return tn_train_mask(cli, args.titles, args.lower);
    if (strcmp(cli->args[0], "ccs") != 0)
        return tn_cli_usage(cli, "no method '%s'; there are ccs, lm, tokens, split and mask",
                            cli->args[0]);
    if (cli->n_args != 3) return tn_cli_usage(cli, "needs an index and a file of questions");
    if (args.checkpoint < 1 || args.checkpoint > UINT32_MAX)
        return tn_cli_usage(cli, "--checkpoint must be 1 or more");
    if (args.trace < 0 || args.trace > UINT32_MAX)
        return tn_cli_usage(cli, "--trace must be 0 or more");
    tn_ccs_opts o = {.trace_every = (uint32_t)args.trace,
                     .out = args.out,
                     .checkpoint_every = (uint32_t)args.checkpoint,
                     .dry_run = args.dry_run};
    tern_error err = {0};
    if (read_recipe(&o.recipe, &err) != TERN_OK) return tn_cli_fail(cli, &err);
    tern_index *ix = NULL;
    code = tn_cli_open_index(cli, cli->args[1], &ix);
    if (code >= 0) return code;
    tern_questions questions = {0}, held_out = {0};
    tn_ccs_result result = {0};
    tern_status st = tern_questions_load(cli->args[2], &questions, &err);
    if (st == TERN_OK && args.held_out) {
        st = tern_questions_load(args.held_out, &held_out, &err);
        o.held_out = &held_out;
    }
    tern_host host = cli->host;
    host.n_threads = cli->n_threads;
    if (st == TERN_OK) st = tn_ccs_train(ix, &questions, &o, &host, &result, &err);
    if (st == TERN_ERR_CANCELLED) tn_log(cli, TERN_LOG_WARN, "%s", err.text); /* how to go on */
    code = st == TERN_OK ? print(cli, &o.recipe, &result) : tn_cli_fail(cli, &err);
    tern_questions_free(&questions);
    tern_questions_free(&held_out);
    tern_index_close(ix);
    return code;
}

const tn_command tn_cmd_train = {
    .name = "train",
    .synopsis = "ccs INDEX QUESTIONS | lm RECIPE [DATA...] | tokens|split|mask FILE...",
    .summary = "train the searcher on questions, no answers needed; train language models",
    .details =
        "Plays every question several times over the index, rewards the searches from whose "
        "results\n"
        "the question itself can be rebuilt (cycle-consistent search), and shifts the searcher's\n"
        "weights towards what paid. QUESTIONS is JSON lines with id and question; `tern "
        "questions`\n"
        "makes some from the index. Answers and supporting ids, where there are any, are read "
        "only\n"
        "to judge held-out questions, and by the arms called gold-...\n"
        "\n"
        "The run keeps its files in --out: policy.json for `tern ask --policy`, report.html,\n"
        "metrics.jsonl and TensorBoard events. Stopped in whatever way, the same command goes on\n"
        "after the last checkpoint and ends with the same weights.\n"
        "\n"
        "`train split` cuts a question file in two by the hash of the ids: --dev questions to "
        "make\n"
        "choices on, the rest to train on, as dev.jsonl and train.jsonl in --out. With files of\n"
        "test questions it also looks for training questions that share eight words in a row with\n"
        "one of those, and fails when there are any. splits.jsonl marks each id as train, dev or\n"
        "test, for `tern eval --splits`.\n"
        "\n"
        "`train mask` says how much of the names that people marked in texts the training would\n"
        "hide in a query, without and with --titles. TEXTS is JSON lines of tokens and IOB2 tags,\n"
        "or of question and entities with start and end.\n"
        "\n"
        "`train lm` trains a language model: pre-training, fine-tuning on conversations, masked\n"
        "and contrastive training of encoders, classifiers of texts and of tokens. RECIPE is a\n"
        "JSON object (`tern train lm --defaults` lists its members); --steps, --batch, --lr,\n"
        "--seed and --set come on top. The trained model is in --out/model, in Hugging Face's\n"
        "layout. `train tokens` only writes its texts as a token file, -o FILE.",
    .run = run,
    .options = options,
    .examples = "tern questions docs.tern -o questions.jsonl\n"
                "tern train ccs docs.tern questions.jsonl --dry-run\n"
                "tern train ccs docs.tern questions.jsonl -o run\n"
                "tern ask docs.tern --policy run/policy.json who was it\n"
                "tern train lm recipe.json --dry-run\n"
                "tern train lm recipe.json -o run --set lr=1e-4 --steps 500",
};
