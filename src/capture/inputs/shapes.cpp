#include "inputs/shapes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "neurolens/base/text.hpp"

namespace neurolens::capture {
namespace {

constexpr std::int64_t kImageSide = 224;
constexpr std::size_t kMaxElements = std::size_t{1} << 33;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

enum class Meaning : std::uint8_t { batch, sequence, past, total, image, unknown };

Meaning meaning_of(const std::string& symbol) {
  const std::string name = lower(symbol);
  if (contains(name, "batch") || name == "n" || name == "b" || name == "bs" || name == "none")
    return Meaning::batch;
  if (contains(name, "past")) return contains(name, "+") ? Meaning::total : Meaning::past;
  if (contains(name, "total")) return Meaning::total;
  if (contains(name, "seq") || contains(name, "token") || contains(name, "length") || name == "s" ||
      name == "t" || name == "time") {
    return Meaning::sequence;
  }
  if (contains(name, "height") || contains(name, "width") || name == "h" || name == "w")
    return Meaning::image;
  return Meaning::unknown;
}

class Resolver {
 public:
  Resolver(const std::vector<InputSpec>& inputs, const CaptureRequest& request)
      : inputs_(inputs), request_(request) {}

  Result<ResolvedShapes> run(const std::map<std::string, std::vector<std::int64_t>>& given) {
    NEUROLENS_TRY(check_names());
    for (const auto& [symbol, size] : request_.dimensions)
      NEUROLENS_TRY(bind(symbol, size, "--dim"));
    for (const auto& input : inputs_) {
      if (const auto hit = given.find(input.name); hit != given.end()) {
        NEUROLENS_TRY(fix(input, hit->second, "its file"));
      } else if (const auto asked = request_.shapes.find(input.name);
                 asked != request_.shapes.end()) {
        NEUROLENS_TRY(fix(input, asked->second, "--shape"));
      }
    }
    for (const auto& input : inputs_) {
      if (const auto hit = fixed_.find(input.name); hit != fixed_.end()) {
        out_.dims.push_back(hit->second);
        continue;
      }
      NEUROLENS_ASSIGN(auto dims, by_rules(input));
      out_.dims.push_back(std::move(dims));
    }
    NEUROLENS_TRY(check_use());
    return std::move(out_);
  }

 private:
  static Error bad(std::string sentence) {
    return Error{Errc::bad_request, std::move(sentence), {}};
  }

  Status check_names() const {
    std::vector<std::string> known;
    for (const auto& input : inputs_) known.push_back(input.name);
    const auto check = [&](const std::string& name, const char* option) -> Status {
      if (std::find(known.begin(), known.end(), name) != known.end()) return {};
      std::string list;
      for (const auto& one : known) list += (list.empty() ? "" : ", ") + printable(one);
      return bad(fmt::format(
          "{} names the input \"{}\", which the model does not have.{} Its inputs: {}.", option,
          printable(name), did_you_mean(name, known), list.empty() ? "none" : list));
    };
    for (const auto& [name, dims] : request_.shapes) NEUROLENS_TRY(check(name, "--shape"));
    for (const auto& [name, path] : request_.inputs) NEUROLENS_TRY(check(name, "--input"));
    return {};
  }

  Status bind(const std::string& symbol, std::int64_t size, const char* source) {
    if (symbol.empty()) return {};
    const auto [hit, fresh] = out_.symbols.emplace(symbol, size);
    if (!fresh && hit->second != size) {
      return bad(fmt::format(
          "The dimension \"{}\" is given the size {} by {} but {} elsewhere; make them equal.",
          printable(symbol), size, source, hit->second));
    }
    return {};
  }

  /// Takes dimensions from outside after holding them against what the model declares.
  Status fix(const InputSpec& input, const std::vector<std::int64_t>& dims, const char* source) {
    const onnx::TypeInfo* type = tensor_inside(input.type);
    for (const auto dim : dims) {
      if (dim < 0)
        return bad(fmt::format("A dimension of \"{}\" is negative.", printable(input.name)));
    }
    if (type != nullptr && type->shape) {
      const auto& declared = *type->shape;
      if (declared.size() != dims.size()) {
        return bad(fmt::format("Input \"{}\" has {} dimensions ({}), but {} gives {} ({}).",
                               printable(input.name), declared.size(),
                               printable(onnx::describe(*type)), source, dims.size(),
                               describe_dims(dims)));
      }
      for (std::size_t i = 0; i < dims.size(); ++i) {
        if (declared[i].fixed() && *declared[i].value != dims[i]) {
          return bad(fmt::format(
              "Dimension {} of input \"{}\" is fixed at {} by the model, but {} gives {}.", i,
              printable(input.name), *declared[i].value, source, dims[i]));
        }
        NEUROLENS_TRY(bind(declared[i].symbol, dims[i], source));
      }
    }
    fixed_[input.name] = dims;
    return {};
  }

  std::int64_t take(Meaning meaning) {
    switch (meaning) {
      case Meaning::batch:
        out_.batch_used = true;
        return request_.batch;
      case Meaning::total:
      case Meaning::sequence:
        out_.sequence_used = true;
        return request_.sequence;
      case Meaning::past:
        return 0;
      case Meaning::image:
        return kImageSide;
      case Meaning::unknown:
        break;
    }
    return 1;
  }

  /// What an open dimension without a telling name means, by its place.
  static Meaning by_place(const onnx::TypeInfo& type, std::size_t index) {
    const auto& dims = *type.shape;
    if (index == 0) return Meaning::batch;
    const bool integer = type.element == onnx::DType::int64 || type.element == onnx::DType::int32;
    if (index == 1 && dims.size() == 2 && integer) return Meaning::sequence;
    const bool image = dims.size() == 4 && dims[1].fixed() && *dims[1].value <= 4;
    if (image && index >= 2) return Meaning::image;
    return Meaning::unknown;
  }

  Result<std::vector<std::int64_t>> by_rules(const InputSpec& input) {
    const onnx::TypeInfo* type = tensor_inside(input.type);
    if (type == nullptr) return std::vector<std::int64_t>{};
    if (!type->shape) {
      return bad(fmt::format(
          "Input \"{}\" has no declared rank, so no shape can be chosen; give --shape {}=D0xD1x...",
          printable(input.name), printable(input.name)));
    }
    std::vector<std::int64_t> dims;
    double elements = 1;
    for (std::size_t i = 0; i < type->shape->size(); ++i) {
      const onnx::Dim& dim = (*type->shape)[i];
      std::int64_t size = 0;
      if (dim.fixed()) {
        size = *dim.value;
      } else if (const auto bound = out_.symbols.find(dim.symbol);
                 !dim.symbol.empty() && bound != out_.symbols.end()) {
        size = bound->second;
      } else {
        Meaning meaning = dim.symbol.empty() ? Meaning::unknown : meaning_of(dim.symbol);
        if (meaning == Meaning::unknown) meaning = by_place(*type, i);
        size = take(meaning);
        if (!dim.symbol.empty()) out_.symbols[dim.symbol] = size;
      }
      dims.push_back(size);
      elements *= static_cast<double>(size);
    }
    if (elements > static_cast<double>(kMaxElements)) {
      return Error{
          Errc::too_large,
          fmt::format("Input \"{}\" would have {:.3g} elements ({}); give a smaller --shape.",
                      printable(input.name), elements, describe_dims(dims)),
          {}};
    }
    return dims;
  }

  Status check_use() const {
    if (request_.batch_given && request_.batch != 1 && !out_.batch_used && !overridden()) {
      return bad(
          "--batch has no effect: no input of the model has a free batch dimension. Leave it out, "
          "or use --shape.");
    }
    if (request_.sequence_given && !out_.sequence_used && !overridden()) {
      return bad(
          "--sequence has no effect: no input of the model has a free sequence dimension. Leave it "
          "out, or use --shape.");
    }
    return {};
  }
  [[nodiscard]] bool overridden() const { return !fixed_.empty() || !request_.dimensions.empty(); }

  const std::vector<InputSpec>& inputs_;
  const CaptureRequest& request_;
  std::map<std::string, std::vector<std::int64_t>> fixed_;
  ResolvedShapes out_;
};

}  // namespace

const onnx::TypeInfo* tensor_inside(const onnx::TypeInfo& type) {
  const onnx::TypeInfo* at = &type;
  while (at->kind == onnx::TypeKind::sequence || at->kind == onnx::TypeKind::optional) {
    if (at->inner.empty()) return nullptr;
    at = &at->inner.front();
  }
  return at->kind == onnx::TypeKind::tensor ? at : nullptr;
}

std::string describe_dims(const std::vector<std::int64_t>& dims) {
  if (dims.empty()) return "scalar";
  return fmt::format("{}", fmt::join(dims, "x"));
}

Result<ResolvedShapes> resolve_shapes(
    const std::vector<InputSpec>& inputs, const CaptureRequest& request,
    const std::map<std::string, std::vector<std::int64_t>>& given) {
  return Resolver(inputs, request).run(given);
}

}  // namespace neurolens::capture
