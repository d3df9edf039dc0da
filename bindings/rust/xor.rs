//! x1 xor x2 learnt by a network of 2-16-1; then a hook, a function with a derivative of its own, an error, and costs.
mod c;
#[allow(dead_code)]
mod gradus;
use gradus::{Call, Dtype, Error, Function, Gradus, Result, Tensor};
use std::ffi::CStr;
use std::time::Instant;

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

fn errors(g: &Gradus) -> Result<String> {
    match g.add(&g.tensor(vec![1.0, 2.0, 3.0], &[3])?, &g.tensor(vec![1.0, 2.0], &[2])?) {
        Err(Error::Gradus { status: 0x103, message, .. }) if message.contains("[3]") => Ok(message),
        other => panic!("{:?}", other),
    }
}

fn costs(g: &Gradus) -> Result<f64> {
    let (x, y) = (g.tensor(vec![1.0, 2.0, 3.0, 4.0], &[4])?, g.tensor(vec![1.0; 4], &[4])?);
    let mut times = vec![];
    for _ in 0..15 {
        let start = Instant::now();
        for _ in 0..2000 { g.add(&x, &y)?; }
        times.push(start.elapsed().as_nanos() as f64 / 2000.0);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[7])
}

fn main() -> Result<()> {
    let g = Gradus::new()?;
    let (steps, loss) = train(&g)?;
    hooks(&g)?;
    own_derivative(&g)?;
    let ones = g.ones_with(&[2i64, 3][..], Dtype::I32)?;
    assert_eq!(g.split(&ones, 1)?.len(), 2);
    drop(ones);
    let (message, add) = (errors(&g)?, costs(&g)?);
    println!("rust: {} functions, xor in {} steps, loss {:.4}; add {:.0} ns; {:?}", gradus::operation_count(), steps, loss, add, message);
    drop(g);
    let c = gradus::live();
    assert_eq!(c.contexts + c.tensors + c.graph_nodes + c.foreign_blocks + c.callbacks + c.bytes_live, 0, "{:?}", c);
    Ok(())
}
