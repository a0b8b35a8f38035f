/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TQI_CPU_H
#define TQI_CPU_H

#include <stdint.h>

/* The TQ_CPU_... levels that this processor and its operating system run. Asks
 * the processor every time; nothing is cached. */
uint32_t tqi_cpu_flags(void);

#endif
