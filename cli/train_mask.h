/* train_mask.h - `tern train mask`: how much of annotated names the masker hides. */
#ifndef TN_TRAIN_MASK_H
#define TN_TRAIN_MASK_H
#include "cli/cli.h"

/* cli->args: "mask", one or more files of annotated text (trainer/mask_recall.h). titles: an index whose titles
 * the masker knows, NULL for none. Returns the exit code. */
int tn_train_mask(tn_cli *cli, const char *titles, bool lower);

#endif
