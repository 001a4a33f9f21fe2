/** \file
 * The probe for C and for languages that call C. Same events, same file as the C++ macros.
 * Threads: everything is safe from any thread; begin, end and the events also in signal handlers.
 */
#ifndef NEUROLENS_PROBE_C_API_H
#define NEUROLENS_PROBE_C_API_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A call site or name; 0 is none. Valid for the life of the process. */
typedef uint32_t neurolens_site;

/** The site for these texts, which are copied; equal texts give the same site. NULL reads as "". */
neurolens_site neurolens_probe_site(const char* name, const char* file, uint32_t line,
                                    const char* category);
/** Non-zero while a session records. */
int neurolens_probe_recording(void);
/** Begins a scope; pass the result to neurolens_probe_end on the same thread. 0: not recorded. */
uint32_t neurolens_probe_begin(neurolens_site site);
/** Ends the innermost scope of this thread, when `begun` is not 0. */
void neurolens_probe_end(uint32_t begun);
/** Attaches a number to the innermost scope of this thread; the name carries the unit. */
void neurolens_probe_value(neurolens_site name, int64_t value);
void neurolens_probe_value_real(neurolens_site name, double value);
void neurolens_probe_counter(neurolens_site site, int64_t value);
void neurolens_probe_counter_real(neurolens_site site, double value);
void neurolens_probe_instant(neurolens_site site, int64_t value);
/** Frame or iteration `index` begins on this thread. */
void neurolens_probe_mark(neurolens_site site, int64_t index);
/** Phase: 0 begin, 1 step, 2 end; others are ignored. */
void neurolens_probe_flow(neurolens_site site, int phase, uint64_t id);
uint64_t neurolens_probe_unique_id(void);
/** Work that may end on another thread; `id` from neurolens_probe_unique_id. */
void neurolens_probe_async_begin(neurolens_site site, uint64_t id);
void neurolens_probe_async_end(neurolens_site site, uint64_t id);
void neurolens_probe_thread_name(const char* name);

/** Starts a session; `request` as in the environment variable NEUROLENS_PROBE, such as
 * "trace.nlp,mode=ring". 0, or -1 with a sentence in `message` (cut to `size` bytes, may be NULL). */
int neurolens_probe_start(const char* request, char* message, uint64_t size);
/** Stops it; the counts may be NULL. 0, or -1 with a sentence. */
int neurolens_probe_stop(uint64_t* events, uint64_t* lost, char* message, uint64_t size);

#ifdef __cplusplus
}
#endif
#endif
