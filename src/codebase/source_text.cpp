#include "source_text.hpp"

#include <algorithm>
#include <cstring>

namespace neurolens::codebase {
namespace {

std::uint32_t unit16(const char* p, bool big) {
  const auto a = static_cast<unsigned char>(p[0]);
  const auto b = static_cast<unsigned char>(p[1]);
  return big ? (std::uint32_t{a} << 8 | b) : (std::uint32_t{b} << 8 | a);
}

void put_utf8(std::uint32_t code, std::string* out) {
  const auto put = [out](std::uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

void decode_utf16(std::string_view bytes, bool big, SourceText* out) {
  out->encoding = big ? Encoding::utf16be : Encoding::utf16le;
  out->damaged = bytes.size() % 2 != 0;
  out->owned.reserve(bytes.size() / 2 + 16);
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
    std::uint32_t code = unit16(bytes.data() + i, big);
    if (code >= 0xd800 && code < 0xdc00 && i + 3 < bytes.size()) {
      const std::uint32_t low = unit16(bytes.data() + i + 2, big);
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        i += 2;
      }
    }
    if (code >= 0xd800 && code < 0xe000) {
      out->damaged = true;
      code = 0xfffd;
    }
    put_utf8(code, &out->owned);
  }
  out->text = out->owned;
}

void decode_utf32(std::string_view bytes, SourceText* out) {
  out->encoding = Encoding::utf32le;
  out->damaged = bytes.size() % 4 != 0;
  for (std::size_t i = 0; i + 3 < bytes.size(); i += 4) {
    std::uint32_t code = unit16(bytes.data() + i, false) | unit16(bytes.data() + i + 2, false)
                                                               << 16;
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
      out->damaged = true;
      code = 0xfffd;
    }
    put_utf8(code, &out->owned);
  }
  out->text = out->owned;
}

// UTF-16 without a mark: text in Latin letters has a zero in every other byte.
int zero_parity(std::string_view bytes) {
  const std::size_t size = std::min<std::size_t>(bytes.size(), 512) & ~std::size_t{1};
  if (size < 8) return -1;
  std::size_t even = 0;
  std::size_t odd = 0;
  for (std::size_t i = 0; i < size; i += 2) {
    even += bytes[i] == 0 ? 1 : 0;
    odd += bytes[i + 1] == 0 ? 1 : 0;
  }
  const std::size_t units = size / 2;
  if (odd * 10 >= units * 9 && even * 20 <= units) return 1;
  if (even * 10 >= units * 9 && odd * 20 <= units) return 0;
  return -1;
}

// A lone CR ends a line: turned into LF. Returns false when there is none.
bool fix_lone_returns(std::string_view text, std::string* owned) {
  bool lone = false;
  for (const char* p = text.data(); p != text.data() + text.size(); ++p) {
    p = static_cast<const char*>(
        std::memchr(p, '\r', static_cast<std::size_t>(text.data() + text.size() - p)));
    if (p == nullptr) break;
    const std::size_t at = static_cast<std::size_t>(p - text.data());
    if (at + 1 < text.size() && text[at + 1] == '\n') continue;
    lone = true;
    break;
  }
  if (!lone) return false;
  if (owned->empty()) owned->assign(text);
  std::string& bytes = *owned;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] == '\r' && (i + 1 == bytes.size() || bytes[i + 1] != '\n')) bytes[i] = '\n';
  }
  return true;
}

}  // namespace

bool looks_binary(std::string_view bytes) {
  if (bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff")) return false;
  const std::string_view head = bytes.substr(0, 8000);
  return std::memchr(head.data(), 0, head.size()) != nullptr && zero_parity(bytes) < 0;
}

void decode(std::string_view bytes, SourceText* out) {
  out->owned.clear();
  out->encoding = Encoding::utf8;
  out->binary = out->damaged = false;
  out->text = bytes;
  if (bytes.empty()) return;
  if (bytes.starts_with("\xef\xbb\xbf")) {
    out->encoding = Encoding::utf8_bom;
    out->text.remove_prefix(3);
  } else if (bytes.size() >= 4 && bytes.substr(0, 4) == std::string_view("\xff\xfe\0\0", 4)) {
    decode_utf32(bytes.substr(4), out);
  } else if (bytes.starts_with("\xff\xfe")) {
    decode_utf16(bytes.substr(2), false, out);
  } else if (bytes.starts_with("\xfe\xff")) {
    decode_utf16(bytes.substr(2), true, out);
  } else if (std::memchr(bytes.data(), 0, std::min<std::size_t>(bytes.size(), 8000)) != nullptr) {
    const int parity = zero_parity(bytes);
    if (parity < 0) {
      out->binary = true;
      out->encoding = Encoding::other;
      out->text = {};
      return;
    }
    decode_utf16(bytes, parity == 0, out);
  }
  if (fix_lone_returns(out->text, &out->owned)) out->text = out->owned;
}

}  // namespace neurolens::codebase
