/* lock.h - one writer per index: an flock on DIR/lock, which vanishes with its process, however it
 * ends. The file holds the writer's pid for the message the second one gets; it is empty otherwise.
 */
#ifndef TN_LOCK_H
#define TN_LOCK_H
#include "tern/status.h"

/* *fd stays open until tn_lock_release. Errors: LOCKED (the message names the pid), IO (a folder
 * that cannot be written to), FULL. */
TERN_MUST_USE tern_status tn_lock_acquire(const char *dir, int *fd, tern_error *err);
void tn_lock_release(int fd); /* -1 allowed */
#endif
