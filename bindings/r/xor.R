# x1 xor x2 learnt by a network of 2-16-1; then a hook, a function with a derivative of its own, an error, arrays, and costs.
source("gradus.R")

train <- function() {
  x <- tensor(rbind(c(0, 0), c(0, 1), c(1, 0), c(1, 1)))
  y <- tensor(cbind(c(0, 1, 1, 0)))
  parameters <- lapply(list(matrix(sin(1.7 * 1:32), 16, byrow = TRUE), sin(0.9 * 1:16), rbind(sin(2.1 * 1:16)), 0),
                       function(start) requires_grad(tensor(start)))
  for (step in 1:2000) {
    hidden <- g$tanh(g$linear(x, parameters[[1]], parameters[[2]]))
    loss <- g$mse_loss(g$linear(hidden, parameters[[3]], parameters[[4]]), y)
    backward(loss)
    no_grad(for (p in parameters) {
      g$sub_(p, grad(p), alpha = 0.05)
      clear_grad(p)
    })
    if (numbers(loss) < 0.001) return(sprintf("xor in %d steps, loss %.4f", step, numbers(loss)))
  }
  stop("no convergence")
}

# A function made where x is a variable would keep x, whose hook it is, for good: these are made elsewhere.
tenfold <- function(gradient) gradient * 10
failing <- function(condition) {
  force(condition)
  function(gradient) stop(condition)
}
hooks <- function() {
  x <- requires_grad(tensor(c(1, 2)))
  id <- hook(x, tenfold)
  backward(g$sum(x * x))
  stopifnot(numbers(grad(x)) == c(20, 40))
  remove_hook(x, id)
  mine <- simpleError("of R")
  hook(x, failing(mine))
  stopifnot(identical(tryCatch(backward(g$sum(x)), error = identity), mine))
}

cube <- function(call, x) {
  save_for_backward(call, x)
  x * x * x
}
cube_vjp <- function(call, gradient) gradient * g$square(saved(call)) * 3
own_derivative <- function() {
  x <- requires_grad(tensor(c(2, 3)))
  y <- apply_rule("Cube", cube, cube_vjp, x)
  stopifnot(grepl("CubeBackward", format(y)))
  backward(g$sum(y))
  stopifnot(numbers(grad(x)) == c(12, 27))
}

failure <- function() {
  e <- tryCatch(tensor(c(1, 2, 3)) + tensor(c(1, 2)), GRADUS_E_SHAPE = identity)
  stopifnot(inherits(e, "gradus_error"), grepl("[3]", conditionMessage(e), fixed = TRUE))
  conditionMessage(e)
}

arrays <- function() {
  a <- array(1:24, c(2, 3, 4))
  stopifnot(numbers(tensor(a)) == a, numbers(g$sum(tensor(a), dim = 2)) == apply(a, 1:2, sum))
  stopifnot(length(g$split(g$ones(c(2, 3), dtype = "int32"), 1)) == 2)
}

cost <- function() {
  x <- tensor(c(1, 2, 3, 4))
  y <- tensor(c(1, 1, 1, 1))
  add <- g$add
  median(replicate(15, system.time(for (i in 1:5000) add(x, y), gcFirst = FALSE)[["elapsed"]])) / 5000 * 1e9
}

trained <- train()
hooks()
own_derivative()
arrays()
message <- failure()
add <- cost()
close_gradus()
cat(sprintf("r: %d functions, %s; add %.0f ns; \"%s\"\n", length(g), trained, add, message))
stopifnot(live() == 0)
