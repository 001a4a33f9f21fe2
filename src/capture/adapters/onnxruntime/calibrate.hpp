/// \file
/// Measures, through the real path, what the runtime's profiler costs on this machine.
#pragma once

#include <memory>
#include <string>

#include "adapters/onnxruntime/library.hpp"
#include "fit/ledger.hpp"
#include "neurolens/capture/request.hpp"

namespace neurolens::capture::ort {

struct Calibration {
  LedgerModel inside;      ///< What an observation adds to the duration that is reported for it.
  double outside_ns = 0;   ///< What it adds besides, between ops.
  double call_ns = 0;      ///< Unobserved cost of a call that belongs to no op.
  double call_low_ns = 0;  ///< 95 % interval of that.
  double call_high_ns = 0;
  double observed_call_ns = 0;  ///< What observation adds to a call, besides its ops.
  std::vector<LedgerPoint> points;
};

/// Runs chains of tiny ops of several widths and ranks, each in two lengths, observed and
/// unobserved, interleaved, with the threads and the provider of `request`. Takes about half a
/// second. Errors: refused, and those of reading the profile.
Result<Calibration> calibrate(const std::shared_ptr<const Library>& library,
                              const CaptureRequest& request, const std::string& folder);

}  // namespace neurolens::capture::ort
