// A library that is loaded and unloaded by plugin_test.cpp. Built twice: once with its own copy of
// the probe, once using the host program's.
#include <cstdint>

#include "neurolens/probe/c_api.h"
#include "neurolens/probe/scope.hpp"

extern "C" {

__attribute__((visibility("default"))) void plugin_work(int scopes) {
  for (int i = 0; i < scopes; ++i) {
    NEUROLENS_SCOPE("in the plugin");
  }
}

/// A session of the plugin's own copy; 0 when it recorded `scopes` scopes.
__attribute__((visibility("default"))) int plugin_session(const char* path, int scopes,
                                                          int leave_open) {
  if (neurolens_probe_start(path, nullptr, 0) != 0) return 1;
  plugin_work(scopes);
  if (leave_open != 0) return 0;
  uint64_t events = 0;
  if (neurolens_probe_stop(&events, nullptr, nullptr, 0) != 0) return 2;
  return events == 2 * static_cast<uint64_t>(scopes) ? 0 : 3;
}
}
