// Which library a program has loaded.
#include <cstdint>

#define GRADUS_EXPORT extern "C" __attribute__((visibility("default")))

GRADUS_EXPORT uint32_t gradus_version(void);
GRADUS_EXPORT const char* gradus_version_string(void);
GRADUS_EXPORT uint32_t gradus_api_level(void);

uint32_t gradus_version(void) { return GRADUS_VERSION_NUMBER; }
const char* gradus_version_string(void) { return GRADUS_VERSION_TEXT; }
uint32_t gradus_api_level(void) { return 1; }
