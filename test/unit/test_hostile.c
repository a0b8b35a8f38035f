/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged and made-up files through the public API: a status and a message that says where, never
 * a crash, never much memory. TFQUANT_TEST_STEP in the environment tries every n-th place only. */
#include "sample_models.h"

#include <stdlib.h>
#include <string.h>

#include "graph_reader.h"

static tq_recipe *recipes[UNIT_RECIPES];
static watch memory;

static int set_up(void **state) {
    (void)state;
    for (size_t i = 0; i < UNIT_RECIPES; i++)
        assert_int_equal(tq_recipe_create(unit_recipes[i], &recipes[i], NULL), TQ_OK);
    return 0;
}

static size_t step(size_t otherwise) {
    const char *given = getenv("TFQUANT_TEST_STEP");
    return given ? (size_t)strtoul(given, NULL, 10) : otherwise;
}

static void check_refusal(tq_status status, const tq_error *error, size_t size, bool saving) {
    static const tq_status at_load[] = {TQ_ERR_NOT_A_MODEL, TQ_ERR_CORRUPT, TQ_ERR_UNSUPPORTED,
                                        TQ_ERR_TOO_LARGE};
    bool known = false;
    for (size_t i = 0; i < COUNT(at_load); i++)
        known = known || status == at_load[i];
    if (!known)
        fail_msg("%s at %s: %s", tq_status_name(status), saving ? "saving" : "loading",
                 error->message);
    assert_int_equal(error->status, status);
    assert_message(error);
    assert_true(error->offset <= size || error->offset == TQ_NO_OFFSET);
    if (!saving)
        assert_true(error->offset != TQ_NO_OFFSET);
}

static tq_status load_watched(const uint8_t *data, size_t size, tq_model **model) {
    tq_load_options options = TQ_LOAD_OPTIONS_INIT;
    tq_error error = TQ_ERROR_INIT;
    memory = (watch){.ceiling = 64 * (uint64_t)size + (4 << 20)};
    tq_allocator allocator = watched(&memory);
    options.allocator = &allocator;
    tq_status status = tq_load_memory(data, size, &options, model, &error);
    if (status != TQ_OK) {
        check_refusal(status, &error, size, false);
        assert_true(memory.held == 0);
    }
    return status;
}

static void check_output(const void *data, uint64_t size) {
    tq_model *again = NULL;
    tq_error error = TQ_ERROR_INIT;
    assert_ok(tq_load_memory(data, size, NULL, &again, &error), &error);
    tq_model_free(again);
}

static void save_quantized(const tq_model *model, const tq_recipe *recipe, size_t size) {
    tq_error error = TQ_ERROR_INIT;
    tq_model *result = NULL;
    tq_status status = tq_quantize(model, recipe, NULL, &result, &error);
    if (status != TQ_OK) {
        check_refusal(status, &error, size, true);
        return;
    }
    void *data = NULL;
    uint64_t written = 0;
    status = tq_save_memory(result, NULL, &data, &written, &error);
    if (status == TQ_OK) {
        check_output(data, written);
        tq_memory_free(result, data, written);
    } else {
        check_refusal(status, &error, size, true);
    }
    tq_model_free(result);
}

/* Reads all that inspecting gives. */
static void look_around(const tq_model *model) {
    tq_subgraph_info subgraph = {.struct_size = sizeof subgraph};
    tq_tensor_info tensor = {.struct_size = sizeof tensor};
    tq_operator_info op = {.struct_size = sizeof op};
    size_t seen = 0;
    for (uint32_t i = 0; tq_get_subgraph_info(model, i, &subgraph) == TQ_OK; i++) {
        for (uint32_t j = 0; tq_get_tensor_info(model, i, j, &tensor) == TQ_OK; j++) {
            seen += strlen(tensor.name);
            for (uint32_t k = 0; k < tensor.rank; k++)
                seen += tensor.shape[k] != 0;
            for (uint32_t k = 0; tensor.scale && k < tensor.scales; k++)
                seen += tensor.scale[k] > 0;
        }
        for (uint32_t j = 0; tq_get_operator_info(model, i, j, &op) == TQ_OK; j++)
            for (uint32_t k = 0; k < op.inputs; k++)
                assert_true(op.input_tensors[k] < (int32_t)subgraph.tensors);
    }
    assert_true(seen < SIZE_MAX);
}

/* `data` is an exact block, so that a sanitizer sees a read beyond it. */
static void try_all(const uint8_t *data, size_t size) {
    tq_model *model = NULL;
    if (load_watched(data, size, &model) != TQ_OK)
        return;
    look_around(model);
    for (size_t i = 0; i < UNIT_RECIPES; i++)
        save_quantized(model, recipes[i], size);
    tq_model_free(model);
    assert_true(memory.held == 0 && memory.wrong == 0);
}

/* ---- files that are no models ---- */

static void no_models(void **state) {
    (void)state;
    static const char *const texts[] = {"",
                                        "P",
                                        "PK",
                                        "TFL",
                                        "TFL3",
                                        "TFL3TFL3",
                                        "1234TFL",
                                        "1234TFL3",
                                        "\x14\0\0\0TFL2",
                                        "#!/bin/sh\nexit 0\n",
                                        "PK\3\4............................"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        size_t size = strlen(texts[i]);
        uint8_t *copy = malloc(size ? size : 1);
        memcpy(copy, texts[i], size);
        tq_model *model = NULL;
        tq_status status = load_watched(copy, size, &model);
        bool named = (size >= 8 && memcmp(texts[i] + 4, "TFL3", 4) == 0) ||
                     (size >= 4 && memcmp(texts[i], "PK\3\4", 4) == 0);
        assert_int_equal(status, named ? TQ_ERR_CORRUPT : TQ_ERR_NOT_A_MODEL);
        assert_null(model);
        free(copy);
    }
    tq_error error = TQ_ERROR_INIT;
    tq_model *model = NULL;
    assert_failed(TQ_ERR_CORRUPT, tq_load_memory("PK\3\4 and so on", 14, NULL, &model, &error),
                  &error);
    assert_non_null(strstr(error.message, "ZIP"));
}

static void every_short_file(void **state) {
    (void)state;
    bytes model = sample_everything(true);
    for (size_t size = 0; size <= 8; size++) {
        uint8_t *copy = malloc(size ? size : 1);
        memcpy(copy, model.data, size);
        tq_model *out = NULL;
        assert_int_not_equal(load_watched(copy, size, &out), TQ_OK);
        free(copy);
    }
    free(model.data);
}

/* ---- truncated ---- */

static void truncate_all(bytes model, size_t by) {
    size_t whole = 0;
    for (size_t size = 0; size < model.size; size += by) {
        uint8_t *copy = malloc(size ? size : 1);
        memcpy(copy, model.data, size);
        tq_model *out = NULL;
        if (load_watched(copy, size, &out) == TQ_OK) {
            tq_model_free(out); /* only something behind the flatbuffer is gone */
            whole++;
        }
        free(copy);
    }
    assert_true(whole <= 256);
    free(model.data);
}

static void truncated_everything(void **state) {
    (void)state;
    truncate_all(sample_everything(false), 1);
    truncate_all(sample_everything(true), 1);
}

static void truncated_float32(void **state) {
    (void)state;
    truncate_all(float32_model(), step(UNIT_SLOW ? 37 : 3));
}

static void truncated_float16(void **state) {
    (void)state;
    truncate_all(float16_model(), step(UNIT_SLOW ? 41 : 5));
}

/* ---- bytes changed ---- */

/* Marks what is not bulk data: true where a change can matter to the structure. */
static bool *tables_of(bytes model) {
    bool *tables = malloc(model.size * sizeof *tables);
    memset(tables, 1, model.size * sizeof *tables);
    reader r;
    reader_open(&r, model);
    for (uint32_t i = 0; i < r.graph.n_buffers; i++) {
        const tqi_content *content = &r.graph.buffers[i].content;
        if (content->size > 0)
            memset(tables + content->offset, 0, (size_t)content->size * sizeof *tables);
    }
    reader_close(&r);
    return tables;
}

static void change_all(bytes model, size_t by, size_t by_in_bulk) {
    bool *tables = tables_of(model);
    size_t since_table = 0, since_bulk = 0;
    for (size_t i = 0; i < model.size; i++) {
        if (tables[i] ? since_table++ % by : since_bulk++ % by_in_bulk)
            continue;
        uint8_t was = model.data[i];
        const uint8_t values[] = {was ^ 0x01, was ^ 0x80, (uint8_t)~was, 0};
        for (size_t j = 0; j < COUNT(values); j++) {
            model.data[i] = values[j];
            if (values[j] != was)
                try_all(model.data, model.size);
        }
        model.data[i] = was;
    }
    free(tables);
    free(model.data);
}

static void changed_everything(void **state) {
    (void)state;
    change_all(sample_everything(false), step(UNIT_SLOW ? 5 : 1), 16);
    change_all(sample_everything(true), step(UNIT_SLOW ? 7 : 1), 16);
}

static void changed_float32(void **state) {
    (void)state;
    change_all(float32_model(), step(UNIT_SLOW ? 61 : 5), 6007);
}

static void changed_float16(void **state) {
    (void)state;
    change_all(float16_model(), step(UNIT_SLOW ? 67 : 7), 3001);
}

/* Words at once: offsets, counts and indices with values that are just wrong. */
static void changed_words(void **state) {
    (void)state;
    static const uint32_t values[] = {1,         UINT32_MAX, 0x7fffffffu, 0x80000000u,
                                      0xffffff0, 100,        65536};
    bytes model = sample_everything(true);
    for (size_t i = 0; i + 4 <= model.size; i += 4 * step(UNIT_SLOW ? 3 : 1)) {
        uint32_t was;
        memcpy(&was, model.data + i, sizeof was);
        for (size_t j = 0; j < COUNT(values); j++) {
            memcpy(model.data + i, &values[j], sizeof was);
            try_all(model.data, model.size);
        }
        memcpy(model.data + i, &was, sizeof was);
    }
    free(model.data);
}

/* ---- through a callback, where only what is looked at is there ---- */

static int32_t read_bytes(void *opaque, uint64_t offset, void *data, size_t size) {
    const bytes *b = opaque;
    if (offset > b->size || size > b->size - offset)
        return -1;
    memcpy(data, b->data + offset, size);
    return 0;
}

static tq_status save_if_possible(tq_model *model, bytes *output, tq_error *error) {
    tq_model *result = NULL;
    void *data = NULL;
    uint64_t size = 0;
    *output = (bytes){NULL, 0};
    tq_status status = tq_quantize(model, recipes[0], NULL, &result, error);
    if (status == TQ_OK)
        status = tq_save_memory(result, NULL, &data, &size, error);
    if (status == TQ_OK) {
        *output = (bytes){malloc((size_t)size), (size_t)size};
        memcpy(output->data, data, output->size);
        tq_memory_free(result, data, size);
    }
    tq_model_free(result);
    tq_model_free(model);
    return status;
}

static void same_through_a_callback(bytes file) {
    tq_source source = {sizeof source, 0, &file, file.size, read_bytes};
    tq_error error = TQ_ERROR_INIT, expected = TQ_ERROR_INIT;
    tq_model *plain = NULL, *called = NULL;
    bytes a, b;
    tq_status status = tq_load_memory(file.data, file.size, NULL, &plain, &expected);
    assert_int_equal(tq_load_source(&source, NULL, &called, &error), status);
    if (status == TQ_OK) {
        status = save_if_possible(plain, &a, &expected);
        assert_int_equal(save_if_possible(called, &b, &error), status);
        assert_true(status != TQ_OK || same_bytes(a, b));
        free(a.data);
        free(b.data);
    }
    assert_memory_equal(&error, &expected, sizeof error);
}

static void changed_behind_a_callback(void **state) {
    (void)state;
    for (int code = 0; code < 2; code++) {
        bytes model = sample_everything(code);
        for (size_t i = 0; i < model.size; i += step(UNIT_SLOW ? 7 : 3)) {
            uint8_t was = model.data[i];
            model.data[i] = was ^ 0x05;
            same_through_a_callback(model);
            if (i > 0)
                same_through_a_callback((bytes){model.data, i});
            model.data[i] = was;
        }
        free(model.data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_models),
        cmocka_unit_test(every_short_file),
        cmocka_unit_test(truncated_everything),
        cmocka_unit_test(truncated_float32),
        cmocka_unit_test(truncated_float16),
        cmocka_unit_test(changed_everything),
        cmocka_unit_test(changed_words),
        cmocka_unit_test(changed_float32),
        cmocka_unit_test(changed_float16),
        cmocka_unit_test(changed_behind_a_callback),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
