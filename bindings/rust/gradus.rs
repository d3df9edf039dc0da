//! gradus for Rust: the methods of Gradus are generated from the library's description (generate.rs), each in two forms: with the
//! arguments that have no default, and `_with` all of them.
//!     let x = g.tensor(vec![1.0, 2.0, 3.0], &[3])?.requires_grad(&g)?;
//!     g.backward(&g.sum(&g.mul(&x, &x)?)?)?;
//!     println!("{:?}", g.numbers(&x.grad(&g)?.unwrap())?);
use crate::c::{self, Handle, RawValue};
use std::cell::Cell;
use std::ffi::{c_void, CStr};
use std::marker::PhantomData;
use std::mem::{size_of, zeroed, ManuallyDrop};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::{null, null_mut};

#[path = "operation.rs"]
mod operation;
pub use operation::{result_of, Operation};

/// What the library reports, or an error of the caller that went through it.
#[derive(Debug)]
pub enum Error {
    Gradus { status: i32, argument: i32, message: String, origin: String },
    Host(Box<dyn std::error::Error>),
}
pub type Result<T> = std::result::Result<T, Error>;
impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Error::Gradus { message, .. } => f.write_str(message),
            Error::Host(e) => e.fmt(f),
        }
    }
}
impl std::error::Error for Error {}

/// A reference to a tensor. Any thread may have it.
#[derive(Debug)]
#[repr(transparent)]
pub struct Tensor(Handle);
unsafe impl Send for Tensor {}
unsafe impl Sync for Tensor {}
impl Drop for Tensor {
    fn drop(&mut self) { unsafe { c::gradus_release(self.0) } }
}
impl Clone for Tensor {
    fn clone(&self) -> Tensor { Tensor::borrow(self.0) }
}
impl Tensor {
    fn borrow(handle: Handle) -> Tensor {
        unsafe { c::gradus_retain(handle) };
        Tensor(handle)
    }
    fn give(self) -> Handle { ManuallyDrop::new(self).0 }
    fn own(handle: Handle) -> Option<Tensor> { if handle.is_null() { None } else { Some(Tensor(handle)) } }

    pub fn requires_grad(self, g: &Gradus) -> Result<Tensor> {
        g.check(unsafe { c::gradus_tensor_set_requires_grad(g.0, self.0, 1) })?;
        Ok(self)
    }
    pub fn grad(&self, g: &Gradus) -> Result<Option<Tensor>> {
        let mut grad = null_mut();
        g.check(unsafe { c::gradus_tensor_grad(g.0, self.0, &mut grad) })?;
        Ok(Tensor::own(grad))
    }
    pub fn clear_grad(&self, g: &Gradus) -> Result<()> { g.check(unsafe { c::gradus_tensor_set_grad(g.0, self.0, null_mut()) }) }
    pub fn remove_hook(&self, g: &Gradus, id: u64) -> Result<()> { g.check(unsafe { c::gradus_tensor_remove_hook(g.0, self.0, id) }) }
}

/// One argument of an operation.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Value<'a>(RawValue, PhantomData<&'a ()>);
fn value<'a>(kind: i32, aux: u32, payload: u64, length: usize) -> Value<'a> {
    Value(RawValue { kind, aux, payload, length: length as u64 }, PhantomData)
}
pub const OMITTED: Value<'static> = Value(RawValue { kind: 0, aux: 0, payload: 0, length: 0 }, PhantomData);
pub const NONE: Value<'static> = Value(RawValue { kind: 1, aux: 0, payload: 0, length: 0 }, PhantomData);
#[derive(Clone, Copy)]
pub enum Dtype { Bool = 1, U8, I8, I16, I32, I64, F16, BF16, F32, F64 }
macro_rules! values {
    ($($from:ty, $x:ident => $to:expr;)*) => { $(impl<'a> From<$from> for Value<'a> { fn from($x: $from) -> Self { $to } })* };
}
values! {
    &'a Tensor, x => value(7, 0, x.0 as u64, 0);
    i64, x => value(3, 0, x as u64, 0);
    f64, x => value(4, 0, x.to_bits(), 0);
    bool, x => value(2, 0, x as u64, 0);
    Dtype, x => value(6, x as u32, 0, 0);
    &'a str, x => value(5, 0, x.as_ptr() as u64, x.len());
    &'a [i64], x => value(8, 0, x.as_ptr() as u64, x.len());
    &'a [f64], x => value(9, 0, x.as_ptr() as u64, x.len());
    &'a [Tensor], x => value(10, 0, x.as_ptr() as u64, x.len()); // a Tensor is its handle
}

/// An operation. The library's do not change while the program runs.
#[derive(Clone, Copy)]
pub struct Op(Handle);
impl Op {
    fn at(index: usize) -> Op { Op(unsafe { c::gradus_op_at(index) }) }
    pub fn find(name: &str) -> Option<Op> {
        let op = unsafe { c::gradus_op_find(name.as_ptr() as *const _, name.len()) };
        if op.is_null() { None } else { Some(Op(op)) }
    }
}
/// A tensor on its way to another library, which calls the deleter when it is done. Dropped, it does so itself.
pub struct Managed(*mut c::DlManaged);
impl Managed {
    pub fn get(&self) -> &c::DlManaged { unsafe { &*self.0 } }
    pub fn into_raw(self) -> *mut c::DlManaged { ManuallyDrop::new(self).0 }
}
impl Drop for Managed {
    fn drop(&mut self) {
        if let Some(deleter) = self.get().deleter { unsafe { deleter(self.0) } }
    }
}

/// A context. It may move between threads; one at a time uses it.
pub struct Gradus(Handle);
unsafe impl Send for Gradus {}
impl Drop for Gradus {
    fn drop(&mut self) { unsafe { c::gradus_release(self.0) } }
}
type HookFn = Box<dyn Fn(&Gradus, Tensor) -> Result<Option<Tensor>>>;
/// A function with a derivative of its own.
pub trait Function {
    fn forward(&self, g: &Gradus, call: &Call, inputs: &[Tensor]) -> Result<Vec<Tensor>>;
    fn vjp(&self, g: &Gradus, call: &Call, gradients: &[Tensor]) -> Result<Vec<Tensor>>;
}
/// What a function keeps from forward for vjp.
pub struct Call(Handle, Handle);
impl Call {
    pub fn save(&self, tensors: &[&Tensor]) -> Result<()> {
        let handles: Vec<Handle> = tensors.iter().map(|t| t.0).collect();
        lent(self.0).check(unsafe { c::gradus_function_save_for_backward(self.0, self.1, handles.as_ptr(), handles.len()) })
    }
    pub fn saved(&self, index: usize) -> Result<Tensor> {
        let mut handle = null_mut();
        lent(self.0).check(unsafe { c::gradus_function_saved(self.0, self.1, index, &mut handle) })?;
        Ok(Tensor(handle))
    }
}

impl Gradus {
    pub fn new() -> Result<Gradus> {
        let mut ctx = null_mut();
        let status = unsafe { c::gradus_context_create(null(), &mut ctx) };
        if status == 0 { return Ok(Gradus(ctx)) }
        Err(Error::Gradus { status, argument: -1, message: "no context".into(), origin: "gradus_context_create".into() })
    }

    fn check(&self, status: i32) -> Result<()> {
        if status == 0 { return Ok(()) }
        unsafe {
            let mut e: c::ErrorInfo = zeroed();
            e.struct_size = size_of::<c::ErrorInfo>() as u32;
            c::gradus_context_error(self.0, &mut e);
            if status == 0x500 && e.user_code != 0 { return Err(*Box::from_raw(e.user_code as *mut Error)) }
            let text = |p| CStr::from_ptr(p).to_string_lossy().into_owned();
            Err(Error::Gradus { status, argument: e.argument, message: text(e.message), origin: text(e.origin) })
        }
    }

    /// Any operation: all results.
    pub fn call(&self, op: Op, arguments: &[Value]) -> Result<Vec<Tensor>> {
        let (mut results, mut count) = ([OMITTED.0; 64], 0);
        let values = arguments.as_ptr() as *const RawValue;
        self.check(unsafe { c::gradus_invoke(self.0, op.0, values, arguments.len(), results.as_mut_ptr(), 64, &mut count) })?;
        Ok(results[..count].iter().map(|r| Tensor(r.payload as Handle)).collect())
    }
    fn call_one(&self, op: Op, arguments: &[Value]) -> Result<Tensor> {
        let (mut result, mut count) = (OMITTED.0, 0);
        let values = arguments.as_ptr() as *const RawValue;
        self.check(unsafe { c::gradus_invoke(self.0, op.0, values, arguments.len(), &mut result, 1, &mut count) })?;
        Ok(Tensor(result.payload as Handle))
    }

    pub fn tensor(&self, numbers: Vec<f64>, shape: &[i64]) -> Result<Tensor> { self.wrap(numbers, shape) }
    /// A tensor on memory of Rust: a vector, a box, an array, which is dropped with the last view of it.
    pub fn wrap<M: AsMut<[f64]> + Send + 'static>(&self, memory: M, shape: &[i64]) -> Result<Tensor> {
        extern "C" fn drop_memory<M>(user: Handle) { drop(unsafe { Box::from_raw(user as *mut M) }) }
        let mut handle = null_mut();
        let mut memory = Box::new(memory);
        let numbers = (*memory).as_mut();
        let (data, bytes) = (numbers.as_mut_ptr() as *mut c_void, 8 * numbers.len());
        let user = Box::into_raw(memory) as Handle;
        let status = unsafe {
            c::gradus_tensor_wrap(self.0, 10, shape.len() as i32, shape.as_ptr(), null(), data, bytes, 0, drop_memory::<M>, user, &mut handle)
        };
        if status != 0 { drop_memory::<M>(user) }
        self.check(status)?;
        Ok(Tensor(handle))
    }
    fn info(&self, t: &Tensor) -> Result<c::TensorInfo> {
        let mut info: c::TensorInfo = unsafe { zeroed() };
        info.struct_size = size_of::<c::TensorInfo>() as u32;
        self.check(unsafe { c::gradus_tensor_describe(t.0, &mut info) })?;
        Ok(info)
    }
    /// The memory itself of a float64 tensor without gaps. Cells, for other views of it may write.
    pub fn data<'a>(&self, t: &'a Tensor) -> Result<&'a [Cell<f64>]> {
        let info = self.info(t)?;
        if info.dtype != 10 || info.flags & 0x8 == 0 { return Err(Error::Host("data: no float64 tensor without gaps".into())) }
        if info.count == 0 { return Ok(&[]) }
        Ok(unsafe { std::slice::from_raw_parts(info.data as *const Cell<f64>, info.count as usize) })
    }
    pub fn to_dlpack(&self, t: &Tensor) -> Result<Managed> {
        let mut managed = null_mut();
        self.check(unsafe { c::gradus_tensor_to_dlpack(self.0, t.0, 0, &mut managed) })?;
        Ok(Managed(managed))
    }
    pub fn from_dlpack(&self, managed: Managed) -> Result<Tensor> {
        let mut handle = null_mut();
        self.check(unsafe { c::gradus_tensor_from_dlpack(self.0, managed.0, 0, &mut handle) })?;
        managed.into_raw();
        Ok(Tensor(handle))
    }
    pub fn numbers(&self, t: &Tensor) -> Result<Vec<f64>> {
        let mut list = vec![0.0; self.info(t)?.count as usize];
        self.check(unsafe { c::gradus_tensor_copy_out(self.0, t.0, 10, list.as_mut_ptr() as *mut c_void, 8 * list.len()) })?;
        Ok(list)
    }
    pub fn text(&self, t: &Tensor) -> Result<String> {
        let (mut buffer, mut length) = (vec![0u8; 4096], 0);
        self.check(unsafe { c::gradus_tensor_print(self.0, t.0, buffer.as_mut_ptr() as *mut _, buffer.len(), &mut length) })?;
        buffer.truncate(length.min(4095));
        Ok(String::from_utf8_lossy(&buffer).into_owned())
    }

    pub fn backward(&self, t: &Tensor) -> Result<()> { self.check(unsafe { c::gradus_backward(self.0, &t.0, 1, null(), null()) }) }
    pub fn no_grad<T>(&self, f: impl FnOnce() -> Result<T>) -> Result<T> {
        let mut before = 0;
        self.check(unsafe { c::gradus_context_set_recording(self.0, 0, &mut before) })?;
        let result = f();
        self.check(unsafe { c::gradus_context_set_recording(self.0, before, null_mut()) })?;
        result
    }

    /// f gets the gradient and may return another.
    pub fn hook(&self, t: &Tensor, f: impl Fn(&Gradus, Tensor) -> Result<Option<Tensor>> + 'static) -> Result<u64> {
        extern "C" fn drop_hook(user: Handle) { drop(unsafe { Box::from_raw(user as *mut HookFn) }) }
        let boxed: HookFn = Box::new(f);
        let (user, mut id) = (Box::into_raw(Box::new(boxed)) as Handle, 0);
        let status = unsafe { c::gradus_tensor_add_hook(self.0, t.0, on_hook, user, drop_hook, &mut id) };
        if status != 0 { drop_hook(user) }
        self.check(status)?;
        Ok(id)
    }
    pub fn apply(&self, name: &CStr, f: impl Function + 'static, inputs: &[&Tensor]) -> Result<Vec<Tensor>> {
        extern "C" fn drop_function(user: Handle) { drop(unsafe { Box::from_raw(user as *mut Box<dyn Function>) }) }
        let boxed: Box<dyn Function> = Box::new(f);
        let user = Box::into_raw(Box::new(boxed)) as Handle;
        let definition = c::FunctionDefinition { struct_size: size_of::<c::FunctionDefinition>() as u32, flags: 0, name: name.as_ptr(),
            forward: on_forward, vjp: on_vjp, user, destroy: drop_function, jvp: null_mut() };
        let handles: Vec<Handle> = inputs.iter().map(|t| t.0).collect();
        let (mut results, mut count) = ([null_mut(); 8], 0);
        let status = unsafe { c::gradus_function_apply(self.0, &definition, handles.as_ptr(), handles.len(), results.as_mut_ptr(), 8, &mut count) };
        if status != 0 { drop_function(user) }
        self.check(status)?;
        Ok(results[..count].iter().map(|&h| Tensor(h)).collect())
    }
}

/// The context of a callback, which is the caller's.
fn lent(ctx: Handle) -> ManuallyDrop<Gradus> { ManuallyDrop::new(Gradus(ctx)) }
/// A panic does not cross C: it becomes an error, and errors travel by their address.
fn guarded(ctx: Handle, f: impl FnOnce() -> Result<()>) -> i32 {
    let error = match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(())) => return 0,
        Ok(Err(e)) => e,
        Err(_) => Error::Host("a callback panicked".into()),
    };
    let text = error.to_string();
    let code = Box::into_raw(Box::new(error)) as i64;
    unsafe { c::gradus_context_fail(ctx, 0x500, code, text.as_ptr() as *const _, text.len()) }
}
extern "C" fn on_hook(user: Handle, ctx: Handle, grad: Handle, replacement: *mut Handle) -> i32 {
    guarded(ctx, || {
        let f = unsafe { &*(user as *const HookFn) };
        if let Some(other) = f(&lent(ctx), Tensor::borrow(grad))? { unsafe { *replacement = other.give() } }
        Ok(())
    })
}
type Part = fn(&dyn Function, &Gradus, &Call, &[Tensor]) -> Result<Vec<Tensor>>;
struct Passed { user: Handle, ctx: Handle, call: Handle, inputs: *const Handle, n: usize, results: *mut Handle, count: *mut usize }
fn on_function(p: Passed, part: Part) -> i32 {
    guarded(p.ctx, || unsafe {
        let inputs: Vec<Tensor> = (0..p.n).map(|i| Tensor::borrow(*p.inputs.add(i))).collect();
        let out = part(&**(p.user as *const Box<dyn Function>), &lent(p.ctx), &Call(p.ctx, p.call), &inputs)?;
        *p.count = out.len();
        for (i, t) in out.into_iter().enumerate() { *p.results.add(i) = t.give() }
        Ok(())
    })
}
extern "C" fn on_forward(user: Handle, ctx: Handle, call: Handle, inputs: *const Handle, n: usize, results: *mut Handle, _: usize,
    count: *mut usize) -> i32 {
    on_function(Passed { user, ctx, call, inputs, n, results, count }, |f, g, call, inputs| f.forward(g, call, inputs))
}
extern "C" fn on_vjp(user: Handle, ctx: Handle, call: Handle, inputs: *const Handle, n: usize, results: *mut Handle, _: usize,
    count: *mut usize) -> i32 {
    on_function(Passed { user, ctx, call, inputs, n, results, count }, |f, g, call, inputs| f.vjp(g, call, inputs))
}

/// What lives in the process.
pub fn live() -> c::Counts {
    let mut counts: c::Counts = unsafe { zeroed() };
    counts.struct_size = size_of::<c::Counts>() as u32;
    unsafe { c::gradus_live_counts(&mut counts) };
    counts
}
pub fn operation_count() -> usize { unsafe { c::gradus_op_count() } }

include!(env!("GRADUS_OPS"));
