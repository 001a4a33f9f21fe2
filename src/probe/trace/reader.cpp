#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <string>
#include <unordered_map>

#include "core/encode.hpp"
#include "core/format.hpp"
#include "core/names.hpp"
#include "neurolens/probe/hot_path.hpp"
#include "neurolens/probe/trace.hpp"

namespace neurolens::probe {
namespace {

/// A read-only mapping of a whole file.
class MappedFile {
 public:
  ~MappedFile() {
    if (data_ != nullptr) munmap(data_, bytes_);
  }
  MappedFile() = default;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  Status open(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
      const bool absent = errno == ENOENT;
      return Error{absent ? Errc::not_found : Errc::io_error,
                   absent ? "There is no such trace." : "The trace cannot be opened.", path};
    }
    struct stat info {};
    fstat(fd, &info);
    bytes_ = static_cast<std::size_t>(info.st_size);
    void* p = bytes_ == 0 ? MAP_FAILED : mmap(nullptr, bytes_, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (p == MAP_FAILED) {
      return Error{Errc::parse_error, "This is not a trace: it is empty or no regular file.", path};
    }
    data_ = p;
    return {};
  }
  [[nodiscard]] const unsigned char* data() const {
    return static_cast<const unsigned char*>(data_);
  }
  [[nodiscard]] std::size_t size() const { return bytes_; }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

template <class T>
T load(const unsigned char* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

/// Fields of the header that do not change while a program writes.
struct FixedHeader {
  char magic[8];
  std::uint32_t version, ring;
  std::uint64_t process_id;
  std::int64_t wall_ns;
  SyncPair start;
  double ticks_per_ns;
  std::uint64_t clock;
  std::uint64_t chunk_count, names_used, lost, overwritten, last_ticks;
  std::int64_t last_monotonic_ns;
  std::uint64_t stopped, reserved;
};
static_assert(sizeof(FixedHeader) == sizeof(FileHeader));

/// Ticks to nanoseconds since the start, linear between pairs.
class Timeline {
 public:
  Timeline(const SyncPair& start, double ticks_per_ns, bool system)
      : start_(start), rate_(ticks_per_ns > 0 ? ticks_per_ns : 1.0), system_(system) {
    start_.monotonic_ns = std::clamp<std::int64_t>(start.monotonic_ns, 0, kLatest);
    pairs_.push_back(start_);
  }
  void add(const SyncPair& pair) {
    if (pair.monotonic_ns > kLatest) return;
    if (pair.ticks > pairs_.back().ticks && pair.monotonic_ns > pairs_.back().monotonic_ns) {
      pairs_.push_back(pair);
    }
  }
  [[nodiscard]] std::int64_t to_ns(std::uint64_t ticks) const {
    if (system_) return static_cast<std::int64_t>(ticks - start_.ticks);
    if (pairs_.size() < 2) return scaled(start_, ticks, rate_);
    auto after = std::upper_bound(pairs_.begin() + 1, pairs_.end() - 1, ticks,
                                  [](std::uint64_t t, const SyncPair& p) { return t < p.ticks; });
    const SyncPair& b = *after;
    const SyncPair& a = *(after - 1);
    const double rate = static_cast<double>(b.ticks - a.ticks) /
                        static_cast<double>(b.monotonic_ns - a.monotonic_ns);
    return scaled(a, ticks, rate);
  }
  /// Never negative, whatever the file says.
  [[nodiscard]] Nanoseconds since_start(std::int64_t monotonic_ns) const {
    return Nanoseconds{std::max<std::int64_t>(
        0, std::clamp<std::int64_t>(monotonic_ns, 0, kLatest) - start_.monotonic_ns)};
  }
  [[nodiscard]] double counter_hz() const {
    if (system_) return 1e9;
    if (pairs_.size() < 2) return rate_ * 1e9;
    return 1e9 * static_cast<double>(pairs_.back().ticks - start_.ticks) /
           static_cast<double>(pairs_.back().monotonic_ns - start_.monotonic_ns);
  }

 private:
  [[nodiscard]] std::int64_t scaled(const SyncPair& from, std::uint64_t ticks, double rate) const {
    const double ns = static_cast<double>(static_cast<std::int64_t>(ticks - from.ticks)) / rate;
    const double bounded = std::clamp(ns, -9e15, 9e15);
    return from.monotonic_ns - start_.monotonic_ns + static_cast<std::int64_t>(bounded);
  }
  /// Damaged files hold any number. 36 years after the machine started nothing is recorded.
  static constexpr std::int64_t kLatest = std::int64_t{1} << 60;

  SyncPair start_;
  double rate_;
  bool system_;
  std::vector<SyncPair> pairs_;
};

/// Turns raw events into public ones and keeps what they say about threads and sites.
class Assembler {
 public:
  Assembler(TraceInfo& info, const std::function<void(const TraceEvent&)>& visit)
      : info_(info), visit_(visit) {
    site_of_code_.fill(kNone);
  }

  void add_names(const unsigned char* p, std::size_t bytes) {
    pending_names_.insert(pending_names_.end(), p, p + bytes);
    std::size_t at = 0;
    while (pending_names_.size() - at >= sizeof(names::Entry)) {
      const auto entry = load<names::Entry>(pending_names_.data() + at);
      const std::size_t text =
          std::size_t{entry.name_bytes} + entry.file_bytes + entry.category_bytes;
      if (entry.bytes < sizeof entry + text || entry.bytes > (1u << 20)) {
        info_.damaged = true;
        break;
      }
      if (pending_names_.size() - at < entry.bytes) break;
      add_site(entry, reinterpret_cast<const char*>(pending_names_.data() + at + sizeof entry));
      at += entry.bytes;
    }
    pending_names_.erase(pending_names_.begin(),
                         pending_names_.begin() + static_cast<std::ptrdiff_t>(at));
  }

  /// A chunk of a thread begins.
  void enter(std::uint32_t thread, std::uint32_t system_id, std::uint32_t name,
             std::uint32_t lane) {
    const auto [at, fresh] =
        threads_.try_emplace(thread, static_cast<std::uint32_t>(info_.threads.size()));
    if (fresh) {
      info_.threads.push_back({system_id, ""});
      last_.push_back({});
    }
    thread_ = at->second;
    lane_ = lane & 1;
    if (name != 0) info_.threads[thread_].name = info_.sites[site(name).index()].name;
  }

  void add(const RawEvent& raw, const Timeline& timeline) {
    TraceEvent event;
    event.thread = ThreadId(thread_);
    event.lane = static_cast<std::uint8_t>(lane_);
    event.site = raw.code == hot::kEnd || raw.code == hot::kStall ? SiteId{} : site(raw.site);
    event.value = raw.value;
    event.kind = kind_of(raw, event);
    std::int64_t& last = last_[thread_][lane_];
    last = std::max(last, timeline.to_ns(raw.ticks));
    event.time = Nanoseconds{last};
    if (event.kind == EventKind::thread_name)
      info_.threads[thread_].name = info_.sites[event.site.index()].name;
    info_.duration.count = std::max(info_.duration.count, last);
    ++info_.events;
    if (visit_) visit_(event);
  }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  static EventKind kind_of(const RawEvent& raw, TraceEvent& event) {
    const auto type = static_cast<ValueType>(std::min<std::uint64_t>(raw.detail & 0xFF, 2));
    switch (raw.code) {
      case hot::kEnd:
        return EventKind::end;
      case hot::kInstant:
        return EventKind::instant;
      case hot::kCounter:
        event.type = type;
        return EventKind::counter;
      case hot::kValue:
        event.type = type;
        event.dimension = static_cast<std::uint8_t>(raw.detail >> 8);
        event.dimensions = static_cast<std::uint8_t>(raw.detail >> 16);
        return EventKind::value;
      case hot::kFlow:
        event.flow_phase = static_cast<std::uint8_t>(std::min<std::uint64_t>(raw.detail, 2));
        return EventKind::flow;
      case hot::kAsyncBegin:
        return EventKind::async_begin;
      case hot::kAsyncEnd:
        return EventKind::async_end;
      case hot::kMark:
        return EventKind::mark;
      case hot::kThreadName:
        return EventKind::thread_name;
      case hot::kStall:
        return EventKind::stall;
      default:
        return EventKind::begin;
    }
  }

  void add_site(const names::Entry& entry, const char* text) {
    TraceSite site;
    site.name.assign(text, entry.name_bytes);
    site.file.assign(text + entry.name_bytes, entry.file_bytes);
    site.category.assign(text + entry.name_bytes + entry.file_bytes, entry.category_bytes);
    site.line = entry.line;
    std::uint32_t& index = site_of_code_[entry.code];
    if (index == kNone) {
      index = static_cast<std::uint32_t>(info_.sites.size());
      info_.sites.push_back(std::move(site));
    } else {
      info_.sites[index] = std::move(site);
    }
  }

  SiteId site(std::uint32_t code) {
    std::uint32_t& index = site_of_code_[code & 0xFFFF];
    if (index == kNone) {  // the names were cut off, or are damaged
      index = static_cast<std::uint32_t>(info_.sites.size());
      info_.sites.push_back({"(unknown " + std::to_string(code) + ")", "", "", 0});
    }
    return SiteId(index);
  }

  TraceInfo& info_;
  const std::function<void(const TraceEvent&)>& visit_;
  std::array<std::uint32_t, 65536> site_of_code_{};
  std::vector<unsigned char> pending_names_;
  std::unordered_map<std::uint32_t, std::uint32_t> threads_;
  std::vector<std::array<std::int64_t, 2>> last_;
  std::uint32_t thread_ = 0, lane_ = 0;
};

struct Block {
  BlockType type;
  const unsigned char* payload;
  std::size_t bytes;
};

/// The intact blocks from the front of a stream file.
std::vector<Block> list_blocks(const MappedFile& file, bool& damaged) {
  std::vector<Block> blocks;
  std::size_t at = sizeof(FileHeader);
  while (at < file.size()) {
    if (file.size() - at < sizeof(BlockHeader)) break;
    const auto header = load<BlockHeader>(file.data() + at);
    at += sizeof(BlockHeader);
    if (header.bytes > file.size() - at ||
        checksum(file.data() + at, header.bytes) + static_cast<std::uint32_t>(header.type) !=
            header.sum)
      break;
    blocks.push_back({header.type, file.data() + at, header.bytes});
    at += header.bytes;
    if (at == file.size()) return blocks;
  }
  damaged = at != file.size();
  return blocks;
}

void read_stream(const MappedFile& file, const FixedHeader& header, TraceInfo& info,
                 Assembler& assembler) {
  const std::vector<Block> blocks = list_blocks(file, info.damaged);
  Timeline timeline(header.start, header.ticks_per_ns, header.clock == 2);
  for (const Block& block : blocks) {
    if (block.type == BlockType::sync && block.bytes >= sizeof(SyncPair)) {
      timeline.add(load<SyncPair>(block.payload));
    } else if (block.type == BlockType::end && block.bytes >= sizeof(EndBlock)) {
      const auto end = load<EndBlock>(block.payload);
      timeline.add(end.sync);
      info.complete = true;
      info.lost = end.lost;
      info.duration = timeline.since_start(end.sync.monotonic_ns);
    } else if (block.type == BlockType::names) {
      assembler.add_names(block.payload, block.bytes);
    }
  }
  info.counter_hz = timeline.counter_hz();
  for (const Block& block : blocks) {
    if (block.type != BlockType::chunk || block.bytes < sizeof(ChunkBlock)) continue;
    const auto chunk = load<ChunkBlock>(block.payload);
    assembler.enter(chunk.thread, chunk.system_id, chunk.name, chunk.lane);
    Decoder decoder(block.payload + sizeof chunk, block.bytes - sizeof chunk, chunk.base_ticks);
    while (const auto event = decoder.next()) assembler.add(*event, timeline);
    info.damaged = info.damaged || decoder.damaged();
  }
}

void read_ring(const MappedFile& file, const FixedHeader& header, TraceInfo& info,
               Assembler& assembler) {
  constexpr std::size_t kChunksAt = kRingHeaderBytes + kRingNamesBytes;
  if (file.size() < kChunksAt) {
    info.damaged = true;
    return;
  }
  Timeline timeline(header.start, header.ticks_per_ns, header.clock == 2);
  timeline.add({header.last_ticks, header.last_monotonic_ns});
  info.counter_hz = timeline.counter_hz();
  info.complete = header.stopped != 0;
  info.lost = header.lost;
  info.overwritten = header.overwritten;
  info.duration = timeline.since_start(header.last_monotonic_ns);
  assembler.add_names(file.data() + kRingHeaderBytes,
                      std::min<std::size_t>(header.names_used, kRingNamesBytes));
  const std::size_t present = (file.size() - kChunksAt) / kChunkBytes;
  info.damaged = info.damaged || present < header.chunk_count;
  struct Item {
    std::uint64_t sequence;
    const Chunk* chunk;
  };
  std::vector<Item> order;
  for (std::size_t i = 0; i < std::min<std::size_t>(present, header.chunk_count); ++i) {
    const auto* chunk = reinterpret_cast<const Chunk*>(file.data() + kChunksAt + i * kChunkBytes);
    const std::uint64_t sequence = chunk->header.sequence.load(std::memory_order_relaxed);
    if (sequence != 0) order.push_back({sequence, chunk});
  }
  std::sort(order.begin(), order.end(),
            [](const Item& a, const Item& b) { return a.sequence < b.sequence; });
  for (const Item& item : order) {
    const ChunkHeader& h = item.chunk->header;
    assembler.enter(h.thread, h.system_id, h.name, h.lane);
    WordReader reader(item.chunk->words, kChunkWords, h.base_ticks);
    while (const auto event = reader.next()) assembler.add(*event, timeline);
  }
}

}  // namespace

double TraceEvent::real() const {
  return std::bit_cast<double>(value);
}

Result<TraceInfo> visit_trace(const std::string& path,
                              const std::function<void(const TraceEvent&)>& visit) {
  MappedFile file;
  NEUROLENS_TRY(file.open(path));
  if (file.size() < sizeof(FixedHeader) || std::memcmp(file.data(), kMagic, sizeof kMagic) != 0) {
    return Error{Errc::parse_error, "This is not a trace of neurolens probe.", path};
  }
  const auto header = load<FixedHeader>(file.data());
  if (header.version > kFormatVersion) {
    return Error{Errc::newer_version,
                 "This trace was written by a newer version; update neurolens.", path};
  }
  TraceInfo info;
  info.process_id = header.process_id;
  info.ring = header.ring != 0;
  info.started = Nanoseconds{header.wall_ns};
  Assembler assembler(info, visit);
  if (info.ring) {
    read_ring(file, header, info, assembler);
  } else {
    read_stream(file, header, info, assembler);
  }
  return info;
}

Result<Trace> read_trace(const std::string& path) {
  Trace trace;
  NEUROLENS_ASSIGN(trace.info,
                   visit_trace(path, [&](const TraceEvent& e) { trace.events.push_back(e); }));
  return trace;
}

}  // namespace neurolens::probe
