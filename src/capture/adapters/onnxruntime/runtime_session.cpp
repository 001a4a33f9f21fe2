#include "adapters/onnxruntime/runtime_session.hpp"

#include <fmt/format.h>
#include <onnxruntime_session_options_config_keys.h>

#include <algorithm>

#include "neurolens/base/clock.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens::capture::ort {
namespace {

template <class T>
Handle<T> own(T* raw, void (*release)(T*)) {
  return Handle<T>(raw, release);
}

GraphOptimizationLevel runtime_level(OptLevel level) {
  switch (level) {
    case OptLevel::none:
      return ORT_DISABLE_ALL;
    case OptLevel::basic:
      return ORT_ENABLE_BASIC;
    case OptLevel::extended:
      return ORT_ENABLE_EXTENDED;
    case OptLevel::all:
      break;
  }
  return ORT_ENABLE_ALL;
}

/// "cuda" -> "CUDAExecutionProvider"; the runtime's own names stay.
std::string provider_name(const Library& library, const std::string& asked) {
  const auto lower = [](std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
  };
  for (const auto& name : library.providers()) {
    if (lower(name) == lower(asked) || lower(name) == lower(asked) + "executionprovider")
      return name;
  }
  return {};
}

Status append_provider(const Library& library, OrtSessionOptions* options,
                       const std::string& asked) {
  const auto& api = library.api();
  const std::string name = provider_name(library, asked);
  if (name.empty()) {
    std::string known;
    for (const auto& provider : library.providers())
      known += (known.empty() ? "" : ", ") + provider;
    return Error{
        Errc::bad_request,
        fmt::format("This build of ONNX Runtime has no execution provider \"{}\"; it has {}.",
                    printable(asked), known),
        {}};
  }
  if (name == "CPUExecutionProvider") return {};
  if (name == "CUDAExecutionProvider") {
    OrtCUDAProviderOptionsV2* cuda = nullptr;
    NEUROLENS_TRY(library.check(api.CreateCUDAProviderOptions(&cuda)));
    const auto status =
        library.check(api.SessionOptionsAppendExecutionProvider_CUDA_V2(options, cuda));
    api.ReleaseCUDAProviderOptions(cuda);
    return status;
  }
  std::string short_name = name.substr(0, name.find("ExecutionProvider"));
  std::transform(short_name.begin(), short_name.end(), short_name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return library.check(
      api.SessionOptionsAppendExecutionProvider(options, short_name.c_str(), nullptr, nullptr, 0));
}

Result<Handle<OrtSessionOptions>> make_options(const Library& library,
                                               const SessionSettings& settings) {
  const auto& api = library.api();
  OrtSessionOptions* raw = nullptr;
  NEUROLENS_TRY(library.check(api.CreateSessionOptions(&raw)));
  auto options = own(raw, api.ReleaseSessionOptions);
  NEUROLENS_TRY(library.check(
      api.SetSessionGraphOptimizationLevel(raw, runtime_level(settings.optimisation))));
  NEUROLENS_TRY(library.check(api.SetIntraOpNumThreads(raw, static_cast<int>(settings.threads))));
  NEUROLENS_TRY(library.check(api.SetInterOpNumThreads(raw, 1)));
  NEUROLENS_TRY(append_provider(library, raw, settings.provider));
  if (!settings.profile_prefix.empty()) {
    NEUROLENS_TRY(library.check(api.EnableProfiling(raw, settings.profile_prefix.c_str())));
  }
  if (!settings.optimized_path.empty()) {
    NEUROLENS_TRY(
        library.check(api.SetOptimizedModelFilePath(raw, settings.optimized_path.c_str())));
    NEUROLENS_TRY(library.check(
        api.AddSessionConfigEntry(raw, kOrtSessionOptionsOptimizedModelExternalInitializersFileName,
                                  settings.optimized_weights.c_str())));
    NEUROLENS_TRY(library.check(api.AddSessionConfigEntry(
        raw, kOrtSessionOptionsOptimizedModelExternalInitializersMinSizeInBytes, "1024")));
  }
  return options;
}

onnx::TypeInfo tensor_type(const Library& library, const OrtTensorTypeAndShapeInfo* info) {
  const auto& api = library.api();
  onnx::TypeInfo out;
  out.kind = onnx::TypeKind::tensor;
  ONNXTensorElementDataType element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  std::size_t rank = 0;
  if (!library.check(api.GetTensorElementType(info, &element)).ok()) return out;
  // The runtime numbers element types as ONNX does, except for the ones that came after it froze.
  out.element = static_cast<onnx::DType>(element);
  if (!library.check(api.GetDimensionsCount(info, &rank)).ok()) return out;
  std::vector<std::int64_t> dims(rank);
  std::vector<const char*> symbols(rank);
  if (!library.check(api.GetDimensions(info, dims.data(), rank)).ok()) return out;
  if (!library.check(api.GetSymbolicDimensions(info, symbols.data(), rank)).ok()) return out;
  out.shape.emplace();
  for (std::size_t i = 0; i < rank; ++i) {
    onnx::Dim dim;
    if (dims[i] >= 0) {
      dim.value = dims[i];
    } else if (symbols[i] != nullptr) {
      dim.symbol = symbols[i];
    }
    out.shape->push_back(std::move(dim));
  }
  return out;
}

onnx::TypeInfo read_type(const Library& library, const OrtTypeInfo* info) {
  const auto& api = library.api();
  onnx::TypeInfo out;
  ONNXType kind = ONNX_TYPE_UNKNOWN;
  if (!library.check(api.GetOnnxTypeFromTypeInfo(info, &kind)).ok()) return out;
  if (kind == ONNX_TYPE_TENSOR || kind == ONNX_TYPE_SPARSETENSOR) {
    const OrtTensorTypeAndShapeInfo* tensor = nullptr;
    if (!library.check(api.CastTypeInfoToTensorInfo(info, &tensor)).ok() || tensor == nullptr)
      return out;
    out = tensor_type(library, tensor);
    if (kind == ONNX_TYPE_SPARSETENSOR) out.kind = onnx::TypeKind::sparse_tensor;
    return out;
  }
  OrtTypeInfo* inner = nullptr;
  if (kind == ONNX_TYPE_SEQUENCE) {
    out.kind = onnx::TypeKind::sequence;
    const OrtSequenceTypeInfo* sequence = nullptr;
    if (!library.check(api.CastTypeInfoToSequenceTypeInfo(info, &sequence)).ok()) return out;
    if (!library.check(api.GetSequenceElementType(sequence, &inner)).ok()) return out;
  } else if (kind == ONNX_TYPE_OPTIONAL) {
    out.kind = onnx::TypeKind::optional;
    const OrtOptionalTypeInfo* optional = nullptr;
    if (!library.check(api.CastTypeInfoToOptionalTypeInfo(info, &optional)).ok()) return out;
    if (!library.check(api.GetOptionalContainedTypeInfo(optional, &inner)).ok()) return out;
  } else if (kind == ONNX_TYPE_MAP) {
    out.kind = onnx::TypeKind::map;
    const OrtMapTypeInfo* map = nullptr;
    ONNXTensorElementDataType key = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    if (!library.check(api.CastTypeInfoToMapTypeInfo(info, &map)).ok()) return out;
    if (!library.check(api.GetMapKeyType(map, &key)).ok()) return out;
    out.key = static_cast<onnx::DType>(key);
    if (!library.check(api.GetMapValueType(map, &inner)).ok()) return out;
  } else {
    out.kind = onnx::TypeKind::opaque;
    return out;
  }
  const auto holder = own(inner, api.ReleaseTypeInfo);
  out.inner.push_back(read_type(library, inner));
  return out;
}

Result<Handle<OrtValue>> make_value(const Library& library, Feed& feed) {
  const auto& api = library.api();
  std::vector<Handle<OrtValue>> parts;
  for (auto& tensor : feed.tensors) {
    NEUROLENS_ASSIGN(auto part, make_tensor_value(library, tensor));
    parts.push_back(std::move(part));
  }
  if (feed.kind == onnx::TypeKind::tensor) return std::move(parts.front());
  std::vector<const OrtValue*> raw;
  for (const auto& part : parts) raw.push_back(part.get());
  const auto kind = feed.kind == onnx::TypeKind::map ? ONNX_TYPE_MAP : ONNX_TYPE_SEQUENCE;
  OrtValue* out = nullptr;
  NEUROLENS_TRY(library.check(api.CreateValue(raw.data(), raw.size(), kind, &out)));
  return own(out, api.ReleaseValue);
}

}  // namespace

Result<Handle<OrtValue>> make_tensor_value(const Library& library, onnx::Tensor& tensor) {
  const auto& api = library.api();
  OrtValue* raw = nullptr;
  const auto element = static_cast<ONNXTensorElementDataType>(tensor.type);
  if (tensor.type == onnx::DType::string) {
    OrtAllocator* allocator = nullptr;
    NEUROLENS_TRY(library.check(api.GetAllocatorWithDefaultOptions(&allocator)));
    NEUROLENS_TRY(library.check(api.CreateTensorAsOrtValue(allocator, tensor.dims.data(),
                                                           tensor.dims.size(), element, &raw)));
    auto out = own(raw, api.ReleaseValue);
    std::vector<const char*> texts;
    for (const auto& text : tensor.strings) texts.push_back(text.c_str());
    NEUROLENS_TRY(library.check(api.FillStringTensor(raw, texts.data(), texts.size())));
    return out;
  }
  OrtMemoryInfo* memory = nullptr;
  NEUROLENS_TRY(
      library.check(api.CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &memory)));
  const auto holder = own(memory, api.ReleaseMemoryInfo);
  static char empty = 0;  // the runtime wants an address even for no elements
  void* data = tensor.bytes.empty() ? &empty : tensor.bytes.data();
  NEUROLENS_TRY(library.check(api.CreateTensorWithDataAsOrtValue(
      memory, data, tensor.bytes.size(), tensor.dims.data(), tensor.dims.size(), element, &raw)));
  return own(raw, api.ReleaseValue);
}

Result<FeedSet> FeedSet::create(std::shared_ptr<const Library> library, std::vector<Port> ports,
                                std::vector<Feed> feeds) {
  FeedSet out;
  out.ports_ = std::move(ports);
  out.feeds_ = std::move(feeds);
  for (std::size_t i = 0; i < out.feeds_.size(); ++i) {
    auto value = make_value(*library, out.feeds_[i]);
    if (!value.ok()) {
      Error error = std::move(value).error();
      error.message = fmt::format("The runtime does not take a {} for the input \"{}\": {}",
                                  onnx::describe(out.ports_[i].type), printable(out.ports_[i].name),
                                  error.message);
      return error;
    }
    out.raw_.push_back(value.value().get());
    out.values_.push_back(std::move(value).value());
  }
  return out;
}

RuntimeSession::RuntimeSession(std::shared_ptr<const Library> library)
    : library_(std::move(library)), session_(nullptr, library_->api().ReleaseSession) {}

Result<RuntimeSession> RuntimeSession::create(std::shared_ptr<const Library> library,
                                              const std::string& model_path,
                                              const SessionSettings& settings,
                                              const SharedWeights* shared) {
  NEUROLENS_ASSIGN(const auto options, make_options(*library, settings));
  RuntimeSession out(std::move(library));
  const auto& api = out.library_->api();
  OrtSession* raw = nullptr;
  if (shared == nullptr) {
    NEUROLENS_TRY(out.library_->check(
        api.CreateSession(out.library_->env(), model_path.c_str(), options.get(), &raw)));
  } else {
    for (const auto& [name, value] : shared->values) {
      NEUROLENS_TRY(out.library_->check(api.AddInitializer(options.get(), name.c_str(), value)));
    }
    NEUROLENS_TRY(out.library_->check(api.CreateSessionWithPrepackedWeightsContainer(
        out.library_->env(), model_path.c_str(), options.get(), shared->packed, &raw)));
  }
  out.session_.reset(raw);
  NEUROLENS_TRY(out.read_ports());
  return out;
}

Result<RuntimeSession> RuntimeSession::create_from(std::shared_ptr<const Library> library,
                                                   std::string_view model,
                                                   const SessionSettings& settings) {
  NEUROLENS_ASSIGN(const auto options, make_options(*library, settings));
  RuntimeSession out(std::move(library));
  OrtSession* raw = nullptr;
  NEUROLENS_TRY(out.library_->check(out.library_->api().CreateSessionFromArray(
      out.library_->env(), model.data(), model.size(), options.get(), &raw)));
  out.session_.reset(raw);
  NEUROLENS_TRY(out.read_ports());
  return out;
}

Status RuntimeSession::read_ports() {
  const auto& api = library_->api();
  OrtAllocator* allocator = nullptr;
  NEUROLENS_TRY(library_->check(api.GetAllocatorWithDefaultOptions(&allocator)));
  const auto read = [&](auto count_of, auto name_of, auto type_of,
                        std::vector<Port>& ports) -> Status {
    std::size_t count = 0;
    NEUROLENS_TRY(library_->check(count_of(session_.get(), &count)));
    for (std::size_t i = 0; i < count; ++i) {
      Port port;
      char* name = nullptr;
      NEUROLENS_TRY(library_->check(name_of(session_.get(), i, allocator, &name)));
      port.name = name;
      allocator->Free(allocator, name);
      OrtTypeInfo* type = nullptr;
      NEUROLENS_TRY(library_->check(type_of(session_.get(), i, &type)));
      port.type = read_type(*library_, type);
      api.ReleaseTypeInfo(type);
      ports.push_back(std::move(port));
    }
    return {};
  };
  NEUROLENS_TRY(read(api.SessionGetInputCount, api.SessionGetInputName, api.SessionGetInputTypeInfo,
                     inputs_));
  NEUROLENS_TRY(read(api.SessionGetOutputCount, api.SessionGetOutputName,
                     api.SessionGetOutputTypeInfo, outputs_));
  // Pointers into `inputs_` and `outputs_` stay valid when the session moves: vectors keep their
  // heap.
  for (const auto& port : inputs_) input_names_.push_back(port.name.c_str());
  for (const auto& port : outputs_) output_names_.push_back(port.name.c_str());
  results_.assign(outputs_.size(), nullptr);
  return {};
}

Status RuntimeSession::execute(const FeedSet& feeds) {
  return library_->check(library_->api().Run(
      session_.get(), nullptr, input_names_.data(), feeds.values().data(), feeds.values().size(),
      output_names_.data(), output_names_.size(), results_.data()));
}

void RuntimeSession::drop_outputs() {
  for (auto*& value : results_) {
    if (value != nullptr) library_->api().ReleaseValue(value);
    value = nullptr;
  }
}

Result<RuntimeSession::Timing> RuntimeSession::run(const FeedSet& feeds) {
  Clock& clock = system_clock();
  const Nanoseconds begin = clock.now();
  const Status status = execute(feeds);
  const Nanoseconds end = clock.now();
  drop_outputs();
  if (!status.ok()) return status.error();
  return Timing{begin, end - begin};
}

Result<std::vector<onnx::TypeInfo>> RuntimeSession::probe_outputs(const FeedSet& feeds) {
  const auto& api = library_->api();
  NEUROLENS_TRY(execute(feeds));
  std::vector<onnx::TypeInfo> out;
  for (auto* value : results_) {
    OrtTypeInfo* info = nullptr;
    onnx::TypeInfo type;
    int has_value = 0;
    if (value != nullptr && library_->check(api.HasValue(value, &has_value)).ok() &&
        has_value != 0 && library_->check(api.GetTypeInfo(value, &info)).ok() && info != nullptr) {
      type = read_type(*library_, info);
      api.ReleaseTypeInfo(info);
    }
    out.push_back(std::move(type));
  }
  drop_outputs();
  return out;
}

Result<std::string> RuntimeSession::end_profiling() {
  OrtAllocator* allocator = nullptr;
  NEUROLENS_TRY(library_->check(library_->api().GetAllocatorWithDefaultOptions(&allocator)));
  char* path = nullptr;
  NEUROLENS_TRY(
      library_->check(library_->api().SessionEndProfiling(session_.get(), allocator, &path)));
  std::string out = path;
  allocator->Free(allocator, path);
  return out;
}

}  // namespace neurolens::capture::ort
