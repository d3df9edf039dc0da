/* The header by itself: nothing before it, nothing beside it, and the layout that is promised. */
#include "gradus/gradus.h"

#include "gradus/gradus.h"

typedef char value_is_24_bytes[sizeof(gradus_value) == 24 ? 1 : -1];
typedef char union_is_8_bytes[sizeof(union gradus_payload) == 8 ? 1 : -1];
typedef char status_is_32_bits[sizeof(gradus_status) == 4 ? 1 : -1];
typedef char levels_agree[GRADUS_API_LEVEL == GRADUS_HEADER_LEVEL ? 1 : -1];
/* No hidden padding: the fields fill the struct. */
typedef char counts[sizeof(gradus_counts) == 8 + 13 * 8 ? 1 : -1];
typedef char profile_options[sizeof(gradus_profile_options) == 16 ? 1 : -1];
typedef char profile_info[sizeof(gradus_profile_info) == 8 + 3 * 8 ? 1 : -1];
typedef char profile_event[sizeof(gradus_profile_event) == 16 + 8 * 8 + 2 * sizeof(void *) ? 1 : -1];
typedef char table_options[sizeof(gradus_profile_table_options) == 8 + 2 * 8 + 2 * sizeof(void *) ? 1 : -1];
typedef char error[sizeof(gradus_error) == 16 + 16 + 2 * sizeof(void *) ? 1 : -1];
typedef char context_options[sizeof(gradus_context_options) == 16 + 8 + 6 * sizeof(void *) ? 1 : -1];
typedef char tensor_info[sizeof(gradus_tensor_info) == 16 + 5 * 8 + 4 * sizeof(void *) ? 1 : -1];
typedef char node_info[sizeof(gradus_node_info) == 16 + 16 ? 1 : -1];
typedef char backward_options[sizeof(gradus_backward_options) == 8 + 8 + 2 * sizeof(void *) ? 1 : -1];
typedef char call[sizeof(gradus_call) == 4 * 8 + 4 * sizeof(void *) ? 1 : -1];
typedef char op_info[sizeof(gradus_op_info) == 24 + 4 * sizeof(void *) ? 1 : -1];
typedef char argument_info[sizeof(gradus_argument_info) == 16 + 2 * sizeof(void *) + 24 ? 1 : -1];

int main(void) {
  return gradus_api_level() >= GRADUS_API_LEVEL && gradus_version() > 0 ? 0 : 1;
}
