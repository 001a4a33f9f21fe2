#include "adapters/onnxruntime/cut_sessions.hpp"

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
namespace neurolens::capture::ort {
namespace {

constexpr std::uintmax_t kPlaceholderBytes = std::uintmax_t{1} << 40;  // takes no room on disk

}  // namespace

WeightPool::~WeightPool() {
  if (packed_ != nullptr) library_->api().ReleasePrepackedWeightsContainer(packed_);
}

Result<SharedWeights> WeightPool::share(const onnx::Model& model,
                                        const std::vector<std::string>& names) {
  if (packed_ == nullptr)
    NEUROLENS_TRY(library_->check(library_->api().CreatePrepackedWeightsContainer(&packed_)));
  SharedWeights out;
  out.packed = packed_;
  for (const auto& name : names) {
    auto found = weights_.find(name);
    if (found == weights_.end()) {
      NEUROLENS_ASSIGN(auto tensor, model.tensor(name));
      auto held = std::make_unique<onnx::Tensor>(std::move(tensor));
      NEUROLENS_ASSIGN(auto value, make_tensor_value(*library_, *held));
      found = weights_.emplace(name, Weight{std::move(held), std::move(value)}).first;
    }
    out.values.emplace_back(name, found->second.value.get());
  }
  return out;
}

CutSessions::CutSessions(std::shared_ptr<const Library> library, const onnx::Model& model,
                         const onnx::Cutter& cutter, SessionSettings settings, std::string folder)
    : library_(std::move(library)),
      model_(model),
      cutter_(cutter),
      settings_(std::move(settings)),
      folder_(std::move(folder)),
      pool_(library_) {}

Result<RuntimeSession> CutSessions::open(std::size_t k, std::size_t padding,
                                         const std::string& profile_prefix) {
  SessionSettings settings = settings_;
  settings.profile_prefix = profile_prefix;
  onnx::CutOptions options;
  options.padding = padding;
  if (!unshared_) {
    options.weights = onnx::CutWeights::shared;
    auto session = open_shared(k, options, settings);
    if (session.ok() || session.error().code == Errc::bad_request) return session;
    unshared_ = session.error().message;
    options.weights = onnx::CutWeights::embedded;
  }
  NEUROLENS_ASSIGN(const auto cut, cutter_.prefix(k, options));
  return RuntimeSession::create_from(library_, cut.bytes, settings);
}

/// The runtime insists that the file which a shared weight is declared to be in exists beside the
/// model and is long enough, though it never reads it: an empty file with a size satisfies it.
Result<RuntimeSession> CutSessions::open_shared(std::size_t k, const onnx::CutOptions& options,
                                                const SessionSettings& settings) {
  NEUROLENS_ASSIGN(const auto cut, cutter_.prefix(k, options));
  NEUROLENS_ASSIGN(const auto shared, pool_.share(model_, cut.shared_weights));
  const std::string placeholder = folder_ + "/" + std::string(onnx::kSharedWeightsFile);
  std::ofstream(placeholder, std::ios::app).close();
  std::error_code error;
  std::filesystem::resize_file(placeholder, kPlaceholderBytes, error);
  const std::string path = folder_ + "/cut.onnx";
  std::ofstream file(path, std::ios::binary | std::ios::trunc);  // no fsync: it lives for a moment
  file.write(cut.bytes.data(), static_cast<std::streamsize>(cut.bytes.size()));
  file.close();
  if (!file) return Error{Errc::io_error, "A cut of the model could not be written.", path};
  auto session = RuntimeSession::create(library_, path, settings, &shared);
  unlink(path.c_str());
  return session;
}

}  // namespace neurolens::capture::ort
