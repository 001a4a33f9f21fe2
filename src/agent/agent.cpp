#include "neurolens/agent/agent.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <new>

#include "neurolens/base/text.hpp"
#include "request.hpp"

namespace neurolens::agent {
namespace {

Error unknown_task(const std::string& name, std::span<const TaskEntry> tasks) {
  std::vector<std::string> names;
  for (const TaskEntry& entry : tasks) names.push_back(entry.name);
  return {Errc::bad_request,
          fmt::format("There is no task \"{}\".{} There are: {}.", printable(name),
                      did_you_mean(name, names), fmt::join(names, ", ")),
          "/task"};
}

/// The answer as data; text that is no JSON (a command may have nothing else) as {"text": ...}.
json::Value data_of(const std::string& document) {
  if (document.empty()) return {};
  auto data = json::parse(document);
  if (data.ok()) return std::move(data).value();
  return json::Value(json::Object{{"text", json::Value(to_valid_utf8(document))}});
}

Status carry_out(Task& task, Reply& reply) {
  NEUROLENS_ASSIGN(const Outcome outcome, task.run());
  reply.exit_status = outcome.exit_status;
  reply.data = data_of(outcome.document);
  return {};
}

Reply checked_task(std::string_view name, const json::Object& fields,
                   std::span<const TaskEntry> tasks) {
  Reply reply;
  reply.task = name;
  const auto entry =
      std::find_if(tasks.begin(), tasks.end(), [&](const TaskEntry& e) { return e.name == name; });
  if (entry == tasks.end()) {
    reply.errors.push_back(unknown_task(reply.task, tasks));
    return reply;
  }
  const auto task = entry->make();
  reply.errors = set_fields(*task, fields);
  if (!reply.errors.empty()) return reply;
  if (Status done = carry_out(*task, reply); !done.ok())
    reply.errors.push_back(std::move(done).error());
  reply.success = reply.errors.empty();
  return reply;
}

Reply checked_answer(std::string_view request, std::span<const TaskEntry> tasks) {
  if (request.size() > kLargestRequest)
    return refusal({Errc::too_large, "A request has at most 16 MiB.", ""});
  const auto document = json::parse(request);
  if (!document.ok()) return refusal(document.error());
  const json::Object* members = document->as_object();
  if (members == nullptr) {
    return refusal({Errc::wrong_type,
                    "A request is a JSON object such as {\"task\": \"summary\", \"run\": "
                    "\"a.run.json\"}.",
                    ""});
  }
  const json::Value* name = document->find("task");
  if (name == nullptr) return refusal({Errc::missing_key, "The request names no task.", "/task"});
  if (name->as_string() == nullptr)
    return refusal({Errc::wrong_type, "The name of a task is a string.", "/task"});
  return checked_task(*name->as_string(), *members, tasks);
}

/// Nothing thrown leaves this room.
template <class Work>
Reply guarded(Work work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return refusal(
        {Errc::out_of_memory, "Memory ran out; try a smaller input or a machine with more.", ""});
  } catch (const std::exception& error) {
    return refusal(
        {Errc::internal, fmt::format("A fault of neurolens itself: {}.", error.what()), ""});
  }
}

}  // namespace

Reply refusal(Error error) {
  Reply reply;
  reply.errors.push_back(std::move(error));
  return reply;
}

Reply answer(std::string_view request, std::span<const TaskEntry> tasks) {
  return guarded([&] { return checked_answer(request, tasks); });
}

Reply answer_task(std::string_view task, const json::Object& fields,
                  std::span<const TaskEntry> tasks) {
  return guarded([&] { return checked_task(task, fields, tasks); });
}

std::string to_json(const Reply& reply, int indent) {
  json::Writer w({indent});
  w.begin_object().key("task");
  reply.task.empty() ? w.null() : w.value(reply.task);
  w.member("success", reply.success).key("exit_status");
  reply.exit_status ? w.value(*reply.exit_status) : w.null();
  w.key("data").value(reply.data);
  w.key("errors").begin_array();
  for (const Error& error : reply.errors) {
    w.begin_object().member("code", to_string(error.code)).member("message", error.message);
    w.key("where");
    error.where.empty() ? w.null() : w.value(error.where);
    w.end_object();
  }
  w.end_array().end_object();
  return std::move(w).take() + "\n";
}

int exit_status_of(const Reply& reply) {
  return reply.success || reply.errors.empty() ? 0
                                               : neurolens::exit_status_of(reply.errors[0].code);
}

}  // namespace neurolens::agent
