# SPDX-License-Identifier: Apache-2.0
# cowtrace_proto_library(NAME FOLDER PROTO...): a static library NAME of the code that protoc makes of PROTO.proto in FOLDER, for the lite
# runtime. Its headers are where only those that link it see them; they are no code of ours, so our warnings do not apply.
function(cowtrace_proto_library name folder)
  set(generated ${CMAKE_BINARY_DIR}/generated/${name})
  file(MAKE_DIRECTORY ${generated})
  foreach(proto IN LISTS ARGN)
    add_custom_command(
      OUTPUT ${generated}/${proto}.pb.cc ${generated}/${proto}.pb.h
      COMMAND protobuf::protoc --proto_path=${folder} --cpp_out=lite:${generated} ${proto}.proto
      DEPENDS ${folder}/${proto}.proto
      COMMENT "Generating ${proto}.pb.cc" VERBATIM)
    list(APPEND sources ${generated}/${proto}.pb.cc ${generated}/${proto}.pb.h)
  endforeach()
  add_library(${name} STATIC ${sources})
  cowtrace_sanitize(${name})
  target_include_directories(${name} SYSTEM PUBLIC ${generated})
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf-lite)
endfunction()
