/// \file
/// ZIP archives as whole buffers: written plainly, read with suspicion.
/// Stored and deflated members, UTF-8 names, no encryption, no Zip64 (4 GiB and 65,535 members at
/// most). What could harm whoever unpacks an archive is refused before anything is inflated.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/result.hpp"
#include "neurolens/base/units.hpp"

namespace neurolens {

/// One member.
struct ZipMember {
  std::string name;  ///< "folder/file", relative, '/' as separator.
  std::string bytes;
};

/// The archive; each member deflated where that makes it smaller. Same members, same bytes.
/// Errors: bad_request for a name that zip_read() would refuse or that stands twice; too_large.
[[nodiscard]] Result<std::string> zip_write(std::span<const ZipMember> members);

/// How much a reader may be made to do.
struct ZipLimits {
  std::size_t most_members = 10'000;
  Bytes most_bytes{std::int64_t{4} << 30};  ///< Of all contents together.
  /// Content per packed byte, for contents of 1 MiB and more. Measurements pack 5 to 60 times.
  double most_ratio = 200;
};

/// The members, in the order of the directory. Errors:
///   parse_error       not an archive, or a damaged one;
///   invalid_document  a name that is absolute, leaves its folder, or holds a backslash, colon or
///                     control character; a name that stands twice; a link; members that overlap;
///                     encryption or a method other than stored and deflated;
///   data_corrupt      a content whose size or checksum is not what the directory says;
///   too_large         beyond `limits`: what a small archive must not do to a disk.
[[nodiscard]] Result<std::vector<ZipMember>> zip_read(std::string_view bytes,
                                                      const ZipLimits& limits = {});

}  // namespace neurolens
