# Tests that look below the vtables of a plugin.
target_include_directories(test-plugin-greedy-latent PRIVATE ${PROJECT_SOURCE_DIR}/plugins)
target_sources(test-plugin-greedy-latent PRIVATE ${PROJECT_SOURCE_DIR}/plugins/strategy/greedy-latent/reject.c
  ${PROJECT_SOURCE_DIR}/plugins/strategy/greedy-latent/reconstruct.c)
target_include_directories(test-plugin-merge PRIVATE ${PROJECT_SOURCE_DIR}/plugins)
target_sources(test-plugin-merge PRIVATE ${PROJECT_SOURCE_DIR}/plugins/strategy/merge/align.c
  ${PROJECT_SOURCE_DIR}/plugins/strategy/merge/match.c)
