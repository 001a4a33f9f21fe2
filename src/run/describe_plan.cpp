// Tables of what ran and where: host, software, workload, config, ops.
#include "reflect.hpp"

namespace neurolens::run::detail {
namespace {

constexpr std::string_view kCacheTypes[] = {"data", "instruction", "unified"};
constexpr std::string_view kPrecisions[] = {"f64", "tf32", "f32",  "f16",  "bf16",
                                            "f8",  "int8", "int4", "mixed"};
constexpr std::string_view kOptimisations[] = {"none", "basic", "extended", "all"};
constexpr std::string_view kWorkloadKinds[] = {"onnx_model", "program", "engine", "imported"};
constexpr std::string_view kMethods[] = {"observed", "corrected", "cut", "auto", "sampled"};
constexpr std::string_view kEstimateMethods[] = {"observed", "corrected", "cut", "sampled"};
constexpr std::string_view kPhases[] = {"forward", "backward", "optimizer", "data", "other"};

}  // namespace

template <>
const Object& object_of<Cache>() {
  static const Field fields[] = {
      field<&Cache::level>("level", between(1, 16), "1, 2, 3, ..."),
      field<&Cache::type>("type", one_of(kCacheTypes), "What it keeps."),
      field<&Cache::size_bytes>("size_bytes", at_least(1), "Size of one instance."),
      field<&Cache::instances>("instances", at_least(1), "How many the machine has."),
  };
  static const Object object{"cache", "One kind of processor cache.", fields};
  return object;
}

template <>
const Object& object_of<Gpu>() {
  static const Field fields[] = {
      field<&Gpu::model>("model", filled(), "Product name."),
      field<&Gpu::memory_bytes>("memory_bytes", at_least(1), "Device memory."),
      field<&Gpu::driver>("driver", filled(), "Driver version."),
      field<&Gpu::compute_capability>("compute_capability", filled(), "Such as \"9.0\"."),
      field<&Gpu::clock_hz>("clock_hz", at_least(1), "Clock at the start of the measurement."),
      field<&Gpu::memory_clock_hz>("memory_clock_hz", at_least(1), "Memory clock, likewise."),
      field<&Gpu::multiprocessors>("multiprocessors", at_least(1), "Streaming multiprocessors."),
  };
  static const Object object{"gpu", "One GPU.", fields};
  return object;
}

template <>
const Object& object_of<Host>() {
  static const Field fields[] = {
      field<&Host::name>("name", filled(), "Host name."),
      field<&Host::architecture>("architecture", filled(), "Such as \"x86_64\"."),
      field<&Host::cpu_model>("cpu_model", filled(), "Processor name as the system gives it."),
      field<&Host::cpu_vendor>("cpu_vendor", filled(), "Processor maker."),
      field<&Host::cores_physical>("cores_physical", at_least(1), "Cores."),
      field<&Host::cores_logical>("cores_logical", at_least(1), "Hardware threads."),
      field<&Host::cores_used>("cores_used", at_least(0),
                               "Ids of the hardware threads the workload was allowed to run on, "
                               "each once."),
      field<&Host::caches>("caches", any(), "Processor caches."),
      field<&Host::memory_bytes>("memory_bytes", at_least(1), "Main memory."),
      field<&Host::simd_level>("simd_level", filled(), "Widest usable, such as \"avx2\"."),
      field<&Host::governor>("governor", filled(), "Frequency governor."),
      field<&Host::frequency_hz>("frequency_hz", at_least(1),
                                 "Clock at the start of the measurement."),
      field<&Host::frequency_max_hz>("frequency_max_hz", at_least(1), "Highest clock."),
      field<&Host::virtualised>("virtualised", any(), "Whether this is a virtual machine."),
      field<&Host::hypervisor>("hypervisor", filled(), "Which one."),
      field<&Host::os>("os", filled(), "Such as \"Debian GNU/Linux 12\"."),
      field<&Host::kernel>("kernel", filled(), "Kernel release."),
      field<&Host::gpus>("gpus", any(), "Empty on a machine without a GPU."),
  };
  static const Object object{"host", "Facts about the machine.", fields};
  return object;
}

template <>
const Object& object_of<Software>() {
  static const Field fields[] = {
      field<&Software::backend>("backend", filled(),
                                "What executed the workload, such as \"onnxruntime\"."),
      field<&Software::backend_version>("backend_version", filled(), "Its version."),
      field<&Software::provider>("provider", filled(), "Execution provider or device."),
      field<&Software::precision>("precision", one_of(kPrecisions),
                                  "Type that most of the arithmetic is done in."),
      field<&Software::threads>("threads", at_least(1), "Threads within an op."),
      field<&Software::threads_between>("threads_between", at_least(1), "Threads between ops."),
      field<&Software::optimisation>("optimisation", one_of(kOptimisations),
                                     "Graph optimisation level."),
      field<&Software::build>("build", filled(), "Build flags known, free text."),
      field<&Software::library_hash>("library_hash", of(Format::sha256),
                                     "SHA-256 of the backend library."),
  };
  static const Object object{"software", "What executed the workload.", fields};
  return object;
}

template <>
const Object& object_of<Tensor>() {
  static const Field fields[] = {
      field<&Tensor::name>("name", any(), "Name in the graph."),
      field<&Tensor::dtype>("dtype", filled(), "Element type, such as \"f32\" or \"i64\"."),
      field<&Tensor::shape>("shape", at_least(0), "Empty for a scalar, null when not known."),
  };
  static const Object object{"tensor", "Name, element type and shape of a tensor.", fields};
  return object;
}

template <>
const Object& object_of<Workload>() {
  static const Field fields[] = {
      field<&Workload::kind>("kind", one_of(kWorkloadKinds), "What sort of thing ran."),
      field<&Workload::name>("name", filled(), "What people call it."),
      field<&Workload::path>("path", filled(), "As the user named it."),
      field<&Workload::content_hash>("content_hash", of(Format::sha256),
                                     "SHA-256 of the model or program file."),
      field<&Workload::size_bytes>("size_bytes", at_least(0), "Size of that file."),
      field<&Workload::opsets>("opsets", at_least(0), "Domain (\"\" is ai.onnx) to version."),
      field<&Workload::producer>("producer", any(), "What made the model."),
      field<&Workload::parameters>("parameters", at_least(0), "Trainable numbers."),
      field<&Workload::inputs>("inputs", any(), "With the shapes actually used."),
      field<&Workload::outputs>("outputs", any(), "With the shapes actually made."),
      field<&Workload::batch_size>("batch_size", at_least(1), "Samples per iteration."),
      field<&Workload::sequence_length>("sequence_length", at_least(1), "Tokens per sample."),
  };
  static const Object object{"workload", "What ran.", fields};
  return object;
}

template <>
const Object& object_of<Config>() {
  static const Field fields[] = {
      field<&Config::command>("command", any(), "Reproduces the Run: program and arguments."),
      field<&Config::method>("method", one_of(kMethods), "How op times were obtained."),
      field<&Config::warmup_iterations>("warmup_iterations", at_least(0), "Asked for."),
      field<&Config::iterations>("iterations", at_least(0),
                                 "Asked for; null: until the interval is narrow enough."),
      field<&Config::time_limit_ns>("time_limit_ns", at_least(0), "Asked for."),
      field<&Config::seed>("seed", any(), "Of everything random."),
      field<&Config::options>("options", any(), "Everything else that was chosen, as text."),
  };
  static const Object object{"config", "How the measurement was set up.", fields};
  return object;
}

template <>
const Object& object_of<OriginalNode>() {
  static const Field fields[] = {
      field<&OriginalNode::name>("name", any(), "Name in the graph as the user wrote it."),
      field<&OriginalNode::type>("type", filled(), "Its operator."),
  };
  static const Object object{"original_node", "A node of the graph before optimisation.", fields};
  return object;
}

template <>
const Object& object_of<Cost>() {
  static const Field fields[] = {
      field<&Cost::matrix_flops>("matrix_flops", at_least(0), "A multiply-add counts 2."),
      field<&Cost::vector_flops>("vector_flops", at_least(0), "Elementwise and reductions."),
      field<&Cost::transcendental_flops>("transcendental_flops", at_least(0),
                                         "Evaluations of exp, tanh, erf and the like."),
      field<&Cost::activation_bytes>("activation_bytes", at_least(0),
                                     "Least traffic: each tensor once."),
      field<&Cost::weight_bytes>("weight_bytes", at_least(0), "Least traffic of parameters."),
      field<&Cost::formula_id>("formula_id", filled(), "Which formula says so."),
  };
  static const Object object{"cost", "Work of one op by formula.", fields};
  return object;
}

template <>
const Object& object_of<Kernel>() {
  static const Field fields[] = {
      field<&Kernel::name>("name", filled(), "Demangled name."),
      field<&Kernel::time_ns>("time_ns", at_least(0), "Median per iteration."),
      field<&Kernel::launches>("launches", at_least(0), "Per iteration."),
      field<&Kernel::grid>("grid", at_least(1), "Blocks along x, y, z."),
      field<&Kernel::block>("block", at_least(1), "Threads along x, y, z."),
      field<&Kernel::counters>("counters", any(),
                               "Name with its unit (\"l2_hit_ratio\") to value; null: asked for "
                               "and not collected."),
  };
  static const Object object{"kernel", "A kernel beneath an op.", fields};
  return object;
}

template <>
const Object& object_of<Estimate>() {
  static const Field fields[] = {
      field<&Estimate::time_ns>("time_ns", at_least(0), "Best estimate per iteration."),
      field<&Estimate::low_ns>("low_ns", at_least(0), "95 % interval, lower end; <= time_ns."),
      field<&Estimate::high_ns>("high_ns", at_least(0), "Upper end; >= time_ns."),
      field<&Estimate::raw_time_ns>("raw_time_ns", at_least(0),
                                    "As the backend's own profiler says, observer included."),
      field<&Estimate::method>("method", one_of(kEstimateMethods), "How it was obtained."),
  };
  static const Object object{"estimate", "The time that an op takes per iteration.", fields};
  return object;
}

template <>
const Object& object_of<Op>() {
  static const Field fields[] = {
      field<&Op::name>("name", any(), "Name in the executed plan."),
      field<&Op::type>("type", filled(), "Operator, or a function's name for programs."),
      field<&Op::domain>("domain", any(), "\"\" is ai.onnx."),
      field<&Op::phase>("phase", one_of(kPhases), "Part of a training step it belongs to."),
      field<&Op::inputs>("inputs", any(), "Tensors read."),
      field<&Op::outputs>("outputs", any(), "Tensors written."),
      field<&Op::attributes_hash>("attributes_hash", of(Format::sha256),
                                  "SHA-256 of the attributes in canonical order, no names."),
      field<&Op::original_nodes>("original_nodes", any(),
                                 "What it stands for in the graph as the user wrote it."),
      field<&Op::provider>("provider", filled(), "Execution provider or device."),
      field<&Op::thread>("thread", at_least(0), "Thread it ran on."),
      field<&Op::stream>("stream", at_least(0), "Stream it ran on."),
      field<&Op::executions_per_iteration>("executions_per_iteration", at_least(0),
                                           "1 for straight-line graphs."),
      field<&Op::memory_bytes>("memory_bytes", at_least(0), "Requested for its outputs."),
      field<&Op::cost>("cost", any(), "Work by formula."),
      field<&Op::estimate>("estimate", any(), "Time per iteration; null when not measured."),
      field<&Op::kernels>("kernels", any(), "What ran beneath it on a device."),
  };
  static const Object object{"op", "One op instance of the executed plan.", fields};
  return object;
}

}  // namespace neurolens::run::detail
