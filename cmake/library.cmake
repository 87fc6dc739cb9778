# percept_library(NAME LINKS... PRIVATE_LINKS ...): one static library from every source below the calling folder.
# LINKS are the folders and packages it may know; tests/include_direction_test.py holds the same ladder over #include lines.
function(percept_library name)
  cmake_parse_arguments(ARG "" "" "LINKS;PRIVATE_LINKS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cc")
  add_library(percept_${name} STATIC ${sources})
  add_library(Percept::${name} ALIAS percept_${name})
  set_target_properties(percept_${name} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(percept_${name} PUBLIC
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/percept>")
  target_compile_features(percept_${name} PUBLIC cxx_std_20)
  target_link_libraries(percept_${name} PUBLIC ${ARG_LINKS} PRIVATE ${ARG_PRIVATE_LINKS})
  percept_warnings(percept_${name})
  if(PERCEPT_SANITIZER STREQUAL "address" AND name MATCHES "^(kernels|encoders|decoder)$")
    target_compile_options(percept_${name} PRIVATE -fsanitize=null,alignment)
  endif()
endfunction()

function(percept_warnings target)
  # Designated initialisers leave members at their defaults on purpose.
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
                         -Wno-missing-field-initializers -Werror=return-type)
endfunction()

if(PERCEPT_SANITIZER)
  # Half the compile time of -O2 -g, and stack traces still have lines.
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1")
endif()
if(PERCEPT_SANITIZER STREQUAL "address")
  # A check at every pointer costs half the compile time: it is on where tensors are read from mapped files (above). A null
  # pointer that is used is the address sanitizer's everywhere.
  add_compile_options(-fsanitize=address,undefined -fno-sanitize=null,alignment -fno-sanitize-recover=undefined
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(PERCEPT_SANITIZER STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
elseif(PERCEPT_SANITIZER)
  message(FATAL_ERROR "PERCEPT_SANITIZER is '${PERCEPT_SANITIZER}': expected address or thread")
endif()

find_program(PERCEPT_CCACHE ccache)
if(PERCEPT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${PERCEPT_CCACHE}")
endif()
