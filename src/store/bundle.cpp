#include "neurolens/store/bundle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "neurolens/base/hash.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/run/run.hpp"

namespace neurolens::store {
namespace {

std::string manifest_text(const Bundle& bundle) {
  json::Writer w({2});
  w.begin_object().member("bundle_version", kBundleVersion);
  w.member("neurolens_version", bundle.neurolens_version).member("created_at", bundle.created_at);
  w.member("run_id", bundle.run_id).key("files").begin_array();
  for (const auto& file : bundle.files) {
    w.begin_object().member("path", file.path).member("kind", file.kind);
    w.member("size_bytes", static_cast<std::int64_t>(file.bytes.size()));
    w.member("sha256", sha256(file.bytes)).end_object();
  }
  w.end_array().end_object();
  return std::move(w).take() + "\n";
}

Error fault(std::string message, std::string_view where) {
  return {Errc::invalid_document, std::move(message), printable(where)};
}

Result<std::string> text_of(const json::Value& object, std::string_view key) {
  const json::Value* v = object.find(key);
  if (v == nullptr || !v->is_string())
    return fault(fmt::format("The manifest lacks \"{}\".", key), kBundleManifest);
  return *v->as_string();
}

class Checker {
 public:
  explicit Checker(std::vector<ZipMember> members) {
    for (auto& m : members) contents_.emplace(std::move(m.name), std::move(m.bytes));
  }

  Result<Bundle> check() {
    const auto manifest = contents_.find(kBundleManifest);
    if (manifest == contents_.end())
      return fault("The archive has no manifest, so it is no bundle.", kBundleManifest);
    const auto tree = json::parse(manifest->second);
    if (!tree.ok()) return fault(tree.error().text(), kBundleManifest);
    contents_.erase(manifest);
    const json::Value* version = tree->find("bundle_version");
    if (version == nullptr || !version->as_int())
      return fault("The manifest lacks \"bundle_version\".", kBundleManifest);
    if (*version->as_int() != kBundleVersion) {
      return Error{Errc::newer_version,
                   "The bundle is of a version that this program does not know.", kBundleManifest};
    }
    NEUROLENS_ASSIGN(bundle_.neurolens_version, text_of(*tree, "neurolens_version"));
    NEUROLENS_ASSIGN(bundle_.created_at, text_of(*tree, "created_at"));
    NEUROLENS_ASSIGN(bundle_.run_id, text_of(*tree, "run_id"));
    const json::Value* files = tree->find("files");
    if (files == nullptr || !files->is_array())
      return fault("The manifest lacks \"files\".", kBundleManifest);
    for (const auto& file : *files->as_array()) NEUROLENS_TRY(take(file));
    if (!contents_.empty())
      return fault("The manifest does not name this file.", contents_.begin()->first);
    NEUROLENS_TRY(check_runs());
    return std::move(bundle_);
  }

 private:
  Status take(const json::Value& entry) {
    BundleFile file;
    NEUROLENS_ASSIGN(file.path, text_of(entry, "path"));
    NEUROLENS_ASSIGN(file.kind, text_of(entry, "kind"));
    NEUROLENS_ASSIGN(const std::string hash, text_of(entry, "sha256"));
    const auto content = contents_.find(file.path);
    if (content == contents_.end())
      return fault("The manifest names this file, but it is not there.", file.path);
    const json::Value* size = entry.find("size_bytes");
    if (size == nullptr || size->as_int() != static_cast<std::int64_t>(content->second.size()))
      return fault("The file is not as long as the manifest says.", file.path);
    if (sha256(content->second) != hash)
      return fault("The file's hash is not the one in the manifest.", file.path);
    file.bytes = std::move(content->second);
    contents_.erase(content);
    bundle_.files.push_back(std::move(file));
    return {};
  }

  Status check_runs() const {
    std::map<std::string, int> count;
    for (const auto& file : bundle_.files) {
      ++count[file.kind];
      if (file.kind != "run" && file.kind != "baseline") continue;
      const auto run = run::read(file.bytes);
      if (!run.ok()) return fault(run.error().text(), file.path);
      if (file.kind == "run" && run->run_id != bundle_.run_id)
        return fault("The Run is not the one that the manifest names.", file.path);
    }
    if (count["run"] != 1 || count["baseline"] > 1)
      return fault("A bundle holds one Run and at most one baseline.", kBundleManifest);
    return {};
  }

  std::map<std::string, std::string> contents_;
  Bundle bundle_;
};

}  // namespace

Result<std::string> make_bundle(const Bundle& bundle) {
  std::vector<ZipMember> members{{kBundleManifest, manifest_text(bundle)}};
  for (const auto& file : bundle.files) members.push_back({file.path, file.bytes});
  return zip_write(members);
}

Result<Bundle> read_bundle(std::string_view archive, const ZipLimits& limits) {
  NEUROLENS_ASSIGN(auto members, zip_read(archive, limits));
  return Checker(std::move(members)).check();
}

Status unpack_bundle(const Bundle& bundle, FileSystem& files, const std::string& folder) {
  NEUROLENS_ASSIGN(const auto there, files.info(folder));
  if (there) {
    if (there->kind != FileKind::directory)
      return Error{Errc::bad_request, "This is no folder; name another one.", folder};
    NEUROLENS_ASSIGN(const auto names, files.list(folder));
    if (!names.empty())
      return Error{Errc::bad_request, "The folder is not empty; name another one.", folder};
  }
  NEUROLENS_TRY(files.make_directories(folder));
  NEUROLENS_TRY(files.write_atomic(join_path(folder, kBundleManifest), manifest_text(bundle)));
  for (const auto& file : bundle.files) {
    const std::string path = join_path(folder, file.path);
    NEUROLENS_TRY(files.make_directories(parent_path(path)));
    NEUROLENS_TRY(files.write_atomic(path, file.bytes));
  }
  return {};
}

}  // namespace neurolens::store
