// Which instruction sets get a copy of the masks; included before Highway. Three on x86 (AVX-512,
// AVX2 and the x86-64-v2 baseline, which Highway calls SSSE3): each further one costs build time
// and brings nothing that is used here. Bits 1-7: AVX3_DL and newer; bit 11: SSE4.
#pragma once

#if defined(__x86_64__) && !defined(HWY_DISABLED_TARGETS)
#define HWY_DISABLED_TARGETS 0x8FELL
#endif
