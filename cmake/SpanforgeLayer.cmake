# spanforge_layer(NAME [DEPS layer...] [PUBLIC_LIBS lib...] [PRIVATE_LIBS lib...])
#
# One static library a folder of src/spanforge/. Each layer has an include root of its own in the
# build tree that holds one link, spanforge/NAME -> src/spanforge/NAME, and a layer is compiled
# with the roots of itself and its DEPS only. So an include of a layer that is not a dependency
# does not compile; with src/ as one common root it would.
#
# DEPS lists every layer the folder may include; nothing is inherited silently, except that a
# consumer also gets the roots its dependencies' headers need.
add_library(spanforge_flags INTERFACE)
target_compile_options(spanforge_flags INTERFACE -Wall -Wextra -Wshadow -Wno-unused-parameter
  -Wno-missing-field-initializers $<$<BOOL:${SPANFORGE_WERROR}>:-Werror>
  # GCC 12 sees overlapping copies in "literal" + std::to_string(x) that are not there (bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
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

function(spanforge_layer name)
  cmake_parse_arguments(ARG "" "" "DEPS;PUBLIC_LIBS;PRIVATE_LIBS" ${ARGN})
  set(source_dir ${CMAKE_SOURCE_DIR}/src/spanforge/${name})
  set(root ${CMAKE_BINARY_DIR}/include/${name})
  file(MAKE_DIRECTORY ${root}/spanforge)
  if(NOT EXISTS ${root}/spanforge/${name})
    file(CREATE_LINK ${source_dir} ${root}/spanforge/${name} SYMBOLIC)
  endif()
  file(GLOB sources CONFIGURE_DEPENDS ${source_dir}/*.cpp)
  if(NOT sources)
    file(WRITE ${CMAKE_BINARY_DIR}/empty.cpp "")
    set(sources ${CMAKE_BINARY_DIR}/empty.cpp)
  endif()
  add_library(spanforge_${name} STATIC ${sources})
  add_library(spanforge::${name} ALIAS spanforge_${name})
  target_include_directories(spanforge_${name} PUBLIC $<BUILD_INTERFACE:${root}>)
  list(TRANSFORM ARG_DEPS PREPEND spanforge_)
  target_link_libraries(spanforge_${name} PUBLIC ${ARG_DEPS} ${ARG_PUBLIC_LIBS}
    PRIVATE ${ARG_PRIVATE_LIBS} $<BUILD_INTERFACE:spanforge_flags>)
  set_property(GLOBAL APPEND PROPERTY SPANFORGE_LAYERS ${name})
endfunction()

# spanforge_tests(NAME [LIBS target...] [PROPERTIES name value...]): tests/NAME/*_test.cpp as one
# GoogleTest program; the properties are of every test in it.
function(spanforge_tests name)
  cmake_parse_arguments(ARG "" "" "LIBS;PROPERTIES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${name}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(${name}_test ${sources})
  target_link_libraries(${name}_test PRIVATE ${ARG_LIBS} spanforge_flags spanforge_testing GTest::gtest_main)
  gtest_discover_tests(${name}_test DISCOVERY_MODE PRE_TEST TEST_PREFIX "${name}/" PROPERTIES LABELS ${name} TIMEOUT 600
    ${ARG_PROPERTIES})
endfunction()
