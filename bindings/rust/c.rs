//! The C interface of gradus as far as the binding uses it.
#![allow(dead_code)]
use std::ffi::c_void;
use std::os::raw::c_char;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct RawValue {
    pub kind: i32,
    pub aux: u32,
    pub payload: u64, // a number's bits, or an address
    pub length: u64,
}
#[repr(C)]
pub struct ErrorInfo {
    pub struct_size: u32,
    pub status: i32,
    pub argument: i32,
    pub reserved0: i32,
    pub message_length: u64,
    pub user_code: i64,
    pub message: *const c_char,
    pub origin: *const c_char,
}
#[repr(C)]
pub struct TensorInfo {
    pub struct_size: u32,
    pub dtype: i32,
    pub rank: i32,
    pub flags: u32,
    pub count: i64,
    pub identity: u64,
    pub storage: u64,
    pub version: u64,
    pub shape: *const i64,
    pub strides: *const i64,
    pub data: *const c_void,
    pub dtype_name: *const c_char,
}
#[repr(C)]
pub struct OpInfo {
    pub struct_size: u32,
    pub flags: u32,
    pub argument_count: u32,
    pub result_count: u32,
    pub required_arguments: u32,
    pub since: u32,
    pub name: *const c_char,
    pub schema: *const c_char,
    pub summary: *const c_char,
    pub serves: *const c_char,
}
#[repr(C)]
pub struct ArgumentInfo {
    pub struct_size: u32,
    pub flags: u32,
    pub kind: i32,
    pub since: u32,
    pub name: *const c_char,
    pub schema_name: *const c_char,
    pub default_value: RawValue,
}
#[repr(C)]
#[derive(Debug)]
pub struct Counts {
    pub struct_size: u32,
    pub reserved0: u32,
    pub contexts: u64,
    pub tensors: u64,
    pub graph_nodes: u64,
    pub foreign_blocks: u64,
    pub callbacks: u64,
    pub bytes_live: u64,
    pub bytes_peak: u64,
    pub bytes_kept: u64,
    pub profiles: u64,
}
pub type Handle = *mut c_void;
pub type Destroy = extern "C" fn(Handle);
pub type Hook = extern "C" fn(Handle, Handle, Handle, *mut Handle) -> i32;
pub type Rule = extern "C" fn(Handle, Handle, Handle, *const Handle, usize, *mut Handle, usize, *mut usize) -> i32;
#[repr(C)]
pub struct FunctionDefinition {
    pub struct_size: u32,
    pub flags: u32,
    pub name: *const c_char,
    pub forward: Rule,
    pub vjp: Rule,
    pub user: Handle,
    pub destroy: Destroy,
    pub jvp: Handle,
}
pub type OpCallback = extern "C" fn(Handle, Handle, *const RawValue, usize, *mut RawValue, usize, *mut usize) -> i32;
#[repr(C)]
pub struct OpDefinition {
    pub struct_size: u32,
    pub flags: u32,
    pub name: *const c_char,
    pub schema: *const c_char,
    pub summary: *const c_char,
    pub forward: OpCallback,
    pub backward: OpCallback,
    pub user: Handle,
}
#[repr(C)]
pub struct Call {
    pub argument_count: u64,
    pub result_capacity: u64,
    pub result_count: u64,
    pub reserved0: u64,
    pub op: Handle,
    pub arguments: *const RawValue,
    pub results: *mut RawValue,
    pub label: *const c_char,
}
pub type Compute = extern "C" fn(Handle, Handle, *const Handle, usize, *mut Handle, usize, *mut usize) -> i32;
/// DLManagedTensorVersioned of DLPack 1.
#[repr(C)]
pub struct DlManaged {
    pub major: u32,
    pub minor: u32,
    pub context: *mut c_void,
    pub deleter: Option<unsafe extern "C" fn(*mut DlManaged)>,
    pub flags: u64,
    pub data: *mut c_void,
    pub device: i32,
    pub device_id: i32,
    pub rank: i32,
    pub code: u8,
    pub bits: u8,
    pub lanes: u16,
    pub shape: *mut i64,
    pub strides: *mut i64,
    pub byte_offset: u64,
}

#[link(name = "gradus")]
extern "C" {
    pub fn gradus_retain(handle: Handle);
    pub fn gradus_release(handle: Handle);
    pub fn gradus_live_counts(counts: *mut Counts);
    pub fn gradus_context_create(options: *const c_void, ctx: *mut Handle) -> i32;
    pub fn gradus_context_error(ctx: Handle, error: *mut ErrorInfo);
    pub fn gradus_context_fail(ctx: Handle, status: i32, code: i64, text: *const c_char, length: usize) -> i32;
    pub fn gradus_context_set_recording(ctx: Handle, on: i32, previous: *mut i32) -> i32;
    pub fn gradus_op_count() -> usize;
    pub fn gradus_op_at(index: usize) -> Handle;
    pub fn gradus_op_find(name: *const c_char, length: usize) -> Handle;
    pub fn gradus_op_register(ctx: Handle, definition: *const OpDefinition, op: *mut Handle) -> i32;
    pub fn gradus_op_describe(op: Handle, info: *mut OpInfo) -> i32;
    pub fn gradus_op_describe_argument(op: Handle, index: u32, info: *mut ArgumentInfo) -> i32;
    pub fn gradus_invoke(ctx: Handle, op: Handle, arguments: *const RawValue, n: usize, results: *mut RawValue,
        capacity: usize, count: *mut usize) -> i32;
    pub fn gradus_invoke_batch(ctx: Handle, calls: *mut Call, n: usize, call_bytes: usize, done: *mut usize) -> i32;
    pub fn gradus_gradcheck(ctx: Handle, compute: Compute, user: Handle, inputs: *const Handle, n: usize, options: *const c_void, passed: *mut i32,
        report: *mut c_char, capacity: usize, length: *mut usize) -> i32;
    pub fn gradus_tensor_to_dlpack(ctx: Handle, tensor: Handle, flags: u32, managed: *mut *mut DlManaged) -> i32;
    pub fn gradus_tensor_from_dlpack(ctx: Handle, managed: *mut DlManaged, flags: u32, result: *mut Handle) -> i32;
    pub fn gradus_tensor_wrap(ctx: Handle, dtype: i32, rank: i32, shape: *const i64, strides: *const i64, data: *mut c_void, bytes: usize, flags: u32,
        destroy: Destroy, user: Handle, result: *mut Handle) -> i32;
    pub fn gradus_tensor_copy_out(ctx: Handle, tensor: Handle, dtype: i32, data: *mut c_void, bytes: usize) -> i32;
    pub fn gradus_tensor_describe(tensor: Handle, info: *mut TensorInfo) -> i32;
    pub fn gradus_tensor_print(ctx: Handle, tensor: Handle, buffer: *mut c_char, capacity: usize, length: *mut usize) -> i32;
    pub fn gradus_tensor_set_requires_grad(ctx: Handle, tensor: Handle, on: i32) -> i32;
    pub fn gradus_tensor_grad(ctx: Handle, tensor: Handle, result: *mut Handle) -> i32;
    pub fn gradus_tensor_set_grad(ctx: Handle, tensor: Handle, grad: Handle) -> i32;
    pub fn gradus_tensor_add_hook(ctx: Handle, tensor: Handle, hook: Hook, user: Handle, destroy: Destroy, id: *mut u64) -> i32;
    pub fn gradus_tensor_remove_hook(ctx: Handle, tensor: Handle, id: u64) -> i32;
    pub fn gradus_backward(ctx: Handle, outputs: *const Handle, n: usize, seeds: *const Handle, options: *const c_void) -> i32;
    pub fn gradus_function_apply(ctx: Handle, definition: *const FunctionDefinition, inputs: *const Handle, n: usize, results: *mut Handle,
        capacity: usize, count: *mut usize) -> i32;
    pub fn gradus_function_save_for_backward(ctx: Handle, call: Handle, tensors: *const Handle, n: usize) -> i32;
    pub fn gradus_function_saved(ctx: Handle, call: Handle, index: usize, result: *mut Handle) -> i32;
}
