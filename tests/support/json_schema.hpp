/// \file
/// Judges a document by a JSON Schema with python3-jsonschema.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "source_dir.hpp"

namespace neurolens::test_support {

/// "" when `document` meets the schema in the file `schema` (relative to the source tree), "skip"
/// when the validator is not installed, else what is wrong.
inline std::string schema_fault(const std::string& schema, const std::string& document) {
  const auto base =
      std::filesystem::temp_directory_path() / ("neurolens_schema_" + std::to_string(getpid()));
  const std::string path = base.string() + ".json";
  const std::string said = base.string() + ".out";
  std::ofstream(path, std::ios::binary) << document;
  const std::string source = NEUROLENS_SOURCE_DIR;
  const std::string command = "/usr/bin/python3 '" + source + "/tests/support/check_schema.py' '" +
                              source + "/" + schema + "' '" + path + "' > '" + said + "' 2>&1";
  const int status = WEXITSTATUS(std::system(command.c_str()));
  std::ifstream in(said);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  std::filesystem::remove(path);
  std::filesystem::remove(said);
  if (status == 0) return "";
  return status == 77 ? "skip" : "fault: " + text;
}

/// The same as a check of a test; one without the validator counts as skipped.
inline void expect_schema(const std::string& schema, const std::string& document) {
  const std::string fault = schema_fault(schema, document);
  if (fault == "skip") GTEST_SKIP() << "python3-jsonschema is not installed";
  EXPECT_EQ(fault, "") << document.substr(0, 2000);
}

}  // namespace neurolens::test_support
