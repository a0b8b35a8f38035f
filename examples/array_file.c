/* SPDX-License-Identifier: Apache-2.0 */
#include "array_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

tq_status array_fail(tq_error *error, tq_status status, const char *format, ...) {
    va_list arguments;
    error->status = status;
    error->system_code = 0;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return status;
}

/* --- the header of a .npy file: a dictionary as Python writes it --- */

struct text {
    const char *at;
    const char *end;
};

static void skip_spaces(struct text *text) {
    while (text->at < text->end && (*text->at == ' ' || *text->at == '\n' || *text->at == '\t'))
        text->at++;
}

/* Passes spaces, and then `c` if it is there. */
static bool take(struct text *text, char c) {
    skip_spaces(text);
    if (text->at == text->end || *text->at != c)
        return false;
    text->at++;
    return true;
}

static bool take_word(struct text *text, const char *word) {
    const size_t length = strlen(word);
    skip_spaces(text);
    if ((size_t)(text->end - text->at) < length || memcmp(text->at, word, length) != 0)
        return false;
    text->at += length;
    return true;
}

static bool take_string(struct text *text, char *string, size_t capacity) {
    size_t length = 0;
    char quote = '\'';
    if (!take(text, quote) && !take(text, quote = '"'))
        return false;
    for (; text->at < text->end && *text->at != quote; text->at++) {
        if (*text->at < ' ' || *text->at > '~' || length + 1 == capacity)
            return false;
        string[length++] = *text->at;
    }
    string[length] = '\0';
    return take(text, quote);
}

static bool take_number(struct text *text, uint64_t *number) {
    skip_spaces(text);
    const char *start = text->at;
    *number = 0;
    for (; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++) {
        const uint64_t digit = (uint64_t)(*text->at - '0');
        if (*number > (UINT64_MAX - digit) / 10)
            return false;
        *number = *number * 10 + digit;
    }
    const bool some = text->at != start;
    if (some)
        (void)take(text, 'L'); /* as Python 2 wrote it */
    return some;
}

static tq_status damaged(tq_error *error) {
    return array_fail(error, TQ_ERR_CORRUPT, "its header is damaged");
}

static tq_status take_shape(struct array_file *file, struct text *text, tq_error *error) {
    if (!take(text, '('))
        return damaged(error);
    file->rank = 0;
    while (!take(text, ')')) {
        uint64_t size;
        if (!take_number(text, &size))
            return damaged(error);
        if (file->rank == ARRAY_RANK)
            return array_fail(error, TQ_ERR_UNSUPPORTED, "it has more than %d dimensions",
                              (int)ARRAY_RANK);
        file->shape[file->rank++] = size;
        if (!take(text, ',')) {
            if (!take(text, ')'))
                return damaged(error);
            break;
        }
    }
    return TQ_OK;
}

/* "<f4": byte order, kind, bytes */
static tq_status take_type(struct array_file *file, struct text *text, tq_error *error) {
    static const char known[][3] = {"f2", "f4", "f8", "i1", "i2", "i4",
                                    "i8", "u1", "u2", "u4", "u8", "b1"};
    char type[32];
    if (take(text, '['))
        return array_fail(error, TQ_ERR_UNSUPPORTED, "it holds records, not plain numbers");
    if (!take_string(text, type, sizeof type))
        return damaged(error);
    if (strchr(type, 'O') != NULL)
        return array_fail(error, TQ_ERR_UNSUPPORTED, "it holds Python objects, not numbers");
    if (type[0] != '\0' && strchr("<>|=", type[0]) != NULL) {
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
            if (strcmp(type + 1, known[i]) != 0)
                continue;
            file->kind = type[1];
            file->item = (uint32_t)(type[2] - '0');
            file->is_big_endian = type[0] == '>';
            return TQ_OK;
        }
    }
    return array_fail(error, TQ_ERR_UNSUPPORTED,
                      "its values are of the type '%s', which is not supported: save them as "
                      "float32, or integers",
                      type);
}

static tq_status take_order(struct array_file *file, struct text *text, tq_error *error) {
    file->is_fortran = take_word(text, "True");
    return file->is_fortran || take_word(text, "False") ? TQ_OK : damaged(error);
}

static tq_status take_header(struct array_file *file, struct text text, tq_error *error) {
    static const struct {
        const char *key;
        tq_status (*take)(struct array_file *file, struct text *text, tq_error *error);
    } parts[] = {{"descr", take_type}, {"fortran_order", take_order}, {"shape", take_shape}};
    enum { PARTS = sizeof parts / sizeof parts[0], ALL = (1 << PARTS) - 1 };
    unsigned seen = 0;
    if (!take(&text, '{'))
        return damaged(error);
    while (!take(&text, '}')) {
        char key[32];
        unsigned i = 0;
        if (!take_string(&text, key, sizeof key) || !take(&text, ':'))
            return damaged(error);
        while (i < PARTS && strcmp(parts[i].key, key) != 0)
            i++;
        if (i == PARTS || (seen & 1u << i) != 0)
            return damaged(error);
        seen |= 1u << i;
        const tq_status status = parts[i].take(file, &text, error);
        if (status != TQ_OK)
            return status;
        if (!take(&text, ',')) {
            if (!take(&text, '}'))
                return damaged(error);
            break;
        }
    }
    skip_spaces(&text);
    return seen == ALL && text.at == text.end ? TQ_OK : damaged(error);
}

/* --- what there must be of values --- */

static tq_status count_elements(struct array_file *file, tq_error *error) {
    uint64_t elements = 1;
    for (uint32_t i = 0; i < file->rank; i++) {
        if (file->shape[i] == 0)
            return array_fail(error, TQ_ERR_CORRUPT, "it holds no values");
        if (elements > UINT64_MAX / file->item / file->shape[i])
            return array_fail(error, TQ_ERR_CORRUPT, "its shape is impossibly large");
        elements *= file->shape[i];
    }
    file->elements = elements;
    return TQ_OK;
}

static tq_status check_size(const struct array_file *file, tq_error *error) {
    const uint64_t wanted = file->elements * file->item;
    const uint64_t there = file->size - (size_t)(file->data - (const uint8_t *)file->map);
    if (there < wanted)
        return array_fail(error, TQ_ERR_CORRUPT,
                          "it is truncated: its shape needs %" PRIu64 " bytes of values, and there "
                          "are %" PRIu64,
                          wanted, there);
    if (there > wanted)
        return array_fail(error, TQ_ERR_CORRUPT,
                          "it is longer than its shape says: %" PRIu64 " bytes of values instead "
                          "of %" PRIu64,
                          there, wanted);
    return TQ_OK;
}

static tq_status parse(struct array_file *file, tq_error *error) {
    static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
    const uint8_t *bytes = file->map;
    if (file->size < sizeof magic || memcmp(bytes, magic, sizeof magic) != 0)
        return array_fail(error, TQ_ERR_CORRUPT, "it is not a .npy file");
    if (file->size < 12)
        return array_fail(error, TQ_ERR_CORRUPT, "it is truncated: its header is not all there");
    if (bytes[6] < 1 || bytes[6] > 3)
        return array_fail(error, TQ_ERR_UNSUPPORTED,
                          "it is of version %d.%d of the .npy format, which is not known", bytes[6],
                          bytes[7]);
    uint64_t start = 10;
    uint64_t length = (uint64_t)bytes[8] | (uint64_t)bytes[9] << 8;
    if (bytes[6] > 1) {
        start = 12;
        length |= (uint64_t)bytes[10] << 16 | (uint64_t)bytes[11] << 24;
    }
    if (length > file->size - start)
        return array_fail(error, TQ_ERR_CORRUPT, "it is truncated: its header is not all there");
    const char *text = (const char *)bytes + start;
    file->data = bytes + start + length;
    tq_status status = take_header(file, (struct text){text, text + length}, error);
    if (status == TQ_OK)
        status = count_elements(file, error);
    return status == TQ_OK ? check_size(file, error) : status;
}

tq_status array_file_parse(struct array_file *file, const void *bytes, size_t size,
                           tq_error *error) {
    struct array_file view = {.map = (void *)(uintptr_t)bytes, .size = size};
    const tq_status status = parse(&view, error);
    view.map = NULL;
    if (status == TQ_OK)
        *file = view;
    return status;
}

tq_status array_file_describe(struct array_file *file, int32_t type, const uint64_t *shape,
                              uint32_t rank, tq_error *error) {
    const uint16_t one = 1;
    const uint32_t item = array_type_size(type);
    if (item == 0 || rank > ARRAY_RANK)
        return array_fail(error, TQ_ERR_UNSUPPORTED, "%s values can't be read from files",
                          tq_type_name(type));
    file->item = item;
    file->kind = type == ARRAY_FLOAT32 ? 'f'
                 : type == ARRAY_BOOL  ? 'b'
                 : type == ARRAY_UINT8 ? 'u'
                                       : 'i';
    file->is_big_endian = *(const uint8_t *)&one == 0;
    file->rank = rank;
    if (rank != 0)
        memcpy(file->shape, shape, rank * sizeof *shape);
    const tq_status status = count_elements(file, error);
    return status == TQ_OK ? check_size(file, error) : status;
}

/* --- files --- */

static bool has_ending(const char *path, const char *ending) {
    const size_t length = strlen(path);
    const size_t wanted = strlen(ending);
    return length > wanted && strcmp(path + length - wanted, ending) == 0;
}

bool array_file_has_ending(const char *path) {
    return has_ending(path, ".npy") || has_ending(path, ".raw") || has_ending(path, ".bin");
}

static tq_status refused(tq_error *error, tq_status status, const char *what) {
    const int code = errno;
    array_fail(error, status, "%s: %s", what, strerror(code));
    error->system_code = code;
    return status;
}

tq_status array_file_open(struct array_file *file, const char *path, tq_error *error) {
    struct stat info;
    *file = (struct array_file){.is_raw = !has_ending(path, ".npy")};
    /* Opening a pipe would wait for a writer. */
    if (stat(path, &info) != 0)
        return refused(error, TQ_ERR_OPEN, "can't be opened");
    if (!S_ISREG(info.st_mode))
        return array_fail(error, TQ_ERR_OPEN, "is not a regular file");
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 || fstat(descriptor, &info) != 0) {
        refused(error, TQ_ERR_OPEN, "can't be opened");
        if (descriptor >= 0)
            close(descriptor);
        return error->status;
    }
    if (info.st_size <= 0 || (uintmax_t)info.st_size > SIZE_MAX) {
        close(descriptor);
        return array_fail(error, TQ_ERR_CORRUPT,
                          info.st_size <= 0 ? "it is empty" : "it is too large");
    }
    void *map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (map == MAP_FAILED)
        refused(error, TQ_ERR_READ, "can't be read");
    close(descriptor);
    if (map == MAP_FAILED)
        return error->status;
    file->map = map;
    file->data = map;
    file->size = (size_t)info.st_size;
    const tq_status status = file->is_raw ? TQ_OK : parse(file, error);
    if (status != TQ_OK)
        array_file_close(file);
    return status;
}

void array_file_close(struct array_file *file) {
    if (file->map != NULL)
        munmap(file->map, file->size);
    *file = (struct array_file){.map = NULL};
}
