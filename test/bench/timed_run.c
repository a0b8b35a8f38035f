/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timed_run PROGRAM ARGUMENTS...: runs it with its standard output thrown away, and prints
 * "SECONDS PEAK_RESIDENT_BYTES EXIT_CODE". A process starts with the peak of the one that made it
 * on its account; this one is small enough not to matter.
 */
#define _DEFAULT_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static long long peak_bytes(const struct rusage *usage) {
#ifdef __APPLE__
    return usage->ru_maxrss;
#else
    return 1024LL * usage->ru_maxrss;
#endif
}

int main(int argc, char **argv) {
    posix_spawn_file_actions_t actions;
    struct rusage usage;
    pid_t child;
    int status;
    if (argc < 2) {
        fprintf(stderr, "usage: timed_run PROGRAM ARGUMENTS...\n");
        return 2;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    const double start = now();
    const int error = posix_spawnp(&child, argv[1], &actions, NULL, argv + 1, environ);
    if (error != 0) {
        fprintf(stderr, "%s: %s\n", argv[1], strerror(error));
        return 1;
    }
    if (wait4(child, &status, 0, &usage) != child) {
        perror("wait4");
        return 1;
    }
    const double seconds = now() - start;
    posix_spawn_file_actions_destroy(&actions);
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    printf("%.9f %lld %d\n", seconds, peak_bytes(&usage), code);
    return 0;
}
