#include "neurolens/base/markup.hpp"

#include <gtest/gtest.h>

namespace neurolens {
namespace {

TEST(Markup, TurnsWhatMarkupMeansIntoText) {
  EXPECT_EQ(escape_markup("<a href=\"x\">&\n\x01</a> größer"),
            "&lt;a href=&quot;x&quot;&gt;&amp;  &lt;/a&gt; größer");
}

}  // namespace
}  // namespace neurolens
