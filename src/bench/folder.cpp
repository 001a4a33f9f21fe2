#include "folder.hpp"

#include <fmt/format.h>

#include "neurolens/base/hash.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens::bench {
namespace {

constexpr const char* kStateFile = "/bench.json";
constexpr const char* kFailureFile = "/failures.jsonl";
constexpr std::int64_t kMostFailureBytes = 1 << 30;

std::string text_of(const json::Value& object, std::string_view key) {
  const json::Value* value = object.find(key);
  return value != nullptr && value->is_string() ? *value->as_string() : std::string();
}

Errc code_of(std::string_view name) {
#define NEUROLENS_ERROR(code, status, sentence) \
  if (name == #code) return Errc::code;
#include "neurolens/base/errors.def"
#undef NEUROLENS_ERROR
  return Errc::internal;
}

}  // namespace

Result<Folder> Folder::open(FileSystem& files, const std::string& path, const Config& config,
                            bool resume) {
  const std::string state = path + kStateFile;
  const std::string wanted = content_hash(config);
  NEUROLENS_ASSIGN(const auto there, files.info(state));
  if (!there) {
    Folder fresh(files, path, make_uuid());
    json::Writer w({2});
    w.begin_object().member("name", config.name).member("bench_id", fresh.bench_id_);
    w.member("configuration_sha256", wanted).end_object();
    NEUROLENS_TRY(files.make_directories(path));
    NEUROLENS_TRY(files.write_atomic(state, std::move(w).take() + "\n"));
    return fresh;
  }
  if (!resume) {
    return Error{Errc::bad_request,
                 "The folder holds a matrix already; go on with it by --resume, or name another "
                 "folder by --out.",
                 path};
  }
  NEUROLENS_ASSIGN(const std::string text, files.read(state));
  auto tree = json::parse(text);
  if (!tree.ok()) return std::move(tree).error().at(state);
  if (text_of(*tree, "configuration_sha256") != wanted) {
    return Error{Errc::bad_request,
                 "The folder holds a matrix of another configuration, so there is nothing to go on "
                 "with; name another folder by --out.",
                 path};
  }
  return Folder(files, path, text_of(*tree, "bench_id"));
}

Status Folder::add_failure(const std::string& cell_key, const Error& error) {
  json::Writer w;
  w.begin_object().member("cell", cell_key).member("code", to_string(error.code));
  w.member("message", error.message).member("where", error.where).end_object();
  NEUROLENS_ASSIGN(auto file, files_->open_append(path_ + kFailureFile));
  // A line break in front: a line that a kill tore stays alone.
  NEUROLENS_TRY(file->write("\n" + std::move(w).take() + "\n"));
  return file->commit();
}

Result<std::vector<std::pair<std::string, Error>>> Folder::failures() {
  std::vector<std::pair<std::string, Error>> found;
  const std::string path = path_ + kFailureFile;
  NEUROLENS_ASSIGN(const auto there, files_->info(path));
  if (!there) return found;
  NEUROLENS_ASSIGN(const std::string text, files_->read(path, Bytes{kMostFailureBytes}));
  for (const auto line : split(text, '\n')) {
    if (line.empty()) continue;
    const auto tree = json::parse(line);
    if (!tree.ok()) continue;
    found.emplace_back(
        text_of(*tree, "cell"),
        Error{code_of(text_of(*tree, "code")), text_of(*tree, "message"), text_of(*tree, "where")});
  }
  return found;
}

}  // namespace neurolens::bench
