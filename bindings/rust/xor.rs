//! x1 xor x2 learnt by a network of 2-16-1; then a hook, a function and an operation with derivatives of their own, an error, shared
//! memory, and costs.
mod c;
#[allow(dead_code)]
mod gradus;
use gradus::{result_of, Call, Dtype, Error, Function, Gradus, Op, Operation, Result, Tensor, Value};
use std::ffi::CStr;

fn wave(n: usize, step: f64) -> Vec<f64> { (1..=n).map(|i| (step * i as f64).sin()).collect() }

fn train(g: &Gradus) -> Result<(usize, f64)> {
    let x = g.tensor(vec![0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0], &[4, 2])?;
    let y = g.tensor(vec![0.0, 1.0, 1.0, 0.0], &[4, 1])?;
    let w1 = g.tensor(wave(32, 1.7), &[16, 2])?.requires_grad(g)?;
    let b1 = g.tensor(wave(16, 0.9), &[16])?.requires_grad(g)?;
    let w2 = g.tensor(wave(16, 2.1), &[1, 16])?.requires_grad(g)?;
    let b2 = g.tensor(vec![0.0], &[1])?.requires_grad(g)?;
    for step in 1..=2000 {
        let hidden = g.tanh(&g.linear_with(&x, &w1, &b1)?)?;
        let loss = g.mse_loss(&g.linear_with(&hidden, &w2, &b2)?, &y)?;
        g.backward(&loss)?;
        g.no_grad(|| {
            for p in [&w1, &b1, &w2, &b2] {
                g.sub_with_(p, &p.grad(g)?.unwrap(), 0.05)?;
                p.clear_grad(g)?;
            }
            Ok(())
        })?;
        let value = g.numbers(&loss)?[0];
        if value < 0.001 { return Ok((step, value)) }
    }
    panic!("no convergence")
}

fn hooks(g: &Gradus) -> Result<()> {
    let x = g.tensor(vec![1.0, 2.0], &[2])?.requires_grad(g)?;
    let id = g.hook(&x, |g, grad| Ok(Some(g.mul(&grad, 10.0)?)))?;
    g.backward(&g.sum(&g.mul(&x, &x)?)?)?;
    assert_eq!(g.numbers(&x.grad(g)?.unwrap())?, [20.0, 40.0]);
    x.remove_hook(g, id)?;
    g.hook(&x, |_, _| Err(Error::Host("of Rust".into())))?;
    match g.backward(&g.sum(&x)?) {
        Err(Error::Host(e)) => assert_eq!(e.to_string(), "of Rust"),
        other => panic!("{:?}", other),
    }
    Ok(())
}

struct Cube;
impl Function for Cube {
    fn forward(&self, g: &Gradus, call: &Call, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        call.save(&[&inputs[0]])?;
        Ok(vec![g.pow(&inputs[0], 3)?])
    }
    fn vjp(&self, g: &Gradus, call: &Call, gradients: &[Tensor]) -> Result<Vec<Tensor>> {
        let slope = g.mul(&g.square(&call.saved(0)?)?, 3.0)?;
        Ok(vec![g.mul(&gradients[0], &slope)?])
    }
}

fn own_derivative(g: &Gradus) -> Result<()> {
    let x = g.tensor(vec![2.0, 3.0], &[2])?.requires_grad(g)?;
    let y = g.apply(CStr::from_bytes_with_nul(b"Cube\0").unwrap(), Cube, &[&x])?;
    assert!(g.text(&y[0])?.contains("CubeBackward"));
    g.backward(&g.sum(&y[0])?)?;
    assert_eq!(g.numbers(&x.grad(g)?.unwrap())?, [12.0, 27.0]);
    Ok(())
}

struct Distance;
impl Operation for Distance {
    fn forward(&self, g: &Gradus, arguments: &[Value]) -> Result<Vec<Tensor>> {
        let (x, y) = (arguments[0].tensor().unwrap(), arguments[1].tensor().unwrap());
        if arguments[2].f64() < 0.0 { return Err(Error::Host("a negative scale".into())) }
        Ok(vec![g.mul(&g.hypot(x, y)?, arguments[2].f64())?])
    }
    fn backward(&self, g: &Gradus, values: &[Value]) -> Result<Vec<Option<Tensor>>> {
        let (scale, tensor) = (values[2].f64(), |i: usize| values[i].tensor().unwrap()); // x, y, scale, result, gradient
        let slope = g.div(&g.mul(tensor(4), scale * scale)?, tensor(3))?;
        Ok(vec![Some(g.mul(&slope, tensor(0))?), Some(g.mul(&slope, tensor(1))?)])
    }
}

fn own_operation(g: &Gradus) -> Result<()> {
    let text = |bytes| CStr::from_bytes_with_nul(bytes).unwrap();
    let distance = g.register_op(text(b"demo.distance\0"), text(b"(Tensor x, Tensor y, float scale=1.0) -> Tensor\0"), Distance)?;
    let (x, y) = (g.tensor(vec![3.0, 5.0], &[2])?.requires_grad(g)?, g.tensor(vec![4.0, 12.0], &[2])?.requires_grad(g)?);
    assert_eq!(g.numbers(&g.call(distance, &[(&x).into(), (&y).into()])?[0])?, [5.0, 13.0]);
    assert!(matches!(g.call(distance, &[(&x).into(), (&y).into(), (-1.0).into()]), Err(Error::Host(_))));
    assert!(g.register_op(text(b"demo.distance\0"), text(b"(Tensor x) -> Tensor\0"), Distance).is_err());
    let (passed, report) = g.gradcheck(|g, t| g.call(distance, &[(&t[0]).into(), (&t[1]).into(), 2.0.into()]), &[&x, &y])?;
    assert!(passed, "{}", report);
    let sum = &g.batch(&[(distance, vec![(&x).into(), (&y).into(), 2.0.into()]), (Op::find("sum").unwrap(), vec![result_of(0)])])?[0];
    g.backward(sum)?;
    assert_eq!(g.numbers(sum)?, [36.0]);
    assert!((g.numbers(&x.grad(g)?.unwrap())?[0] - 1.2).abs() < 1e-12);
    Ok(())
}

fn memory(g: &Gradus) -> Result<()> {
    let numbers = vec![1.0, 2.0, 3.0];
    let address = numbers.as_ptr();
    let x = g.wrap(numbers, &[3])?;                    // x has the vector
    let data = g.data(&x)?;
    assert_eq!(data.as_ptr() as *const f64, address);
    data[1].set(5.0);
    let managed = g.to_dlpack(&x)?;
    let seen = managed.get();
    assert_eq!((seen.major, seen.rank, seen.bits, seen.data as *const f64, unsafe { *seen.shape }), (1, 1, 64, address, 3));
    let y = g.from_dlpack(managed)?;
    assert_eq!(g.numbers(&g.sum(&y)?)?, [9.0]);
    g.zero_(&y)?;
    assert_eq!(data[1].get(), 0.0);
    drop(g.to_dlpack(&g.wrap([1.0; 4], &[2, 2])?)?);   // nobody takes it
    Ok(())
}

fn errors(g: &Gradus) -> Result<String> {
    match g.add(&g.tensor(vec![1.0, 2.0, 3.0], &[3])?, &g.tensor(vec![1.0, 2.0], &[2])?) {
        Err(Error::Gradus { status: 0x103, message, .. }) if message.contains("[3]") => Ok(message),
        other => panic!("{:?}", other),
    }
}

/// The least of 15 rounds, in nanoseconds of the processor's time.
fn least(calls: usize, mut f: impl FnMut() -> Result<()>) -> Result<f64> {
    #[repr(C)]
    struct Time { seconds: i64, nanoseconds: i64 }
    extern "C" { fn clock_gettime(clock: i32, time: *mut Time) -> i32; }
    let now = || {
        let mut t = Time { seconds: 0, nanoseconds: 0 };
        unsafe { clock_gettime(2, &mut t) };           // CLOCK_PROCESS_CPUTIME_ID
        t.seconds as f64 * 1e9 + t.nanoseconds as f64
    };
    let mut best = f64::MAX;
    for _ in 0..15 {
        let start = now();
        f()?;
        best = best.min((now() - start) / calls as f64);
    }
    Ok(best)
}

fn costs(g: &Gradus) -> Result<(f64, f64)> {
    let (x, y) = (g.tensor(vec![1.0, 2.0, 3.0, 4.0], &[4])?, g.tensor(vec![1.0; 4], &[4])?);
    let add = Op::find("add").unwrap();
    let calls: Vec<_> = (0..100).map(|i| (add, vec![if i == 0 { (&x).into() } else { result_of(i - 1) }, (&y).into()])).collect();
    assert_eq!(g.numbers(&g.batch(&calls)?[0])?, [101.0, 102.0, 103.0, 104.0]);
    let one = least(2000, || { for _ in 0..2000 { g.add(&x, &y)?; } Ok(()) })?;
    Ok((one, least(2000, || { for _ in 0..20 { g.batch(&calls)?; } Ok(()) })?))
}

fn main() -> Result<()> {
    let g = Gradus::new()?;
    let (steps, loss) = train(&g)?;
    hooks(&g)?;
    own_derivative(&g)?;
    own_operation(&g)?;
    memory(&g)?;
    let ones = g.ones_with(&[2i64, 3][..], Dtype::I32)?;
    assert_eq!(g.split(&ones, 1)?.len(), 2);
    drop(ones);
    let (message, (one, batch)) = (errors(&g)?, costs(&g)?);
    println!("rust: {} functions, xor in {} steps, loss {:.4}; add {:.0} ns, in a batch {:.0} ns; {:?}", gradus::operation_count(), steps, loss, one,
        batch, message);
    drop(g);
    let c = gradus::live();
    assert_eq!(c.contexts + c.tensors + c.graph_nodes + c.foreign_blocks + c.callbacks + c.bytes_live, 0, "{:?}", c);
    Ok(())
}
