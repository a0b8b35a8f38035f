/* SPDX-License-Identifier: Apache-2.0 */
#include "tfquant_cli.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const int caught_signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { CAUGHT_SIGNALS = sizeof caught_signals / sizeof caught_signals[0] };

static volatile sig_atomic_t signal_seen;
static struct sigaction previous[CAUGHT_SIGNALS];

static void note_signal(int number) {
    signal_seen = number;
}

static uint64_t now_ms(void) {
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void cli_progress_start(struct cli_progress *progress, bool show, const char *unit) {
    *progress = (struct cli_progress){.show = show, .unit = unit, .last_ms = now_ms()};
    /* Calls go on after the first signal; a second one acts as it would without us. */
    struct sigaction action = {.sa_flags = (int)(SA_RESTART | SA_RESETHAND)};
    action.sa_handler = note_signal;
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < CAUGHT_SIGNALS; i++) {
        sigaction(caught_signals[i], NULL, &previous[i]);
        /* nohup and the like: what is ignored stays ignored. */
        if (previous[i].sa_handler != SIG_IGN)
            sigaction(caught_signals[i], &action, NULL);
    }
}

static void draw(struct cli_progress *progress, uint64_t done, uint64_t total) {
    enum { CELLS = 30 };
    char bar[CELLS + 1];
    const double part = total != 0 ? (double)done / (double)total : 1;
    const int filled = part < 1 ? (int)(part * CELLS) : CELLS;
    memset(bar, '#', (size_t)filled);
    memset(bar + filled, '.', (size_t)(CELLS - filled));
    bar[CELLS] = '\0';
    const int percent = (int)(part * 100);
    const int width = progress->unit != NULL
                          ? fprintf(stderr, "\r%s %3d%%  %" PRIu64 " of %" PRIu64 " %s", bar,
                                    percent, done, total, progress->unit)
                          : fprintf(stderr, "\r%s %3d%%  %s of %s", bar, percent,
                                    cli_format_size(done).text, cli_format_size(total).text);
    if (width < progress->width)
        fprintf(stderr, "%*s", progress->width - width, "");
    progress->width = width > 0 ? width : 0;
    fflush(stderr);
}

int32_t cli_progress_report(void *opaque, uint64_t done, uint64_t total) {
    struct cli_progress *progress = opaque;
    if (signal_seen != 0)
        return 1;
    if (progress->show) {
        /* Not at once: what takes no time needs no bar. */
        const uint64_t now = now_ms();
        if (now - progress->last_ms >= 100) {
            progress->last_ms = now;
            draw(progress, done, total);
        }
    }
    return 0;
}

void cli_progress_stop(struct cli_progress *progress) {
    if (progress->width != 0) {
        fprintf(stderr, "\r%*s\r", progress->width, "");
        fflush(stderr);
        progress->width = 0;
    }
    for (int i = 0; i < CAUGHT_SIGNALS; i++)
        sigaction(caught_signals[i], &previous[i], NULL);
}

void cli_end_if_interrupted(void) {
    /* Shells look at how a program ended to know whether to stop a loop. */
    if (signal_seen != 0) {
        fflush(NULL);
        raise(signal_seen);
        exit(CLI_ERROR);
    }
}
