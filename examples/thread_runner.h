/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tq_runner on POSIX threads: a fixed pool, of which the calling thread is
 * one worker. Give it to one library call at a time.
 */
#ifndef TFQUANT_EXAMPLES_THREAD_RUNNER_H
#define TFQUANT_EXAMPLES_THREAD_RUNNER_H

#include <tfquant/tfquant.h>

struct thread_runner;

/* NULL when memory is short. With fewer threads to be had, it has fewer workers. */
struct thread_runner *thread_runner_create(uint32_t workers);
/* The same for a command line: 0 is a worker for each processor. NULL for a single one too. */
struct thread_runner *thread_runner_for(uint32_t workers);
void thread_runner_free(struct thread_runner *runner);

/* Lives as long as `runner`; NULL if that is. */
const tq_runner *thread_runner_interface(const struct thread_runner *runner);

/* Processors that threads can run on; 1 where the system does not say. */
uint32_t thread_runner_processors(void);

#endif
