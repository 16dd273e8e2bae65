# Installs the program, every layer with its headers, and a package that find_package(spanforge)
# finds: link spanforge::spanforge, or single layers as spanforge::text.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/spanforge)
add_library(spanforge_all INTERFACE)
set_target_properties(spanforge_all PROPERTIES EXPORT_NAME spanforge)
install(TARGETS spanforge_all EXPORT spanforgeTargets)
get_property(layers GLOBAL PROPERTY SPANFORGE_LAYERS)
foreach(layer IN LISTS layers)
  target_include_directories(spanforge_${layer} PUBLIC $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_features(spanforge_${layer} PUBLIC cxx_std_20)
  set_target_properties(spanforge_${layer} PROPERTIES EXPORT_NAME ${layer})
  target_link_libraries(spanforge_all INTERFACE spanforge_${layer})
  install(TARGETS spanforge_${layer} EXPORT spanforgeTargets)
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/src/spanforge/${layer} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/spanforge
    FILES_MATCHING PATTERN "*.h")
endforeach()
install(EXPORT spanforgeTargets NAMESPACE spanforge:: DESTINATION ${package_dir})

file(WRITE ${CMAKE_BINARY_DIR}/spanforgeConfig.cmake
  "include(\${CMAKE_CURRENT_LIST_DIR}/SpanforgeDependencies.cmake)\ninclude(\${CMAKE_CURRENT_LIST_DIR}/spanforgeTargets.cmake)\n")
write_basic_package_version_file(${CMAKE_BINARY_DIR}/spanforgeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/spanforgeConfig.cmake ${CMAKE_BINARY_DIR}/spanforgeConfigVersion.cmake
  ${CMAKE_SOURCE_DIR}/cmake/SpanforgeDependencies.cmake ${CMAKE_SOURCE_DIR}/cmake/SpanforgeVersions.cmake
  DESTINATION ${package_dir})
