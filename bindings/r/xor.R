# x1 xor x2 learnt by a network of 2-16-1; then a hook, a function and an operation with derivatives of their own, an error, arrays, and
# costs.
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

distance <- function(x, y, scale) if (scale < 0) stop("a negative scale") else g$sqrt(x * x + y * y) * scale
distance_backward <- function(x, y, scale, r, gradient) {
  slope <- gradient * scale^2 / r
  list(slope * x, slope * y)
}
own_operation <- function() {
  register_op("demo.distance", "(Tensor x, Tensor y, float scale=1.0) -> Tensor", distance, distance_backward)
  x <- requires_grad(tensor(c(3, 5)))
  y <- requires_grad(tensor(c(4, 12)))
  stopifnot(numbers(g$demo.distance(x, y)) == c(5, 13), numbers(g$demo.distance(x, y, scale = 2)) == c(10, 26))
  caught <- function(expression) tryCatch(expression, error = identity)
  stopifnot(conditionMessage(caught(g$demo.distance(x, y, -1))) == "a negative scale")
  stopifnot(inherits(caught(register_op("demo.distance", "(Tensor x) -> Tensor", distance, distance_backward)), "gradus_error"))
  stopifnot(gradcheck(function(x, y) g$demo.distance(x, y, 2), x, y))
  total <- batch(list("demo.distance", x, y, 2), list("sum", result_of(1)))
  backward(total)
  stopifnot(numbers(total) == 36, all.equal(numbers(grad(x)), c(1.2, 10 / 13)))
}

failure <- function() {
  e <- tryCatch(tensor(c(1, 2, 3)) + tensor(c(1, 2)), GRADUS_E_SHAPE = identity)
  stopifnot(inherits(e, "gradus_error"), grepl("[3]", conditionMessage(e), fixed = TRUE))
  conditionMessage(e)
}

arrays <- function() {
  a <- array(1:24, c(2, 3, 4))
  stopifnot(numbers(tensor(a)) == a, numbers(g$sum(tensor(a), dim = 2)) == apply(a, 1:2, sum))
  b <- matrix(c(1, 2, 3, 4, 5, 6), 2)
  x <- wrap(b)
  stopifnot(numbers(x) == b, inherits(tryCatch(g$mul_(x, 2), error = identity), "gradus_error"))
  v <- data_of(g$t(x))                         # a matrix of R is the transpose by rows
  stopifnot(v == 1:6, sum(v) == 21)
  w <- g$zeros(3, dtype = "float64")
  v <- data_of(w)
  from <- from_dlpack(to_dlpack(w))
  g$fill_(from, 7)
  kept <- v
  kept[1] <- 0                                 # of R's own
  stopifnot(v == 7, numbers(w) == 7, kept == c(0, 7, 7))
  to_dlpack(w)                                 # nobody takes it
  stopifnot(length(g$split(g$ones(c(2, 3), dtype = "int32"), 1)) == 2)
}

# The least of 15 rounds, in nanoseconds of the processor's time, with the collection of what was made.
least <- function(calls, body) min(replicate(15, sum(system.time({
  body()
  gc(full = FALSE)
}, gcFirst = FALSE)[1:2]))) / calls * 1e9
costs <- function() {
  x <- tensor(c(1, 2, 3, 4))
  y <- tensor(c(1, 1, 1, 1))
  add <- g$add
  calls <- c(list(list("add", x, y)), lapply(1:99, function(i) list("add", result_of(i), y)))
  stopifnot(numbers(do.call(batch, calls)) == c(101, 102, 103, 104))
  c(least(20000, function() for (i in 1:20000) add(x, y)), least(20000, function() for (i in 1:200) do.call(batch, calls)))
}

trained <- train()
hooks()
own_derivative()
own_operation()
arrays()
message <- failure()
costs <- costs()
close_gradus()
cat(sprintf("r: %d functions, %s; add %.0f ns, in a batch %.0f ns; \"%s\"\n", length(g), trained, costs[1], costs[2], message))
stopifnot(live() == 0)
