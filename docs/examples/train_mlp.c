/* train_mlp.c - build, train, save and load a small network: which arm of a spiral is a point on?
 *   cc train_mlp.c $(pkg-config --cflags --libs tern) -lm -o train_mlp && ./train_mlp
 * mlp.safetensors
 */
#include <math.h>
#include <stdio.h>
#include <tern/checkpoint.h>

enum { N_POINTS = 400, N_STEPS = 600, WIDTH = 32 };

typedef struct mlp {
    tern_params *params;
    tern_nn_linear in, hidden, out;
} mlp;

static tern_status mlp_new(mlp *m, uint64_t seed, tern_error *err) {
    tern_params_opts opts = {.seed = seed};
    tern_status st = tern_params_new(&opts, &m->params, err);
    if (st != TERN_OK) return st;
    m->in = tern_nn_linear_new(m->params, "in", 2, WIDTH, true);
    m->hidden = tern_nn_linear_new(m->params, "hidden", WIDTH, WIDTH, true);
    m->out = tern_nn_linear_new(m->params, "out", WIDTH, 2, true);
    return tern_params_init(m->params, err); /* says what failed above, too */
}

/* x [n,2] -> logits [n,2] */
static tern_tensor *mlp_forward(tern_graph *g, const mlp *m, tern_tensor *x) {
    tern_tensor *h = tern_gelu(g, tern_nn_linear_forward(g, &m->in, x));
    h = tern_gelu(g, tern_nn_linear_forward(g, &m->hidden, h));
    return tern_nn_linear_forward(g, &m->out, h);
}

static float points[N_POINTS][2];
static int32_t arms[N_POINTS];

static void make_points(void) {
    for (int i = 0; i < N_POINTS; i++) {
        double r = (double)(i / 2 + 10) / N_POINTS * 2, angle = 8 * r + M_PI * (i % 2);
        points[i][0] = (float)(r * cos(angle));
        points[i][1] = (float)(r * sin(angle));
        arms[i] = i % 2;
    }
}

static tern_status train(tern_graph *g, mlp *m, tern_error *err) {
    tern_lr rate = {TERN_LR_COSINE, .lr_max = 0.01, .n_warmup = 20, .n_steps = N_STEPS};
    tern_optim_opts opts = tern_optim_defaults(TERN_OPTIM_ADAMW);
    tern_optim *optim;
    tern_status st = tern_optim_new(&opts, m->params, g, &optim, err);
    for (uint64_t step = 0; step < N_STEPS && st == TERN_OK; step++) {
        tern_graph_reset(g);
        tern_params_zero_grad(m->params);
        tern_tensor *x = tern_tensor_from(g, TERN_F32, TERN_SHAPE(N_POINTS, 2), points);
        tern_tensor *y = tern_tensor_from(g, TERN_I32, TERN_SHAPE(N_POINTS), arms);
        tern_tensor *loss = tern_cross_entropy(g, mlp_forward(g, m, x), y);
        st = tern_backward(g, loss, err);
        if (st == TERN_OK) st = tern_optim_step(optim, tern_lr_at(&rate, step), 1, NULL, err);
        if (step % 100 == 99)
            printf("step %3d: loss %.4f\n", (int)step + 1, tern_tensor_get(loss, 0));
    }
    tern_optim_free(optim);
    return st;
}

static tern_status count_right(tern_graph *g, const mlp *m, int *n_right, tern_error *err) {
    tern_graph_reset(g);
    tern_tensor *x = tern_tensor_from(g, TERN_F32, TERN_SHAPE(N_POINTS, 2), points);
    tern_tensor *logits = mlp_forward(g, m, x);
    *n_right = 0;
    for (size_t i = 0; i < N_POINTS; i++)
        *n_right +=
            (tern_tensor_get(logits, 2 * i + 1) > tern_tensor_get(logits, 2 * i)) == arms[i];
    return tern_graph_status(g, err);
}

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "mlp.safetensors";
    mlp trained = {0}, loaded = {0};
    tern_graph *g = NULL;
    tern_error err = {0};
    int n_trained, n_loaded;
    make_points();
    tern_status st = tern_graph_new(NULL, &g, &err);
    if (st == TERN_OK) st = mlp_new(&trained, 1, &err);
    if (st == TERN_OK) st = train(g, &trained, &err);
    if (st == TERN_OK) st = count_right(g, &trained, &n_trained, &err);
    if (st == TERN_OK) st = tern_params_save(path, trained.params, NULL, 0, &err);
    if (st == TERN_OK) st = mlp_new(&loaded, 2, &err);
    if (st == TERN_OK) st = tern_params_load(path, loaded.params, &err);
    if (st == TERN_OK) st = count_right(g, &loaded, &n_loaded, &err);
    if (st == TERN_OK)
        printf("right: %d of %d, loaded again: %d\n", n_trained, N_POINTS, n_loaded);
    else
        fprintf(stderr, "train_mlp: %s\n", err.text);
    tern_params_free(trained.params);
    tern_params_free(loaded.params);
    tern_graph_free(g);
    return st != TERN_OK;
}
