#include <fmt/format.h>

#include <algorithm>

#include "builtin.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/capture/adapter.hpp"
#include "neurolens/capture/host.hpp"
#include "neurolens/capture/peaks.hpp"
#include "neurolens/report/table.hpp"

namespace neurolens::cli {
namespace {

/// One line of the examination.
struct Finding {
  std::string what;
  bool works = false;
  std::string detail;  ///< Version and place when it works, else why not and the mend.
};

class Doctor final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "doctor"; }
  [[nodiscard]] std::string summary() const override {
    return "show what works on this machine, what does not, and why";
  }
  void declare(Options& options) override {
    options.flag("--json", json_, "One JSON document on stdout");
    options.example("neurolens doctor");
  }
  Result<int> run(Context& context) override {
    const capture::Host host = capture::read_host();
    std::vector<Finding> findings;
    capture::AdapterRegistry registry;
    NEUROLENS_TRY(capture::add_builtin(registry));
    for (const auto* adapter : registry.all()) findings.push_back(examine(*adapter, host));
    findings.push_back(examine_peaks(context, host));
    context.terminal.out(json_ ? as_json(host, findings) : as_text(context, host, findings));
    return kDone;
  }

 private:
  static Finding examine(const capture::Adapter& adapter, const capture::Host& host) {
    const capture::Availability a = adapter.probe(host);
    std::string detail = a.usable ? a.version : a.reason;
    if (a.usable && !a.location.empty()) detail += (detail.empty() ? "" : "  ") + a.location;
    return {std::string(adapter.name()), a.usable, detail};
  }

  static Finding examine_peaks(Context& context, const capture::Host& host) {
    const std::string path = capture::peaks_cache_path(host.facts);
    const auto info = context.files.info(path);
    const bool there = info.ok() && info->has_value();
    return {"machine ceilings", there,
            there ? path : "Not measured yet: run `neurolens peaks` (about 35 s) for rooflines."};
  }

  static std::string as_json(const capture::Host& host, const std::vector<Finding>& findings) {
    json::Writer w({2});
    w.begin_object().key("host").begin_object();
    w.member("cpu_model", host.facts.cpu_model).member("cores_logical", host.facts.cores_logical);
    w.member("simd_level", host.facts.simd_level).member("memory_bytes", host.facts.memory_bytes);
    w.member("virtualised", host.facts.virtualised).member("governor", host.facts.governor);
    w.member("os", host.facts.os).member("kernel", host.facts.kernel).end_object();
    w.key("checks").begin_array();
    for (const auto& f : findings) {
      w.begin_object()
          .member("name", f.what)
          .member("works", f.works)
          .member("detail", f.detail)
          .end_object();
    }
    w.end_array().end_object();
    return std::move(w).take() + "\n";
  }

  static std::string as_text(const Context& context, const capture::Host& host,
                             const std::vector<Finding>& findings) {
    const run::Host& f = host.facts;
    std::string text = fmt::format(
        "{}, {} logical cores, {}{}\n", printable(f.cpu_model), f.cores_logical,
        f.simd_level.value_or("SIMD level not known"),
        f.memory_bytes ? ", " + report::format_bytes(static_cast<double>(*f.memory_bytes)) : "");
    text += fmt::format(
        "{}, Linux {}{}\n\n", printable(f.os), printable(f.kernel),
        f.virtualised.value_or(false) ? ", virtual machine: expect noise from its neighbours" : "");
    std::size_t width = 0;
    for (const auto& finding : findings) width = std::max(width, finding.what.size());
    for (const auto& finding : findings) {
      const std::string mark = finding.works ? "works" : "no";
      text += fmt::format("  {:<{}}  {:<5}  {}\n", finding.what, width, mark,
                          printable(finding.detail));
    }
    (void)context;
    return text;
  }

  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_doctor() {
  return std::make_unique<Doctor>();
}

}  // namespace neurolens::cli
