// Time and memory of `profile` against the runtime alone; see METHOD.md.
//   profile_cost MODEL.onnx
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>

#include "adapters/onnxruntime/calibrate.hpp"
#include "adapters/onnxruntime/feeds.hpp"
#include "adapters/onnxruntime/measure.hpp"
#include "measure/work_folder.hpp"
#include "neurolens/base/clock.hpp"
#include "neurolens/capture/host.hpp"
#include "neurolens/capture/profile.hpp"

namespace neurolens::capture {
namespace {

/// What one process found out.
struct Found {
  double seconds = 0;
  double peak_mb = 0;
  double unobserved_s = 0;
  std::int64_t unobserved = 0;
  bool ok = false;
  char error[200] = {};
};

void set_error(Found& found, const Error& error) {
  std::strncpy(found.error, error.text().c_str(), sizeof found.error - 1);
}

/// Runs `work` in a process of its own.
Found in_process(const std::function<Status(Found&)>& work) {
  int ends[2];
  if (pipe(ends) != 0) return {};
  const pid_t child = fork();
  if (child == 0) {
    Found found;
    const Nanoseconds start = system_clock().now();
    const Status done = work(found);
    found.seconds = static_cast<double>((system_clock().now() - start).count) * 1e-9;
    found.ok = done.ok();
    if (!done.ok()) set_error(found, done.error());
    if (const auto peak = process_memory().peak_resident)
      found.peak_mb = static_cast<double>(peak->count) * 1e-6;
    const auto written = write(ends[1], &found, sizeof found);
    _exit(written == sizeof found ? 0 : 1);
  }
  close(ends[1]);
  Found found;
  if (read(ends[0], &found, sizeof found) != sizeof found) found = {};
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return found;
}

Status runtime_alone(const CaptureRequest& request) {
  NEUROLENS_ASSIGN(const auto library, ort::Library::open(""));
  NEUROLENS_ASSIGN(auto session, ort::RuntimeSession::create(library, request.model_path,
                                                             ort::settings_of(request)));
  NEUROLENS_ASSIGN(const auto feeds, ort::prepare_feeds(library, session, nullptr, request));
  for (int i = 0; i < 5; ++i) {
    NEUROLENS_ASSIGN([[maybe_unused]] const auto timing, session.run(feeds.set));
  }
  return {};
}

Status calibration_alone(const CaptureRequest& request) {
  NEUROLENS_ASSIGN(const auto library, ort::Library::open(""));
  NEUROLENS_ASSIGN(const WorkFolder folder, WorkFolder::make(""));
  NEUROLENS_ASSIGN([[maybe_unused]] const auto found,
                   ort::calibrate(library, request, folder.path()));
  return {};
}

Status whole_profile(const CaptureRequest& request, Found& found) {
  NEUROLENS_ASSIGN(const auto run, profile_model(request));
  const auto& rows = run.samples.iterations;
  for (std::size_t i = 0; i < rows.duration_ns.size(); ++i) {
    if (rows.observed[i] != 0 || rows.warmup[i] != 0) continue;
    found.unobserved_s += static_cast<double>(rows.duration_ns[i]) * 1e-9;
    ++found.unobserved;
  }
  return {};
}

int run(const char* model) {
  CaptureRequest request;
  request.model_path = model;
  const Found alone = in_process([&](Found&) { return runtime_alone(request); });
  const Found calibration = in_process([&](Found&) { return calibration_alone(request); });
  const Found profile = in_process([&](Found& found) { return whole_profile(request, found); });
  for (const Found* one : {&alone, &calibration, &profile}) {
    if (one->ok) continue;
    fmt::print(stderr, "profile_cost: {}\n", one->error);
    return 1;
  }
  std::error_code error;
  const double file_mb = static_cast<double>(std::filesystem::file_size(model, error)) * 1e-6;
  fmt::print("{:<28} {:>8.1f} MB\n", "model file", file_mb);
  fmt::print("{:<28} {:>8.1f} MB  {:.2f} x file\n", "peak, runtime alone", alone.peak_mb,
             alone.peak_mb / file_mb);
  fmt::print("{:<28} {:>8.1f} MB  {:.2f} x file, {:.2f} x runtime alone (target 2)\n",
             "peak, profile", profile.peak_mb, profile.peak_mb / file_mb,
             profile.peak_mb / alone.peak_mb);
  fmt::print("{:<28} {:>8.2f} s\n", "runtime alone, 5 iterations", alone.seconds);
  fmt::print("{:<28} {:>8.2f} s\n", "calibration", calibration.seconds);
  fmt::print("{:<28} {:>8.2f} s   {} of {:.1f} ms\n", "unobserved iterations", profile.unobserved_s,
             profile.unobserved,
             1e3 * profile.unobserved_s /
                 static_cast<double>(std::max<std::int64_t>(1, profile.unobserved)));
  fmt::print("{:<28} {:>8.2f} s   less calibration: {:.2f} x unobserved (target 3)\n", "profile",
             profile.seconds, (profile.seconds - calibration.seconds) / profile.unobserved_s);
  return 0;
}

}  // namespace
}  // namespace neurolens::capture

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: profile_cost MODEL.onnx\n");
    return 2;
  }
  return neurolens::capture::run(argv[1]);
}
