/* SPDX-License-Identifier: Apache-2.0 */
/* What any program costs: in bytes, and in the time to start and end. */
#include <stdio.h>

int main(int argc, char **argv) {
    if (argc > 1)
        fprintf(stderr, "%s\n", argv[1]);
    return 0;
}
