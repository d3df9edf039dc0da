# gradus for R: a function for each operation, made from the library's description of them, with its arguments' names.
#   x <- requires_grad(tensor(c(1, 2, 3)))
#   backward(g$sum(x * x))
#   numbers(grad(x))
# Matrices and arrays keep their indices. Arguments left out have the operation's defaults, and NULL is "none".
shim <- dyn.load(Sys.getenv("GRADUS_R_SHIM"))
C <- function(name) getNativeSymbolInfo(name, shim)$address
gradus_stop <- function(status, name, message)
  stop(structure(class = c(name, "gradus_error", "error", "condition"), list(message = message, call = NULL, status = status)))
guarded <- function(f, arguments) tryCatch({
  result <- do.call(f, arguments)
  if (inherits(result, "gradus")) list(result) else as.list(result)
}, error = identity)
invisible(.Call(C("r_open"), environment()))

invoke <- C("r_invoke")
omitted <- as.name("omitted")
operation <- function(described) {
  names <- lapply(described[[2]], as.name)
  given <- lapply(names, function(name) bquote(if (missing(.(name))) omitted else .(name)))
  formals <- setNames(rep(list(quote(expr = )), length(names)), described[[2]])
  body <- bquote(.Call(invoke, .(described[[4]]), .(described[[3]]), .(as.call(c(quote(list), given)))))
  as.function(c(formals, body), envir = environment(operation))
}
g <- new.env()                                 # the functions, by name
known <- new.env()                             # what batches need of them
learn <- function(described) {
  assign(described[[1]], described[c(4, 3)], known)
  assign(described[[1]], operation(described), g)
}
index <- 0
while (!is.null(described <- .Call(C("r_operation"), index))) {
  learn(described)
  index <- index + 1
}

# batch(list("add", x, y), list("mul", result_of(1), y)): one crossing for all; what the last one gives.
result_of <- function(call) structure(as.integer(call) - 1L, class = "gradus_result")
r_batch <- C("r_batch")
batch <- function(...) .Call(r_batch, list(...), known)

# An operation, for good: forward gets the arguments of the schema, backward arguments, results and gradients of the results, and gives a list of
# one gradient or NULL for each tensor among the arguments. g and batches know it by its name from then on.
register_op <- function(name, schema, forward, backward) invisible(learn(.Call(C("r_register_op"), name, schema, list(forward, backward))))
# Whether backward of f(...) gives what differences give; if not, the report is its attribute.
gradcheck <- function(f, ...) {
  checked <- .Call(C("r_gradcheck"), f, list(...))
  if (checked[[1]]) TRUE else structure(FALSE, report = checked[[2]])
}

tensor <- function(x) .Call(C("r_tensor"), as.double(x), as.integer(if (is.null(dim(x))) length(x) else dim(x)))
# Without a copy: a tensor on a vector or array of doubles, which can only be read; a vector on the memory of a tensor, by rows.
wrap <- function(x) {
  stopifnot(is.double(x))
  .Call(C("r_wrap"), x, as.integer(if (is.null(dim(x))) length(x) else dim(x)))
}
data_of <- function(x) .Call(C("r_data"), x)
to_dlpack <- function(x) .Call(C("r_to_dlpack"), x)         # a DLManagedTensorVersioned, for from_dlpack or another library
from_dlpack <- function(pointer) .Call(C("r_from_dlpack"), pointer)
numbers <- function(x) {
  all <- .Call(C("r_numbers"), x)
  if (length(all[[2]]) > 1) aperm(array(all[[1]], rev(all[[2]]))) else all[[1]]
}
requires_grad <- function(x) .Call(C("r_requires_grad"), x)
grad <- function(x) .Call(C("r_grad"), x)
clear_grad <- function(x) .Call(C("r_clear_grad"), x)
backward <- function(x) invisible(.Call(C("r_backward"), x))
no_grad <- function(expression) {
  before <- .Call(C("r_recording"), FALSE)
  on.exit(.Call(C("r_recording"), before))
  expression                                   # a promise: it is computed here
}
hook <- function(x, f) .Call(C("r_hook"), x, f)              # f(gradient) may return another; NULL leaves it
remove_hook <- function(x, id) invisible(.Call(C("r_remove_hook"), x, id))
apply_rule <- function(name, forward, vjp, x) .Call(C("r_apply"), name, list(forward, vjp), x)
save_for_backward <- function(call, x) .Call(C("r_save"), call, x)
saved <- function(call) .Call(C("r_saved"), call)
live <- function() .Call(C("r_live"))
close_gradus <- function() {
  for (i in 1:3) gc()                        # what finalizers release may hold more
  invisible(.Call(C("r_close")))
}
format.gradus <- function(x, ...) .Call(C("r_text"), x)
print.gradus <- function(x, ...) cat(format(x), "\n")
Ops.gradus <- function(e1, e2) {
  if (missing(e2)) return(if (.Generic == "-") g$neg(e1) else e1)
  op <- c("+" = "add", "-" = "sub", "*" = "mul", "/" = "div", "^" = "pow", "<" = "lt", ">" = "gt", "==" = "eq")[[.Generic]]
  g[[op]](e1, e2)
}
