/* SPDX-License-Identifier: Apache-2.0 */
#include "thread_runner.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

struct worker {
    struct thread_runner *runner;
    uint32_t index;
    pthread_t thread;
};

struct thread_runner {
    tq_runner interface;
    pthread_mutex_t mutex;
    pthread_cond_t wake; /* a new job, or the end */
    pthread_cond_t idle; /* the last worker has left the job */

    /* The job; changed under the mutex while it is not open and no worker is at it. */
    tq_task task;
    void *data;
    uint32_t count;
    atomic_uint_fast64_t next; /* wider than `count`, so that it can't wrap */
    uint64_t job;              /* number of the job */
    uint32_t busy;             /* workers at it */
    bool open;                 /* who wakes up later than its end has nothing to do with it */
    bool ending;

    uint32_t threads;
    struct worker workers[]; /* index 0 is the calling thread and stays unused */
};

static void take_tasks(struct thread_runner *runner, uint32_t worker) {
    for (;;) {
        const uint_fast64_t index = atomic_fetch_add(&runner->next, 1);
        if (index >= runner->count)
            return;
        runner->task(runner->data, (uint32_t)index, worker);
    }
}

static void *worker_main(void *argument) {
    const struct worker *self = argument;
    struct thread_runner *runner = self->runner;
    uint64_t seen = 0;
    pthread_mutex_lock(&runner->mutex);
    for (;;) {
        while (!runner->ending && runner->job == seen)
            pthread_cond_wait(&runner->wake, &runner->mutex);
        if (runner->ending)
            break;
        seen = runner->job;
        if (!runner->open)
            continue;
        runner->busy++;
        pthread_mutex_unlock(&runner->mutex);
        take_tasks(runner, self->index);
        pthread_mutex_lock(&runner->mutex);
        if (--runner->busy == 0)
            pthread_cond_signal(&runner->idle);
    }
    pthread_mutex_unlock(&runner->mutex);
    return NULL;
}

static void run(void *opaque, tq_task task, void *data, uint32_t count) {
    struct thread_runner *runner = opaque;
    if (runner->threads == 0 || count < 2) {
        for (uint32_t i = 0; i < count; i++)
            task(data, i, 0);
        return;
    }
    pthread_mutex_lock(&runner->mutex);
    runner->task = task;
    runner->data = data;
    runner->count = count;
    atomic_store(&runner->next, 0);
    runner->open = true;
    runner->job++;
    pthread_cond_broadcast(&runner->wake);
    pthread_mutex_unlock(&runner->mutex);

    take_tasks(runner, 0);

    pthread_mutex_lock(&runner->mutex);
    runner->open = false;
    while (runner->busy != 0)
        pthread_cond_wait(&runner->idle, &runner->mutex);
    pthread_mutex_unlock(&runner->mutex);
}

struct thread_runner *thread_runner_create(uint32_t workers) {
    if (workers == 0)
        workers = 1;
    struct thread_runner *runner = malloc(sizeof *runner + workers * sizeof runner->workers[0]);
    if (runner == NULL)
        return NULL;
    *runner = (struct thread_runner){.threads = 0};
    pthread_mutex_init(&runner->mutex, NULL);
    pthread_cond_init(&runner->wake, NULL);
    pthread_cond_init(&runner->idle, NULL);

    /* Signals are for the thread that asked for the work. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (runner->threads + 1 < workers) {
        struct worker *worker = &runner->workers[runner->threads + 1];
        worker->runner = runner;
        worker->index = runner->threads + 1;
        if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0)
            break;
        runner->threads++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);

    runner->interface = (tq_runner){
        .struct_size = sizeof(tq_runner),
        .workers = runner->threads + 1,
        .opaque = runner,
        .run = run,
    };
    return runner;
}

void thread_runner_free(struct thread_runner *runner) {
    if (runner == NULL)
        return;
    pthread_mutex_lock(&runner->mutex);
    runner->ending = true;
    pthread_cond_broadcast(&runner->wake);
    pthread_mutex_unlock(&runner->mutex);
    for (uint32_t i = 1; i <= runner->threads; i++)
        pthread_join(runner->workers[i].thread, NULL);
    pthread_cond_destroy(&runner->idle);
    pthread_cond_destroy(&runner->wake);
    pthread_mutex_destroy(&runner->mutex);
    free(runner);
}

const tq_runner *thread_runner_interface(const struct thread_runner *runner) {
    return runner != NULL ? &runner->interface : NULL;
}

uint32_t thread_runner_processors(void) {
#ifdef _SC_NPROCESSORS_ONLN
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (processors > 1)
        return processors < 1024 ? (uint32_t)processors : 1024;
#endif
    return 1;
}

struct thread_runner *thread_runner_for(uint32_t workers) {
    workers = workers != 0 ? workers : thread_runner_processors();
    return workers > 1 ? thread_runner_create(workers) : NULL;
}
