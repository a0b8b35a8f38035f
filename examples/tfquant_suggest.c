/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_cli.h"

#include <string.h>

enum { SUGGESTIONS = 5 };
struct suggestions {
    const char *wanted;
    bool only_models;
    const char *paths[SUGGESTIONS];
    size_t likeness[SUGGESTIONS];
    uint32_t members;
};

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* How much two paths share at their ends; those that differ only in their folders come first. */
static size_t compare(const char *wanted, const char *path) {
    const size_t a = strlen(wanted);
    const size_t b = strlen(path);
    const size_t shorter = a < b ? a : b;
    size_t front = 0;
    size_t back = 0;
    if (strcmp(last_part(wanted), last_part(path)) == 0)
        return SIZE_MAX;
    while (front < shorter && wanted[front] == path[front])
        front++;
    while (back < shorter - front && wanted[a - 1 - back] == path[b - 1 - back])
        back++;
    return front + back;
}

static bool suggest(void *opaque, const struct cli_member *member) {
    struct suggestions *list = opaque;
    if (member->info.kind == TQ_MEMBER_DIRECTORY ||
        (list->only_models && member->info.kind != TQ_MEMBER_MODEL))
        return false;
    const size_t likeness = compare(list->wanted, member->info.path);
    uint32_t place = list->members < SUGGESTIONS ? list->members : SUGGESTIONS;
    list->members++;
    for (; place > 0 && list->likeness[place - 1] < likeness; place--) {
        if (place == SUGGESTIONS)
            continue;
        list->paths[place] = list->paths[place - 1];
        list->likeness[place] = list->likeness[place - 1];
    }
    if (place < SUGGESTIONS) {
        list->paths[place] = member->info.path;
        list->likeness[place] = likeness;
    }
    return false;
}

void cli_suggest(tq_model *bundle, const char *wanted, bool only_models) {
    struct suggestions list = {.wanted = wanted, .only_models = only_models};
    cli_each_member(bundle, suggest, &list);
    const uint32_t shown = list.members < SUGGESTIONS ? list.members : SUGGESTIONS;
    for (uint32_t i = 0; i < shown; i++) {
        fputs(i != 0 ? ", " : only_models ? "Models: " : "Members: ", stderr);
        cli_print_name(stderr, list.paths[i], 0);
    }
    if (list.members > shown)
        fputs(", ...; 'tfquant inspect' lists all", stderr);
    if (shown != 0)
        fputs(".\n", stderr);
}
