/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernels_private.h"

#include "kernels/x86/vector_avx2.h"

#include "kernels/kernels_vector.h"
