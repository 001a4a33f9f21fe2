/// \file
/// Pictures of 8-bit colours, and their PNG files.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace neurolens::pde {

using Colour = std::array<std::uint8_t, 3>;  ///< Red, green, blue.

/// White at first; (0, 0) is the upper left.
struct Image {
  int w, h;
  std::vector<std::uint8_t> rgb;

  Image(int width, int height);
  /// Outside the picture: nothing.
  void set(int x, int y, Colour colour);
  [[nodiscard]] Colour at(int x, int y) const;
  /// Digits, '.', '-', '+' and 'e', 6 x 10 pixels each, 8 apart; other letters are left blank.
  void write(int x, int y, std::string_view text);
  [[nodiscard]] std::string png() const;
};

}  // namespace neurolens::pde
