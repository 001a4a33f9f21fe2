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
  double call_ns = 0;      ///< Unobserved cost of a call that belongs to no op, of one op's call.
  double call_low_ns = 0;  ///< 95 % interval of that.
  double call_high_ns = 0;
  double observed_call_ns = 0;  ///< What observation adds to a call, besides its ops.
  double output_ns = 0;         ///< What each output of the model beyond the first adds to a call.
  double buffer_ns =
      0;  ///< What the first tensor between two ops adds: one buffer for all of them.
  /// Two sessions of one model differ by where their memory lies: standard deviation of that,
  /// relative to latency.
  double session_luck = 0;
  /// |ln| of the cost of an observation with cold caches over that with warm ones: how far the cost
  /// in a model may lie from the calibrated one.
  double scale_spread = 0;
  /// Spread of the part of an observation's cost that is reported, over the kinds of chains, as
  /// |ln|: how well the whole cost, which every measurement shows, tells the reported one.
  double balance_spread = 0;
  std::vector<LedgerPoint> points;
};

/// Runs chains of tiny ops of several widths and ranks, each in two lengths, observed and
/// unobserved, in turns, with the threads and the provider of `request`. Takes about half a
/// second. Errors: refused, and those of reading the profile.
Result<Calibration> calibrate(const std::shared_ptr<const Library>& library,
                              const CaptureRequest& request, const std::string& folder);

}  // namespace neurolens::capture::ort
