/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "bundle/zip_private.h"

enum { SHOWN = 96 };

/* Names are bytes in any encoding; messages are UTF-8 and short. */
static void show_name(const tqi_zip_member *member, char shown[SHOWN + 4]) {
    size_t n = (size_t)tqi_min_u64(member->name_size, SHOWN);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)member->name[i];
        shown[i] = c >= 0x20 && c < 0x7f ? (char)c : '?';
    }
    strcpy(shown + n, n < member->name_size ? "..." : "");
}

tq_status tqi_zip_refuse(const tqi_zip_member *member, tq_status status, uint64_t offset,
                         tq_error *error, const char *format, ...) {
    char shown[SHOWN + 4], what[128];
    show_name(member, shown);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return tqi_fail_at(error, status, offset, "member '%s': %s", shown, what);
}

static bool climbs(const char *name, size_t size) {
    for (size_t start = 0; start < size;) {
        const char *slash = memchr(name + start, '/', size - start);
        size_t end = slash ? (size_t)(slash - name) : size;
        if (end - start == 2 && memcmp(name + start, "..", 2) == 0)
            return true;
        start = end + 1;
    }
    return false;
}

static bool has_drive(const char *name, size_t size) {
    return size >= 2 && name[1] == ':' &&
           ((name[0] >= 'a' && name[0] <= 'z') || (name[0] >= 'A' && name[0] <= 'Z'));
}

/* NULL: the name can do no harm where members become files. */
static const char *trick(const char *name, size_t size) {
    if (size == 0)
        return "it has no name";
    if (memchr(name, 0, size))
        return "its name holds a NUL";
    if (memchr(name, '\\', size))
        return "its name holds a backslash";
    if (name[0] == '/')
        return "its name is an absolute path";
    if (has_drive(name, size))
        return "its name starts with a drive letter";
    return climbs(name, size) ? "its name leads out of the archive" : NULL;
}

static int by_name(const void *a, const void *b) {
    const tqi_zip_member *left = *(const tqi_zip_member *const *)a;
    const tqi_zip_member *right = *(const tqi_zip_member *const *)b;
    int order = strcmp(left->name, right->name);
    if (order != 0)
        return order;
    return (left->central.offset > right->central.offset) -
           (left->central.offset < right->central.offset);
}

tq_status tqi_zip_check_names(const tqi_zip *zip, tqi_arena *arena, tq_error *error) {
    for (uint32_t i = 0; i < zip->n_members; i++) {
        const tqi_zip_member *m = &zip->members[i];
        const char *what = trick(m->name, m->name_size);
        if (what)
            return tqi_zip_refuse(m, TQ_ERR_CORRUPT, m->central.offset, error, "%s", what);
    }
    const tqi_zip_member **sorted = NULL;
    TQI_NEW(arena, &sorted, zip->n_members, error);
    for (uint32_t i = 0; i < zip->n_members; i++)
        sorted[i] = &zip->members[i];
    qsort(sorted, zip->n_members, sizeof *sorted, by_name);
    for (uint32_t i = 1; i < zip->n_members; i++)
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            return tqi_zip_refuse(sorted[i], TQ_ERR_CORRUPT, sorted[i]->central.offset, error,
                                  "there are two of this name");
    return TQ_OK;
}
