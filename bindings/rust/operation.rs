//! Operations of the program with derivatives of their own, gradients against differences, and many calls in one crossing.
use super::*;

/// What a callback reads of a value.
impl<'a> Value<'a> {
    pub fn tensor(&self) -> Option<&Tensor> {
        if self.0.kind != 7 { return None }
        Some(unsafe { &*(&self.0.payload as *const u64 as *const Tensor) }) // a Tensor is its handle
    }
    pub fn tensors(&self) -> &[Tensor] { self.list(10) }
    pub fn i64s(&self) -> &[i64] { self.list(8) }
    pub fn f64s(&self) -> &[f64] { self.list(9) }
    fn list<T>(&self, kind: i32) -> &[T] {
        if self.0.kind != kind || self.0.length == 0 { return &[] }
        unsafe { std::slice::from_raw_parts(self.0.payload as *const T, self.0.length as usize) }
    }
    /// A number, or a bool as 0 or 1.
    pub fn f64(&self) -> f64 { if self.0.kind == 4 { f64::from_bits(self.0.payload) } else { self.0.payload as i64 as f64 } }
    pub fn i64(&self) -> i64 { if self.0.kind == 4 { self.f64() as i64 } else { self.0.payload as i64 } }
    pub fn text(&self) -> &str {
        if self.0.kind != 5 || self.0.length == 0 { return "" }
        std::str::from_utf8(unsafe { std::slice::from_raw_parts(self.0.payload as *const u8, self.0.length as usize) }).unwrap_or("")
    }
    pub fn is_none(&self) -> bool { self.0.kind == 1 }
}

/// An operation of the program. backward gets the arguments, the results and the gradients of the results, and gives one gradient, or
/// None, for each tensor among the arguments. Threads may call it at the same time.
pub trait Operation: Sync {
    fn forward(&self, g: &Gradus, arguments: &[Value]) -> Result<Vec<Tensor>>;
    fn backward(&self, g: &Gradus, values: &[Value]) -> Result<Vec<Option<Tensor>>>;
}

/// In a batch: the first result of an earlier call, from 0.
pub fn result_of(call: usize) -> Value<'static> { value(11, 0, call as u64, 0) }

impl Gradus {
    /// Registers it for the whole process, for good.
    pub fn register_op(&self, name: &CStr, schema: &CStr, operation: impl Operation + 'static) -> Result<Op> {
        let boxed: Box<dyn Operation> = Box::new(operation);
        let user = Box::into_raw(Box::new(boxed));
        let definition = c::OpDefinition { struct_size: size_of::<c::OpDefinition>() as u32, flags: 0, name: name.as_ptr(),
            schema: schema.as_ptr(), summary: null(), forward: on_forward, backward: on_backward, user: user as Handle };
        let mut op = null_mut();
        let status = unsafe { c::gradus_op_register(self.0, &definition, &mut op) };
        if status != 0 { drop(unsafe { Box::from_raw(user) }) }
        self.check(status)?;
        Ok(Op(op))
    }

    /// Makes the calls in one crossing; returns what the last one gives.
    pub fn batch(&self, calls: &[(Op, Vec<Value>)]) -> Result<Vec<Tensor>> {
        let mut results = [OMITTED.0; 64];
        let call = |op: &Op, arguments: &[Value]| c::Call { argument_count: arguments.len() as u64, result_capacity: 0, result_count: 0, reserved0: 0,
            op: op.0, arguments: arguments.as_ptr() as *const RawValue, results: null_mut(), label: null() };
        let mut list: Vec<c::Call> = calls.iter().map(|(op, arguments)| call(op, arguments)).collect();
        let last = match list.last_mut() {
            Some(last) => last,
            None => return Ok(vec![]),
        };
        last.results = results.as_mut_ptr();
        last.result_capacity = results.len() as u64;
        self.check(unsafe { c::gradus_invoke_batch(self.0, list.as_mut_ptr(), list.len(), size_of::<c::Call>(), null_mut()) })?;
        let count = list[list.len() - 1].result_count as usize;
        Ok(results[..count].iter().map(|r| Tensor(r.payload as Handle)).collect())
    }

    /// Whether backward of f gives what differences give, and a report.
    pub fn gradcheck<F: Fn(&Gradus, &[Tensor]) -> Result<Vec<Tensor>>>(&self, f: F, inputs: &[&Tensor]) -> Result<(bool, String)> {
        let handles: Vec<Handle> = inputs.iter().map(|t| t.0).collect();
        let (mut passed, mut report, mut length) = (0, vec![0u8; 8192], 0);
        self.check(unsafe {
            c::gradus_gradcheck(self.0, on_compute::<F>, &f as *const F as Handle, handles.as_ptr(), handles.len(), null(), &mut passed,
                report.as_mut_ptr() as *mut _, report.len(), &mut length)
        })?;
        report.truncate(length.min(8191));
        Ok((passed == 1, String::from_utf8_lossy(&report).into_owned()))
    }
}

unsafe fn operation<'a>(user: Handle, arguments: *const RawValue, n: usize) -> (&'a dyn Operation, &'a [Value<'a>]) {
    (&**(user as *const Box<dyn Operation>), std::slice::from_raw_parts(arguments as *const Value, n))
}
unsafe fn give(made: Vec<Option<Tensor>>, results: *mut RawValue, capacity: usize, count: *mut usize) {
    *count = made.len();
    for (i, t) in made.into_iter().take(capacity).enumerate() {
        if let Some(t) = t { *results.add(i) = RawValue { kind: 7, aux: 0, payload: t.give() as u64, length: 0 } }
    }
}
extern "C" fn on_forward(user: Handle, ctx: Handle, arguments: *const RawValue, n: usize, results: *mut RawValue, capacity: usize,
    count: *mut usize) -> i32 {
    guarded(ctx, || unsafe {
        let (op, values) = operation(user, arguments, n);
        give(op.forward(&lent(ctx), values)?.into_iter().map(Some).collect(), results, capacity, count);
        Ok(())
    })
}
extern "C" fn on_backward(user: Handle, ctx: Handle, arguments: *const RawValue, n: usize, results: *mut RawValue, capacity: usize,
    count: *mut usize) -> i32 {
    guarded(ctx, || unsafe {
        let (op, values) = operation(user, arguments, n);
        give(op.backward(&lent(ctx), values)?, results, capacity, count);
        Ok(())
    })
}
extern "C" fn on_compute<F: Fn(&Gradus, &[Tensor]) -> Result<Vec<Tensor>>>(user: Handle, ctx: Handle, inputs: *const Handle, n: usize,
    results: *mut Handle, capacity: usize, count: *mut usize) -> i32 {
    guarded(ctx, || unsafe {
        let made = (*(user as *const F))(&lent(ctx), std::slice::from_raw_parts(inputs as *const Tensor, n))?;
        *count = made.len();
        for (i, t) in made.into_iter().take(capacity).enumerate() { *results.add(i) = t.give() }
        Ok(())
    })
}
