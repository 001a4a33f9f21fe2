/// \file
/// The table "where the time goes", shared by the text and Markdown writers.
#pragma once

#include "neurolens/analyze/summary.hpp"
#include "neurolens/report/render.hpp"
#include "neurolens/report/table.hpp"

namespace neurolens::report {

/// The first `shown` rows by op or by type. Columns that nothing was collected for are left out.
Table ranking(const analyze::Summary& summary, GroupBy by, std::size_t shown);

}  // namespace neurolens::report
