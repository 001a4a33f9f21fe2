/// \file
/// One execution of one step: its texts with the references replaced, the command or function, what
/// it must leave, and the journal.
#pragma once

#include <map>
#include <string>

#include "journal.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/exec/codec.hpp"
#include "neurolens/exec/task.hpp"
#include "state.hpp"

namespace neurolens::exec {

/// What a step leaves for others.
struct StepValue {
  std::string text;  ///< Standard output, or the result as JSON.
  bool is_json = false;
  bool resumed = false;
  std::int64_t busy_ns = 0;  ///< Of the earlier run.
};

template <>
struct Codec<StepValue> {
  static void write(const StepValue& v, std::string& out) {
    Codec<std::string>::write(v.text, out);
    Codec<bool>::write(v.is_json, out);
    Codec<bool>::write(v.resumed, out);
    Codec<std::int64_t>::write(v.busy_ns, out);
  }
  static std::optional<StepValue> read(std::string_view& in) {
    StepValue v;
    std::optional<std::string> text = Codec<std::string>::read(in);
    const auto is_json = Codec<bool>::read(in);
    const auto resumed = Codec<bool>::read(in);
    const auto busy = Codec<std::int64_t>::read(in);
    if (!text || !is_json || !resumed || !busy) return {};
    return StepValue{std::move(*text), *is_json, *resumed, *busy};
  }
};

namespace detail {

/// A name for files: ids of a matrix hold characters that folders dislike.
[[nodiscard]] std::string file_id(const std::string& id);

/// What all steps of a run share.
struct StepSurroundings {
  const Workflow::State& state;
  FileSystem& files;
  const WorkflowOptions& options;
  const std::string& directory;  ///< Of logs and journal.
  Journal& journal;
};

/// `values`: of the steps that step `index` refers to.
[[nodiscard]] Result<StepValue> run_step(const StepSurroundings& around, std::uint32_t index,
                                         TaskContext& context,
                                         const std::map<std::uint32_t, const StepValue*>& values);

}  // namespace detail
}  // namespace neurolens::exec
