/// \file
/// One structured request in, one structured reply out.
/// A request is a JSON object with the member "task" and that task's fields. The reply
/// says whether the task was carried out, holds its answer as data, and otherwise every
/// reason why not. Nothing that a request holds makes this room fail: what is wrong with it is in
/// the reply. Threads: calls may run side by side as far as the tasks themselves allow it.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/agent/task.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/result.hpp"

namespace neurolens::agent {

/// Requests above this many bytes are refused.
inline constexpr std::size_t kLargestRequest = 16 << 20;

struct Reply {
  std::string task;                ///< As asked for; empty when the request names none.
  bool success = false;            ///< The task was carried out, whatever its answer.
  std::optional<int> exit_status;  ///< Of the command behind the task; nullopt: it did not end.
  json::Value data;                ///< The answer; null when there is none.
  std::vector<Error> errors;       ///< Empty on success; `where` is a JSON pointer into the request
                                   ///< for a bad field, else a file or place.
};

/// Reads the request, checks every field (all faults are reported, not the first alone), runs the
/// task. Never throws, never fails otherwise than by the reply.
[[nodiscard]] Reply answer(std::string_view request, std::span<const TaskEntry> tasks);

/// The same with the task's name apart; a member "task" of `fields` is ignored.
[[nodiscard]] Reply answer_task(std::string_view task, const json::Object& fields,
                                std::span<const TaskEntry> tasks);

/// A refusal made elsewhere (the request could not be read) as a reply.
[[nodiscard]] Reply refusal(Error error);

/// The reply as JSON that meets schema/agent_reply.schema.json. `indent` 0: one line.
[[nodiscard]] std::string to_json(const Reply& reply, int indent = 2);

/// 0 on success, else the status of the first error (2: the request was wrong, ...).
[[nodiscard]] int exit_status_of(const Reply& reply);

/// The JSON Schema of requests, made from the fields that the tasks declare.
[[nodiscard]] std::string request_schema(std::span<const TaskEntry> tasks);

/// The schema of one task's fields, with or without the member "task".
[[nodiscard]] std::string fields_schema(const TaskEntry& entry, bool with_task, int indent);

}  // namespace neurolens::agent
