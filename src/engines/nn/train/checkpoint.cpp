#include "train/checkpoint.hpp"

#include <cstring>

#include "neurolens/base/hash.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens::nn {
namespace {

constexpr std::string_view kMagic = "NLCKPT1\n";
constexpr std::size_t kDigest = 64;

std::vector<float>* array_named(Checkpoint& c, std::string_view name) {
  if (name == "params") return &c.params;
  if (name == "first") return &c.first;
  if (name == "second") return &c.second;
  if (name == "buffers") return &c.buffers;
  if (name == "states") return &c.states;
  return nullptr;
}

constexpr std::string_view kArrays[] = {"params", "first", "second", "buffers", "states"};

Error corrupt(const char* what) {
  return Error{Errc::data_corrupt,
               std::string("The checkpoint is damaged: ") + what +
                   ". Use an older one; this one was left as it is.",
               ""};
}

}  // namespace

std::string encode(const Checkpoint& checkpoint) {
  auto& c = const_cast<Checkpoint&>(checkpoint);
  json::Writer w;
  w.begin_object();
  w.member("version", 1).member("signature", c.signature).member("optimizer", c.optimizer);
  w.member("step", c.step).member("epoch", c.epoch).member("batch", c.batch);
  // Shortest round-trip text: the double comes back bit for bit.
  w.member("best_loss", shortest(c.best_loss)).member("since_best", c.since_best);
  w.key("arrays").begin_array();
  for (const auto name : kArrays) {
    w.begin_object().member("name", name);
    w.member("count", static_cast<std::int64_t>(array_named(c, name)->size())).end_object();
  }
  w.end_array().end_object();
  const std::string header = std::move(w).take();
  std::string out(kMagic);
  for (int i = 0; i < 8; ++i) out += static_cast<char>(header.size() >> (8 * i) & 255);
  out += header;
  for (const auto name : kArrays) {
    const auto& a = *array_named(c, name);
    out.append(reinterpret_cast<const char*>(a.data()), a.size() * sizeof(float));
  }
  return out + sha256(out);
}

Result<Checkpoint> decode(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) {
    if (bytes.starts_with("NLCKPT")) {
      return Error{Errc::newer_version,
                   "The checkpoint was written by a newer version of neurolens.", ""};
    }
    return Error{Errc::bad_request, "The file is not a checkpoint of neurolens.", ""};
  }
  if (bytes.size() < kMagic.size() + 8 + kDigest) return corrupt("it is truncated");
  const auto body = bytes.substr(0, bytes.size() - kDigest);
  if (sha256(body) != bytes.substr(body.size()))
    return corrupt("it is truncated or its checksum is wrong");
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    length |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(body[kMagic.size() + i]))
              << (8 * i);
  }
  auto rest = body.substr(kMagic.size() + 8);
  if (rest.size() < length) return corrupt("its header is cut");
  auto header = json::parse(rest.substr(0, length));
  if (!header.ok()) return corrupt("its header cannot be read");
  rest = rest.substr(length);
  const auto text = [&](const char* key) {
    const auto* v = header->find(key);
    return v != nullptr && v->as_string() != nullptr ? *v->as_string() : std::string();
  };
  const auto integer = [&](const char* key) {
    const auto* v = header->find(key);
    return v != nullptr ? v->as_int().value_or(0) : 0;
  };
  Checkpoint c;
  c.signature = text("signature"), c.optimizer = text("optimizer");
  c.step = integer("step"), c.epoch = integer("epoch"), c.batch = integer("batch");
  c.since_best = integer("since_best");
  const std::string best = text("best_loss");
  auto best_value = json::parse(best);
  c.best_loss = best_value.ok() ? best_value->as_double().value_or(0) : 0;
  const auto* arrays = header->find("arrays");
  if (arrays == nullptr || arrays->as_array() == nullptr)
    return corrupt("its header lists no arrays");
  for (const auto& entry : *arrays->as_array()) {
    const auto* name = entry.find("name");
    const auto* count = entry.find("count");
    if (name == nullptr || name->as_string() == nullptr || count == nullptr)
      return corrupt("its header is odd");
    auto* array = array_named(c, *name->as_string());
    const auto n = count->as_int().value_or(-1);
    if (array == nullptr || n < 0 || static_cast<std::uint64_t>(n) > rest.size() / sizeof(float)) {
      return corrupt("an array is missing");
    }
    array->resize(static_cast<std::size_t>(n));
    if (n > 0) std::memcpy(array->data(), rest.data(), array->size() * sizeof(float));
    rest = rest.substr(array->size() * sizeof(float));
  }
  if (!rest.empty()) return corrupt("it has bytes too many");
  return c;
}

}  // namespace neurolens::nn
