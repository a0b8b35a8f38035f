/* SPDX-License-Identifier: Apache-2.0 */
/* tq_save_file(): an output is either untouched or whole, and nothing else is left behind. */
#define _XOPEN_SOURCE 700
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const char old[] = "what was there before";

typedef struct fixture {
    bytes source, expected;
    tq_model *model, *result;
} fixture;

static int set_up(void **state) {
    static fixture f;
    scratch_begin();
    f.source = float32_model();
    write_file(scratch_path("in"), f.source.data, f.source.size);
    tq_error error = TQ_ERROR_INIT;
    f.model = NULL;
    assert_ok(tq_load_file(scratch_path("in"), NULL, &f.model, &error), &error);
    f.result = quantized(f.model, "dynamic_wi8_afp32");
    f.expected = convert(f.source, "dynamic_wi8_afp32");
    *state = &f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    tq_model_free(f->result);
    tq_model_free(f->model);
    free(f->source.data);
    free(f->expected.data);
    scratch_end();
    return 0;
}

static tq_status save_to(fixture *f, const char *path, uint32_t flags, tq_error *error) {
    tq_save_options options = TQ_SAVE_OPTIONS_INIT;
    options.flags = flags;
    *error = (tq_error)TQ_ERROR_INIT;
    return tq_save_file(f->result, path, &options, error);
}

static void assert_file(const char *path, const void *data, size_t size) {
    bytes found = read_file(path);
    assert_true(same_bytes(found, (bytes){(uint8_t *)(uintptr_t)data, size}));
    free(found.data);
}

/* The directory holds the model, and `more` files. */
static void assert_tidy(int more) {
    assert_int_equal(scratch_files(), 1 + more);
}

static void writes_what_memory_gives(void **state) {
    fixture *f = *state;
    tq_error error;
    assert_ok(save_to(f, scratch_path("out"), 0, &error), &error);
    assert_file(scratch_path("out"), f->expected.data, f->expected.size);
    assert_tidy(1);
    /* a new file has the permissions that any program's would have */
    struct stat info;
    mode_t mask = umask(0);
    umask(mask);
    assert_int_equal(stat(scratch_path("out"), &info), 0);
    assert_int_equal(info.st_mode & 07777, 0666 & ~mask);
}

static void replaces_only_when_told(void **state) {
    fixture *f = *state;
    tq_error error;
    write_file(scratch_path("out"), old, sizeof old);
    assert_failed(TQ_ERR_EXISTS, save_to(f, scratch_path("out"), 0, &error), &error);
    assert_file(scratch_path("out"), old, sizeof old);
    assert_tidy(1);
    assert_ok(save_to(f, scratch_path("out"), TQ_SAVE_OVERWRITE | TQ_SAVE_SYNC, &error), &error);
    assert_file(scratch_path("out"), f->expected.data, f->expected.size);
    assert_tidy(1);
}

static void keeps_the_mode(void **state) {
    fixture *f = *state;
    static const mode_t modes[] = {0600, 0640, 0444, 0755, 0};
    for (size_t i = 0; i < COUNT(modes); i++) {
        tq_error error;
        struct stat info;
        write_file(scratch_path("out"), old, sizeof old);
        assert_int_equal(chmod(scratch_path("out"), modes[i]), 0);
        assert_ok(save_to(f, scratch_path("out"), TQ_SAVE_OVERWRITE, &error), &error);
        assert_int_equal(stat(scratch_path("out"), &info), 0);
        assert_int_equal(info.st_mode & 07777, modes[i]);
        assert_int_equal(unlink(scratch_path("out")), 0);
    }
}

/* ---- failures on the way ---- */

typedef struct cancel {
    uint64_t at; /* cancels at this share of 16 of the work */
    bool files;  /* seen: more than one file in the directory */
} cancel;

static int32_t cancelling(void *opaque, uint64_t done, uint64_t total) {
    cancel *c = opaque;
    c->files = c->files || scratch_files() > 2;
    return done >= total / 16 * c->at;
}

static void cancelled(void **state) {
    fixture *f = *state;
    for (int exists = 0; exists < 2; exists++) {
        for (uint64_t at = 0; at <= 16; at += 4) {
            if (exists)
                write_file(scratch_path("out"), old, sizeof old);
            cancel c = {at, false};
            tq_save_options options = TQ_SAVE_OPTIONS_INIT;
            tq_error error = TQ_ERROR_INIT;
            options.flags = TQ_SAVE_OVERWRITE;
            options.progress = cancelling;
            options.progress_opaque = &c;
            assert_failed(TQ_ERR_CANCELLED,
                          tq_save_file(f->result, scratch_path("out"), &options, &error), &error);
            assert_tidy(exists);
            if (exists)
                assert_file(scratch_path("out"), old, sizeof old);
        }
    }
    /* a file that must not be replaced is seen before any work */
    cancel never = {0, false};
    tq_save_options options = TQ_SAVE_OPTIONS_INIT;
    tq_error error = TQ_ERROR_INIT;
    options.progress = cancelling;
    options.progress_opaque = &never;
    assert_failed(TQ_ERR_EXISTS, tq_save_file(f->result, scratch_path("out"), &options, &error),
                  &error);
    /* the model can still be saved */
    assert_ok(save_to(f, scratch_path("out"), TQ_SAVE_OVERWRITE, &error), &error);
    assert_file(scratch_path("out"), f->expected.data, f->expected.size);
}

/* A limit on the size of files stands for a full disk. */
static void disk_full(void **state) {
    fixture *f = *state;
    struct rlimit was, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    for (rlim_t limit = 0; limit < f->expected.size; limit += 8192) {
        tq_error error;
        write_file(scratch_path("out"), old, sizeof old);
        small = was;
        small.rlim_cur = limit;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        tq_status status = save_to(f, scratch_path("out"), TQ_SAVE_OVERWRITE, &error);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
        assert_failed(TQ_ERR_WRITE, status, &error);
        assert_int_equal(error.system_code, EFBIG);
        assert_file(scratch_path("out"), old, sizeof old);
        assert_tidy(1);
    }
    signal(SIGXFSZ, handler);
}

static void no_room_to_create(void **state) {
    fixture *f = *state;
    tq_error error;
    assert_failed(TQ_ERR_OPEN, save_to(f, scratch_path("no/where"), 0, &error), &error);
    assert_int_equal(error.system_code, ENOENT);
    assert_failed(TQ_ERR_OPEN, save_to(f, scratch_path("in/side"), 0, &error), &error);
    assert_int_equal(error.system_code, ENOTDIR);
    assert_tidy(0);
    assert_int_not_equal(save_to(f, "", 0, &error), TQ_OK);
    assert_message(&error);
    assert_int_equal(mkdir(scratch_path("closed"), 0555), 0);
    if (geteuid() != 0) {
        assert_failed(TQ_ERR_OPEN, save_to(f, scratch_path("closed/out"), 0, &error), &error);
        assert_int_equal(error.system_code, EACCES);
    }
}

/* A name as long as the file system has them leaves no room for a suffix. */
static void the_longest_name(void **state) {
    fixture *f = *state;
    char name[256];
    tq_error error;
    memset(name, 'n', sizeof name);
    name[255] = 0;
    write_file(scratch_path(name), old, sizeof old);
    assert_ok(save_to(f, scratch_path(name), TQ_SAVE_OVERWRITE, &error), &error);
    assert_file(scratch_path(name), f->expected.data, f->expected.size);
    assert_tidy(1);
}

/* ---- what a path may lead to ---- */

static void never_over_its_source(void **state) {
    fixture *f = *state;
    tq_error error;
    assert_int_equal(symlink("in", scratch_path("soft")), 0);
    assert_int_equal(link(scratch_path("in"), scratch_path("hard")), 0);
    static const char *const names[] = {"in", "soft", "hard", "./in"};
    for (size_t i = 0; i < COUNT(names); i++) {
        for (uint32_t flags = 0; flags <= TQ_SAVE_OVERWRITE; flags++)
            assert_failed(TQ_ERR_SAME_FILE, save_to(f, scratch_path(names[i]), flags, &error),
                          &error);
        assert_file(scratch_path("in"), f->source.data, f->source.size);
    }
    assert_tidy(2);
}

static void a_link_stays_one(void **state) {
    fixture *f = *state;
    tq_error error;
    struct stat info;
    write_file(scratch_path("target"), old, sizeof old);
    assert_int_equal(symlink("target", scratch_path("soft")), 0);
    assert_int_equal(symlink("soft", scratch_path("softer")), 0);
    assert_failed(TQ_ERR_EXISTS, save_to(f, scratch_path("softer"), 0, &error), &error);
    assert_file(scratch_path("target"), old, sizeof old);
    assert_ok(save_to(f, scratch_path("softer"), TQ_SAVE_OVERWRITE, &error), &error);
    assert_int_equal(lstat(scratch_path("softer"), &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(lstat(scratch_path("target"), &info), 0);
    assert_true(S_ISREG(info.st_mode));
    assert_file(scratch_path("target"), f->expected.data, f->expected.size);
    assert_tidy(3);
    /* one that leads nowhere */
    assert_int_equal(unlink(scratch_path("target")), 0);
    assert_failed(TQ_ERR_OPEN, save_to(f, scratch_path("soft"), TQ_SAVE_OVERWRITE, &error), &error);
    assert_tidy(2);
}

static void only_regular_files(void **state) {
    fixture *f = *state;
    tq_error error;
    assert_int_equal(mkdir(scratch_path("directory"), 0777), 0);
    assert_int_equal(mkfifo(scratch_path("fifo"), 0666), 0);
    const char *const paths[] = {scratch_path("directory"), scratch_path("fifo"), "/dev/null"};
    for (size_t i = 0; i < COUNT(paths); i++)
        assert_failed(TQ_ERR_OPEN, save_to(f, paths[i], TQ_SAVE_OVERWRITE, &error), &error);
    assert_tidy(2);
    struct stat info;
    assert_int_equal(stat("/dev/null", &info), 0);
    assert_true(S_ISCHR(info.st_mode));
    /* nor is a model read from one */
    tq_model *model = NULL;
    for (size_t i = 0; i < COUNT(paths); i++)
        assert_failed(TQ_ERR_OPEN, tq_load_file(paths[i], NULL, &model, &error), &error);
    assert_failed(TQ_ERR_OPEN, tq_load_file(scratch_path("none"), NULL, &model, &error), &error);
    assert_int_equal(error.system_code, ENOENT);
    write_file(scratch_path("empty"), old, 0);
    assert_failed(TQ_ERR_NOT_A_MODEL, tq_load_file(scratch_path("empty"), NULL, &model, &error),
                  &error);
    assert_null(model);
}

/* Someone else's file that looks like the temporary one is left alone. */
static void foreign_temporaries(void **state) {
    fixture *f = *state;
    tq_error error;
    char name[64];
    snprintf(name, sizeof name, ".tq%ld-0", (long)getpid());
    write_file(scratch_path(name), old, sizeof old);
    assert_ok(save_to(f, scratch_path("out"), 0, &error), &error);
    assert_file(scratch_path(name), old, sizeof old);
    assert_tidy(2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(writes_what_memory_gives),
        TEST(replaces_only_when_told),
        TEST(keeps_the_mode),
        TEST(cancelled),
        TEST(disk_full),
        TEST(no_room_to_create),
        TEST(the_longest_name),
        TEST(never_over_its_source),
        TEST(a_link_stays_one),
        TEST(only_regular_files),
        TEST(foreign_temporaries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
