// The format is that of PKWARE's APPNOTE.TXT 6.3.
#include "neurolens/base/zip.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <limits>
#include <set>

#include "neurolens/base/text.hpp"

namespace neurolens {
namespace {

constexpr std::uint32_t kLocal = 0x04034b50;
constexpr std::uint32_t kCentral = 0x02014b50;
constexpr std::uint32_t kEnd = 0x06054b50;
constexpr std::size_t kLocalSize = 30;
constexpr std::size_t kCentralSize = 46;
constexpr std::size_t kEndSize = 22;
constexpr std::size_t kMostComment = 65'535;
constexpr std::size_t kMostMembers = 65'534;
constexpr std::size_t kMostNameBytes = 512;
constexpr std::uint16_t kStored = 0;
constexpr std::uint16_t kDeflated = 8;
constexpr std::uint16_t kUtf8 = 1U << 11;
constexpr std::uint16_t kEncrypted = 1U;
constexpr std::uint16_t kDate = (1U << 5) | 1U;  // 1980-01-01: equal contents, equal archives
constexpr std::uint32_t kMode = (0100644U) << 16;

// --- writing -----------------------------------------------------------------------------------

void put16(std::string& out, std::uint32_t v) {
  out += static_cast<char>(v & 0xFF);
  out += static_cast<char>(v >> 8 & 0xFF);
}
void put32(std::string& out, std::uint32_t v) {
  put16(out, v & 0xFFFF);
  put16(out, v >> 16);
}

std::uint32_t checksum(std::string_view bytes) {
  uLong crc = crc32_z(0, nullptr, 0);
  return static_cast<std::uint32_t>(
      crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

/// zlib counts in 32 bits: larger contents are refused before.
std::string deflate_all(const std::string& bytes) {
  z_stream z{};
  if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) !=
      Z_OK)
    return bytes;
  std::string out(deflateBound(&z, static_cast<uLong>(bytes.size())), '\0');
  z.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  const bool whole = deflate(&z, Z_FINISH) == Z_STREAM_END;
  out.resize(z.total_out);
  deflateEnd(&z);
  return whole ? out : bytes;
}

// --- names -------------------------------------------------------------------------------------

/// Why a name may not be unpacked; empty when it may.
std::string_view fault_of_name(std::string_view name) {
  if (name.empty() || name.size() > kMostNameBytes) return "is empty or too long";
  if (name.front() == '/') return "is absolute";
  if (name.find_first_of("\\:") != std::string_view::npos) return "holds a backslash or a colon";
  if (printable(name) != name) return "holds a character that cannot be shown";
  for (const auto part : split(name, '/')) {
    if (part == "..") return "leaves its folder";
    if (part.empty() || part == ".") return "has an empty part";
  }
  return {};
}

Error bad_name(std::string_view name, std::string_view fault, Errc code) {
  return {code, fmt::format("The name of a member {}.", fault), printable(name)};
}

// --- reading -----------------------------------------------------------------------------------

struct Header {
  std::string name;
  std::uint16_t method = 0;
  std::uint32_t crc = 0;
  std::size_t packed = 0;
  std::size_t size = 0;
  std::size_t local = 0;  ///< Offset of the local header.
  std::size_t data = 0;   ///< Offset of the packed content.
};

class Reader {
 public:
  Reader(std::string_view bytes, const ZipLimits& limits) : bytes_(bytes), limits_(limits) {}

  Result<std::vector<ZipMember>> read() {
    NEUROLENS_TRY(find_end());
    NEUROLENS_TRY(read_directory());
    NEUROLENS_TRY(check_sizes());
    NEUROLENS_TRY(find_contents());
    std::vector<ZipMember> members;
    for (const auto& h : headers_) {
      NEUROLENS_ASSIGN(std::string content, unpack(h));
      members.push_back({h.name, std::move(content)});
    }
    return members;
  }

 private:
  [[nodiscard]] std::uint32_t get16(std::size_t at) const {
    return static_cast<std::uint8_t>(bytes_[at]) |
           static_cast<std::uint32_t>(static_cast<std::uint8_t>(bytes_[at + 1])) << 8;
  }
  [[nodiscard]] std::uint32_t get32(std::size_t at) const {
    return get16(at) | get16(at + 2) << 16;
  }
  /// True when `size` bytes begin at `at` and end before `end`.
  static bool fits(std::size_t at, std::size_t size, std::size_t end) {
    return at <= end && size <= end - at;
  }
  static Error damaged(const char* what) { return {Errc::parse_error, what, {}}; }

  Status find_end() {
    if (bytes_.size() < kEndSize) return damaged("This is no ZIP archive.");
    const std::size_t lowest =
        bytes_.size() - kEndSize - std::min(bytes_.size() - kEndSize, kMostComment);
    for (std::size_t at = bytes_.size() - kEndSize + 1; at-- > lowest;) {
      if (get32(at) == kEnd && at + kEndSize + get16(at + 20) == bytes_.size()) {
        end_ = at;
        return read_end();
      }
    }
    return damaged("This is no ZIP archive, or its end is missing.");
  }

  Status read_end() {
    count_ = get16(end_ + 10);
    const std::size_t size = get32(end_ + 12);
    directory_ = get32(end_ + 16);
    if (get16(end_ + 4) != 0 || get16(end_ + 6) != 0 || get16(end_ + 8) != count_)
      return damaged("The archive is split into several parts.");
    if (count_ > kMostMembers || directory_ == std::numeric_limits<std::uint32_t>::max())
      return damaged("The archive is of the Zip64 kind, which bundles are not.");
    if (!fits(directory_, size, end_) || directory_ + size != end_)
      return damaged("The directory of the archive is not where it should be.");
    if (count_ > limits_.most_members) {
      return Error{Errc::too_large,
                   fmt::format("The archive holds {} members; {} are allowed.", count_,
                               limits_.most_members),
                   {}};
    }
    return {};
  }

  Status read_directory() {
    std::size_t at = directory_;
    std::set<std::string> seen;
    for (std::size_t i = 0; i < count_; ++i) {
      if (!fits(at, kCentralSize, end_) || get32(at) != kCentral)
        return damaged("The directory of the archive is damaged.");
      const std::size_t name_size = get16(at + 28);
      const std::size_t whole = kCentralSize + name_size + get16(at + 30) + get16(at + 32);
      if (!fits(at, whole, end_)) return damaged("The directory of the archive is damaged.");
      Header h;
      h.name = bytes_.substr(at + kCentralSize, name_size);
      if (const auto fault = fault_of_name(h.name); !fault.empty())
        return bad_name(h.name, fault, Errc::invalid_document);
      if (!seen.insert(h.name).second)
        return bad_name(h.name, "stands twice", Errc::invalid_document);
      h.method = static_cast<std::uint16_t>(get16(at + 10));
      if ((get16(at + 8) & kEncrypted) != 0 || (h.method != kStored && h.method != kDeflated)) {
        return Error{Errc::invalid_document,
                     "The member is encrypted or packed by a method that is not known here.",
                     h.name};
      }
      if (const auto type = get32(at + 38) >> 16 & S_IFMT; type != 0 && type != S_IFREG)
        return Error{Errc::invalid_document, "The member is a link or no file.", h.name};
      h.crc = get32(at + 16);
      h.packed = get32(at + 20);
      h.size = get32(at + 24);
      h.local = get32(at + 42);
      headers_.push_back(std::move(h));
      at += whole;
    }
    return at == end_ ? Status{} : damaged("The directory of the archive is damaged.");
  }

  Status check_sizes() const {
    constexpr std::size_t kHarmless = 1 << 20;
    std::size_t sum = 0;
    for (const auto& h : headers_) {
      sum += h.size;
      const double ratio =
          static_cast<double>(h.size) / std::max(1.0, static_cast<double>(h.packed));
      if (h.size >= kHarmless && ratio > limits_.most_ratio) {
        return Error{
            Errc::too_large,
            fmt::format("The member would grow {:.0f}-fold; that is no measurement.", ratio),
            h.name};
      }
    }
    if (sum <= static_cast<std::size_t>(limits_.most_bytes.count)) return {};
    return Error{Errc::too_large,
                 fmt::format("The contents would take {} bytes; {} are allowed.", sum,
                             limits_.most_bytes.count),
                 {}};
  }

  Status find_contents() {
    std::vector<std::pair<std::size_t, std::size_t>> ranges;
    for (auto& h : headers_) {
      if (!fits(h.local, kLocalSize, directory_) || get32(h.local) != kLocal)
        return damaged("A member of the archive is not where the directory says.");
      const std::size_t name_size = get16(h.local + 26);
      h.data = h.local + kLocalSize + name_size + get16(h.local + 28);
      if (!fits(h.data, h.packed, directory_) || get16(h.local + 8) != h.method ||
          bytes_.substr(h.local + kLocalSize, name_size) != h.name) {
        return damaged("A member of the archive is not what the directory says.");
      }
      ranges.emplace_back(h.local, h.data + h.packed);
    }
    std::sort(ranges.begin(), ranges.end());
    for (std::size_t i = 1; i < ranges.size(); ++i) {
      if (ranges[i].first < ranges[i - 1].second) {
        return Error{
            Errc::invalid_document, "Members of the archive lie on top of each other.", {}};
      }
    }
    return {};
  }

  Result<std::string> unpack(const Header& h) const {
    const std::string_view packed = bytes_.substr(h.data, h.packed);
    std::string content;
    bool whole = h.packed == h.size;
    if (h.method == kStored) {
      if (whole) content = packed;
    } else {
      content.resize(h.size);
      whole = inflate_into(packed, content);
    }
    if (!whole || checksum(content) != h.crc) {
      return Error{Errc::data_corrupt,
                   "The content is not what the archive's directory says; get another copy.",
                   h.name};
    }
    return content;
  }

  /// True when `packed` inflates to exactly the size that `content` has.
  static bool inflate_into(std::string_view packed, std::string& content) {
    z_stream z{};
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK) return false;
    char spare = 0;  // zlib wants a place even for nothing
    z.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(packed.data()));
    z.avail_in = static_cast<uInt>(packed.size());
    z.next_out = reinterpret_cast<Bytef*>(content.empty() ? &spare : content.data());
    z.avail_out = static_cast<uInt>(content.size());
    const bool ended = inflate(&z, Z_FINISH) == Z_STREAM_END;
    const bool whole = ended && z.total_out == content.size() && z.avail_in == 0;
    inflateEnd(&z);
    return whole;
  }

  std::string_view bytes_;
  const ZipLimits& limits_;
  std::size_t end_ = 0;
  std::size_t directory_ = 0;
  std::size_t count_ = 0;
  std::vector<Header> headers_;
};

/// The fields that local and central header share, from "version needed" to the extra length.
void put_common(std::string& out, const ZipMember& member, std::uint16_t method,
                std::size_t packed) {
  put16(out, 20);  // version 2.0
  put16(out, kUtf8);
  put16(out, method);
  put16(out, 0);
  put16(out, kDate);
  put32(out, checksum(member.bytes));
  put32(out, static_cast<std::uint32_t>(packed));
  put32(out, static_cast<std::uint32_t>(member.bytes.size()));
  put16(out, static_cast<std::uint32_t>(member.name.size()));
  put16(out, 0);
}

}  // namespace

Result<std::string> zip_write(std::span<const ZipMember> members) {
  constexpr std::size_t kMost = std::numeric_limits<std::uint32_t>::max() - 1;
  const Error too_large{
      Errc::too_large, "An archive holds less than 4 GiB and at most 65,534 members.", {}};
  if (members.size() > kMostMembers) return too_large;
  std::string out;
  std::string directory;
  std::set<std::string_view> seen;
  for (const auto& member : members) {
    if (const auto fault = fault_of_name(member.name); !fault.empty())
      return bad_name(member.name, fault, Errc::bad_request);
    if (!seen.insert(member.name).second)
      return bad_name(member.name, "stands twice", Errc::bad_request);
    if (member.bytes.size() > kMost) return too_large;
    const std::string packed = deflate_all(member.bytes);
    const bool smaller = packed.size() < member.bytes.size();
    const std::string& content = smaller ? packed : member.bytes;
    const std::uint16_t method = smaller ? kDeflated : kStored;
    const std::size_t at = out.size();
    put32(out, kLocal);
    put_common(out, member, method, content.size());
    out += member.name;
    out += content;
    if (out.size() > kMost) return too_large;
    put32(directory, kCentral);
    put16(directory, 3U << 8 | 20);  // made on Unix: the mode below means something
    put_common(directory, member, method, content.size());
    put16(directory, 0);  // comment
    put16(directory, 0);  // disk
    put16(directory, 0);  // internal attributes
    put32(directory, kMode);
    put32(directory, static_cast<std::uint32_t>(at));
    directory += member.name;
  }
  const std::size_t begin = out.size();
  out += directory;
  if (out.size() > kMost) return too_large;
  put32(out, kEnd);
  put32(out, 0);
  put16(out, static_cast<std::uint32_t>(members.size()));
  put16(out, static_cast<std::uint32_t>(members.size()));
  put32(out, static_cast<std::uint32_t>(directory.size()));
  put32(out, static_cast<std::uint32_t>(begin));
  put16(out, 0);
  return out;
}

Result<std::vector<ZipMember>> zip_read(std::string_view bytes, const ZipLimits& limits) {
  return Reader(bytes, limits).read();
}

}  // namespace neurolens
