#include "neurolens/base/compress.hpp"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace neurolens {

std::string zstd_compress(std::string_view bytes, int level) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(),
                                                                     ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, std::clamp(level, 1, 19));
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const std::size_t size =
      ZSTD_compress2(context.get(), out.data(), out.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(size) != 0) std::abort();  // only possible with a too small destination
  out.resize(size);
  return out;
}

bool looks_like_zstd(std::string_view bytes) noexcept {
  return bytes.starts_with("\x28\xb5\x2f\xfd");
}

Result<std::string> zstd_decompress(std::string_view bytes, Bytes limit) {
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(),
                                                                     ZSTD_freeDCtx);
  std::string out;
  std::string chunk(ZSTD_DStreamOutSize(), '\0');
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  std::size_t pending = 1;
  while (in.pos < in.size || pending != 0) {
    ZSTD_outBuffer piece{chunk.data(), chunk.size(), 0};
    const std::size_t before = in.pos;
    pending = ZSTD_decompressStream(context.get(), &piece, &in);
    if (ZSTD_isError(pending) != 0) {
      return Error{Errc::data_corrupt,
                   fmt::format("The compressed data are damaged ({}); fetch the file again.",
                               ZSTD_getErrorName(pending)),
                   fmt::format("byte {}", in.pos)};
    }
    out.append(chunk, 0, piece.pos);
    if (static_cast<std::int64_t>(out.size()) > limit.count) {
      return Error{Errc::too_large, fmt::format("The content exceeds {} bytes.", limit.count), ""};
    }
    if (in.pos == before && piece.pos == 0 && in.pos == in.size && pending != 0) {
      return Error{Errc::data_corrupt, "The compressed data end early; fetch the file again.",
                   fmt::format("byte {}", in.pos)};
    }
  }
  return out;
}

std::string zlib_compress(std::string_view bytes, int level) {
  uLongf size = compressBound(static_cast<uLong>(bytes.size()));
  std::string out(size, '\0');
  const int status = compress2(reinterpret_cast<Bytef*>(out.data()), &size,
                               reinterpret_cast<const Bytef*>(bytes.data()),
                               static_cast<uLong>(bytes.size()), std::clamp(level, 1, 9));
  if (status != Z_OK) std::abort();  // only possible without memory, which ends us anyway
  out.resize(size);
  return out;
}

}  // namespace neurolens
