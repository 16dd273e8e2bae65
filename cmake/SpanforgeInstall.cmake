# Installs the program, the layers below it as libraries, the public headers, and a package that find_package(spanforge)
# finds (docs/library.md).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME development)

# The stable headers, below src/spanforge/. What they include is installed too, and may change
# (docs/versioning.md lists both).
set(SPANFORGE_PUBLIC_HEADERS
  base/error.h
  base/threads.h
  io/directory_writer.h
  text/tokenizer.h
  data/dataset.h
  model/model_directory.h
  model/answering_model.h
  model/load_report.h
  evaluation/answer_settings.h
  evaluation/evaluate.h
  train/arguments.h
  train/observer.h
  train/trainer.h
  inference/pipeline.h)

# RESULT: the headers and all that they include of this project.
function(spanforge_included_headers result)
  set(all ${ARGN})
  set(todo ${ARGN})
  while(todo)
    list(POP_FRONT todo header)
    file(STRINGS ${CMAKE_SOURCE_DIR}/src/spanforge/${header} lines REGEX "^#include \"spanforge/")
    foreach(line IN LISTS lines)
      string(REGEX REPLACE "^#include \"spanforge/([^\"]+)\".*" "\\1" included "${line}")
      if(NOT included IN_LIST all)
        list(APPEND all ${included})
        list(APPEND todo ${included})
      endif()
    endforeach()
  endwhile()
  set(${result} ${all} PARENT_SCOPE)
endfunction()

spanforge_included_headers(headers ${SPANFORGE_PUBLIC_HEADERS})
foreach(header IN LISTS headers)
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES src/spanforge/${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/spanforge/${folder})
endforeach()
install(FILES ${CMAKE_BINARY_DIR}/include/version/spanforge/version.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/spanforge)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/spanforge)
add_library(spanforge_all INTERFACE)
set_target_properties(spanforge_all PROPERTIES EXPORT_NAME spanforge)
install(TARGETS spanforge_all EXPORT spanforgeTargets)
get_property(layers GLOBAL PROPERTY SPANFORGE_LAYERS)
list(REMOVE_ITEM layers hub serve)  # the program's: no other layer links them, and they have no public header
set(package "set(spanforge_layers ${layers})\n")
foreach(layer IN LISTS layers)
  target_include_directories(spanforge_${layer} PUBLIC $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_features(spanforge_${layer} PUBLIC cxx_std_20)
  set_target_properties(spanforge_${layer} PROPERTIES EXPORT_NAME ${layer})
  target_link_libraries(spanforge_all INTERFACE spanforge_${layer})
  install(TARGETS spanforge_${layer} EXPORT spanforgeTargets)
  get_property(deps GLOBAL PROPERTY SPANFORGE_DEPS_${layer})
  get_property(libs GLOBAL PROPERTY SPANFORGE_LIBS_${layer})
  string(APPEND package "set(spanforge_deps_${layer} ${deps})\nset(spanforge_libs_${layer} ${libs})\n")
endforeach()
string(REPLACE ";" " " package "${package}")
install(EXPORT spanforgeTargets NAMESPACE spanforge:: DESTINATION ${package_dir})

configure_file(cmake/spanforgeConfig.cmake.in ${CMAKE_BINARY_DIR}/spanforgeConfig.cmake @ONLY)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/spanforgeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/spanforgeConfig.cmake ${CMAKE_BINARY_DIR}/spanforgeConfigVersion.cmake
  ${CMAKE_SOURCE_DIR}/cmake/SpanforgeDependencies.cmake ${CMAKE_SOURCE_DIR}/cmake/SpanforgeVersions.cmake
  DESTINATION ${package_dir})
