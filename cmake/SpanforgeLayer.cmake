# spanforge_layer(NAME FAST|LIGHT [DEPS layer...] [PUBLIC_LIBS lib...] [PRIVATE_LIBS lib...])
#
# One static library a folder of src/spanforge/, with the folders in it. Each layer has an include root of its own in the
# build tree that holds one link, spanforge/NAME -> src/spanforge/NAME. A layer is compiled with its own
# root and those of its DEPS only, so an include of any other layer does not compile.
#
# DEPS lists every layer that the folder's files include, directly or through a header of another layer, and
# no other (tests/claims/check_layers.py). They are linked PRIVATE: who links a layer links what is below
# it and gets the layer's own root alone. Programs and tests link spanforge_up_to_NAME, which also has the
# roots of all layers below.
#
# FAST (-O3) is for layers that spend the time of a training, an answer or a file in code of their own, LIGHT
# (-O1) for those that have others do what takes long.
add_library(spanforge_flags INTERFACE)
target_link_libraries(spanforge_flags INTERFACE OpenMP::OpenMP_CXX)  # for all: precompiled headers want equal flags
target_compile_options(spanforge_flags INTERFACE -Wall -Wextra -Wshadow -Wno-unused-parameter
  -Wno-missing-field-initializers $<$<BOOL:${SPANFORGE_WERROR}>:-Werror>
  # GCC 12 sees overlapping copies in "literal" + std::to_string(x) that are not there (bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  # Compiled with others, a source is to GCC a header, whose classes others could see.
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<BOOL:${SPANFORGE_UNITY}>>:-Wno-subobject-linkage>)
if(SPANFORGE_SANITIZE)
  target_compile_options(spanforge_flags INTERFACE -fsanitize=${SPANFORGE_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all -D_GLIBCXX_ASSERTIONS)
  target_link_options(spanforge_flags INTERFACE -fsanitize=${SPANFORGE_SANITIZE})
elseif(SPANFORGE_HARDENING)
  include(SpanforgeHardening)  # sanitizers bring their own checks and dislike FORTIFY
endif()

if(SPANFORGE_FUZZ)
  # Coverage of the layers themselves is what guides the fuzzer; that of arithmetic only slows it, and
  # so do operands of comparisons: dictionaries know the words, and without them half as many inputs
  # again are tried a second, and more new ones found.
  target_compile_options(spanforge_flags INTERFACE
    "$<$<NOT:$<IN_LIST:$<TARGET_PROPERTY:NAME>,spanforge_tensor;spanforge_ops>>:-fsanitize=fuzzer-no-link>"
    -fno-sanitize-coverage=trace-cmp)
endif()

# spanforge_precompiled(NAME [PROGRAM] LIBS library... HEADERS header...): adds a target whose
# precompiled headers other libraries (with PROGRAM: other programs, which are compiled with other
# flags) take with spanforge_precompile(TARGET NAME). Only headers from outside the project belong
# here, and a source still includes what it uses: the presets with sanitizers and for fuzzing build
# without.
#
# All that share them are compiled with the same OPTIONS. GCC takes those of the precompiled headers for
# functions with a target of their own, as the kernels are, whatever the command line says, and tells
# nobody.
function(spanforge_precompiled name)
  cmake_parse_arguments(ARG "PROGRAM" "" "LIBS;HEADERS;OPTIONS" ${ARGN})
  if(SPANFORGE_PCH AND NOT SPANFORGE_SANITIZE)
    file(CONFIGURE OUTPUT ${name}.cpp CONTENT "int main() {}\n")
    if(ARG_PROGRAM)
      add_executable(${name} ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
    else()
      add_library(${name} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
    endif()
    target_link_libraries(${name} PRIVATE spanforge_flags ${ARG_LIBS})
    target_compile_options(${name} PRIVATE ${ARG_OPTIONS})
    target_precompile_headers(${name} PRIVATE ${ARG_HEADERS})
  endif()
endfunction()
function(spanforge_precompile target name)
  if(TARGET ${name})
    target_precompile_headers(${target} REUSE_FROM ${name})
    # The same fault shows as other warnings, too, where the library's headers are no system headers.
    target_compile_options(${target} PRIVATE
      $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread>)
  endif()
endfunction()
set(SPANFORGE_COMMON_HEADERS <algorithm> <cstdint> <filesystem> <functional> <map> <memory> <optional> <string>
  <string_view> <vector> <fmt/core.h>)
# A product and a sum are fused only where a kernel says so: roundings are the written ones.
set(SPANFORGE_FAST_OPTIONS $<$<CONFIG:Release>:-O3> -ffp-contract=off)
spanforge_precompiled(spanforge_fast_headers LIBS fmt::fmt HEADERS ${SPANFORGE_COMMON_HEADERS}
  OPTIONS ${SPANFORGE_FAST_OPTIONS})
set(SPANFORGE_LIGHT_OPTIONS $<$<CONFIG:Release>:-O1>)
spanforge_precompiled(spanforge_light_headers LIBS fmt::fmt HEADERS ${SPANFORGE_COMMON_HEADERS}
  OPTIONS ${SPANFORGE_LIGHT_OPTIONS})
# For programs of several sources beside the program; the first that is built builds it.
spanforge_precompiled(spanforge_driver_headers PROGRAM LIBS fmt::fmt HEADERS ${SPANFORGE_COMMON_HEADERS}
  OPTIONS ${SPANFORGE_LIGHT_OPTIONS})

function(spanforge_layer name)
  cmake_parse_arguments(ARG "FAST;LIGHT" "" "DEPS;PUBLIC_LIBS;PRIVATE_LIBS" ${ARGN})
  set(source_dir ${CMAKE_SOURCE_DIR}/src/spanforge/${name})
  set(root ${CMAKE_BINARY_DIR}/include/${name})
  file(MAKE_DIRECTORY ${root}/spanforge)
  if(NOT EXISTS ${root}/spanforge/${name})
    file(CREATE_LINK ${source_dir} ${root}/spanforge/${name} SYMBOLIC)
  endif()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${source_dir}/*.cpp)
  if(NOT sources)
    file(WRITE ${CMAKE_BINARY_DIR}/empty.cpp "")
    set(sources ${CMAKE_BINARY_DIR}/empty.cpp)
  endif()
  add_library(spanforge_${name} STATIC ${sources})
  add_library(spanforge::${name} ALIAS spanforge_${name})
  target_include_directories(spanforge_${name} PUBLIC $<BUILD_INTERFACE:${root}>)
  set_property(GLOBAL PROPERTY SPANFORGE_DEPS_${name} ${ARG_DEPS})
  set(linked "")
  foreach(library IN LISTS ARG_PUBLIC_LIBS ARG_PRIVATE_LIBS)
    get_target_property(headers_only ${library} SPANFORGE_HEADERS_ONLY)
    if(headers_only)
      list(TRANSFORM ARG_PRIVATE_LIBS REPLACE "^${library}$" "$<BUILD_INTERFACE:${library}>")
    else()
      list(APPEND linked ${library})
    endif()
  endforeach()
  set_property(GLOBAL PROPERTY SPANFORGE_LIBS_${name} ${linked})
  list(TRANSFORM ARG_DEPS PREPEND spanforge_)
  target_link_libraries(spanforge_${name} PUBLIC ${ARG_PUBLIC_LIBS}
    PRIVATE ${ARG_DEPS} ${ARG_PRIVATE_LIBS} $<BUILD_INTERFACE:spanforge_flags>)
  list(TRANSFORM ARG_DEPS REPLACE "^spanforge_" "spanforge_up_to_" OUTPUT_VARIABLE below)
  add_library(spanforge_up_to_${name} INTERFACE)
  target_link_libraries(spanforge_up_to_${name} INTERFACE spanforge_${name} ${below})
  if(ARG_FAST)
    target_compile_options(spanforge_${name} PRIVATE ${SPANFORGE_FAST_OPTIONS})
    spanforge_precompile(spanforge_${name} spanforge_fast_headers)
  elseif(ARG_LIGHT)
    target_compile_options(spanforge_${name} PRIVATE ${SPANFORGE_LIGHT_OPTIONS})
    spanforge_precompile(spanforge_${name} spanforge_light_headers)
  else()
    message(FATAL_ERROR "the layer ${name} is neither FAST nor LIGHT")
  endif()
  set_property(GLOBAL APPEND PROPERTY SPANFORGE_LAYERS ${name})
endfunction()

# spanforge_leave_out(NAME SOURCE): the layer is built without this source, whose place another takes.
function(spanforge_leave_out name source)
  set_source_files_properties(${CMAKE_SOURCE_DIR}/src/spanforge/${name}/${source} PROPERTIES HEADER_FILE_ONLY ON)
endfunction()

# spanforge_list_files(NAME FOLDER MACRO HEADER): HEADER, for the layer's own files, has a line MACRO(file) for
# each FOLDER/file.cpp, in the order of names. So a file in FOLDER is all that a new row needs.
function(spanforge_list_files name folder macro header)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/spanforge/${name}/${folder}/*.cpp)
  set(lines "")
  foreach(source IN LISTS sources)
    get_filename_component(row ${source} NAME_WE)
    string(APPEND lines "${macro}(${row})\n")
  endforeach()
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/${name}/${header} CONTENT "${lines}")
  target_include_directories(spanforge_${name} PRIVATE ${CMAKE_BINARY_DIR}/generated/${name})
endfunction()

# spanforge_tests(NAME [LIBS target...] [SLOW regex...] [PROPERTIES name value...]): tests/NAME/*_test.cpp
# as one GoogleTest program. Its tests have the labels NAME and fast; those whose whole Suite.Name
# matches one of SLOW have NAME and slow. The properties are of every test in it.
function(spanforge_tests name)
  cmake_parse_arguments(ARG "" "" "LIBS;SLOW;PROPERTIES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${name}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(${name}_test ${sources})
  target_link_libraries(${name}_test PRIVATE ${ARG_LIBS} spanforge_flags spanforge_testing GTest::gtest_main)
  spanforge_precompile(${name}_test spanforge_test_headers)
  gtest_discover_tests(${name}_test DISCOVERY_MODE PRE_TEST TEST_PREFIX "${name}/" PROPERTIES TIMEOUT 600
    ${ARG_PROPERTIES})
  # gtest_discover_tests takes no list as a property's value, so ctest reads this after its files.
  list(JOIN ARG_SLOW "|" slow)
  set(labels ${CMAKE_CURRENT_BINARY_DIR}/${name}_labels.cmake)
  file(CONFIGURE OUTPUT ${labels} @ONLY CONTENT [[
foreach(test IN LISTS @name@_test_TESTS)
  set(speed fast)
  if(test MATCHES "^@name@/(@slow@)$")
    set(speed slow)
  endif()
  set_tests_properties("${test}" PROPERTIES LABELS "@name@;${speed}")
endforeach()
]])
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${labels})
endfunction()
