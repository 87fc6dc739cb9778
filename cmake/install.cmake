# cmake --install: the program, its pipelines and embedded model, the headers and a CMake package.
include(CMakePackageConfigHelpers)

set(percept_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/percept")
install(TARGETS percept RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(TARGETS percept_kernels percept_encoders percept_decoder percept_engine percept_graph percept_nodes
        EXPORT percept_targets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
foreach(folder kernels encoders decoder engine graph nodes)
  install(DIRECTORY "${folder}" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/percept" FILES_MATCHING PATTERN "*.h")
endforeach()
install(DIRECTORY pipelines models DESTINATION "${CMAKE_INSTALL_DATADIR}/percept")
install(FILES LICENSE NOTICE DESTINATION "${CMAKE_INSTALL_DOCDIR}")

install(EXPORT percept_targets NAMESPACE Percept:: FILE perceptTargets.cmake DESTINATION "${percept_package_dir}")
configure_package_config_file(cmake/perceptConfig.cmake.in "${PROJECT_BINARY_DIR}/perceptConfig.cmake"
                              INSTALL_DESTINATION "${percept_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/perceptConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/perceptConfig.cmake" "${PROJECT_BINARY_DIR}/perceptConfigVersion.cmake"
              cmake/FindDNNL.cmake
        DESTINATION "${percept_package_dir}")
