/* SPDX-License-Identifier: Apache-2.0 */
/*
 * make_layers OUT.tflite LAYERS WIDTH [holes]: a chain of FULLY_CONNECTED layers of WIDTH x
 * WIDTH float32 weights, as large as you like: the weights lie behind the flatbuffer. With
 * `holes` they are zeros, which take no space on most file systems, but for the first one of
 * each layer.
 */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tiny_flatbuffer.h"

enum { ALIGNMENT = 16, FULLY_CONNECTED = 9, FULLY_CONNECTED_OPTIONS = 8 };

/* Field sizes by id, from the schema; 0 leaves a field out. */
static const uint8_t model_fields[] = {4, 4, 4, 4, 4};
static const uint8_t code_fields[] = {1, 0, 4, 4};
static const uint8_t graph_fields[] = {4, 4, 4, 4, 4};
static const uint8_t tensor_fields[] = {4, 0, 4, 4};
static const uint8_t operator_fields[] = {0, 4, 4, 1, 4};
static const uint8_t outside_fields[] = {0, 8, 8};

#define TABLE(fb, fields) fb_table(fb, fields, sizeof fields)

static size_t tensor(struct fb *fb, const char *name, const int32_t *shape, uint32_t buffer) {
    size_t at = TABLE(fb, tensor_fields);
    fb_set32(fb, fb_field(fb, at, 2), buffer);
    fb_refer(fb, fb_field(fb, at, 0), fb_ints(fb, shape, 2));
    fb_refer(fb, fb_field(fb, at, 3), fb_string(fb, name));
    return at;
}

static void set64(struct fb *fb, size_t at, uint64_t value) {
    fb_set32(fb, at, (uint32_t)value);
    fb_set32(fb, at + 4, (uint32_t)(value >> 32));
}

/* Everything but the weights; `outside` gets the field of each weight's offset. */
static void write_tables(struct fb *fb, uint32_t layers, int32_t width, size_t *outside) {
    const int32_t row[] = {1, width}, matrix[] = {width, width};
    fb_start(fb, "TFL3");
    size_t model = TABLE(fb, model_fields);
    fb_refer(fb, 0, model);
    fb_set32(fb, fb_field(fb, model, 0), 3);
    fb_refer(fb, fb_field(fb, model, 3), fb_string(fb, "a chain of fully connected layers"));

    size_t codes = fb_vector(fb, 1, 4, 4);
    fb_refer(fb, fb_field(fb, model, 1), codes);
    size_t code = TABLE(fb, code_fields);
    fb_refer(fb, fb_element(codes, 4, 0), code);
    fb_set8(fb, fb_field(fb, code, 0), FULLY_CONNECTED);
    fb_set32(fb, fb_field(fb, code, 2), 6); /* without bias */
    fb_set32(fb, fb_field(fb, code, 3), FULLY_CONNECTED);

    size_t graphs = fb_vector(fb, 1, 4, 4);
    fb_refer(fb, fb_field(fb, model, 2), graphs);
    size_t graph = TABLE(fb, graph_fields);
    fb_refer(fb, fb_element(graphs, 4, 0), graph);
    fb_refer(fb, fb_field(fb, graph, 4), fb_string(fb, "main"));
    size_t tensors = fb_vector(fb, 2 * layers + 1, 4, 4);
    fb_refer(fb, fb_field(fb, graph, 0), tensors);
    size_t operators = fb_vector(fb, layers, 4, 4);
    fb_refer(fb, fb_field(fb, graph, 3), operators);
    const int32_t input = 0, output = (int32_t)(2 * layers);
    fb_refer(fb, fb_field(fb, graph, 1), fb_ints(fb, &input, 1));
    fb_refer(fb, fb_field(fb, graph, 2), fb_ints(fb, &output, 1));
    fb_refer(fb, fb_element(tensors, 4, 0), tensor(fb, "input", row, 0));

    size_t buffers = fb_vector(fb, layers + 1, 4, 4);
    fb_refer(fb, fb_field(fb, model, 4), buffers);
    fb_refer(fb, fb_element(buffers, 4, 0), fb_table(fb, NULL, 0));
    for (uint32_t i = 0; i < layers; i++) {
        char name[32];
        snprintf(name, sizeof name, "layer_%" PRIu32 "/weights", i);
        fb_refer(fb, fb_element(tensors, 4, 2 * i + 1), tensor(fb, name, matrix, i + 1));
        snprintf(name, sizeof name, "layer_%" PRIu32 "/output", i);
        fb_refer(fb, fb_element(tensors, 4, 2 * i + 2), tensor(fb, name, row, 0));
        size_t op = TABLE(fb, operator_fields);
        fb_refer(fb, fb_element(operators, 4, i), op);
        const int32_t inputs[] = {(int32_t)(2 * i), (int32_t)(2 * i + 1), -1};
        const int32_t made = (int32_t)(2 * i + 2);
        fb_refer(fb, fb_field(fb, op, 1), fb_ints(fb, inputs, 3));
        fb_refer(fb, fb_field(fb, op, 2), fb_ints(fb, &made, 1));
        fb_set8(fb, fb_field(fb, op, 3), FULLY_CONNECTED_OPTIONS);
        fb_refer(fb, fb_field(fb, op, 4), fb_table(fb, NULL, 0));
        size_t buffer = TABLE(fb, outside_fields);
        fb_refer(fb, fb_element(buffers, 4, i + 1), buffer);
        outside[i] = fb_field(fb, buffer, 1);
        set64(fb, fb_field(fb, buffer, 2), 4 * (uint64_t)width * (uint64_t)width);
    }
}

static uint32_t next_random(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Roughly bell-shaped, with the spread that keeps activations in bounds. */
static void fill_row(float *row, int32_t width, float scale, uint32_t *state) {
    for (int32_t i = 0; i < width; i++) {
        uint32_t bits = next_random(state);
        int32_t sum = (int32_t)(bits & 0xff) + (int32_t)(bits >> 8 & 0xff) +
                      (int32_t)(bits >> 16 & 0xff) + (int32_t)(bits >> 24) - 510;
        row[i] = (float)sum * scale;
    }
}

static int write_weights(FILE *file, uint64_t rows, int32_t width) {
    float *row = calloc((size_t)width, sizeof *row);
    uint32_t state = 2463534242u;
    int ok = row != NULL;
    for (uint64_t i = 0; ok && i < rows; i++) {
        fill_row(row, width, 0.05f / (float)width, &state);
        ok = fwrite(row, sizeof *row, (size_t)width, file) == (size_t)width;
    }
    free(row);
    return ok;
}

static int write_model(FILE *file, uint32_t layers, int32_t width, int holes) {
    struct fb fb;
    size_t *outside = calloc(layers, sizeof *outside);
    if (!outside)
        return 0;
    write_tables(&fb, layers, width, outside);
    uint64_t start = (fb.size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    uint64_t rows = layers * (uint64_t)width, row = 4 * (uint64_t)width;
    for (uint32_t i = 0; i < layers; i++)
        set64(&fb, outside[i], start + i * (row * (uint64_t)width));
    static const char zeros[ALIGNMENT];
    int ok = !fb.failed && fwrite(fb.bytes, 1, fb.size, file) == fb.size &&
             fwrite(zeros, 1, (size_t)(start - fb.size), file) == start - fb.size;
    for (uint32_t i = 0; ok && holes && i < layers; i++) {
        float first = (float)(i + 1);
        ok = fseeko(file, (off_t)(start + i * row * (uint64_t)width), SEEK_SET) == 0 &&
             fwrite(&first, sizeof first, 1, file) == 1;
    }
    if (ok && holes)
        ok = fseeko(file, (off_t)(start + rows * row - 1), SEEK_SET) == 0 && fputc(0, file) == 0;
    else if (ok)
        ok = write_weights(file, rows, width);
    fb_free(&fb);
    free(outside);
    return ok;
}

int main(int argc, char **argv) {
    int holes = argc == 5 && strcmp(argv[4], "holes") == 0;
    long layers = argc == 4 || holes ? strtol(argv[2], NULL, 10) : 0;
    long width = argc == 4 || holes ? strtol(argv[3], NULL, 10) : 0;
    if (layers < 1 || layers > 100000 || width < 1 || width > 65536) {
        fprintf(stderr, "usage: make_layers OUT.tflite LAYERS WIDTH [holes]\n");
        return 2;
    }
    FILE *file = fopen(argv[1], "wb");
    int ok = file && write_model(file, (uint32_t)layers, (int32_t)width, holes);
    if (file && fclose(file) != 0)
        ok = 0;
    if (!ok) {
        perror(argv[1]);
        remove(argv[1]);
    }
    return !ok;
}
