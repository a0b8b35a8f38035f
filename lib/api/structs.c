/* SPDX-License-Identifier: Apache-2.0 */
/* Structs that cross the ABI start with their size, as the caller knew it. */
#include <inttypes.h>
#include <string.h>

#include "api/model.h"
#include "api/stats.h"

tq_status tqi_read_options(void *known, size_t known_size, const void *given, const char *name,
                           tq_error *error) {
    if (!given)
        return TQ_OK;
    uint32_t size = tqi_load_u32(given);
    if (size < sizeof size)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "%s.struct_size is not set", name);
    const uint8_t *bytes = given;
    for (size_t i = known_size; i < size; i++)
        if (bytes[i] != 0)
            return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT,
                            "%s of %" PRIu32 " bytes sets options that this version (%zu bytes) "
                            "does not know",
                            name, size, known_size);
    memcpy(known, given, size < known_size ? size : known_size);
    uint32_t all = (uint32_t)known_size;
    memcpy(known, &all, sizeof all);
    return TQ_OK;
}

tq_status tqi_read_runner(const tq_runner *given, tq_runner *copy, const tq_runner **runner,
                          tq_error *error) {
    *copy = (tq_runner){sizeof *copy, 1, NULL, NULL};
    *runner = NULL;
    TQI_TRY(tqi_read_options(copy, sizeof *copy, given, "tq_runner", error));
    if (!given)
        return TQ_OK;
    if (!copy->run || copy->workers == 0)
        return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "tq_runner lacks `run` or `workers`");
    *runner = copy;
    return TQ_OK;
}

tq_status tqi_read_stats(tq_stats *const *stats, uint32_t n, const char *name, tq_error *error) {
    for (uint32_t i = 0; i < n; i++)
        if (!stats || !stats[i])
            return tqi_fail(error, TQ_ERR_INVALID_ARGUMENT, "%s.stats lacks one of n_stats", name);
    return n > 0 ? tqi_stats_allowed(error) : TQ_OK;
}

tq_status tqi_fill_struct(void *out, const void *result, size_t result_size) {
    if (!out)
        return TQ_ERR_INVALID_ARGUMENT;
    uint32_t size = tqi_load_u32(out);
    if (size < sizeof size)
        return TQ_ERR_INVALID_ARGUMENT;
    size_t known = size < result_size ? size : result_size;
    memset((uint8_t *)out + sizeof size, 0, size - sizeof size);
    memcpy((uint8_t *)out + sizeof size, (const uint8_t *)result + sizeof size,
           known - sizeof size);
    return TQ_OK;
}

tq_status tqi_give_error(tq_error *out, const tq_error *error, tq_status status) {
    if (out && status != TQ_OK) {
        tq_error complete = *error;
        complete.status = status;
        (void)tqi_fill_struct(out, &complete, sizeof complete);
    }
    return status;
}
