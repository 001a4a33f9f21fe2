#include "tensor_data.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <filesystem>
#include <optional>

#include "neurolens/base/file_system.hpp"
#include "neurolens/base/text.hpp"
#include "proto_io.hpp"

namespace neurolens::onnx {
namespace {

namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little, "ONNX content is little-endian");

bool is_external(const proto::TensorProto& tensor) {
  return tensor.data_location() == proto::TensorProto_DataLocation_EXTERNAL;
}

Error bad_tensor(Errc code, const std::string& tensor, std::string_view what) {
  return Error{code, fmt::format("The tensor \"{}\" {}.", printable(tensor), what), {}};
}

struct TypedCount {
  std::int64_t have;
  std::int64_t want;
};

std::int64_t entries(int count) {
  return count;
}

/// Entries in the typed field that `type` uses, and how many `elements` elements need there.
std::optional<TypedCount> typed_count(const proto::TensorProto& tensor, DType type,
                                      std::int64_t elements) {
  switch (type) {
    case DType::float32:
      return TypedCount{entries(tensor.float_data_size()), elements};
    case DType::complex64:
      return TypedCount{entries(tensor.float_data_size()), 2 * elements};
    case DType::float64:
      return TypedCount{entries(tensor.double_data_size()), elements};
    case DType::complex128:
      return TypedCount{entries(tensor.double_data_size()), 2 * elements};
    case DType::int64:
      return TypedCount{entries(tensor.int64_data_size()), elements};
    case DType::uint32:
    case DType::uint64:
      return TypedCount{entries(tensor.uint64_data_size()), elements};
    case DType::string:
      return TypedCount{entries(tensor.string_data_size()), elements};
    default:
      break;
  }
  const std::optional<int> bits = bits_of(type);
  if (!bits) return std::nullopt;
  const std::int64_t per_entry = *bits < 8 ? 8 / *bits : 1;
  return TypedCount{entries(tensor.int32_data_size()), (elements + per_entry - 1) / per_entry};
}

template <class Stored, class Field>
std::string pack(const Field& field) {
  std::string bytes(static_cast<std::size_t>(field.size()) * sizeof(Stored), '\0');
  char* to = bytes.data();
  for (const auto value : field) {
    const auto stored = static_cast<Stored>(value);
    std::memcpy(to, &stored, sizeof stored);
    to += sizeof stored;
  }
  return bytes;
}

std::string pack_typed(const proto::TensorProto& tensor, DType type) {
  switch (type) {
    case DType::float32:
    case DType::complex64:
      return pack<float>(tensor.float_data());
    case DType::float64:
    case DType::complex128:
      return pack<double>(tensor.double_data());
    case DType::int64:
      return pack<std::int64_t>(tensor.int64_data());
    case DType::uint32:
      return pack<std::uint32_t>(tensor.uint64_data());
    case DType::uint64:
      return pack<std::uint64_t>(tensor.uint64_data());
    case DType::int32:
      return pack<std::int32_t>(tensor.int32_data());
    case DType::int16:
    case DType::uint16:
    case DType::float16:
    case DType::bfloat16:
      return pack<std::uint16_t>(tensor.int32_data());
    default:
      return pack<std::uint8_t>(tensor.int32_data());
  }
}

std::optional<std::int64_t> to_integer(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

/// True when `path` is `folder` or lies below it; both are absolute and normal.
bool lies_in(const fs::path& path, const std::string& folder) {
  if (folder.empty()) return false;
  auto part = path.begin();
  for (const fs::path& piece : fs::path(folder)) {
    if (piece.empty()) continue;  // a trailing slash
    if (part == path.end() || *part != piece) return false;
    ++part;
  }
  return true;
}

std::string canonical_or_empty(const fs::path& path) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  return error ? std::string{} : real.string();
}

}  // namespace

ExternalFolder::ExternalFolder(const std::string& folder, const std::string& model_path)
    : folder_(folder) {
  if (folder.empty()) return;
  real_folder_ = canonical_or_empty(folder);
  if (!model_path.empty()) {
    if (const std::string model = canonical_or_empty(model_path); !model.empty()) {
      linked_folder_ = parent_path(model);
    }
  }
}

Result<std::string> ExternalFolder::resolve(const std::string& location,
                                            const std::string& tensor) const {
  if (folder_.empty()) {
    return bad_tensor(Errc::bad_request, tensor,
                      "keeps its data in a file, and a model from memory has no folder to look in");
  }
  const std::string shown = printable(location);
  if (location.empty() || location.find('\0') != std::string::npos) {
    return bad_tensor(Errc::invalid_document, tensor, "names no file for its external data");
  }
  const fs::path relative(location);
  if (relative.is_absolute()) {
    return bad_tensor(
        Errc::bad_request, tensor,
        fmt::format("wants its data from the absolute path \"{}\"; external data must lie in the "
                    "model's folder",
                    shown));
  }
  std::error_code error;
  const fs::path real = fs::canonical(fs::path(folder_) / relative, error);
  if (error) {
    // What does not exist is told apart from what may not be looked at: no probing outside of the
    // folder.
    if (!lies_in((fs::path(real_folder_) / relative).lexically_normal(), real_folder_)) {
      return bad_tensor(
          Errc::bad_request, tensor,
          fmt::format("wants its data from \"{}\", outside of the model's folder", shown));
    }
    return bad_tensor(
        Errc::not_found, tensor,
        fmt::format("keeps its data in \"{}\", which cannot be read ({}); put that file beside "
                    "the model",
                    shown, error.message()));
  }
  if (!lies_in(real, real_folder_) && !lies_in(real, linked_folder_)) {
    return bad_tensor(
        Errc::bad_request, tensor,
        fmt::format("wants its data from \"{}\", outside of the model's folder", shown));
  }
  if (!fs::is_regular_file(real, error)) {
    return bad_tensor(Errc::bad_request, tensor,
                      fmt::format("wants its data from \"{}\", which is no file", shown));
  }
  return real.string();
}

Result<ExternalPiece> ExternalFolder::locate(const proto::TensorProto& tensor,
                                             std::int64_t size_bytes) {
  std::string location;
  ExternalPiece piece;
  std::optional<std::int64_t> length;
  for (const auto& entry : tensor.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() != "offset" && entry.key() != "length") continue;
    const std::optional<std::int64_t> number = to_integer(entry.value());
    if (!number) {
      return bad_tensor(
          Errc::invalid_document, tensor.name(),
          fmt::format("has the {} \"{}\" in its external data, which is no byte count", entry.key(),
                      printable(entry.value())));
    }
    if (entry.key() == "offset") piece.offset_bytes = *number;
    if (entry.key() == "length") length = number;
  }
  auto known = known_.find(location);
  if (known == known_.end()) {
    NEUROLENS_ASSIGN(std::string path, resolve(location, tensor.name()));
    std::error_code error;
    const auto size = static_cast<std::int64_t>(fs::file_size(path, error));
    if (error)
      return bad_tensor(Errc::io_error, tensor.name(), "keeps its data in a file of unknown size");
    known = known_.emplace(location, std::pair{std::move(path), size}).first;
  }
  piece.path = known->second.first;
  const std::int64_t file_size = known->second.second;
  piece.length_bytes =
      length.value_or(size_bytes >= 0 ? size_bytes : file_size - piece.offset_bytes);
  if (size_bytes >= 0 && piece.length_bytes != size_bytes) {
    return bad_tensor(Errc::invalid_document, tensor.name(),
                      fmt::format("has {} bytes of external data where its dimensions ask for {}",
                                  piece.length_bytes, size_bytes));
  }
  if (piece.offset_bytes > file_size || piece.length_bytes > file_size - piece.offset_bytes ||
      piece.length_bytes < 0) {
    return bad_tensor(
        Errc::invalid_document, tensor.name(),
        fmt::format("needs {} bytes from byte {} of \"{}\" on, which has {}; copy that file again",
                    piece.length_bytes, piece.offset_bytes, printable(location), file_size));
  }
  return piece;
}

Result<TensorInfo> inspect_tensor(const proto::TensorProto& tensor, ExternalFolder& folder) {
  TensorInfo info;
  info.name = tensor.name();
  info.type = static_cast<DType>(tensor.data_type());
  info.dims.assign(tensor.dims().begin(), tensor.dims().end());
  info.external = is_external(tensor);
  const std::optional<std::int64_t> elements = element_count(info.dims);
  if (!elements) {
    return bad_tensor(Errc::invalid_document, tensor.name(),
                      "has a negative dimension or too many elements");
  }
  const std::optional<Bytes> size = packed_size(info.type, *elements);
  if (info.external) {
    NEUROLENS_ASSIGN(const ExternalPiece piece, folder.locate(tensor, size ? size->count : -1));
    info.size = Bytes{piece.length_bytes};
    return info;
  }
  const auto mismatch = [&](std::int64_t have, std::string_view unit, std::int64_t want) {
    return bad_tensor(Errc::invalid_document, tensor.name(),
                      fmt::format("holds {} {} where its dimensions ask for {}", have, unit, want));
  };
  if (tensor.has_raw_data()) {
    info.size = Bytes{static_cast<std::int64_t>(tensor.raw_data().size())};
    if (info.type == DType::string) {
      return bad_tensor(Errc::invalid_document, tensor.name(), "holds strings as raw data");
    }
    if (size && *size != info.size) return mismatch(info.size.count, "bytes", size->count);
    return info;
  }
  if (*elements > (std::int64_t{1} << 40)) return mismatch(0, "elements", *elements);
  if (const auto typed = typed_count(tensor, info.type, *elements)) {
    if (typed->have != typed->want) return mismatch(typed->have, "entries", typed->want);
  }
  if (info.type == DType::string) {
    for (const std::string& text : tensor.string_data())
      info.size += Bytes{static_cast<std::int64_t>(text.size())};
  } else {
    info.size = size.value_or(Bytes{});
  }
  return info;
}

Result<Tensor> unpack_tensor(const proto::TensorProto& tensor, ExternalFolder& folder) {
  Tensor out;
  out.name = tensor.name();
  out.type = static_cast<DType>(tensor.data_type());
  out.dims.assign(tensor.dims().begin(), tensor.dims().end());
  if (is_external(tensor)) {
    const std::optional<Bytes> size = packed_size(out.type, element_count(out.dims).value_or(0));
    NEUROLENS_ASSIGN(const ExternalPiece piece, folder.locate(tensor, size ? size->count : -1));
    NEUROLENS_ASSIGN(out.bytes, read_range(piece.path, piece.offset_bytes, piece.length_bytes));
  } else if (tensor.has_raw_data()) {
    out.bytes = tensor.raw_data();
  } else if (out.type == DType::string) {
    out.strings.assign(tensor.string_data().begin(), tensor.string_data().end());
  } else {
    out.bytes = pack_typed(tensor, out.type);
  }
  return out;
}

Status inline_external(proto::TensorProto& tensor, ExternalFolder& folder) {
  if (!is_external(tensor)) return {};
  NEUROLENS_ASSIGN(Tensor content, unpack_tensor(tensor, folder));
  tensor.clear_external_data();
  tensor.clear_data_location();
  *tensor.mutable_raw_data() = std::move(content.bytes);
  return {};
}

}  // namespace neurolens::onnx
