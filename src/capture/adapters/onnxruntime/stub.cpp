// Stands in for the adapter where the headers of ONNX Runtime were not found.
#include "neurolens/capture/adapter.hpp"
#include "neurolens/capture/live.hpp"
#include "neurolens/capture/request.hpp"

namespace neurolens::capture {
namespace {

constexpr const char* kReason =
    "This build has no ONNX Runtime adapter: its headers were not found. Run "
    "scripts/setup_onnxruntime, then configure "
    "and build again.";

class Stub final : public Adapter {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "onnxruntime"; }
  using Adapter::probe;
  [[nodiscard]] Availability probe(const Host& /*host*/) const override {
    return {false, kReason, {}, {}};
  }
  [[nodiscard]] Result<std::unique_ptr<Session>> open(
      const CaptureRequest& /*request*/) const override {
    return Error{Errc::unavailable, kReason, {}};
  }
};

}  // namespace

std::unique_ptr<const Adapter> make_onnxruntime();
std::unique_ptr<const Adapter> make_onnxruntime() {
  return std::make_unique<Stub>();
}

Result<Workload> model_workload(const CaptureRequest& /*request*/) {
  return Error{Errc::unavailable, kReason, {}};
}

}  // namespace neurolens::capture
