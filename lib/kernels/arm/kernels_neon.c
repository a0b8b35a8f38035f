/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernels_private.h"

#include "kernels/arm/vector_neon.h"

#include "kernels/kernels_vector.h"
