/// \file
/// What must hold for any bytes whatsoever: shared by the fuzzer and by the tests that replay its
/// seeds.
#pragma once

#include <string>
#include <string_view>

#include "neurolens/onnx/model.hpp"

namespace neurolens::onnx::testing_support {

/// Reads `bytes` as a model and, if they are one, everything in it, and writes it again.
/// Returns what is wrong; empty when all holds.
inline std::string check_any_bytes(std::string_view bytes) {
  const Result<Model> model = Model::parse(bytes, "input");
  if (!model.ok()) {
    const Error& error = model.error();
    if (error.code == Errc::internal) return "an internal error: " + error.text();
    if (!error.message.ends_with('.')) return "no sentence: " + error.text();
    return {};
  }
  if (model->parameter_count() < 0 || model->weight_size().count < 0) return "a negative size";
  for (const Value& input : model->graph().fed_inputs()) (void)describe(input.type);
  for (const Node& node : model->graph().nodes) (void)names_read(node);
  for (const TensorInfo& info : model->graph().initializers) {
    if (info.sparse) continue;
    const Result<Tensor> tensor = model->tensor(info.name);
    if (!tensor.ok()) return "an initialiser cannot be read: " + tensor.error().text();
  }
  const Result<std::string> written = model->serialize();
  if (!written.ok()) return "cannot be written: " + written.error().text();
  const Result<Model> again = Model::parse(*written, "again");
  if (!again.ok()) return "cannot be read back: " + again.error().text();
  if (*again->serialize() != *written) return "is written in two ways";
  if (again->parameter_count() != model->parameter_count())
    return "counts differently after writing";
  return {};
}

}  // namespace neurolens::onnx::testing_support
