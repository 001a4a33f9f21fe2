#include "neurolens/probe/c_api.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/names.hpp"
#include "neurolens/probe/scope.hpp"
#include "neurolens/probe/session.hpp"

namespace probe = neurolens::probe;
namespace hot = neurolens::probe::hot;

namespace {

const char* text_or_empty(const char* text) {
  return text != nullptr ? text : "";
}

int fail(const neurolens::Error& error, char* message, std::uint64_t size) {
  if (message != nullptr && size > 0) {
    const std::string text = error.text();
    const std::size_t bytes = std::min<std::size_t>(text.size(), size - 1);
    std::memcpy(message, text.data(), bytes);
    message[bytes] = '\0';
  }
  return -1;
}

void put(hot::Code kind, neurolens_site site, std::uint64_t detail, std::uint64_t value) {
  if (site != 0 && probe::recording()) hot::put_event(kind, site & 0xFFFF, detail, value);
}

}  // namespace

extern "C" {

neurolens_site neurolens_probe_site(const char* name, const char* file, uint32_t line,
                                    const char* category) {
  return probe::names::intern(text_or_empty(name), text_or_empty(file), line,
                              text_or_empty(category));
}

int neurolens_probe_recording(void) {
  return probe::recording() ? 1 : 0;
}

uint32_t neurolens_probe_begin(neurolens_site site) {
  const std::uint32_t mode = hot::mode.load(std::memory_order_relaxed);
  if (mode == 0 || site < hot::kFirstSite || site > hot::kLastSite) return 0;
  return hot::put(site, mode) ? mode : 0;
}

void neurolens_probe_end(uint32_t begun) {
  if (begun != 0) hot::put(hot::kEnd, begun);
}

void neurolens_probe_value(neurolens_site name, int64_t value) {
  put(hot::kValue, name, 0, static_cast<std::uint64_t>(value));
}
void neurolens_probe_value_real(neurolens_site name, double value) {
  put(hot::kValue, name, 1, std::bit_cast<std::uint64_t>(value));
}
void neurolens_probe_counter(neurolens_site site, int64_t value) {
  put(hot::kCounter, site, 0, static_cast<std::uint64_t>(value));
}
void neurolens_probe_counter_real(neurolens_site site, double value) {
  put(hot::kCounter, site, 1, std::bit_cast<std::uint64_t>(value));
}
void neurolens_probe_instant(neurolens_site site, int64_t value) {
  put(hot::kInstant, site, 0, static_cast<std::uint64_t>(value));
}
void neurolens_probe_mark(neurolens_site site, int64_t index) {
  put(hot::kMark, site, 0, static_cast<std::uint64_t>(index));
}
void neurolens_probe_flow(neurolens_site site, int phase, uint64_t id) {
  if (phase >= 0 && phase <= 2) put(hot::kFlow, site, static_cast<std::uint64_t>(phase), id);
}
uint64_t neurolens_probe_unique_id(void) {
  return probe::unique_id();
}
void neurolens_probe_async_begin(neurolens_site site, uint64_t id) {
  put(hot::kAsyncBegin, site, 0, id);
}
void neurolens_probe_async_end(neurolens_site site, uint64_t id) {
  put(hot::kAsyncEnd, site, 0, id);
}
void neurolens_probe_thread_name(const char* name) {
  if (name != nullptr) probe::set_thread_name(name);
}

int neurolens_probe_start(const char* request, char* message, uint64_t size) {
  auto options = probe::parse_session(text_or_empty(request));
  if (!options.ok()) return fail(options.error(), message, size);
  const neurolens::Status started = probe::start(*options);
  return started.ok() ? 0 : fail(started.error(), message, size);
}

int neurolens_probe_stop(uint64_t* events, uint64_t* lost, char* message, uint64_t size) {
  const auto report = probe::stop();
  if (!report.ok()) return fail(report.error(), message, size);
  if (events != nullptr) *events = report->events;
  if (lost != nullptr) *lost = report->lost;
  return 0;
}

}  // extern "C"
