#include "neurolens/base/compress.hpp"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <future>
#include <memory>
#include <thread>
#include <vector>

namespace neurolens {

std::string zstd_compress(std::string_view bytes, int level) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(),
                                                                     ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, std::clamp(level, 1, 19));
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  // Room for the worst case, most of which is never touched: a string would fill it with zeros.
  const std::size_t room = ZSTD_compressBound(bytes.size());
  const auto out = std::make_unique_for_overwrite<char[]>(room);
  const std::size_t size =
      ZSTD_compress2(context.get(), out.get(), room, bytes.data(), bytes.size());
  if (ZSTD_isError(size) != 0) std::abort();  // only possible with a too small destination
  return {out.get(), size};
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
  const auto out = std::make_unique_for_overwrite<Bytef[]>(size);
  const int status = compress2(out.get(), &size, reinterpret_cast<const Bytef*>(bytes.data()),
                               static_cast<uLong>(bytes.size()), std::clamp(level, 1, 9));
  if (status != Z_OK) std::abort();  // only possible without memory, which ends us anyway
  return {reinterpret_cast<const char*>(out.get()), size};
}

namespace {

constexpr std::size_t kPiece = std::size_t{512} << 10;
constexpr std::size_t kWindow = std::size_t{32} << 10;  // how far back DEFLATE can refer

Bytef* as_bytes(std::string_view text) {
  return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(text.data()));
}

/// A piece of a stream without head and check sum: RFC 1951 blocks that end at a whole byte.
std::string deflate_piece(std::string_view before, std::string_view piece, bool last, int level) {
  z_stream stream{};
  constexpr int kRaw = -15;
  constexpr int kMemory = 8;
  if (deflateInit2(&stream, level, Z_DEFLATED, kRaw, kMemory, Z_DEFAULT_STRATEGY) != Z_OK)
    std::abort();  // only possible without memory, which ends us anyway
  if (!before.empty()) {
    const std::string_view window = before.substr(before.size() - std::min(before.size(), kWindow));
    deflateSetDictionary(&stream, as_bytes(window), static_cast<uInt>(window.size()));
  }
  constexpr std::size_t kMarks = 16;  // the empty block that ends a piece
  const std::size_t room = deflateBound(&stream, static_cast<uLong>(piece.size())) + kMarks;
  const auto out = std::make_unique_for_overwrite<char[]>(room);
  stream.next_in = as_bytes(piece);
  stream.avail_in = static_cast<uInt>(piece.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.get());
  stream.avail_out = static_cast<uInt>(room);
  deflate(&stream, last ? Z_FINISH : Z_SYNC_FLUSH);
  if (stream.avail_in != 0 || stream.avail_out == 0) std::abort();  // there was room
  const std::size_t size = room - stream.avail_out;
  deflateEnd(&stream);
  return {out.get(), size};
}

}  // namespace

std::string zlib_compress_parallel(std::string_view bytes, int level) {
  level = std::clamp(level, 1, 9);
  const std::size_t pieces = std::max<std::size_t>(1, (bytes.size() + kPiece - 1) / kPiece);
  std::vector<std::string> packed(pieces);
  std::vector<uLong> sums(pieces);
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < pieces; i = next++) {
      const std::string_view piece = bytes.substr(i * kPiece, kPiece);
      packed[i] = deflate_piece(bytes.substr(0, i * kPiece), piece, i + 1 == pieces, level);
      sums[i] = adler32(1, as_bytes(piece), static_cast<uInt>(piece.size()));
    }
  };
  {
    std::vector<std::future<void>> helpers;
    const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
    for (std::size_t i = 1; i < std::min(cores, pieces); ++i)
      helpers.push_back(std::async(std::launch::async, work));
    work();
  }  // waits for the helpers
  uLong sum = sums[0];
  std::string out("\x78\x01", 2);  // DEFLATE, window of 32 KiB, fastest level claimed
  for (std::size_t i = 0; i < pieces; ++i) {
    out += packed[i];
    const std::size_t size = std::min(kPiece, bytes.size() - i * kPiece);
    if (i > 0) sum = adler32_combine(sum, sums[i], static_cast<z_off_t>(size));
  }
  for (const unsigned shift : {24U, 16U, 8U, 0U}) out += static_cast<char>(sum >> shift & 0xffU);
  return out;
}

}  // namespace neurolens
