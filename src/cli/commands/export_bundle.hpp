/// \file
/// `neurolens export` for bundles: a Run and what belongs to it in one checked ZIP file.
#pragma once

#include <optional>
#include <string>

#include "command.hpp"

namespace neurolens::cli {

struct BundleRequest {
  std::string run;     ///< A file, or a Run of the store.
  std::string output;  ///< The ZIP file.
  std::string with;    ///< "report,fingerprint,baseline", any of them; may be empty.
  std::optional<std::string> baseline;  ///< A Run; empty: the store's baseline of the same model,
                                        ///< host and settings.
  std::optional<std::string> store;
};

/// Writes the bundle. Errors: bad_request for an unknown part; not_found where no baseline fits.
Result<int> write_bundle(Context& context, const BundleRequest& request);

/// Checks a bundle and says what is in it; with `unpack`, also writes it below that folder.
/// Errors: those of store::read_bundle() and store::unpack_bundle().
Result<int> verify_bundle(Context& context, const std::string& path,
                          const std::optional<std::string>& unpack, bool json);

}  // namespace neurolens::cli
