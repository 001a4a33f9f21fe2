/// \file
/// The tasks as tools of the Model Context Protocol: JSON-RPC 2.0 messages, one a line, over
/// whatever carries lines. Source: the protocol's specification, revisions 2024-11-05 to
/// 2025-06-18; of it the parts of a server that only has tools. No state is kept between messages.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "neurolens/agent/task.hpp"

namespace neurolens::agent {

/// Answers one message: initialize, ping, tools/list, tools/call. A tool's result is the Reply,
/// both as text and as structured content. `version` is that of this program. nullopt: a
/// notification, which has no answer. Never throws; what is wrong with a message is a JSON-RPC
/// error. The answer is one line without its line break.
[[nodiscard]] std::optional<std::string> mcp_answer(std::string_view message,
                                                    std::span<const TaskEntry> tasks,
                                                    std::string_view version);

}  // namespace neurolens::agent
