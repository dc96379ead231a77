# The system's libraries, behind one target: tern::system.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(TERN_LIBS REQUIRED IMPORTED_TARGET
  jansson libcurl libutf8proc libxml-2.0 libzstd zlib libmicrohttpd libxxhash sentencepiece libpcre2-8)

find_library(STEMMER_LIBRARY stemmer REQUIRED)
find_path(STEMMER_INCLUDE libstemmer.h REQUIRED)

# OpenBLAS: the pthread or OpenMP build. The serial one is not safe under concurrent calls; which
# one answers at run time is checked again by `tern doctor`.
find_library(OPENBLAS_LIBRARY NAMES openblas PATH_SUFFIXES openblas-pthread openblas-openmp REQUIRED)
find_path(OPENBLAS_INCLUDE cblas.h PATH_SUFFIXES openblas-pthread openblas openblas-openmp REQUIRED)

# FAISS: headers of the C API are in libfaiss-dev; a libfaiss_c is used when the system has one,
# else our shim implements the functions we call (retriever/dense/faiss_shim.cpp).
find_library(FAISS_LIBRARY faiss REQUIRED)
find_library(FAISS_C_LIBRARY faiss_c)
find_path(FAISS_INCLUDE faiss/c_api/Index_c.h REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX) # FAISS needs its runtime; our own code does not use it

add_library(tern_system INTERFACE)
add_library(tern::system ALIAS tern_system)
target_include_directories(tern_system SYSTEM INTERFACE
  ${STEMMER_INCLUDE} ${OPENBLAS_INCLUDE} ${FAISS_INCLUDE})
target_link_libraries(tern_system INTERFACE
  PkgConfig::TERN_LIBS ${STEMMER_LIBRARY}
  $<$<BOOL:${FAISS_C_LIBRARY}>:${FAISS_C_LIBRARY}>
  ${FAISS_LIBRARY} ${OPENBLAS_LIBRARY} ${OpenMP_CXX_LIBRARIES} Threads::Threads m stdc++)
if(FAISS_C_LIBRARY)
  target_compile_definitions(tern_system INTERFACE TERN_HAVE_FAISS_C=1)
endif()
