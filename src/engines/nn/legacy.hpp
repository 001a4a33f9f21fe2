// The founding system's cell, kept as an oracle: slow, deterministic, and unable to learn much.
#pragma once

#include <memory>

#include "cell.hpp"

namespace neurolens::nn {

template <class T>
std::unique_ptr<Cell<T>> make_legacy_cell(std::int64_t nodes, std::int64_t hidden);

}  // namespace neurolens::nn
