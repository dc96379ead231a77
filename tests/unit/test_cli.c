/* Claims about the option parser and the exit codes. */
#include "cli/cli.h"
#include "tests/test.h"
#include <sys/stat.h>

static struct {
    bool explain;
    const char *mode;
    int64_t k, since;
    double k1;
    tn_list where;
} got;

static const tn_opt opts[] = {
    {"explain", 'e', TN_OPT_FLAG, &got.explain, NULL, "explain"},
    {"mode", 'm', TN_OPT_STRING, &got.mode, "MODE", "mode"},
    {"top-k", 'k', TN_OPT_INT, &got.k, "N", "hits"},
    {"k1", 0, TN_OPT_FLOAT, &got.k1, "X", "k1"},
    {"since", 0, TN_OPT_TIME, &got.since, "DATE", "since"},
    {"where", 0, TN_OPT_LIST, &got.where, "F=V", "filter"},
};
static const tn_command cmd = {.name = "fake", .synopsis = "DIR [QUERY...]", .summary = "a fake"};
static const tn_command *const commands[] = {&cmd, NULL};

static tn_cli cli;

static void write_config(const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/tern", test_dir());
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/tern/config", test_dir());
    FILE *f = fopen(path, "w");
    CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

/* Parse a NULL-terminated line; the command's stderr and stdout are thrown away. */
static int parse(const char *const *line) {
    tn_arena_deinit(&cli.arena);
    cli = (tn_cli){.commands = commands, .cmd = &cmd};
    memset(&got, 0, sizeof got);
    setenv("XDG_CONFIG_HOME", test_dir(), 1); /* never the configuration of whoever runs this */
    char *argv[64] = {(char *)"fake"};
    int argc = 1;
    while (line[argc - 1]) argv[argc] = (char *)line[argc - 1], argc++;
    fflush(stdout), fflush(stderr);
    int out = dup(1), err = dup(2);
    CHECK(freopen("/dev/null", "w", stdout) && freopen("/dev/null", "w", stderr));
    int code = tn_cli_parse(&cli, argc, argv, opts, sizeof opts / sizeof *opts, 1, 3);
    fflush(stdout), fflush(stderr);
    dup2(out, 1), dup2(err, 2);
    close(out), close(err);
    return code;
}
#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

TEST(options_may_stand_anywhere_and_in_every_spelling) {
    CHECK_EQ(PARSE("dir", "-k5", "--mode=bm25", "what", "--k1", ".9", "-e"), -1);
    CHECK_EQ(got.k, 5);
    CHECK_STR(got.mode, "bm25");
    CHECK_NEAR(got.k1, 0.9, 0);
    CHECK(got.explain);
    CHECK_EQ(cli.n_args, 2);
    CHECK_STR(cli.args[1], "what");
    CHECK_EQ(PARSE("-eqvk", "7", "dir"), -1);
    CHECK(got.explain && cli.quiet && cli.verbose && got.k == 7);
    CHECK_EQ(PARSE("--top-k", "-3", "dir"), -1); /* a value may begin with a dash */
    CHECK_EQ(got.k, -3);
}

TEST(two_dashes_end_the_options_and_one_dash_is_an_argument) {
    CHECK_EQ(PARSE("-", "--", "--mode"), -1);
    CHECK_EQ(cli.n_args, 2);
    CHECK_STR(cli.args[0], "-");
    CHECK_STR(cli.args[1], "--mode");
}

TEST(numbers_take_suffixes_and_refuse_nonsense) {
    CHECK_EQ(PARSE("d", "-k", "64M"), -1);
    CHECK_EQ(got.k, 64 << 20);
    const char *bad[] = {"", "x", "1x", "1kk", " 1", "99999999999999999999", "9999999999G", "1.5"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (PARSE("d", "-k", bad[i]) != EXIT_USAGE) FAIL("-k '%s' was accepted", bad[i]);
    const char *bad_floats[] = {"", "x", "1e", "nan", "inf", " 1", "1,5"};
    for (size_t i = 0; i < sizeof bad_floats / sizeof *bad_floats; i++)
        if (PARSE("d", "--k1", bad_floats[i]) != EXIT_USAGE)
            FAIL("--k1 '%s' was accepted", bad_floats[i]);
}

TEST(dates_and_lists_reach_their_places) {
    CHECK_EQ(PARSE("d", "--since", "1970-01-02", "--where", "a=b", "--where=c=d"), -1);
    CHECK_EQ(got.since, 86400);
    CHECK_EQ(got.where.n, 2);
    CHECK_STR(got.where.items[1], "c=d");
    CHECK_EQ(PARSE("d", "--since", "yesterday"), EXIT_USAGE);
}

TEST(a_list_keeps_every_item) {
    const char *line[61];
    for (int i = 0; i < 60; i++) line[i] = i % 2 ? "x=y" : "--where";
    line[60] = NULL;
    CHECK_EQ(parse(line), EXIT_USAGE); /* the required DIR is missing */
    CHECK_EQ(got.where.n, 30);
    CHECK_STR(got.where.items[0], "x=y");
}

TEST(usage_errors_give_exit_code_2) {
    CHECK_EQ(PARSE("d", "--nope"), EXIT_USAGE);
    CHECK_EQ(PARSE("d", "-z"), EXIT_USAGE);
    CHECK_EQ(PARSE("d", "--mode"), EXIT_USAGE);
    CHECK_EQ(PARSE("d", "-k"), EXIT_USAGE);
    CHECK_EQ(PARSE("d", "--explain=yes"), EXIT_USAGE);
    CHECK_EQ(PARSE("--explain"), EXIT_USAGE); /* too few arguments */
    CHECK_EQ(PARSE("a", "b", "c", "d"), EXIT_USAGE);
    CHECK_EQ(PARSE("d", "--color", "blue"), EXIT_USAGE);
    CHECK_EQ(PARSE("d", "--threads", "-1"), EXIT_USAGE);
    CHECK_EQ(PARSE("d", "--a-name-longer-than-any-option-could-ever-be-in-this-program"),
             EXIT_USAGE);
}

TEST(the_configuration_gives_defaults_and_the_line_wins) {
    write_config("# mine\n\n top-k = 7 \nfake.mode=dense\nexplain = true\nwhere = a=b\n"
                 "not-an-option-of-this-command = 1\n");
    CHECK_EQ(PARSE("d"), -1);
    CHECK_EQ(got.k, 7);
    CHECK_STR(got.mode, "dense");
    CHECK(got.explain);
    CHECK_STR(got.where.items[0], "a=b");
    CHECK_EQ(PARSE("d", "-k", "9", "--mode", "bm25"), -1);
    CHECK_EQ(got.k, 9);
    CHECK_STR(got.mode, "bm25");
    const char *bad[] = {"top-k",        "top-k = x",       "fake.nope = 1",
                         "nobody.k = 1", "explain = maybe", "= 1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_config(bad[i]);
        if (PARSE("d") != EXIT_USAGE) FAIL("configuration '%s' was accepted", bad[i]);
    }
    write_config("");
    CHECK_EQ(PARSE("d"), -1);
}

TEST(color_follows_the_option_and_no_color) {
    CHECK_EQ(PARSE("d", "--color", "always"), -1);
    CHECK_STR(tn_style(&cli, "bold"), "\033[1m");
    CHECK_EQ(PARSE("d", "--color=never"), -1);
    CHECK_STR(tn_style(&cli, "bold"), "");
    CHECK_EQ(PARSE("d"), -1); /* stdout is no terminal here */
    CHECK_STR(tn_style(&cli, "bold"), "");
}

TEST(exit_codes_follow_the_status) {
    CHECK_EQ(tn_exit_code(TERN_OK), 0);
    CHECK_EQ(tn_exit_code(TERN_ERR_IO), 1);
    CHECK_EQ(tn_exit_code(TERN_ERR_ARG), 2);
    CHECK_EQ(tn_exit_code(TERN_ERR_CORRUPT), 4);
    CHECK_EQ(tn_exit_code(TERN_ERR_VERSION), 4);
    CHECK_EQ(tn_exit_code(TERN_ERR_REMOTE), 5);
    CHECK_EQ(tn_exit_code(TERN_ERR_CANCELLED), 130);
}

TEST(a_mistyped_name_finds_its_neighbour_and_no_stranger) {
    const char *names[] = {"index", "search", "serve", "eval"};
    CHECK_STR(tn_nearest("serach", names, 4), "search");
    CHECK_STR(tn_nearest("indx", names, 4), "index");
    CHECK_STR(tn_nearest("server", names, 4), "serve");
    CHECK(tn_nearest("completely", names, 4) == NULL);
}

TEST(amounts_are_readable) {
    tn_buf b = {0};
    tn_add_count(&b, 0), tn_buf_char(&b, ' ');
    tn_add_count(&b, 999), tn_buf_char(&b, ' ');
    tn_add_count(&b, 1234567), tn_buf_char(&b, ' ');
    tn_add_bytes(&b, 512), tn_buf_char(&b, ' ');
    tn_add_bytes(&b, 1536), tn_buf_char(&b, ' ');
    tn_add_bytes(&b, 5ull << 30);
    CHECK_STR(tn_buf_cstr(&b), "0 999 1,234,567 512 B 1.5 KiB 5.0 GiB");
    tn_buf_deinit(&b);
}

TEST_MAIN
