// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* All hooks on faults as one object: libbpf 1.1 cannot link two that both name a function of the
 * kernel (bpf_rdonly_cast). */
#include "static.bpf.c"
#include "fault_path.bpf.c"
