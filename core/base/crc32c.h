/* crc32c.h - CRC-32C (Castagnoli), as in iSCSI and ext4; SSE4.2 or Arm CRC where present. */
#ifndef TN_CRC32C_H
#define TN_CRC32C_H
#include <stddef.h>
#include <stdint.h>

/* Continue `crc` (0 to start) over n bytes. crc32c("123456789") == 0xE3069283. */
uint32_t tn_crc32c(uint32_t crc, const void *data, size_t n);
uint32_t tn_crc32c_portable(uint32_t crc, const void *data,
                            size_t n); /* the table version, for tests */

#endif
