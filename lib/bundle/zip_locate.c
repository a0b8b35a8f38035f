/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/checked.h"
#include "bundle/zip_format.h"
#include "bundle/zip_private.h"

/* their pieces are counted in 32 bits */
enum { MAX_MEMBERS = 1 << 28 };

enum { MAX_SEARCHED_END64 = 1024, MAX_END64 = 1 << 16 };

/* [offset, offset + size) lies in the archive's range */
static bool is_inside(const tqi_zip *zip, uint64_t offset, uint64_t size) {
    return offset >= zip->whole.offset &&
           tqi_in_range(offset - zip->whole.offset, size, zip->whole.size);
}

static bool has_signature(const tqi_zip *zip, uint64_t offset, uint32_t signature) {
    return tqi_load_u32(tqi_zip_at(zip, offset)) == signature;
}

/* ---- the end record ---- */

static uint64_t comment_end(const tqi_zip *zip, uint64_t at) {
    return at + ZIP_END_SIZE + tqi_load_u16(tqi_zip_at(zip, at) + END_COMMENT_LENGTH);
}

/* The last record in [first, last] whose comment ends where the archive ends, or else the last
 * whose comment ends before. */
static bool search_end(const tqi_zip *zip, uint64_t first, uint64_t last, uint64_t *found) {
    uint64_t end = tqi_zip_range_end(zip->whole);
    bool loose = false;
    for (uint64_t at = last + 1; at-- > first;) {
        if (!has_signature(zip, at, ZIP_END) || comment_end(zip, at) > end)
            continue;
        if (comment_end(zip, at) == end || !loose)
            *found = at;
        if (comment_end(zip, at) == end)
            return true;
        loose = true;
    }
    return loose;
}

/* Anything but padding behind the end may be the rest of an archive that was cut within a
 * member that is an archive itself. */
static tq_status check_behind_end(tqi_zip *zip, tq_error *error) {
    uint64_t at = tqi_zip_range_end(zip->end);
    zip->behind_end = (tqi_zip_range){at, tqi_zip_range_end(zip->whole) - at};
    for (; at < tqi_zip_range_end(zip->behind_end); at++)
        if (*tqi_zip_at(zip, at) != 0)
            return tqi_fail_at(error, TQ_ERR_CORRUPT, at,
                               "the ZIP archive goes on behind its end record");
    return TQ_OK;
}

static tq_status find_end(tqi_zip *zip, tq_error *error) {
    uint64_t size = zip->whole.size, at = 0;
    uint64_t most = tqi_min_u64(size, ZIP_END_SIZE + ZIP_MAX16);
    uint64_t end = tqi_zip_range_end(zip->whole);
    bool found = false;
    if (size >= ZIP_END_SIZE) {
        uint64_t last = end - ZIP_END_SIZE;
        TQI_TRY(tqi_source_load(zip->source, last, ZIP_END_SIZE, error));
        found = has_signature(zip, last, ZIP_END) && comment_end(zip, last) == end;
        at = last;
        if (!found) {
            TQI_TRY(tqi_source_load(zip->source, end - most, most, error));
            found = search_end(zip, end - most, last, &at);
        }
    }
    if (!found)
        return tqi_fail_at(error, TQ_ERR_CORRUPT, end,
                           "the ZIP archive has no end record: truncated?");
    zip->end = (tqi_zip_range){at, comment_end(zip, at) - at};
    zip->comment = (tqi_zip_range){at + ZIP_END_SIZE, zip->end.size - ZIP_END_SIZE};
    return check_behind_end(zip, error);
}

/* ---- ZIP64's ---- */

static tq_status is_end64(const tqi_zip *zip, uint64_t at, bool *is, tq_error *error) {
    uint64_t locator = zip->end.offset - ZIP_LOCATOR_SIZE;
    *is = false;
    if (!is_inside(zip, at, ZIP_END64_SIZE) || at + ZIP_END64_SIZE > locator ||
        locator - at > MAX_END64)
        return TQ_OK;
    TQI_TRY(tqi_source_load(zip->source, at, ZIP_END64_SIZE, error));
    *is = has_signature(zip, at, ZIP_END64) &&
          tqi_load_u64(tqi_zip_at(zip, at) + END64_LENGTH) == locator - at - END64_LENGTH - 8;
    return TQ_OK;
}

static tq_status take_end64(tqi_zip *zip, uint64_t at, tq_error *error) {
    zip->locator = (tqi_zip_range){zip->end.offset - ZIP_LOCATOR_SIZE, ZIP_LOCATOR_SIZE};
    zip->end64 = (tqi_zip_range){at, zip->locator.offset - at};
    return tqi_source_load(zip->source, at, zip->end64.size, error);
}

/* The locator's offset may be counted from either start, or be shifted: then the record is
 * before the locator, and short. */
static tq_status find_end64(tqi_zip *zip, tq_error *error) {
    uint64_t end = zip->end.offset, room = end - zip->whole.offset;
    if (room < ZIP_LOCATOR_SIZE + ZIP_END64_SIZE)
        return TQ_OK;
    uint64_t locator = end - ZIP_LOCATOR_SIZE;
    TQI_TRY(tqi_source_load(zip->source, locator, ZIP_LOCATOR_SIZE, error));
    if (!has_signature(zip, locator, ZIP_LOCATOR))
        return TQ_OK;
    uint64_t told = tqi_load_u64(tqi_zip_at(zip, locator) + LOCATOR_OFFSET);
    bool is;
    TQI_TRY(is_end64(zip, zip->whole.offset + told, &is, error));
    if (is)
        return take_end64(zip, zip->whole.offset + told, error);
    TQI_TRY(is_end64(zip, told, &is, error));
    if (is)
        return take_end64(zip, told, error);
    uint64_t most = tqi_min_u64(room - ZIP_LOCATOR_SIZE, MAX_SEARCHED_END64);
    for (uint64_t size = ZIP_END64_SIZE; size <= most; size++) {
        TQI_TRY(is_end64(zip, locator - size, &is, error));
        if (is)
            return take_end64(zip, locator - size, error);
    }
    return TQ_OK;
}

static tq_status refuse_disks(const tqi_zip *zip, tq_error *error) {
    return tqi_fail_at(error, TQ_ERR_UNSUPPORTED, zip->end.offset,
                       "the ZIP archive is one part of several");
}

static tq_status read_end(const tqi_zip *zip, tqi_zip_claim *claim, tq_error *error) {
    const uint8_t *end = tqi_zip_at(zip, zip->end.offset);
    *claim = (tqi_zip_claim){tqi_load_u16(end + END_ENTRIES), tqi_load_u32(end + END_SIZE),
                             tqi_load_u32(end + END_OFFSET)};
    bool wide = zip->end64.size > 0;
    uint32_t disk = tqi_load_u16(end + END_DISK);
    uint32_t directory = tqi_load_u16(end + END_DIRECTORY_DISK);
    if ((disk != 0 && !(wide && disk == ZIP_MAX16)) ||
        (directory != 0 && !(wide && directory == ZIP_MAX16)) ||
        tqi_load_u16(end + END_ENTRIES_HERE) != claim->entries)
        return refuse_disks(zip, error);
    return TQ_OK;
}

static bool agrees(uint64_t narrow, uint64_t most, uint64_t wide) {
    return narrow == most || narrow == wide;
}

static tq_status read_end64(const tqi_zip *zip, tqi_zip_claim *claim, tq_error *error) {
    const uint8_t *end = tqi_zip_at(zip, zip->end64.offset);
    tqi_zip_claim wide = {tqi_load_u64(end + END64_ENTRIES), tqi_load_u64(end + END64_SIZE),
                          tqi_load_u64(end + END64_OFFSET)};
    uint32_t disks = tqi_load_u32(tqi_zip_at(zip, zip->locator.offset) + LOCATOR_DISKS);
    if (tqi_load_u32(end + END64_DISK) != 0 || tqi_load_u32(end + END64_DIRECTORY_DISK) != 0 ||
        tqi_load_u64(end + END64_ENTRIES_HERE) != wide.entries || disks > 1 ||
        tqi_load_u32(tqi_zip_at(zip, zip->locator.offset) + LOCATOR_DISK) != 0)
        return refuse_disks(zip, error);
    if (!agrees(claim->entries, ZIP_MAX16, wide.entries) ||
        !agrees(claim->size, ZIP_MAX32, wide.size) ||
        !agrees(claim->offset, ZIP_MAX32, wide.offset))
        return tqi_fail_at(error, TQ_ERR_CORRUPT, zip->end.offset,
                           "the two end records of the ZIP archive contradict each other");
    *claim = wide;
    return TQ_OK;
}

/* ---- the directory ---- */

/* It ends where the end record starts, whatever its offset says, or else it is where the
 * offset says, counted from either start. */
static tq_status find_directory(tqi_zip *zip, const tqi_zip_claim *claim, tq_error *error) {
    uint64_t end = zip->end64.size > 0 ? zip->end64.offset : zip->end.offset;
    uint64_t guesses[] = {end - claim->size, zip->whole.offset + claim->offset, claim->offset};
    for (int i = 0; i < 3; i++) {
        uint64_t at = guesses[i];
        if (!is_inside(zip, at, claim->size) || at + claim->size > end)
            continue;
        if (claim->size >= ZIP_CENTRAL_SIZE) {
            TQI_TRY(tqi_source_load(zip->source, at, 4, error));
            if (!has_signature(zip, at, ZIP_CENTRAL))
                continue;
        }
        zip->directory = (tqi_zip_range){at, claim->size};
        zip->before_end = (tqi_zip_range){at + claim->size, end - at - claim->size};
        zip->base = at - claim->offset;
        zip->from_file = zip->base == 0 && zip->whole.offset != 0;
        return TQ_OK;
    }
    return tqi_fail_at(error, TQ_ERR_CORRUPT, zip->end.offset,
                       "the ZIP archive's directory of %" PRIu64 " bytes is not where its end "
                       "record says",
                       claim->size);
}

tq_status tqi_zip_locate(tqi_zip *zip, tqi_zip_claim *claim, tq_error *error) {
    TQI_TRY(find_end(zip, error));
    TQI_TRY(find_end64(zip, error));
    TQI_TRY(read_end(zip, claim, error));
    if (zip->end64.size > 0)
        TQI_TRY(read_end64(zip, claim, error));
    if (claim->entries > claim->size / ZIP_CENTRAL_SIZE || claim->entries > MAX_MEMBERS)
        return tqi_fail_at(error, TQ_ERR_CORRUPT, zip->end.offset,
                           "the ZIP archive claims %" PRIu64 " members in a directory of %" PRIu64
                           " bytes",
                           claim->entries, claim->size);
    return find_directory(zip, claim, error);
}

/* Without a record of a member the end record has to be a likely one. */
static bool is_likely(const tqi_zip *zip, const tqi_zip_claim *claim) {
    if (claim->entries > 0)
        return true;
    return claim->size == 0 && zip->behind_end.size == 0;
}

tq_status tqi_zip_probe(tqi_source *source, uint64_t offset, uint64_t size, bool *is_zip,
                        tq_error *error) {
    tqi_zip zip = {.source = source, .whole = {offset, size}};
    tqi_zip_claim claim;
    tq_error why = TQ_ERROR_INIT;
    *is_zip = false;
    if (!tqi_in_range(offset, size, source->size))
        return tqi_fail(error, TQ_ERR_INTERNAL, "a ZIP archive beyond the end of its source");
    tq_status status = tqi_zip_locate(&zip, &claim, &why);
    if (status == TQ_OK)
        *is_zip = is_likely(&zip, &claim);
    else if (status != TQ_ERR_CORRUPT && status != TQ_ERR_UNSUPPORTED)
        *error = why;
    else
        status = TQ_OK;
    return status;
}
