#include "adapters/onnxruntime/trace_reader.hpp"

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>

#include "adapters/onnxruntime/dtypes.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens::capture {
namespace {

constexpr std::string_view kOpSuffix = "_kernel_time";
/// A line that is longer is no event (a line of the runtime has about 800 bytes).
constexpr std::size_t kLineLimit = std::size_t{1} << 24;

/// Position after `"key" :` and blanks, or npos.
std::size_t after_key(std::string_view text, std::string_view key, std::size_t from = 0) {
  for (std::size_t at = from; (at = text.find(key, at)) != std::string_view::npos; ++at) {
    const std::size_t end = at + key.size();
    if (at == 0 || text[at - 1] != '"' || end >= text.size() || text[end] != '"') continue;
    std::size_t value = end + 1;
    while (value < text.size() && (text[value] == ' ' || text[value] == ':')) ++value;
    return value;
  }
  return std::string_view::npos;
}

std::optional<std::int64_t> integer_at(std::string_view text, std::size_t at) {
  if (at >= text.size()) return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

TraceEvent::Kind kind_of(std::string_view category) {
  if (category == "Node") return TraceEvent::Kind::node;
  if (category == "Session") return TraceEvent::Kind::session;
  if (category == "Kernel") return TraceEvent::Kind::kernel;
  return TraceEvent::Kind::other;
}

std::string_view quoted_at(std::string_view text, std::size_t at) {
  if (at >= text.size() || text[at] != '"') return {};
  const auto end = text.find('"', at + 1);
  return end == std::string_view::npos ? std::string_view() : text.substr(at + 1, end - at - 1);
}

/// The event's name reaches up to `","args"`, whatever quotes it holds.
struct NameAndArgs {
  std::string_view name;
  std::string_view args;
};
std::optional<NameAndArgs> split_name(std::string_view line) {
  const std::size_t name = after_key(line, "name");
  if (name == std::string_view::npos || name >= line.size() || line[name] != '"')
    return std::nullopt;
  const std::size_t end = line.find("\",\"args\"", name + 1);
  if (end == std::string_view::npos) return std::nullopt;
  const std::size_t args = line.find('{', end);
  const std::size_t last = line.rfind('}');
  if (args == std::string_view::npos || last == std::string_view::npos || last <= args)
    return std::nullopt;
  return NameAndArgs{line.substr(name + 1, end - name - 1), line.substr(args, last - args)};
}

}  // namespace

std::string_view TraceEvent::text(std::string_view key) const {
  const std::size_t at = after_key(args, key);
  return at == std::string_view::npos ? std::string_view() : quoted_at(args, at);
}

std::string_view TraceEvent::array(std::string_view key) const {
  const std::size_t at = after_key(args, key);
  if (at >= args.size() || args[at] != '[') return {};
  int depth = 0;
  for (std::size_t i = at; i < args.size(); ++i) {
    if (args[i] == '[') ++depth;
    if (args[i] == ']' && --depth == 0) return args.substr(at, i - at + 1);
  }
  return {};
}

std::optional<std::int64_t> TraceEvent::number(std::string_view key) const {
  const std::string_view value = text(key);
  return value.empty() ? std::nullopt : integer_at(value, 0);
}

bool TraceEvent::is_op() const {
  return kind == Kind::node && name.size() >= kOpSuffix.size() &&
         name.substr(name.size() - kOpSuffix.size()) == kOpSuffix;
}

std::string_view TraceEvent::node_name() const {
  return is_op() ? name.substr(0, name.size() - kOpSuffix.size()) : name;
}

void TraceReader::line(std::string_view text) {
  text = trim(text);
  if (text.empty() || text == "[") return;
  if (text == "]") {
    closed_ = true;
    return;
  }
  TraceEvent event;
  const auto names = split_name(text);
  const std::string_view head =
      names ? text.substr(0, static_cast<std::size_t>(names->name.data() - text.data())) : text;
  const auto begin = integer_at(head, after_key(head, "ts"));
  const auto duration = integer_at(head, after_key(head, "dur"));
  if (!names || !begin || !duration || *begin < 0 || *duration < 0) {
    ++skipped_;
    return;
  }
  const std::size_t category = after_key(head, "cat");
  event.kind = category == std::string_view::npos ? TraceEvent::Kind::other
                                                  : kind_of(quoted_at(head, category));
  event.name = names->name;
  event.args = names->args;
  event.begin_us = *begin;
  event.duration_us = *duration;
  event.thread = integer_at(head, after_key(head, "tid")).value_or(0);
  ++events_;
  sink_(event);
}

void TraceReader::feed(std::string_view piece) {
  std::size_t from = 0;
  while (true) {
    const std::size_t end = piece.find('\n', from);
    if (end == std::string_view::npos) break;
    if (rest_.empty()) {
      line(piece.substr(from, end - from));
    } else {
      rest_.append(piece.substr(from, end - from));
      line(rest_);
      rest_.clear();
    }
    from = end + 1;
  }
  rest_.append(piece.substr(from));
  if (rest_.size() > kLineLimit) {
    ++skipped_;
    rest_.clear();
  }
}

bool TraceReader::finish() {
  if (!rest_.empty()) line(rest_);
  rest_.clear();
  return closed_;
}

Result<TraceReader> read_trace(const std::string& path, TraceReader::Sink sink) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"),
                                                             &std::fclose);
  if (file == nullptr) return system_error(errno, path, "reading the profile");
  TraceReader reader(std::move(sink));
  std::string buffer(std::size_t{1} << 20, '\0');
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), file.get())) {
    reader.feed(std::string_view(buffer).substr(0, got));
  }
  reader.finish();
  return reader;
}

std::vector<run::Tensor> parse_type_shapes(std::string_view text) {
  std::vector<run::Tensor> out;
  std::size_t at = 0;
  while ((at = text.find('{', at)) != std::string_view::npos) {
    const std::size_t quote = text.find('"', at);
    const std::string_view type =
        quote == std::string_view::npos ? std::string_view() : quoted_at(text, quote);
    const std::size_t open = text.find('[', at);
    const std::size_t close = text.find(']', at);
    if (type.empty() || open == std::string_view::npos || close == std::string_view::npos ||
        close < open)
      break;
    run::Tensor tensor;
    tensor.dtype = run_dtype_of_trace(type);
    tensor.shape.emplace();
    for (const auto dim : split(text.substr(open + 1, close - open - 1), ',')) {
      if (const auto value = integer_at(trim(dim), 0)) tensor.shape->push_back(*value);
    }
    out.push_back(std::move(tensor));
    at = close;
  }
  return out;
}

}  // namespace neurolens::capture
