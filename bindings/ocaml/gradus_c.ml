(* The C interface of gradus as far as gradus.ml uses it. *)
open Ctypes

let library =
  Dl.dlopen ~flags:[ Dl.RTLD_NOW ] ~filename:(Option.value (Sys.getenv_opt "GRADUS_LIBRARY") ~default:"libgradus.so.1")

let foreign name t = Foreign.foreign ~from:library ("gradus_" ^ name) t
let p = ptr void
let i = int32_t

(* ---- the C interface: structs as ctypes knows them, functions *)
type value_s
let value_s : value_s structure typ = structure "gradus_value"
let v_kind = field value_s "kind" int32_t
let v_aux = field value_s "aux" int32_t
let v_payload = field value_s "u" int64_t
let v_length = field value_s "length" int64_t
let () = seal value_s

type error_s
let error_s : error_s structure typ = structure "gradus_error"
let e_size = field error_s "struct_size" int32_t
let e_status = field error_s "status" int32_t
let e_argument = field error_s "argument" int32_t
let _ = field error_s "reserved0" int32_t
let _ = field error_s "message_length" int64_t
let e_code = field error_s "user_code" int64_t
let e_message = field error_s "message" string
let e_origin = field error_s "origin" string
let () = seal error_s

type op_s
let op_s : op_s structure typ = structure "gradus_op_info"
let o_size = field op_s "struct_size" int32_t
let _ = field op_s "flags" int32_t
let o_arguments = field op_s "argument_count" int32_t
let _ = List.map (fun n -> field op_s n int32_t) [ "result_count"; "required_arguments"; "since" ]
let o_name = field op_s "name" string
let _ = List.map (fun n -> field op_s n p) [ "schema"; "summary"; "serves" ]
let () = seal op_s

type argument_s
let argument_s : argument_s structure typ = structure "gradus_argument_info"
let a_size = field argument_s "struct_size" int32_t
let _ = field argument_s "flags" int32_t
let a_kind = field argument_s "kind" int32_t
let _ = field argument_s "since" int32_t
let a_name = field argument_s "name" string
let _ = field argument_s "schema_name" p
let _ = field argument_s "default_value" value_s
let () = seal argument_s

type info_s
let info_s : info_s structure typ = structure "gradus_tensor_info"
let i_size = field info_s "struct_size" int32_t
let i_dtype = field info_s "dtype" int32_t
let i_rank = field info_s "rank" int32_t
let i_flags = field info_s "flags" int32_t
let i_count = field info_s "count" int64_t
let _ = List.map (fun n -> field info_s n int64_t) [ "identity"; "storage"; "version" ]
let i_shape = field info_s "shape" (ptr int64_t)
let _ = field info_s "strides" p
let i_data = field info_s "data" (ptr double)
let _ = field info_s "dtype_name" p
let () = seal info_s

type call_s
let call_s : call_s structure typ = structure "gradus_call"
let c_arguments_n = field call_s "argument_count" int64_t
let c_capacity = field call_s "result_capacity" int64_t
let _ = List.map (fun n -> field call_s n int64_t) [ "result_count"; "reserved0" ]
let c_op = field call_s "op" p
let c_arguments = field call_s "arguments" (ptr value_s)
let c_results = field call_s "results" (ptr value_s)
let _ = field call_s "label" p
let () = seal call_s

let hook_t = p @-> p @-> p @-> ptr p @-> returning i
let rule_t = p @-> p @-> p @-> ptr p @-> size_t @-> ptr p @-> size_t @-> ptr size_t @-> returning i
let op_t = p @-> p @-> ptr value_s @-> size_t @-> ptr value_s @-> size_t @-> ptr size_t @-> returning i
let compute_t = p @-> p @-> ptr p @-> size_t @-> ptr p @-> size_t @-> ptr size_t @-> returning i
let destroy_t = p @-> returning void
module Hook = (val Foreign.dynamic_funptr hook_t)
module Rule = (val Foreign.dynamic_funptr rule_t)
module Op = (val Foreign.dynamic_funptr op_t)
module Compute = (val Foreign.dynamic_funptr compute_t)
module Destroy = (val Foreign.dynamic_funptr destroy_t)

type function_s
let function_s : function_s structure typ = structure "gradus_function"
let f_size = field function_s "struct_size" int32_t
let _ = field function_s "flags" int32_t
let f_name = field function_s "name" (ptr char)
let f_forward = field function_s "forward" Rule.t
let f_vjp = field function_s "vjp" Rule.t
let f_user = field function_s "user" p
let f_destroy = field function_s "destroy" Destroy.t
let _ = field function_s "jvp" p
let () = seal function_s

type definition_s
let definition_s : definition_s structure typ = structure "gradus_op_definition"
let d_size = field definition_s "struct_size" int32_t
let _ = field definition_s "flags" int32_t
let d_name = field definition_s "name" (ptr char)
let d_schema = field definition_s "schema" (ptr char)
let _ = field definition_s "summary" p
let d_forward = field definition_s "forward" Op.t
let d_backward = field definition_s "backward" Op.t
let d_user = field definition_s "user" p
let () = seal definition_s

let c_retain = foreign "retain" (p @-> returning void)
let c_release = foreign "release" (p @-> returning void)
let c_counts = foreign "live_counts" (ptr int64_t @-> returning void)
let c_status_name = foreign "status_name" (i @-> returning string)
let c_create = foreign "context_create" (p @-> ptr p @-> returning i)
let c_error = foreign "context_error" (p @-> ptr error_s @-> returning void)
let c_fail = foreign "context_fail" (p @-> i @-> int64_t @-> string @-> size_t @-> returning i)
let c_recording = foreign "context_set_recording" (p @-> i @-> ptr i @-> returning i)
let c_op_count = foreign "op_count" (void @-> returning size_t)
let c_op_at = foreign "op_at" (size_t @-> returning p)
let c_describe = foreign "op_describe" (p @-> ptr op_s @-> returning i)
let c_describe_argument = foreign "op_describe_argument" (p @-> i @-> ptr argument_s @-> returning i)
let c_invoke = foreign "invoke" (p @-> p @-> ptr value_s @-> size_t @-> ptr value_s @-> size_t @-> ptr size_t @-> returning i)
let c_batch = foreign "invoke_batch" (p @-> ptr call_s @-> size_t @-> size_t @-> p @-> returning i)
let c_wrap = foreign "tensor_wrap" (p @-> i @-> i @-> ptr int64_t @-> p @-> ptr double @-> size_t @-> i @-> Destroy.t @-> p @-> ptr p @-> returning i)
let c_copy_out = foreign "tensor_copy_out" (p @-> p @-> i @-> ptr double @-> size_t @-> returning i)
let c_info = foreign "tensor_describe" (p @-> ptr info_s @-> returning i)
let c_print = foreign "tensor_print" (p @-> p @-> ptr char @-> size_t @-> ptr size_t @-> returning i)
let c_requires_grad = foreign "tensor_set_requires_grad" (p @-> p @-> i @-> returning i)
let c_grad = foreign "tensor_grad" (p @-> p @-> ptr p @-> returning i)
let c_set_grad = foreign "tensor_set_grad" (p @-> p @-> p @-> returning i)
let c_add_hook = foreign "tensor_add_hook" (p @-> p @-> Hook.t @-> p @-> Destroy.t @-> ptr int64_t @-> returning i)
let c_remove_hook = foreign "tensor_remove_hook" (p @-> p @-> int64_t @-> returning i)
let c_backward = foreign "backward" (p @-> ptr p @-> size_t @-> p @-> p @-> returning i)
let c_apply = foreign "function_apply" (p @-> ptr function_s @-> ptr p @-> size_t @-> ptr p @-> size_t @-> ptr size_t @-> returning i)
let c_save = foreign "function_save_for_backward" (p @-> p @-> ptr p @-> size_t @-> returning i)
let c_saved = foreign "function_saved" (p @-> p @-> size_t @-> ptr p @-> returning i)
let c_register = foreign "op_register" (p @-> ptr definition_s @-> ptr p @-> returning i)
let c_dtype_name = foreign "dtype_name" (i @-> returning string)
let c_gradcheck =
  foreign "gradcheck" (p @-> Compute.t @-> p @-> ptr p @-> size_t @-> p @-> ptr i @-> ptr char @-> size_t @-> ptr size_t @-> returning i)
let c_to_dlpack = foreign "tensor_to_dlpack" (p @-> p @-> i @-> ptr p @-> returning i)
let c_from_dlpack = foreign "tensor_from_dlpack" (p @-> p @-> i @-> ptr p @-> returning i)
