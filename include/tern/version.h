/* version.h - the version of the library one links against. */
#ifndef TERN_VERSION_H
#define TERN_VERSION_H
#include "tern/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TERN_VERSION_MAJOR 0
#define TERN_VERSION_MINOR 1
#define TERN_VERSION_PATCH 0

/* "major.minor.patch" of the loaded library. */
TERN_API const char *tern_version(void);

#ifdef __cplusplus
}
#endif
#endif
