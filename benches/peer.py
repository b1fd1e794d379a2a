"""One workload of benches/table.rs in PyTorch and JAX, whichever this Python has: prints `peer seconds` lines.

    python benches/peer.py mlp_step
    python benches/peer.py "mlp_step, 2 threads"

Same shapes, same dtype (f32), same optimizer; the data is random. Each line is the median of many calls after warm-up.
"""
import os, statistics, sys, time

WORKLOAD = sys.argv[1]
THREADS = 2 if WORKLOAD.endswith("2 threads") else 1
WORKLOAD = WORKLOAD.split(",")[0]
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = str(THREADS)
os.environ["JAX_PLATFORMS"] = "cpu"
# XLA takes its number of threads from the processors it may use.
os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:THREADS]))


# Channels in and out, filter size, stride, padding, and whether pooling follows.
ALEXNET = [(3, 64, 11, 4, 2, True), (64, 192, 5, 1, 2, True), (192, 384, 3, 1, 1, False), (384, 256, 3, 1, 1, False), (256, 256, 3, 1, 1, True)]


def report(name, call, budget=1.5):
    for _ in range(5):
        call()
    samples, end = [], time.perf_counter() + budget
    while time.perf_counter() < end or len(samples) < 5:
        start = time.perf_counter()
        call()
        samples.append(time.perf_counter() - start)
    print(name, statistics.median(samples), flush=True)


def torch_peer():
    import torch
    from torch import nn
    import torch.nn.functional as F

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)

    def step(model, optimizer, loss, x, y):
        def call():
            optimizer.zero_grad()
            value = loss(model(x), y)
            value.backward()
            optimizer.step()
            return value.item()
        return call

    if WORKLOAD == "mlp_step":
        model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))
        x, y = torch.randn(128, 784), torch.randint(10, (128,))
        report("torch", step(model, torch.optim.Adam(model.parameters(), lr=1e-3), F.cross_entropy, x, y))
        report("torch_fused", step(model, torch.optim.Adam(model.parameters(), lr=1e-3, fused=True), F.cross_entropy, x, y))
    elif WORKLOAD in ("cnn_step", "alexnet_step"):
        for name, layout in (("torch", torch.contiguous_format), ("torch_channels_last", torch.channels_last)):
            if WORKLOAD == "cnn_step":
                layers = [nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
                layers += [nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
                layers += [nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10)]
                x, y = torch.randn(64, 1, 28, 28), torch.randint(10, (64,))
            else:
                layers = []
                for i, o, k, s, p, pool in ALEXNET:
                    layers += [nn.Conv2d(i, o, k, stride=s, padding=p), nn.ReLU()] + ([nn.MaxPool2d(3, 2)] if pool else [])
                layers += [nn.Flatten(), nn.Linear(9216, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)]
                x, y = torch.randn(8, 3, 224, 224), torch.randint(1000, (8,))
            model = nn.Sequential(*layers).to(memory_format=layout)
            sgd = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, fused=True)
            report(name, step(model, sgd, F.cross_entropy, x.contiguous(memory_format=layout), y))
    elif WORKLOAD in ("conv_fwd", "conv_bwd"):
        for name, layout in (("torch", torch.contiguous_format), ("torch_channels_last", torch.channels_last)):
            x, y_bar = (torch.randn(16, 64, 56, 56).contiguous(memory_format=layout) for _ in range(2))
            w = torch.randn(64, 64, 3, 3).contiguous(memory_format=layout)
            if WORKLOAD == "conv_fwd":
                call = lambda: F.conv2d(x, w, padding=1)
            else:
                x, w = x.requires_grad_(), w.requires_grad_()
                y = F.conv2d(x, w, padding=1)
                call = lambda: torch.autograd.grad(y, (x, w), y_bar, retain_graph=True)
            report(name, call)
    elif WORKLOAD == "tiny_step":
        model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
        x, y = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]]), torch.tensor([[0.0], [1], [1], [0]])
        report("torch", step(model, torch.optim.SGD(model.parameters(), lr=0.1), F.mse_loss, x, y))
    elif WORKLOAD == "elementwise":
        x, w, b = (torch.randn(1000, 1000, requires_grad=True) for _ in range(3))
        def call():
            value = (torch.tanh(x * w + b) * torch.sigmoid(x) + torch.exp(-x * x)).mean()
            return torch.autograd.grad(value, (x, w, b))
        report("torch", call)
    elif WORKLOAD == "softmax_ce":
        x, y = torch.randn(4096, 1000, requires_grad=True), torch.randint(1000, (4096,))
        report("torch", lambda: torch.autograd.grad(F.cross_entropy(x, y), x))
    elif WORKLOAD == "tensor_chain":
        x = torch.tensor([0.5], requires_grad=True)
        def call():
            y = x
            for _ in range(1000):
                y = y + x
            return torch.autograd.grad(y, x)
        report("torch", call)


def jax_peer():
    import jax, jax.numpy as jnp
    key = jax.random.PRNGKey(0)
    normal = lambda *shape: jax.random.normal(key, shape, jnp.float32)
    ready = jax.block_until_ready

    def dense(sizes):
        return [(normal(i, o) / i**0.5, jnp.zeros(o)) for i, o in zip(sizes, sizes[1:])]

    def network(p, x, activation):
        for w, b in p[:-1]:
            x = activation(x @ w + b)
        return x @ p[-1][0] + p[-1][1]

    def cross_entropy(z, y):
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], 1))

    if WORKLOAD == "mlp_step":
        p = dense([784, 512, 256, 10])
        x, y = normal(128, 784), jnp.arange(128) % 10
        loss = lambda p: cross_entropy(network(p, x, jax.nn.relu), y)

        def update(p, m, v, t):
            value, g = jax.value_and_grad(loss)(p)
            t = t + 1
            m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
            v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
            a, b = 1 - 0.9**t, 1 - 0.999**t
            p = jax.tree.map(lambda p, m, v: p - 1e-3 * (m / a) / (jnp.sqrt(v / b) + 1e-8), p, m, v)
            return p, m, v, t, value

        update = jax.jit(update, donate_argnums=(0, 1, 2))
        state = [p, jax.tree.map(jnp.zeros_like, p), jax.tree.map(jnp.zeros_like, p), jnp.float32(0)]

        def call():
            *state[:], value = update(*state)
            return float(value)
        report("jax", call)
    elif WORKLOAD in ("cnn_step", "alexnet_step"):
        def conv(x, p, stride, padding):
            y = jax.lax.conv_general_dilated(x, p[0], (stride, stride), [(padding, padding)] * 2, dimension_numbers=("NCHW", "OIHW", "NCHW"))
            return jax.nn.relu(y + p[1][:, None, None])

        def pool(x, size, stride):
            return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, size, size), (1, 1, stride, stride), "VALID")

        filters = lambda i, o, k: (normal(o, i, k, k) / (i * k * k) ** 0.5, jnp.zeros(o))
        if WORKLOAD == "cnn_step":
            layers, size, window = [(1, 32, 3, 1, 1, True), (32, 64, 3, 1, 1, True)], [3136, 128, 10], 2
            x, y = normal(64, 1, 28, 28), jnp.arange(64) % 10
        else:
            layers, size, window = ALEXNET, [9216, 4096, 4096, 1000], 3
            x, y = normal(8, 3, 224, 224), jnp.arange(8) % 1000
        p = [filters(i, o, k) for i, o, k, *_ in layers], dense(size)

        def loss(p):
            h = x
            for q, (_, _, _, stride, padding, pooled) in zip(p[0], layers):
                h = conv(h, q, stride, padding)
                h = pool(h, window, 2) if pooled else h
            return cross_entropy(network(p[1], h.reshape(h.shape[0], -1), jax.nn.relu), y)

        def update(p, m):
            value, g = jax.value_and_grad(loss)(p)
            m = jax.tree.map(lambda m, g: 0.9 * m + g, m, g)
            return jax.tree.map(lambda p, m: p - 0.01 * m, p, m), m, value

        update = jax.jit(update, donate_argnums=(0, 1))
        state = [p, jax.tree.map(jnp.zeros_like, p)]

        def call():
            *state[:], value = update(*state)
            return float(value)
        report("jax", call)
    elif WORKLOAD in ("conv_fwd", "conv_bwd"):
        f = lambda x, w: jax.lax.conv_general_dilated(x, w, (1, 1), [(1, 1)] * 2, dimension_numbers=("NCHW", "OIHW", "NCHW"))
        x, w, y_bar = normal(16, 64, 56, 56), normal(64, 64, 3, 3), normal(16, 64, 56, 56) + 1
        if WORKLOAD == "conv_fwd":
            call = jax.jit(f)
            report("jax", lambda: ready(call(x, w)))
        else:
            call = jax.jit(lambda x, w, y_bar: jax.vjp(f, x, w)[1](y_bar))
            report("jax", lambda: ready(call(x, w, y_bar)))
    elif WORKLOAD == "tiny_step":
        x, y = jnp.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), jnp.array([[0.0], [1], [1], [0]])
        loss = lambda p: jnp.mean((network(p, x, jnp.tanh) - y) ** 2)

        def update(p):
            value, g = jax.value_and_grad(loss)(p)
            return jax.tree.map(lambda p, g: p - 0.1 * g, p, g), value

        update = jax.jit(update, donate_argnums=0)
        state = [dense([2, 16, 16, 1])]

        def call():
            state[0], value = update(state[0])
            return float(value)
        report("jax", call)
    elif WORKLOAD == "elementwise":
        f = jax.jit(jax.value_and_grad(lambda x, w, b: jnp.mean(jnp.tanh(x * w + b) * jax.nn.sigmoid(x) + jnp.exp(-x * x)), (0, 1, 2)))
        x, w, b = normal(1000, 1000), normal(1000, 1000) + 1, normal(1000, 1000) - 1
        report("jax", lambda: ready(f(x, w, b)))
    elif WORKLOAD == "softmax_ce":
        y = jnp.arange(4096) % 1000
        f = jax.jit(jax.value_and_grad(lambda x: cross_entropy(x, y)))
        x = normal(4096, 1000)
        report("jax", lambda: ready(f(x)))
    elif WORKLOAD == "tensor_chain":
        def chain(x):
            y = x
            for _ in range(1000):
                y = y + x
            return y[0]
        x = jnp.array([0.5])
        report("jax", lambda: ready(jax.grad(chain)(x)), budget=3)


for peer in (torch_peer, jax_peer):
    try:
        peer()
    except ImportError:
        pass
