/// \file
/// zstd and zlib as functions: whole buffers in, whole buffers out.
#pragma once

#include <string>
#include <string_view>

#include "neurolens/base/result.hpp"
#include "neurolens/base/units.hpp"

namespace neurolens {

/// A zstd frame with content size and checksum. `level` in [1, 19]; higher is smaller and slower.
[[nodiscard]] std::string zstd_compress(std::string_view bytes, int level = 3);

/// True when `bytes` starts with the zstd magic number.
[[nodiscard]] bool looks_like_zstd(std::string_view bytes) noexcept;

/// The content of one or more frames. Errors: data_corrupt; too_large when it would exceed `limit`
/// (a small file cannot make the program allocate without bound).
[[nodiscard]] Result<std::string> zstd_decompress(std::string_view bytes,
                                                  Bytes limit = Bytes{std::int64_t{16} << 30});

/// A zlib stream (RFC 1950), what browsers call "deflate". `level` in [1, 9]; higher is smaller and
/// slower.
[[nodiscard]] std::string zlib_compress(std::string_view bytes, int level = 6);

/// The same for large buffers: pieces of 512 KiB that are compressed side by side, each with what
/// comes before it as its dictionary, joined to one stream. The bytes depend on the content alone,
/// not on the machine. Threads: up to one per core while it runs.
[[nodiscard]] std::string zlib_compress_parallel(std::string_view bytes, int level = 6);

}  // namespace neurolens
