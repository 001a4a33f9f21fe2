#include "neurolens/agent/mcp.hpp"

#include <algorithm>
#include <iterator>

#include "neurolens/agent/agent.hpp"

namespace neurolens::agent {
namespace {

/// Revisions whose messages are understood, newest first.
constexpr std::string_view kRevisions[] = {"2025-06-18", "2025-03-26", "2024-11-05"};

/// Codes of JSON-RPC 2.0.
enum class Code {
  parse_error = -32700,
  invalid_request = -32600,
  no_method = -32601,
  invalid_params = -32602
};

json::Writer begin_answer(const json::Value& id) {
  json::Writer w;
  w.begin_object().member("jsonrpc", "2.0").key("id").value(id);
  return w;
}

std::string fault(const json::Value& id, Code code, std::string_view message) {
  json::Writer w = begin_answer(id);
  w.key("error").begin_object().member("code", static_cast<int>(code)).member("message", message);
  w.end_object().end_object();
  return std::move(w).take();
}

std::string initialize(const json::Value& id, const json::Value* params, std::string_view version) {
  std::string_view revision = kRevisions[0];
  const json::Value* asked = params != nullptr ? params->find("protocolVersion") : nullptr;
  if (asked != nullptr && asked->as_string() != nullptr) {
    const auto known = std::find(std::begin(kRevisions), std::end(kRevisions), *asked->as_string());
    if (known != std::end(kRevisions)) revision = *known;
  }
  json::Writer w = begin_answer(id);
  w.key("result").begin_object().member("protocolVersion", revision);
  w.key("capabilities").begin_object().key("tools").begin_object().end_object().end_object();
  w.key("serverInfo").begin_object().member("name", "neurolens").member("version", version);
  w.end_object().end_object().end_object();
  return std::move(w).take();
}

std::string list_tools(const json::Value& id, std::span<const TaskEntry> tasks) {
  json::Writer w = begin_answer(id);
  w.key("result").begin_object().key("tools").begin_array();
  for (const TaskEntry& entry : tasks) {
    w.begin_object().member("name", entry.name).member("description", entry.summary);
    w.key("inputSchema").raw(fields_schema(entry, false, 0)).end_object();
  }
  w.end_array().end_object().end_object();
  return std::move(w).take();
}

std::string call_tool(const json::Value& id, const json::Value* params,
                      std::span<const TaskEntry> tasks) {
  const json::Value* name = params != nullptr ? params->find("name") : nullptr;
  if (name == nullptr || name->as_string() == nullptr)
    return fault(id, Code::invalid_params, "The call names no tool.");
  const json::Value* given = params->find("arguments");
  if (given != nullptr && !given->is_object())
    return fault(id, Code::invalid_params, "The arguments of a tool are an object.");
  const auto known = [&](const TaskEntry& e) { return e.name == *name->as_string(); };
  if (std::none_of(tasks.begin(), tasks.end(), known))
    return fault(id, Code::invalid_params, "There is no tool of this name; tools/list has all.");
  const json::Object none;
  const Reply reply =
      answer_task(*name->as_string(), given != nullptr ? *given->as_object() : none, tasks);
  std::string text = to_json(reply, 0);
  text.pop_back();  // its line break
  json::Writer w = begin_answer(id);
  w.key("result").begin_object().key("content").begin_array();
  w.begin_object().member("type", "text").member("text", text).end_object().end_array();
  w.key("structuredContent").raw(text).member("isError", !reply.success);
  w.end_object().end_object();
  return std::move(w).take();
}

}  // namespace

std::optional<std::string> mcp_answer(std::string_view message, std::span<const TaskEntry> tasks,
                                      std::string_view version) {
  const json::Value nobody;
  if (message.size() > kLargestRequest)
    return fault(nobody, Code::invalid_request, "A message has at most 16 MiB.");
  const auto document = json::parse(message);
  if (!document.ok()) return fault(nobody, Code::parse_error, document.error().text());
  const json::Value* method = document->find("method");
  const json::Value* id = document->find("id");
  const bool has_id = id != nullptr && (id->as_string() != nullptr || id->is_number());
  if (method == nullptr || method->as_string() == nullptr || (id != nullptr && !has_id))
    return fault(has_id ? *id : nobody, Code::invalid_request, "This is no JSON-RPC request.");
  if (id == nullptr) return std::nullopt;  // a notification: there is none that matters here
  const json::Value* params = document->find("params");
  const std::string& name = *method->as_string();
  if (name == "initialize") return initialize(*id, params, version);
  if (name == "ping") {
    json::Writer w = begin_answer(*id);
    w.key("result").begin_object().end_object().end_object();
    return std::move(w).take();
  }
  if (name == "tools/list") return list_tools(*id, tasks);
  if (name == "tools/call") return call_tool(*id, params, tasks);
  return fault(*id, Code::no_method, "This server has tools only: tools/list, tools/call.");
}

}  // namespace neurolens::agent
