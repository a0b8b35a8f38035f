/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe/recipe_json.h"

#include <string.h>

#include "base/json.h"

enum { MOST_BYTES = 1 << 20, MOST_NAME = 255 };

typedef struct parser {
    tqi_json_text text;
    tq_recipe *recipe;
    const char *name; /* as the JSON has it; NULL: not */
    tq_error *error;
} parser;

typedef tq_status (*read_option)(parser *p, const tqi_json *value);

/* ---- what was meant ---- */

enum { MOST_WORD = 40 };

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Letters to be put in, taken out or changed. */
static size_t distance(const char *a, const char *b) {
    size_t row[MOST_WORD + 1], length = strlen(b);
    if (strlen(a) > MOST_WORD || length > MOST_WORD)
        return SIZE_MAX;
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < length; j++) {
            size_t changed = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = least(changed, least(row[j], row[j + 1]) + 1);
        }
    }
    return row[length];
}

typedef const char *(*name_at)(uint32_t index); /* NULL behind the last */

static const char *nearest(const char *word, name_at names) {
    const char *best = names(0);
    for (uint32_t i = 1; names(i); i++)
        if (distance(word, names(i)) < distance(word, best))
            best = names(i);
    return best;
}

static const char *preset_name(uint32_t index) {
    const tq_recipe *preset = tqi_preset(index);
    return preset ? preset->name : NULL;
}

/* ---- values ---- */

static tq_status bad(const parser *p, const tqi_json *value, const char *wanted) {
    return tqi_json_fail(&p->text, value->at, p->error, "\"%s\" has to be %s", value->key.text,
                         wanted);
}

/* As text without a NUL in it; NULL: it is none. */
static const char *plain_text(const tqi_json *value) {
    bool is_text =
        value->type == TQI_JSON_STRING && strlen(value->string.text) == value->string.length;
    return is_text ? value->string.text : NULL;
}

static tq_status read_preset(parser *p, const tqi_json *value) {
    const char *name = plain_text(value);
    if (!name)
        return bad(p, value, "the name of a built-in recipe");
    for (uint32_t i = 0; tqi_preset(i); i++) {
        if (strcmp(tqi_preset(i)->name, name) == 0) {
            *p->recipe = *tqi_preset(i);
            return TQ_OK;
        }
    }
    return tqi_json_fail(&p->text, value->at, p->error,
                         "there is no recipe '%.80s'; did you mean '%s'?", name,
                         nearest(name, preset_name));
}

static tq_status read_rounding(parser *p, const tqi_json *value) {
    static const char *const names[] = {"plain", "sums", "inputs"}; /* tqi_rounding */
    const char *name = plain_text(value);
    for (uint32_t i = 0; name && i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            p->recipe->rounding = (tqi_rounding)i;
            return TQ_OK;
        }
    }
    return bad(p, value, "\"plain\", \"sums\" or \"inputs\"");
}

static tq_status read_bias_correction(parser *p, const tqi_json *value) {
    if (value->type != TQI_JSON_BOOL)
        return bad(p, value, "true or false");
    p->recipe->corrects_biases = value->boolean;
    return TQ_OK;
}

static tq_status read_float_budget(parser *p, const tqi_json *value) {
    if (value->type != TQI_JSON_NUMBER || !(value->number >= 0 && value->number <= 1))
        return bad(p, value, "a number from 0 to 1");
    p->recipe->mixes = true;
    p->recipe->float_budget = value->number;
    return TQ_OK;
}

static tq_status read_name(parser *p, const tqi_json *value) {
    p->name = plain_text(value);
    return p->name && value->string.length <= MOST_NAME
               ? TQ_OK
               : bad(p, value, "a text of 255 bytes at most");
}

/* ---- the object ---- */

static const struct {
    const char *key;
    read_option read;
    bool about_int8;
} known[] = {
    {"recipe", read_preset, false},
    {"rounding", read_rounding, true},
    {"bias_correction", read_bias_correction, true},
    {"float_budget", read_float_budget, true},
    {"name", read_name, false},
};
enum { KNOWN = sizeof known / sizeof *known };

static const char *known_key(uint32_t index) {
    return index < KNOWN ? known[index].key : NULL;
}

static const tqi_json *find(const tqi_json *object, const char *key) {
    for (const tqi_json *member = object->first; member; member = member->next)
        if (strcmp(member->key.text, key) == 0)
            return member;
    return NULL;
}

static bool is_known(const tqi_json *member) {
    for (uint32_t i = 0; i < KNOWN; i++)
        if (strcmp(member->key.text, known[i].key) == 0)
            return strlen(member->key.text) == member->key.length;
    return false;
}

static tq_status check_keys(const parser *p, const tqi_json *root) {
    for (const tqi_json *member = root->first; member; member = member->next)
        if (!is_known(member))
            return tqi_json_fail(&p->text, member->key_at, p->error,
                                 "there is no key \"%.80s\"; did you mean \"%s\"?",
                                 member->key.text, nearest(member->key.text, known_key));
    if (!find(root, "recipe"))
        return tqi_json_fail(&p->text, root->at, p->error,
                             "\"recipe\" is missing: the built-in recipe to start from");
    return TQ_OK;
}

static tq_status check_built(const parser *p, const tqi_json *value) {
#ifdef TQI_HAVE_EXECUTOR
    (void)p, (void)value;
    return TQ_OK;
#else
    const tq_recipe *r = p->recipe;
    if (r->rounding == TQI_ROUND_PLAIN && !r->corrects_biases && r->float_budget == 0)
        return TQ_OK;
    tqi_json_text text = p->text;
    text.bad = TQ_ERR_UNSUPPORTED;
    return tqi_json_fail(&text, value->at, p->error,
                         "for \"%s\" the library has to run the model, and was built without its "
                         "executor",
                         value->key.text);
#endif
}

/* In the order of `known`, whatever that of the text is. */
static tq_status read_object(parser *p, const tqi_json *root) {
    for (uint32_t i = 0; i < KNOWN; i++) {
        const tqi_json *member = find(root, known[i].key);
        if (!member)
            continue;
        if (known[i].about_int8 && !tqi_recipe_makes_int8(p->recipe))
            return tqi_json_fail(&p->text, member->key_at, p->error,
                                 "\"%s\" is for recipes with int8 weights, and '%s' makes none",
                                 known[i].key, p->recipe->name);
        TQI_TRY(known[i].read(p, member));
        TQI_TRY(check_built(p, member));
    }
    return TQ_OK;
}

static tq_status read_text(parser *p, tqi_arena *arena) {
    const tqi_json *root;
    TQI_TRY(tqi_json_read(&p->text, &root, arena, p->error));
    if (root->type == TQI_JSON_ARRAY) {
        tqi_json_text text = p->text;
        text.bad = TQ_ERR_UNSUPPORTED;
        return tqi_json_fail(&text, root->at, p->error,
                             "a list of rules, as litert-quantizer has them, is not read yet; a "
                             "recipe is an object with the key \"recipe\"");
    }
    if (root->type != TQI_JSON_OBJECT)
        return tqi_json_fail(&p->text, root->at, p->error,
                             "a recipe is an object with the key \"recipe\"");
    TQI_TRY(check_keys(p, root));
    return read_object(p, root);
}

static tq_status copy(const parser *p, tqi_heap *heap, tq_recipe **recipe) {
    const char *name = p->name ? p->name : "";
    size_t length = strlen(name) + 1, size = sizeof **recipe + length;
    tq_recipe *made = tqi_alloc(heap, size);
    if (!made)
        return tqi_no_memory(heap, size, p->error);
    char *text = (char *)(made + 1);
    memcpy(text, name, length);
    *made = *p->recipe;
    made->name = text;
    made->size = size;
    *recipe = made;
    return TQ_OK;
}

tq_status tqi_recipe_parse(const char *json, size_t size, tqi_heap *heap, tq_recipe **recipe,
                           tq_error *error) {
    tq_recipe read = {0};
    parser p = {{json, size, TQ_ERR_BAD_RECIPE}, &read, NULL, error};
    if (size > MOST_BYTES)
        return tqi_fail(error, TQ_ERR_BAD_RECIPE, "a recipe of %zu bytes is too large: %d at most",
                        size, MOST_BYTES);
    tqi_arena arena;
    tqi_arena_init(&arena, heap);
    tq_status status = read_text(&p, &arena);
    if (status == TQ_OK)
        status = copy(&p, heap, recipe);
    tqi_arena_free(&arena);
    return status;
}
