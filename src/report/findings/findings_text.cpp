// The findings in the order of their value, for a terminal and for a program with a budget. The
// text for a smaller budget is always a beginning of the text for a larger one.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "headline.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/report/compare.hpp"
#include "neurolens/report/render.hpp"
#include "neurolens/report/table.hpp"
#include "sections.hpp"

namespace neurolens::report {
namespace {

constexpr std::size_t kLongestName = 60;

std::string short_name(std::string_view name) {
  return printable(elide_middle(to_valid_utf8(name), kLongestName));
}

std::string gain_text(const analyze::Insight& insight) {
  if (!insight.gain_ns) return "";
  std::string text = fmt::format("save up to {}", format_time(*insight.gain_ns));
  if (insight.gain_ratio) text += fmt::format(" ({})", format_share(*insight.gain_ratio));
  return text + ": ";
}

/// Lines until the budget is spent.
class Lines {
 public:
  explicit Lines(std::size_t budget) : budget_(budget) {}

  void add(const std::string& line) {
    if (full_ || line.empty()) return;
    const std::size_t cost = token_count(line) + 1;
    if (spent_ + cost > budget_) {
      full_ = true;
      return;
    }
    spent_ += cost;
    text_ += line + "\n";
  }
  [[nodiscard]] bool full() const { return full_; }
  [[nodiscard]] std::string take() && { return std::move(text_); }

 private:
  std::size_t budget_;
  std::size_t spent_ = 0;
  bool full_ = false;
  std::string text_;
};

class Narrator {
 public:
  Narrator(const Findings& findings, std::size_t budget)
      : f_(findings), s_(findings.summary), run_(*findings.run), lines_(budget) {}

  std::string all() {
    head();
    actions(0, 3, true);
    ops(0, 5);
    changes(5);
    actions(3, 8, false);
    ops(5, 20);
    types();
    sureness();
    actions(8, f_.insights.size(), false);
    for (const auto& sentence : unknowns(f_)) lines_.add("not known: " + printable(sentence));
    path();
    setting();
    changes_left();
    ops(20, s_.ops.size());
    return std::move(lines_).take();
  }

 private:
  void head() {
    lines_.add(describe_workload(run_));
    std::vector<std::string> pieces = rate_sentences(run_, s_);
    if (auto sentence = iteration_sentence(run_, s_))
      pieces.insert(pieces.begin(), std::move(*sentence));
    lines_.add(join(pieces, "; "));
    if (f_.comparison) {
      const auto& total = f_.comparison->total;
      std::string line =
          fmt::format("against {}: {} {}", printable(f_.baseline_path),
                      analyze::to_string(total.judged.verdict), ratio_text(total.judged));
      if (total.baseline && total.candidate)
        line +=
            fmt::format(", {} -> {}", format_time(*total.baseline), format_time(*total.candidate));
      lines_.add(line);
    }
    if (run_.status != "complete")
      lines_.add("partial: " + printable(run_.status_reason.value_or("")));
    if (run_.overhead.integrity != "ok")
      lines_.add(fmt::format("integrity {}: {}", run_.overhead.integrity,
                             printable(join(run_.overhead.reasons, " "))));
  }

  void actions(std::size_t from, std::size_t to, bool detailed) {
    for (std::size_t i = from; i < std::min(to, f_.insights.size()) && !lines_.full(); ++i) {
      const auto& insight = f_.insights[i];
      lines_.add(fmt::format("do {}: {}{} [{}, {} confidence]", i + 1, gain_text(insight),
                             printable(insight.title), insight.rule,
                             analyze::to_string(insight.confidence)));
      if (!detailed) continue;
      lines_.add("   " + printable(insight.message));
      if (!insight.suggestions.empty()) lines_.add("   try: " + printable(insight.suggestions[0]));
      if (!insight.next_step.empty()) lines_.add("   next: " + printable(insight.next_step));
    }
  }

  void ops(std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < std::min(to, s_.ops.size()) && !lines_.full(); ++i) {
      const auto& op = s_.ops[i];
      if (op.method.empty()) continue;
      const Scale scale = time_scale(op.time_ns);
      std::string line =
          fmt::format("op {}: {} ({}) {} {}", i + 1, short_name(op.name), short_name(op.type),
                      format_time(op.time_ns), format_share(op.share_ratio));
      if (op.interval) line += " " + interval_cell(op.interval, scale.divisor, op.time_ns);
      if (op.bound) line += ", bound by " + *op.bound;
      if (op.roof_ratio) line += fmt::format(", {:.0f} % of roof", 100 * *op.roof_ratio);
      if (op.method != "observed") line += ", " + op.method;
      lines_.add(line);
    }
  }

  void changes(std::size_t most) { changes_between(0, most); }
  void changes_left() {
    if (f_.comparison) changes_between(5, f_.comparison->ops.size());
  }
  void changes_between(std::size_t from, std::size_t to) {
    if (!f_.comparison) return;
    const auto& all = f_.comparison->ops;
    for (std::size_t i = from; i < std::min(to, all.size()) && !lines_.full(); ++i) {
      const auto& op = all[i];
      const double moved = analyze::lost_ns(op).value_or(0);
      if (moved == 0) continue;
      lines_.add(fmt::format("change {}: {} ({}) {}{}, {}, {}", i + 1, short_name(op.name),
                             short_name(op.type), moved > 0 ? "+" : "-",
                             format_time(std::abs(moved)), analyze::to_string(op.group.kind),
                             analyze::to_string(op.time.judged.verdict)));
    }
  }

  void types() {
    for (std::size_t i = 0; i < std::min<std::size_t>(8, s_.types.size()); ++i) {
      const auto& type = s_.types[i];
      lines_.add(fmt::format("type {}: {} x {} {} {}", i + 1, type.count, short_name(type.type),
                             format_time(type.time_ns), format_share(type.share_ratio)));
    }
  }

  void sureness() {
    lines_.add("how sure: " + printable(join(trust_sentences(run_, s_), "; ")));
    const auto count = [](const char* what, const analyze::IterationSummary& it) {
      return it.p50_ns ? fmt::format("{} {} iterations, median {}, p95 {}, least {}", it.count,
                                     what, format_time(*it.p50_ns), format_time(*it.p95_ns),
                                     format_time(*it.min_ns))
                       : std::string();
    };
    lines_.add(count("unobserved", s_.unobserved));
    lines_.add(count("observed", s_.observed));
  }

  void path() {
    if (!f_.path) return;
    lines_.add(fmt::format("critical path: {} of {} in {} ops", format_time(f_.path->time_ns),
                           format_time(f_.path->total_ns), f_.path->ops.size()));
  }

  void setting() {
    lines_.add(fmt::format("machine: {}, {} logical cores, {}, {}", printable(run_.host.cpu_model),
                           run_.host.cores_logical, printable(run_.host.os),
                           printable(run_.host.kernel)));
    for (const auto& gpu : run_.host.gpus) lines_.add("GPU: " + printable(gpu.model));
    if (run_.memory.host_peak_bytes)
      lines_.add("peak memory: " + format_bytes(static_cast<double>(*run_.memory.host_peak_bytes)));
    if (!run_.config.command.empty())
      lines_.add("again with: " + printable(join(run_.config.command, " ")));
    lines_.add(fmt::format("run {} of {}", printable(run_.run_id), printable(run_.created_at)));
  }

  const Findings& f_;
  const analyze::Summary& s_;
  const run::Run& run_;
  Lines lines_;
};

}  // namespace

std::size_t token_count(std::string_view text) {
  std::size_t tokens = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto kind = [&](std::size_t at) {
      const auto c = static_cast<unsigned char>(text[at]);
      if (std::isalpha(c) != 0) return 1;
      if (std::isdigit(c) != 0) return 2;
      return c == ' ' ? 3 : c >= 0x80 ? 4 : 0;
    };
    const int first = kind(i);
    std::size_t end = i + 1;
    while (first != 0 && end < text.size() && kind(end) == first) ++end;
    const std::size_t length = end - i;
    if (first == 1) tokens += (length + 2) / 3;
    if (first == 2) tokens += (length + 1) / 2;
    if (first == 3) tokens += length > 1 ? 1 : 0;  // a single space belongs to the word behind it
    if (first == 4) tokens += length;
    if (first == 0) ++tokens;
    i = end;
  }
  return tokens;
}

std::string findings_text(const Findings& findings, std::size_t budget) {
  return Narrator(findings, budget).all();
}

std::string what_to_do(const std::vector<analyze::Insight>& insights, std::size_t most,
                       std::size_t width) {
  std::string out;
  for (std::size_t i = 0; i < std::min(most, insights.size()); ++i) {
    const auto& insight = insights[i];
    const std::string line = fmt::format("{:>2} {}{}  [{}]", i + 1, gain_text(insight),
                                         printable(insight.title), insight.rule);
    out += (width == 0 ? line : elide_middle(line, std::max<std::size_t>(width, 40))) + "\n";
  }
  return out.empty() ? out : "what to do\n" + out;
}

}  // namespace neurolens::report
