#include "neurolens/exec/checkpoint.hpp"

#include <fmt/format.h>

#include "checkpoint_key.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/base/hash.hpp"
#include "run_core.hpp"

namespace neurolens::exec {
namespace {

constexpr std::string_view kMagic = "neurolens-result-1 ";
constexpr std::size_t kHashDigits = 64;

}  // namespace

CheckpointStore::CheckpointStore(FileSystem& files, std::string folder)
    : files_(files), folder_(std::move(folder)) {}

Result<std::unique_ptr<CheckpointStore>> CheckpointStore::open(FileSystem& files,
                                                               std::string folder) {
  NEUROLENS_TRY(files.make_directories(folder));
  return std::unique_ptr<CheckpointStore>(new CheckpointStore(files, std::move(folder)));
}

std::string CheckpointStore::path_of(const std::string& key) const {
  return join_path(folder_, key);
}

std::optional<std::string> CheckpointStore::find(const std::string& key) {
  Result<std::string> text = files_.read(path_of(key));
  if (!text.ok()) return {};
  const std::string_view all = *text;
  const std::size_t head = kMagic.size() + kHashDigits + 1;
  if (all.size() < head || !all.starts_with(kMagic)) return {};
  const std::string_view bytes = all.substr(head);
  if (sha256(bytes) != all.substr(kMagic.size(), kHashDigits)) return {};
  found_.fetch_add(1);
  return std::string(bytes);
}

void CheckpointStore::keep(const std::string& key, std::string_view bytes) {
  std::string text(kMagic);
  text += sha256(bytes);
  text += '\n';
  text += bytes;
  if (Status written = files_.write_atomic(path_of(key), text); !written.ok()) {
    const std::lock_guard lock(mutex_);
    if (trouble_.ok()) trouble_ = std::move(written);
    return;
  }
  kept_.fetch_add(1);
}

Status CheckpointStore::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

namespace detail {

std::string checkpoint_key(const RunCore& run, std::uint32_t task, std::string_view code_version) {
  const Compiled& compiled = run.compiled();
  std::string text = fmt::format("{}:{}{}:{}", code_version.size(), code_version,
                                 compiled.name(task).size(), compiled.name(task));
  const auto append = [&](const NodeOps& ops, const void* node, bool present) {
    std::string bytes;
    if (present) ops.encode(node, run.slots(), bytes);
    text += fmt::format("|{}{}:", present ? '+' : '-', bytes.size());
    text += bytes;
  };
  std::vector<std::uint32_t> indices;
  compiled.ops[task]->reads(compiled.records[task].node, indices);
  for (const std::uint32_t t : indices) {
    append(*compiled.ops[t], compiled.records[t].node, run.state(t) == EndState::done);
  }
  indices.clear();
  compiled.ops[task]->reads_inputs(compiled.records[task].node, indices);
  for (const std::uint32_t i : indices)
    append(*compiled.inputs[i].ops, compiled.inputs[i].node, true);
  return sha256(text);
}

Status check_checkpoint(const Compiled& compiled, std::uint32_t task) {
  const auto refuse = [&](const NodeOps& ops, std::string_view what) -> Status {
    return Error{
        Errc::wrong_type,
        fmt::format("Its {} has the type {}, which has no Codec, so that the result cannot be "
                    "kept in a checkpoint store. Specialise neurolens::exec::Codec for it.",
                    what, ops.type_name),
        compiled.name(task)};
  };
  if (compiled.uniform != nullptr) return {};
  if (compiled.ops[task]->encode == nullptr) return refuse(*compiled.ops[task], "result");
  std::vector<std::uint32_t> indices;
  compiled.ops[task]->reads(compiled.records[task].node, indices);
  for (const std::uint32_t t : indices) {
    if (compiled.ops[t]->encode == nullptr) return refuse(*compiled.ops[t], "argument");
  }
  indices.clear();
  compiled.ops[task]->reads_inputs(compiled.records[task].node, indices);
  for (const std::uint32_t i : indices) {
    if (compiled.inputs[i].ops->encode == nullptr) return refuse(*compiled.inputs[i].ops, "input");
  }
  return {};
}

}  // namespace detail
}  // namespace neurolens::exec
