# The .deb files of the program and of the library (docs/install.md): tools/make_packages.sh. The program itself makes
# its manual pages and completions.
set(share ${CMAKE_BINARY_DIR}/share)
add_custom_command(OUTPUT ${share}/made
  COMMAND sh ${CMAKE_SOURCE_DIR}/packaging/make_share.sh $<TARGET_FILE:spanforge> ${share}
  DEPENDS spanforge ${CMAKE_SOURCE_DIR}/packaging/make_share.sh VERBATIM)
add_custom_target(spanforge_manual ALL DEPENDS ${share}/made)

set(data ${CMAKE_INSTALL_DATAROOTDIR})
install(DIRECTORY ${share}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program)
install(FILES ${share}/completion/spanforge DESTINATION ${data}/bash-completion/completions COMPONENT program)
install(FILES ${share}/completion/_spanforge DESTINATION ${data}/zsh/vendor-completions COMPONENT program)
install(FILES ${share}/completion/spanforge.fish DESTINATION ${data}/fish/vendor_completions.d COMPONENT program)

# What Debian wants to find in every package.
execute_process(COMMAND date -R -u -r ${CMAKE_SOURCE_DIR}/CHANGELOG.md OUTPUT_VARIABLE SPANFORGE_DATE OUTPUT_STRIP_TRAILING_WHITESPACE)
# As Debian's own tools have it: who makes the packages.
set(SPANFORGE_PACKAGER "spanforge developers <spanforge@localhost>")
if(NOT "$ENV{DEBEMAIL}" STREQUAL "")
  set(SPANFORGE_PACKAGER "$ENV{DEBFULLNAME} <$ENV{DEBEMAIL}>")
endif()
set(packages "program:spanforge" "development:libspanforge-dev")
foreach(row IN LISTS packages)
  string(REPLACE ":" ";" row ${row})
  list(GET row 0 component)
  list(GET row 1 SPANFORGE_PACKAGE)
  set(folder ${CMAKE_BINARY_DIR}/packaging/${SPANFORGE_PACKAGE})
  configure_file(packaging/changelog.in ${folder}/changelog @ONLY)
  execute_process(COMMAND gzip -9nf ${folder}/changelog)
  install(FILES ${folder}/changelog.gz ${CMAKE_SOURCE_DIR}/packaging/copyright
    DESTINATION ${data}/doc/${SPANFORGE_PACKAGE} COMPONENT ${component})
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "${SPANFORGE_PACKAGER}")
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL program development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME spanforge)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_DEPENDS ca-certificates)  # without it no hub can be asked over HTTPS
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libspanforge-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
# What spanforgeConfig.cmake asks for.
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
  "libdnnl-dev, libhwy-dev, libfmt-dev, libicu-dev, libssl-dev, zlib1g-dev, libprotozero-dev")
if(SPANFORGE_GLOO_LIBRARY)
  string(APPEND CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS ", libgloo-dev")
endif()
if(SPANFORGE_REDIS_LIBRARY)
  string(APPEND CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS ", libhiredis-dev")
endif()
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "extractive question answering: train, evaluate, answer, serve")
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION "spanforge fine-tunes a pretrained encoder on SQuAD-like data, shows how good
the model is, and answers questions with it on the command line or over HTTP.
Models and results are those of Hugging Face's libraries, without Python.")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "This is the C++ library of spanforge: static libraries, headers and the files
for CMake's find_package(spanforge).")
include(CPack)
