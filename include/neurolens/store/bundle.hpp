/// \file
/// A Run with what belongs to it as one ZIP file, to be handed on.
/// `bundle.json` names every other file with its kind, size and SHA-256; nothing lies in the
/// archive that it does not name. Whoever receives a bundle checks it with read_bundle() before
/// anything of it touches the disk.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "neurolens/base/file_system.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/base/zip.hpp"

namespace neurolens::store {

/// A file of a bundle.
struct BundleFile {
  std::string path;  ///< In the bundle: "run.json".
  std::string kind;  ///< "run", "baseline", "report", "fingerprint".
  std::string bytes;
};

/// What is in a bundle.
struct Bundle {
  std::string neurolens_version;  ///< Of the program that made it.
  std::string created_at;         ///< RFC 3339.
  std::string run_id;             ///< Of the file of kind "run".
  std::vector<BundleFile> files;  ///< Exactly one of kind "run", at most one "baseline".
};

/// Name of the manifest in the archive, and its version.
inline constexpr const char* kBundleManifest = "bundle.json";
inline constexpr std::int64_t kBundleVersion = 1;

/// The archive. Errors: those of zip_write().
[[nodiscard]] Result<std::string> make_bundle(const Bundle& bundle);

/// Reads and checks an archive: form, manifest, sizes, hashes, and that the Runs in it keep the
/// rules of their schema and are the ones that the manifest names. Errors: those of zip_read();
/// invalid_document for anything that is missing, unnamed, or not what the manifest says (the file
/// is named); newer_version.
[[nodiscard]] Result<Bundle> read_bundle(std::string_view archive, const ZipLimits& limits = {});

/// Writes the files of a bundle that came from read_bundle() below `folder`, which must be absent
/// or empty; the manifest included. Errors: bad_request when it is not; those of writing.
Status unpack_bundle(const Bundle& bundle, FileSystem& files, const std::string& folder);

}  // namespace neurolens::store
