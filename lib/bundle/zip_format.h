/* SPDX-License-Identifier: Apache-2.0 */
/* The records of a ZIP archive: sizes of their fixed parts and where their fields are. */
#ifndef TQI_BUNDLE_ZIP_FORMAT_H
#define TQI_BUNDLE_ZIP_FORMAT_H

#include "base/bytes.h"

#define ZIP_LOCAL 0x04034b50u      /* before each member's data */
#define ZIP_DESCRIPTOR 0x08074b50u /* behind it; the signature may be missing */
#define ZIP_CENTRAL 0x02014b50u    /* in the directory, one a member */
#define ZIP_SIGNATURE 0x05054b50u  /* a digital signature behind the directory */
#define ZIP_END64 0x06064b50u
#define ZIP_LOCATOR 0x07064b50u
#define ZIP_END 0x06054b50u

/* in a field of 16 or 32 bits: the value is in a ZIP64 record */
#define ZIP_MAX16 0xffffu
#define ZIP_MAX32 0xffffffffu

enum {
    ZIP_LOCAL_SIZE = 30,
    ZIP_CENTRAL_SIZE = 46,
    ZIP_END64_SIZE = 56,
    ZIP_LOCATOR_SIZE = 20,
    ZIP_END_SIZE = 22,
};

enum {
    LOCAL_NEEDED = 4,
    LOCAL_FLAGS = 6,
    LOCAL_METHOD = 8,
    LOCAL_CRC = 14,
    LOCAL_PACKED = 18,
    LOCAL_UNPACKED = 22,
    LOCAL_NAME_LENGTH = 26,
    LOCAL_EXTRA_LENGTH = 28,
};

enum {
    CENTRAL_MADE_BY = 4,
    CENTRAL_NEEDED = 6,
    CENTRAL_FLAGS = 8,
    CENTRAL_METHOD = 10,
    CENTRAL_TIME = 12,
    CENTRAL_DATE = 14,
    CENTRAL_CRC = 16,
    CENTRAL_PACKED = 20,
    CENTRAL_UNPACKED = 24,
    CENTRAL_NAME_LENGTH = 28,
    CENTRAL_EXTRA_LENGTH = 30,
    CENTRAL_COMMENT_LENGTH = 32,
    CENTRAL_DISK = 34,
    CENTRAL_INTERNAL = 36,
    CENTRAL_EXTERNAL = 38,
    CENTRAL_OFFSET = 42,
};

enum {
    END64_LENGTH = 4, /* of what follows this field */
    END64_DISK = 16,
    END64_DIRECTORY_DISK = 20,
    END64_ENTRIES_HERE = 24,
    END64_ENTRIES = 32,
    END64_SIZE = 40,
    END64_OFFSET = 48,
};

enum { LOCATOR_DISK = 4, LOCATOR_OFFSET = 8, LOCATOR_DISKS = 16 };

enum {
    END_DISK = 4,
    END_DIRECTORY_DISK = 6,
    END_ENTRIES_HERE = 8,
    END_ENTRIES = 10,
    END_SIZE = 12,
    END_OFFSET = 16,
    END_COMMENT_LENGTH = 20,
};

enum { ZIP_STORED = 0, ZIP_DEFLATED = 8 };
/* version needed to extract */
enum { ZIP_NEEDS_INFLATE = 20, ZIP_NEEDS_ZIP64 = 45 };

/* flags */
enum {
    ZIP_FLAG_ENCRYPTED = 1u << 0,
    ZIP_FLAG_LEVEL = 3u << 1, /* how hard deflate tried */
    ZIP_FLAG_DESCRIPTOR = 1u << 3,
    ZIP_FLAG_PATCH = 1u << 5,
    ZIP_FLAG_STRONG = 1u << 6,
    ZIP_FLAG_MASKED = 1u << 13,
};

/* extra fields */
enum { ZIP_EXTRA_ZIP64 = 0x0001, ZIP_EXTRA_ALIGNMENT = 0xd935, ZIP_EXTRA_HEADER = 4 };

static inline void tqi_store_u16(void *at, uint16_t value) {
    memcpy(at, &value, sizeof value);
}

#endif
