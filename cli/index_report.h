/* index_report.h - what index, remove and compact say when they are done. */
#ifndef TN_INDEX_REPORT_H
#define TN_INDEX_REPORT_H
#include "cli/cli.h"
#include "tern/index.h"

/* One line for people (nothing with -q), or one JSON object of every field with --json. */
int tn_print_report(const tn_cli *cli, const char *dir, const tern_index_report *r);
/* tn_cli_fail, but EXIT_INDEX when what was not found is the index itself. */
int tn_index_fail(const tn_cli *cli, const char *dir, const tern_error *err);

#endif
