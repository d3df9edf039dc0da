/*
 * gradus/optim.h - optimizers, schedulers of their settings, clipping of gradients, first values of parameters.
 *
 *   gradus_setting s[2] = {{"lr", 0.1}, {"momentum", 0.9}};
 *   gradus_optimizer_create(ctx, "SGD", 3, weights, count, s, 2, sizeof s[0], &opt);
 *   for (...) {
 *     gradus_optimizer_zero_grad(ctx, opt, 1);
 *     ...                                             loss, gradus_backward
 *     gradus_optimizer_step(ctx, opt);
 *   }
 *   gradus_release(opt);
 *
 * Algorithms, settings, defaults and formulas are PyTorch's. A step is one pass over the memory of all parameters together, by
 * several threads, with the same bits for any number of them. It records nothing, raises the versions of the parameters, and
 * leaves those without .grad alone. Half and bfloat16 parameters are computed in float and rounded once. Profiles show a step as
 * the range "Optimizer.step#SGD.step".
 */
#ifndef GRADUS_OPTIM_H
#define GRADUS_OPTIM_H

#include "gradus/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A setting by PyTorch's name (a 0 at its end); flags are 0 or 1. Frozen: it travels with its size, setting_bytes.
 *   SGD        lr 1e-3, momentum 0, dampening 0, weight_decay 0, nesterov 0, maximize 0
 *   Adam       lr 1e-3, beta1 0.9, beta2 0.999, eps 1e-8, weight_decay 0, amsgrad 0, maximize 0, decoupled_weight_decay 0
 *   AdamW      as Adam, with weight_decay 1e-2, always decoupled
 *   Adagrad    lr 1e-2, lr_decay 0, weight_decay 0, initial_accumulator_value 0, eps 1e-10, maximize 0
 *   RMSprop    lr 1e-2, alpha 0.99, eps 1e-8, weight_decay 0, momentum 0, centered 0, maximize 0
 *   Adadelta   lr 1, rho 0.9, eps 1e-6, weight_decay 0, maximize 0
 *   NAdam      lr 2e-3, beta1 0.9, beta2 0.999, eps 1e-8, weight_decay 0, momentum_decay 4e-3, decoupled_weight_decay 0, maximize 0
 *   RAdam      lr 1e-3, beta1 0.9, beta2 0.999, eps 1e-8, weight_decay 0, decoupled_weight_decay 0, maximize 0
 *   Lion       lr 1e-4, beta1 0.9, beta2 0.99, weight_decay 0 (decoupled), maximize 0
 *   LBFGS      lr 1, max_iter 20, max_eval 0 (5/4 of max_iter), tolerance_grad 1e-7, tolerance_change 1e-9, history_size 100,
 *              line_search_fn 0 (none) or 1 (strong_wolfe)
 */
typedef struct gradus_setting {
  double      value;
  const char *name;
  const void *reserved0;
} gradus_setting;

/*
 * A new optimizer [own] of a group of parameters, to which it keeps references. settings [null ok] holds setting_count entries of
 * setting_bytes = sizeof(gradus_setting); they hold for groups that are added, too. Errors: UNKNOWN_NAME for an algorithm or a
 * setting that there is not, VALUE for a setting out of its range, for no parameters, for one that is no leaf or given twice, DTYPE
 * for one that is neither of floating point nor complex or, with LBFGS, not of the type of the others. Complex numbers count as
 * their pairs of real ones, in the state too: its arrays are complex, LBFGS's vectors hold the pairs.
 */
GRADUS_API gradus_status gradus_optimizer_create(gradus_context *ctx, const char *algorithm, size_t algorithm_length,
                                                 gradus_tensor *const *parameters, size_t count,
                                                 const gradus_setting *settings /* [null ok] */, size_t setting_count,
                                                 size_t setting_bytes, gradus_optimizer **result);   /* since:1 */
/* One more group with settings of its own. Errors as above; UNSUPPORTED with LBFGS, which has one. */
GRADUS_API gradus_status gradus_optimizer_add_group(gradus_context *ctx, gradus_optimizer *optimizer,
                                                    gradus_tensor *const *parameters, size_t count,
                                                    const gradus_setting *settings /* [null ok] */, size_t setting_count,
                                                    size_t setting_bytes);                   /* since:1 */

/*
 * Changes the parameters by their gradients. Errors leave all as it was: STATE for a parameter that can't be written (read-only, or
 * elements that share memory), for a gradient that shares memory with its parameter, for LBFGS, and while a step of the same optimizer
 * runs; SHAPE and DTYPE for a gradient that no longer fits.
 */
GRADUS_API gradus_status gradus_optimizer_step(gradus_context *ctx, gradus_optimizer *optimizer); /* since:1 */
/*
 * The same after a call of closure, which clears the gradients, computes them anew (recording is on) and gives the loss, a tensor of
 * one element [own, given to the library]. LBFGS calls it several times, and puts the parameters back where they were if a call
 * fails. *loss [own, null ok] is that of the first call.
 */
typedef gradus_status (*gradus_closure_fn)(void *user, gradus_context *ctx, gradus_tensor **loss);
GRADUS_API gradus_status gradus_optimizer_step_closure(gradus_context *ctx, gradus_optimizer *optimizer,
                                                       gradus_closure_fn closure, void *user,
                                                       gradus_tensor **loss);                /* since:1 */
/* Takes the gradients of all parameters away, or with set_to_none 0 fills them with zeros. */
GRADUS_API gradus_status gradus_optimizer_zero_grad(gradus_context *ctx, gradus_optimizer *optimizer,
                                                    int32_t set_to_none);                    /* since:1 */

/* A setting of one group; set takes group -1 for all. INDEX for a group that there is not; names and values as above. */
GRADUS_API gradus_status gradus_optimizer_set(gradus_context *ctx, gradus_optimizer *optimizer, int64_t group, const char *name,
                                              size_t name_length, double value);             /* since:1 */
GRADUS_API gradus_status gradus_optimizer_get(gradus_context *ctx, const gradus_optimizer *optimizer, int64_t group,
                                              const char *name, size_t name_length, double *value); /* since:1 */
/* The settings of a group by number; name is [static]. INDEX past the last. */
GRADUS_API gradus_status gradus_optimizer_setting_at(gradus_context *ctx, const gradus_optimizer *optimizer, int64_t group,
                                                     size_t position, gradus_setting *setting); /* since:1 */

/* What gradus_optimizer_describe says. */
typedef struct gradus_optimizer_info {
  uint32_t struct_size;
  uint32_t reserved0;
  uint64_t group_count;
  uint64_t param_count;          /* of all groups */
  uint64_t setting_count;        /* of each group */
  const char *algorithm;         /* [static] "Adam" */
  const void *reserved1;
} gradus_optimizer_info;
/* What an optimizer has. ARGUMENT if struct_size is too small. */
GRADUS_API gradus_status gradus_optimizer_describe(gradus_context *ctx, const gradus_optimizer *optimizer,
                                                   gradus_optimizer_info *info);             /* since:1 */
/* A parameter [own] by number, group by group, and the group [null ok] it is in. INDEX past the last. */
GRADUS_API gradus_status gradus_optimizer_param(gradus_context *ctx, const gradus_optimizer *optimizer, size_t position,
                                                int64_t *group, gradus_tensor **param);      /* since:1 */

/*
 * What the steps have left, for saving: entries of a parameter's number, PyTorch's name for it ("exp_avg", "step") and a tensor [own],
 * which for numbers is one of float64 and for other entries the optimizer's own: the next step changes it. An optimizer with the same
 * algorithm, groups, parameters and settings into which all entries are loaded goes on with the same bits. load copies. INDEX past
 * the last entry or parameter, UNKNOWN_NAME for a name that the algorithm has not, SHAPE for a tensor that does not fit.
 */
GRADUS_API gradus_status gradus_optimizer_state_count(gradus_context *ctx, const gradus_optimizer *optimizer,
                                                      size_t *count);                        /* since:1 */
typedef struct gradus_optimizer_state_info {
  uint32_t struct_size;
  uint32_t reserved0;
  uint64_t param;                /* number of the parameter; 0 where it is of all */
  const char *name;              /* [static] */
  const void *reserved1;
} gradus_optimizer_state_info;
GRADUS_API gradus_status gradus_optimizer_state_at(gradus_context *ctx, const gradus_optimizer *optimizer, size_t position,
                                                   gradus_optimizer_state_info *info, gradus_tensor **value); /* since:1 */
GRADUS_API gradus_status gradus_optimizer_load_state(gradus_context *ctx, gradus_optimizer *optimizer, uint64_t param,
                                                     const char *name, size_t name_length,
                                                     const gradus_tensor *value);            /* since:1 */

/*
 * Scales the gradients of tensors so that their norm together is at most max_norm; norm_type 2, any number above 0, or infinity.
 * *total_norm [null ok] is what it was. With error_if_nonfinite a norm that is NaN or infinite is VALUE, else it goes on into the
 * gradients. clip_grad_value limits each element to [-clip_value, clip_value]. Tensors without a gradient do not count. Of complex
 * gradients the norm is that of their absolute values; clip_grad_value refuses them: UNSUPPORTED.
 */
GRADUS_API gradus_status gradus_clip_grad_norm(gradus_context *ctx, gradus_tensor *const *tensors, size_t count, double max_norm,
                                               double norm_type, int32_t error_if_nonfinite,
                                               double *total_norm);                          /* since:1 */
GRADUS_API gradus_status gradus_clip_grad_value(gradus_context *ctx, gradus_tensor *const *tensors, size_t count,
                                                double clip_value);                          /* since:1 */

/*
 * A scheduler [own] of an optimizer, to which it keeps a reference; it sets the first epoch's values at once. Groups that are added to
 * the optimizer later are not its own. Settings without a value here have to be given:
 *   StepLR             step_size, gamma 0.1
 *   MultiStepLR        milestones (once for each), gamma 0.1
 *   ConstantLR         factor 1/3, total_iters 5
 *   LinearLR           start_factor 1/3, end_factor 1, total_iters 5 (a linear warm-up)
 *   ExponentialLR      gamma
 *   PolynomialLR       total_iters 5, power 1
 *   CosineAnnealingLR  T_max, eta_min 0
 *   CosineAnnealingWarmRestarts  T_0, T_mult 1, eta_min 0
 *   OneCycleLR         max_lr, total_steps, pct_start 0.3, anneal_linear 0, cycle_momentum 1, base_momentum 0.85, max_momentum 0.95,
 *                      div_factor 25, final_div_factor 1e4, three_phase 0
 *   ReduceLROnPlateau  mode_max 0, factor 0.1, patience 10, threshold 1e-4, threshold_abs 0, cooldown 0, min_lr 0, eps 1e-8
 * UNKNOWN_NAME for a scheduler or setting that there is not, VALUE for a setting out of its range or missing.
 */
GRADUS_API gradus_status gradus_scheduler_create(gradus_context *ctx, gradus_optimizer *optimizer, const char *name,
                                                 size_t name_length, const gradus_setting *settings /* [null ok] */,
                                                 size_t setting_count, size_t setting_bytes,
                                                 gradus_scheduler **result);                 /* since:1 */
/* The next epoch. ReduceLROnPlateau needs the metric, which the others do not look at. VALUE past the end of OneCycleLR. */
GRADUS_API gradus_status gradus_scheduler_step(gradus_context *ctx, gradus_scheduler *scheduler); /* since:1 */
GRADUS_API gradus_status gradus_scheduler_step_metric(gradus_context *ctx, gradus_scheduler *scheduler, double metric); /* since:1 */
/*
 * What changes from step to step, for saving, in numbers: "last_epoch", "base_lrs.0" and so on. name is [view:scheduler] until the
 * next call with it. INDEX past the last, UNKNOWN_NAME for what the scheduler has not. The optimizer's settings are saved by themselves.
 */
GRADUS_API gradus_status gradus_scheduler_state_at(gradus_context *ctx, gradus_scheduler *scheduler, size_t position,
                                                   gradus_setting *entry);                   /* since:1 */
GRADUS_API gradus_status gradus_scheduler_load_state(gradus_context *ctx, gradus_scheduler *scheduler, const char *name,
                                                     size_t name_length, double value);      /* since:1 */

/*
 * First values of parameters, by the context's random numbers and PyTorch's formulas; nothing is recorded. draw is
 * GRADUS_DRAW_UNIFORM or GRADUS_DRAW_NORMAL, fan GRADUS_FAN_IN or GRADUS_FAN_OUT. slope is that of leaky_relu. SHAPE for fewer than
 * two dimensions, DTYPE for other than floating point, UNKNOWN_NAME for a nonlinearity that there is not, VALUE for other numbers.
 */
enum { GRADUS_DRAW_UNIFORM = 0, GRADUS_DRAW_NORMAL = 1 };
enum { GRADUS_FAN_IN = 0, GRADUS_FAN_OUT = 1 };
GRADUS_API gradus_status gradus_init_xavier(gradus_context *ctx, gradus_tensor *tensor, int32_t draw, double gain); /* since:1 */
GRADUS_API gradus_status gradus_init_kaiming(gradus_context *ctx, gradus_tensor *tensor, int32_t draw, double slope, int32_t fan,
                                             const char *nonlinearity, size_t nonlinearity_length); /* since:1 */
GRADUS_API gradus_status gradus_init_orthogonal(gradus_context *ctx, gradus_tensor *tensor, double gain); /* since:1 */
/* Normal numbers between low and high; any number of dimensions. */
GRADUS_API gradus_status gradus_init_trunc_normal(gradus_context *ctx, gradus_tensor *tensor, double mean, double std, double low,
                                                  double high);                              /* since:1 */
/* The factor of a nonlinearity: "relu", "tanh", "leaky_relu" (whose slope is given), "selu", "sigmoid", "linear". */
GRADUS_API gradus_status gradus_init_gain(gradus_context *ctx, const char *nonlinearity, size_t nonlinearity_length, double slope,
                                          double *gain);                                     /* since:1 */

#ifdef __cplusplus
}
#endif
#endif /* GRADUS_OPTIM_H */
