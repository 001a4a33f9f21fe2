#include "damage.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace neurolens::onnx {
namespace {

enum class Message : std::uint8_t { leaf, model, graph, node, attribute, tensor };

struct Field {
  std::uint32_t number;
  std::string_view name;
  Message holds;
  bool repeated;
};

// Field numbers of the ONNX format: those worth naming, and those that lead to others.
constexpr std::array kModel{
    Field{2, "producer_name", Message::leaf, false}, Field{7, "graph", Message::graph, false},
    Field{8, "opset_import", Message::leaf, true}, Field{14, "metadata_props", Message::leaf, true},
    Field{25, "functions", Message::leaf, true}};
constexpr std::array kGraph{
    Field{1, "node", Message::node, true},          Field{2, "name", Message::leaf, false},
    Field{5, "initializer", Message::tensor, true}, Field{11, "input", Message::leaf, true},
    Field{12, "output", Message::leaf, true},       Field{13, "value_info", Message::leaf, true}};
constexpr std::array kNode{
    Field{1, "input", Message::leaf, true}, Field{2, "output", Message::leaf, true},
    Field{3, "name", Message::leaf, false}, Field{4, "op_type", Message::leaf, false},
    Field{5, "attribute", Message::attribute, true}};
constexpr std::array kAttribute{
    Field{1, "name", Message::leaf, false}, Field{5, "t", Message::tensor, false},
    Field{6, "g", Message::graph, false}, Field{7, "floats", Message::leaf, true},
    Field{8, "ints", Message::leaf, true}};
constexpr std::array kTensor{
    Field{1, "dims", Message::leaf, true}, Field{4, "float_data", Message::leaf, true},
    Field{7, "int64_data", Message::leaf, true}, Field{8, "name", Message::leaf, false},
    Field{9, "raw_data", Message::leaf, false}};

std::span<const Field> fields_of(Message message) {
  switch (message) {
    case Message::model:
      return kModel;
    case Message::graph:
      return kGraph;
    case Message::node:
      return kNode;
    case Message::attribute:
      return kAttribute;
    case Message::tensor:
      return kTensor;
    case Message::leaf:
      break;
  }
  return {};
}

struct Damage {
  std::size_t offset = 0;
  std::string place;  ///< "graph.initializer[3].raw_data"
  std::string what;
  bool truncated = false;
};

constexpr int kMostNesting = 100;  // protobuf's own bound

/// Walks one file. The first finding stops it.
class Walker {
 public:
  explicit Walker(std::string_view bytes) : bytes_(bytes) {}

  std::optional<Damage> find() {
    walk(Message::model, 0, bytes_.size(), 0);
    return std::move(damage_);
  }

 private:
  void walk(Message message, std::size_t at, std::size_t end, int depth) {
    if (depth > kMostNesting) return report(at, "nests deeper than 100 levels");
    std::vector<std::uint32_t> seen(fields_of(message).size(), 0);
    while (at < end && !damage_) {
      const std::size_t start = at;
      const auto tag = varint(at, end);
      if (!tag) return report(start, "holds a damaged field number");
      const Field* field = nullptr;
      for (std::size_t i = 0; i < seen.size(); ++i) {
        const Field& candidate = fields_of(message)[i];
        if (candidate.number != *tag >> 3) continue;
        field = &candidate;
        const std::string index = field->repeated ? fmt::format("[{}]", seen[i]) : "";
        ++seen[i];
        places_.push_back(std::string(field->name) + index);
      }
      if (*tag >> 3 == 0) return report(start, "holds the field number 0, which does not exist");
      value(*tag & 7, field, at, end, depth);
      if (field != nullptr) places_.pop_back();
    }
  }

  void value(std::uint64_t wire_type, const Field* field, std::size_t& at, std::size_t end,
             int depth) {
    const std::size_t start = at;
    switch (wire_type) {
      case 0:
        if (!varint(at, end)) report(start, "holds a damaged number");
        return;
      case 1:
        return skip(at, end, 8);
      case 5:
        return skip(at, end, 4);
      case 2: {
        const auto length = varint(at, end);
        if (!length) return report(start, "has a damaged length");
        const std::size_t content = at;
        const bool nested = field != nullptr && field->holds != Message::leaf;
        // Of a message that the end of the file cuts short, the innermost part says most.
        if (nested && *length > end - at && end == bytes_.size())
          walk(field->holds, at, end, depth + 1);
        skip(at, end, *length);
        if (!damage_ && nested) walk(field->holds, content, at, depth + 1);
        return;
      }
      default:
        report(start, fmt::format("holds a field of the wire type {}, which ONNX does not use",
                                  wire_type));
    }
  }

  void skip(std::size_t& at, std::size_t end, std::uint64_t length) {
    if (length <= end - at) {
      at += static_cast<std::size_t>(length);
      return;
    }
    if (damage_) return;
    report(at, fmt::format("needs {} bytes where {} are left", length, end - at));
    damage_->truncated = end == bytes_.size();
  }

  std::optional<std::uint64_t> varint(std::size_t& at, std::size_t end) {
    std::uint64_t result = 0;
    for (int shift = 0; shift < 70 && at < end; shift += 7) {
      const auto byte = static_cast<std::uint8_t>(bytes_[at++]);
      if (shift < 64) result |= std::uint64_t{byte & 0x7Fu} << shift;
      if ((byte & 0x80u) == 0) return result;
    }
    return std::nullopt;
  }

  void report(std::size_t at, std::string what) {
    if (damage_) return;
    std::string place;
    for (const std::string& part : places_) place += (place.empty() ? "" : ".") + part;
    damage_ = Damage{at, place.empty() ? "the model" : place, std::move(what), false};
  }

  std::string_view bytes_;
  std::vector<std::string> places_;
  std::optional<Damage> damage_;
};

struct Signature {
  std::size_t offset;
  std::string_view bytes;
  std::string_view format;
};

using namespace std::string_view_literals;
constexpr std::array kSignatures{
    Signature{0, "PK\x03\x04"sv, "a ZIP archive, as PyTorch writes it"},
    Signature{0, "\x80\x02"sv, "a Python pickle, as older PyTorch writes it"},
    Signature{0, "\x80\x04"sv, "a Python pickle"},
    Signature{0, "\x89HDF"sv, "HDF5, as Keras writes it"},
    Signature{4, "TFL3"sv, "a TensorFlow Lite model"},
    Signature{4, "ORTM"sv, "a model in ONNX Runtime's own ORT format"},
    Signature{0, "GGUF"sv, "a GGUF model"},
    Signature{0, "\x1f\x8b"sv, "a gzip file"},
    Signature{0, "\x28\xb5\x2f\xfd"sv, "a zstd file"},
    Signature{0,
              "\x7f"
              "ELF"sv,
              "a program or library"},
    Signature{0, "version https://git-lfs"sv,
              "a Git LFS pointer; fetch the file itself with `git lfs pull`"},
    Signature{0, "<!DOCTYPE"sv, "a web page"},
    Signature{0, "<html"sv, "a web page"},
    Signature{0, "{"sv, "JSON"},
};

}  // namespace

std::string_view foreign_format(std::string_view bytes) {
  for (const Signature& signature : kSignatures) {
    if (bytes.size() > signature.offset &&
        bytes.substr(signature.offset).starts_with(signature.bytes)) {
      return signature.format;
    }
  }
  return {};
}

Error explain_damage(std::string_view bytes, const std::string& path) {
  if (bytes.empty()) {
    return Error{Errc::parse_error, "The file is empty; export or download the model again.", path};
  }
  if (const std::string_view format = foreign_format(bytes); !format.empty()) {
    return Error{
        Errc::parse_error,
        fmt::format("This is no ONNX model but looks like {}; export the model to ONNX.", format),
        path};
  }
  const std::optional<Damage> damage = Walker(bytes).find();
  if (!damage) {
    return Error{Errc::parse_error,
                 "This is no ONNX model, or a damaged one; export or download it again.", path};
  }
  if (damage->place == "the model") {
    return Error{
        Errc::parse_error,
        fmt::format("This is no ONNX model: at byte {} it {}; give a file that an exporter wrote.",
                    damage->offset, damage->what),
        path};
  }
  return Error{Errc::parse_error,
               fmt::format("The model is {}: at byte {} {} {}; export or download it again.",
                           damage->truncated ? "cut short" : "damaged", damage->offset,
                           damage->place, damage->what),
               path};
}

}  // namespace neurolens::onnx
