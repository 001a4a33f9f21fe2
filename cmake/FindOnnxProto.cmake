# Finds ONNX's protobuf classes: the target neurolens_onnx_proto (libonnx_proto and libprotobuf).
#
# Debian's own ONNXConfig.cmake names its target `onnx_proto` in 1.12 and `ONNX::onnx_proto` in 1.17, and
# neither carries the location of protobuf; header and library are found here instead, which works on both.
find_package(Protobuf REQUIRED)
find_path(OnnxProto_INCLUDE_DIR onnx/onnx_pb.h)
find_library(OnnxProto_LIBRARY onnx_proto)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OnnxProto REQUIRED_VARS OnnxProto_LIBRARY OnnxProto_INCLUDE_DIR)
mark_as_advanced(OnnxProto_INCLUDE_DIR OnnxProto_LIBRARY)

if(OnnxProto_FOUND AND NOT TARGET neurolens_onnx_proto)
  add_library(neurolens_onnx_proto SHARED IMPORTED GLOBAL)
  set_target_properties(neurolens_onnx_proto PROPERTIES
    IMPORTED_LOCATION ${OnnxProto_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${OnnxProto_INCLUDE_DIR}
    INTERFACE_COMPILE_DEFINITIONS "ONNX_NAMESPACE=onnx;ONNX_ML=1"
    INTERFACE_LINK_LIBRARIES protobuf::libprotobuf)
endif()
