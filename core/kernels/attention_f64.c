/* attention_f64.c - attention in double (attention_ref.h). */
#include "core/kernels/attention_priv.h"
#include <math.h>

#include "core/base/mem.h"
#define TN_REAL  double
#define FORWARD  tn_attention_f64
#define BACKWARD tn_attention_backward_f64
#include "core/kernels/attention_ref.h"
