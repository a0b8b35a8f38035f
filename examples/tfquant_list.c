/* SPDX-License-Identifier: Apache-2.0 */
/* What the library has by name. */
#include "tfquant_cli.h"

#include <string.h>

static void list_json(const struct cli_options *options, const struct cli_listing *listing) {
    struct json_out json;
    struct cli_listed listed;
    cli_json_begin(&json, options, stdout);
    json_key(&json, listing->key);
    json_open(&json, '[');
    for (uint32_t i = 0; listing->get(i, &listed); i++) {
        json_open(&json, '{');
        json_put_string(&json, "name", listed.name);
        json_put_bool(&json, "default", listed.is_default);
        json_put_string(&json, "summary", listed.summary);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    cli_json_end(&json);
}

static void list_text(const struct cli_listing *listing) {
    struct cli_listed listed;
    int width = 0;
    for (uint32_t i = 0; listing->get(i, &listed); i++) {
        const int length = (int)strlen(listed.name);
        if (length > width)
            width = length;
    }
    for (uint32_t i = 0; listing->get(i, &listed); i++)
        printf("%-*s  %s%s\n", width, listed.name, listed.summary,
               listed.is_default ? listing->if_default : listing->if_not);
}

enum cli_exit cli_list(const struct cli_options *options, const struct cli_listing *listing) {
    if (options->json)
        list_json(options, listing);
    else
        list_text(listing);
    return cli_finish_output(stdout, CLI_DONE);
}
