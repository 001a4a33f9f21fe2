#include "neurolens/onnx/zoo.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "architectures.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens::onnx::zoo {
namespace {

struct Row {
  std::string_view name;
  std::string_view description;
  void (*build)(GraphBuilder&, const Sizes&);
  std::int64_t sequence;  ///< Default; 0: none.
  std::int64_t max_sequence;
};

constexpr std::array kRows{
    Row{"lenet", "LeNet-5 on 28x28 grey images", &build_lenet, 0, 0},
    Row{"mlp", "three dense layers, 784-512-512-10", &build_mlp, 0, 0},
    Row{"lstm", "two LSTM layers of 256 and a tagging head", &build_lstm, 64, 65536},
    Row{"squeezenet", "SqueezeNet 1.1 at 224x224", &build_squeezenet, 0, 0},
    Row{"mobilenetv2", "MobileNetV2 1.0 at 224x224", &build_mobilenetv2, 0, 0},
    Row{"bert-tiny", "BERT encoder, 2 layers of 128", &build_bert_tiny, 128, 512},
    Row{"unet", "U-Net of width 32 at 256x256, two classes", &build_unet, 0, 0},
    Row{"resnet18", "ResNet-18 at 224x224", &build_resnet18, 0, 0},
    Row{"resnet50", "ResNet-50 at 224x224", &build_resnet50, 0, 0},
    Row{"vit-b16", "Vision Transformer B/16 at 224x224", &build_vit_b16, 0, 0},
    Row{"bert-base", "BERT-base encoder with pooler", &build_bert_base, 128, 512},
    Row{"gpt2", "GPT-2 small with its tied output projection", &build_gpt2, 128, 1024},
};

const Row* find_row(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

Dim dimension(std::int64_t size, const char* symbol) {
  return size > 0 ? Dim{size, {}} : Dim{{}, symbol};
}

Error unknown_name(std::string_view name) {
  std::vector<std::string> names;
  for (const Row& row : kRows) names.emplace_back(row.name);
  std::string mend = did_you_mean(name, names);
  if (mend.empty()) mend = " `neurolens zoo list` shows what there is.";
  return Error{Errc::not_found,
               fmt::format("The zoo has no model called \"{}\".{}", printable(name), mend),
               {}};
}

Result<Sizes> sizes_of(const Row& row, const BuildOptions& options) {
  constexpr std::int64_t kMostBatch = 65536;
  if (options.batch < 0 || options.batch > kMostBatch) {
    return Error{Errc::out_of_range,
                 fmt::format("The batch is {}; give 0 (free) to {}.", options.batch, kMostBatch),
                 {}};
  }
  if (row.max_sequence == 0 && options.sequence) {
    return Error{Errc::bad_request,
                 fmt::format("\"{}\" has no sequence; leave the sequence length out.", row.name),
                 {}};
  }
  const std::int64_t sequence = options.sequence.value_or(row.sequence);
  if (sequence < 0 || sequence > row.max_sequence) {
    return Error{Errc::out_of_range,
                 fmt::format("The sequence length is {}; \"{}\" takes 0 (free) to {}.", sequence,
                             row.name, row.max_sequence),
                 {}};
  }
  return Sizes{dimension(options.batch, "batch"), dimension(sequence, "sequence")};
}

/// The graph of `name`; its weights exist only as a recipe.
Result<GraphBuilder> make_graph(std::string_view name, const BuildOptions& options) {
  const Row* row = find_row(name);
  if (row == nullptr) return unknown_name(name);
  NEUROLENS_ASSIGN(const Sizes sizes, sizes_of(*row, options));
  GraphBuilder builder{std::string(name)};
  row->build(builder, sizes);
  return builder;
}

}  // namespace

std::vector<Entry> list() {
  std::vector<Entry> entries;
  for (const Row& row : kRows) {
    Result<GraphBuilder> graph = make_graph(row.name, {});
    if (!graph) continue;  // cannot happen: default options fit every row
    Entry entry{std::string(row.name),
                std::string(row.description),
                graph->parameters(),
                graph->inputs(),
                graph->outputs(),
                {},
                {}};
    if (row.max_sequence > 0) {
      entry.sequence = row.sequence;
      entry.max_sequence = row.max_sequence;
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<BuildReport> build(std::string_view name, const std::string& path,
                          const BuildOptions& options, FileSystem& files,
                          const Attention& attention) {
  NEUROLENS_ASSIGN(const GraphBuilder graph, make_graph(name, options));
  NEUROLENS_ASSIGN(const std::unique_ptr<OutputFile> file, files.create_atomic(path));
  NEUROLENS_ASSIGN(
      const std::int64_t bytes,
      graph.write(
          options.seed, [&](std::string_view piece) { return file->write(piece); }, attention));
  NEUROLENS_TRY(file->commit());
  return BuildReport{graph.parameters(), Bytes{bytes}};
}

Result<std::string> build_bytes(std::string_view name, const BuildOptions& options) {
  NEUROLENS_ASSIGN(const GraphBuilder graph, make_graph(name, options));
  std::string bytes;
  const auto append = [&](std::string_view piece) {
    bytes.append(piece);
    return Status{};
  };
  if (const auto written = graph.write(options.seed, append, {}); !written.ok())
    return written.error();
  return bytes;
}

}  // namespace neurolens::onnx::zoo
