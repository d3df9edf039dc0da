/*
 * gradus.h - automatic differentiation behind a stable C interface: everything. Link with -lgradus.
 *
 *   gradus_context *ctx;
 *   gradus_tensor *x, *y, *loss, *g;
 *   const double data[3] = {1, 2, 3};
 *   const int64_t shape[1] = {3};
 *   gradus_context_create(NULL, &ctx);
 *   gradus_tensor_copy_in(ctx, GRADUS_F64, 1, shape, NULL, data, sizeof data, &x);
 *   gradus_tensor_set_requires_grad(ctx, x, 1);
 *   gradus_sin(ctx, x, &y);
 *   gradus_sum(ctx, y, NULL, 0, 0, 0, &loss);
 *   gradus_backward(ctx, &loss, 1, NULL, NULL);
 *   gradus_tensor_grad(ctx, x, &g);                 (cos of the data)
 *   gradus_release(g); gradus_release(loss); gradus_release(y); gradus_release(x); gradus_release(ctx);
 *
 * base.h      statuses, element types, handles, callbacks, versions, counts
 * context.h   contexts: errors, recording, random numbers
 * tensor.h    tensors from memory and back, DLPack
 * autograd.h  gradients and the graph
 * hooks.h     the host's code in a backward pass and around saved values
 * checkpoint.h  parts of the forward pass that run again in backward
 * function.h  functions and operations of the host, with derivatives of their own
 * gradcheck.h gradients against differences
 * graph.h     the graph as DOT, as JSON, and as a table of what it keeps
 * file.h      files of tensors: safetensors, npy, npz
 * invoke.h    operations by name, and as data
 * profile.h   what ran, how often and for how long
 * optim.h     optimizers, schedulers, clipping, first values
 * ops.h       one function for each operation
 */
#ifndef GRADUS_H
#define GRADUS_H

#include "gradus/autograd.h"
#include "gradus/base.h"
#include "gradus/checkpoint.h"
#include "gradus/context.h"
#include "gradus/file.h"
#include "gradus/function.h"
#include "gradus/gradcheck.h"
#include "gradus/graph.h"
#include "gradus/hooks.h"
#include "gradus/invoke.h"
#include "gradus/ops.h"
#include "gradus/optim.h"
#include "gradus/profile.h"
#include "gradus/tensor.h"

#endif /* GRADUS_H */
