#include "neurolens/analyze/align.hpp"

#include <algorithm>
#include <numeric>

#include "align/hypothesis.hpp"
#include "align/plan_view.hpp"

namespace neurolens::analyze {
namespace {

struct Aligned {
  std::vector<Pair> links;
  bool by_names = false;
};

void complete(Pairing& pairing, WalkOrder order) {
  pairing.by_order(order, AtomKey::type);
  pairing.by_order(order, AtomKey::family);
  pairing.by_neighbours();
  pairing.by_exchange();
}

/// The links of the pairing that preserves most; in doubt the earlier hypothesis.
Aligned best_links(const PlanView& a, const PlanView& b) {
  Pairing named(a, b);
  named.by_names();
  // What has no name on the other side is looked for between what has.
  named.by_order(WalkOrder::execution, AtomKey::exact);
  complete(named, WalkOrder::execution);
  std::size_t most = named.score();
  Aligned best{named.links(), true};
  const std::size_t bound = named.bound();
  for (const auto order : {WalkOrder::execution, WalkOrder::dataflow}) {
    for (const bool exact_first : {true, false}) {
      if (most >= bound) return best;  // nothing can be better
      Pairing other(a, b);
      if (exact_first) other.by_order(order, AtomKey::exact);
      complete(other, order);
      if (const auto score = other.score(); score > most) {
        most = score;
        best = {other.links(), false};
      }
    }
  }
  return best;
}

/// Components of ops that share links; every op of both sides ends up in one.
class Components {
 public:
  Components(std::uint32_t a, std::uint32_t b) : parent_(a + b), a_(a) {
    std::iota(parent_.begin(), parent_.end(), 0u);
  }
  std::uint32_t find(std::uint32_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void join(std::uint32_t x, std::uint32_t y) {
    x = find(x);
    y = find(y);
    parent_[std::max(x, y)] = std::min(x, y);
  }
  [[nodiscard]] std::uint32_t left(std::uint32_t op) const { return op; }
  [[nodiscard]] std::uint32_t right(std::uint32_t op) const { return a_ + op; }

 private:
  std::vector<std::uint32_t> parent_;
  std::uint32_t a_;
};

/// An op without original nodes, all of whose readers (or all of whose writers) belong to one group
/// whose other side is of another type, was taken apart or put together there: it joins the group.
class Absorber {
 public:
  Absorber(const PlanView& own, const PlanView& other, std::vector<Pair>& links, bool swapped)
      : own_(own), other_(other), links_(links), swapped_(swapped), partners_(own.ops()) {
    for (const auto& [x, y] : links) partners_[swapped ? y : x].push_back(swapped ? x : y);
  }
  /// Against the dataflow and then along it, so that chains of such ops join too.
  void run() {
    for (auto at = own_.order.rbegin(); at != own_.order.rend(); ++at) join(*at, own_.consumers);
    for (const auto op : own_.order) join(op, own_.producers);
  }

 private:
  void join(std::uint32_t op, const Lists& neighbours) {
    if (own_.has_origin[op] || !partners_[op].empty()) return;
    if (neighbours.first(op) == neighbours.last(op)) return;
    const auto target = partners_[*neighbours.first(op)];
    for (const auto* n = neighbours.first(op); n != neighbours.last(op); ++n) {
      if (partners_[*n].empty() || partners_[*n] != target || !changed(*n)) return;
    }
    for (const auto partner : target)
      links_.push_back(swapped_ ? Pair{partner, op} : Pair{op, partner});
    partners_[op] = target;
  }
  /// A partner is of another type, so the two may differ in what they take in.
  [[nodiscard]] bool changed(std::uint32_t op) const {
    return std::any_of(partners_[op].begin(), partners_[op].end(),
                       [&](std::uint32_t o) { return other_.type[o] != own_.type[op]; });
  }

  const PlanView& own_;
  const PlanView& other_;
  std::vector<Pair>& links_;
  bool swapped_;
  std::vector<std::vector<std::uint32_t>> partners_;
};

Aligned align_views(const PlanView& a, const PlanView& b) {
  Aligned out = best_links(a, b);
  Absorber(a, b, out.links, false).run();
  Absorber(b, a, out.links, true).run();
  std::sort(out.links.begin(), out.links.end());
  out.links.erase(std::unique(out.links.begin(), out.links.end()), out.links.end());
  return out;
}

GroupKind kind_of(std::size_t a, std::size_t b) {
  if (a == 0) return GroupKind::added;
  if (b == 0) return GroupKind::removed;
  if (a == 1 && b == 1) return GroupKind::matched;
  if (b == 1) return GroupKind::merged;
  return a == 1 ? GroupKind::split : GroupKind::regrouped;
}

std::vector<OpGroup> make_groups(std::uint32_t a, std::uint32_t b,
                                 const std::vector<OpLink>& links) {
  Components components(a, b);
  for (const auto& link : links)
    components.join(components.left(link.baseline.value), components.right(link.candidate.value));
  std::vector<std::uint32_t> place(a + b, kNone);
  std::vector<OpGroup> groups;
  const auto group_of = [&](std::uint32_t node) -> OpGroup& {
    const auto root = components.find(node);
    if (place[root] == kNone) {
      place[root] = static_cast<std::uint32_t>(groups.size());
      groups.emplace_back();
    }
    return groups[place[root]];
  };
  for (std::uint32_t i = 0; i < a; ++i) group_of(components.left(i)).baseline.emplace_back(i);
  for (std::uint32_t j = 0; j < b; ++j) group_of(components.right(j)).candidate.emplace_back(j);
  for (auto& group : groups) group.kind = kind_of(group.baseline.size(), group.candidate.size());
  return groups;
}

}  // namespace

std::string_view to_string(GroupKind kind) noexcept {
  switch (kind) {
    case GroupKind::matched:
      return "matched";
    case GroupKind::merged:
      return "merged";
    case GroupKind::split:
      return "split";
    case GroupKind::regrouped:
      return "regrouped";
    case GroupKind::added:
      return "added";
    case GroupKind::removed:
      return "removed";
  }
  return "matched";
}

Alignment align(const run::Run& baseline, const run::Run& candidate) {
  const PlanView left(baseline);
  const PlanView right(candidate);
  // Ties are broken in favour of the first side, so the sides get an order of their own: exchanging
  // the arguments then changes nothing.
  const bool swapped = right.content < left.content;
  const Aligned aligned = swapped ? align_views(right, left) : align_views(left, right);
  Alignment out;
  out.method = aligned.by_names ? "names" : "structure";
  for (const auto& [x, y] : aligned.links)
    out.links.push_back(swapped ? OpLink{run::OpId(y), run::OpId(x)}
                                : OpLink{run::OpId(x), run::OpId(y)});
  std::sort(out.links.begin(), out.links.end());
  out.groups = make_groups(left.ops(), right.ops(), out.links);
  return out;
}

}  // namespace neurolens::analyze
