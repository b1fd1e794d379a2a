"""One workload of benches/table.rs in PyTorch and JAX, whichever this Python has: prints `peer seconds` lines.

    python benches/peer.py mlp_step
    python benches/peer.py "mlp_step, 2 threads"

Same shapes, same dtype (f32), same optimizer; the data is random. Each line is the median of many calls after warm-up.
"""
import os, statistics, sys, time

WORKLOAD = sys.argv[1]
THREADS = 2 if WORKLOAD.endswith("2 threads") else 1
WORKLOAD = WORKLOAD.split(",")[0].split(" ")[0]
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
    elif WORKLOAD == "layernorm":
        x, w, b = (torch.randn(*shape, requires_grad=True) for shape in ((4096, 768), (768,), (768,)))
        y_bar = torch.randn(4096, 768)
        report("torch", lambda: torch.autograd.grad(F.layer_norm(x, (768,), w, b), (x, w, b), y_bar))
    elif WORKLOAD == "lstm_step":
        class Last(nn.Module):
            def __init__(self):
                super().__init__()
                self.lstm = nn.LSTM(64, 128)

            def forward(self, x):
                return self.lstm(x)[1][0][0]

        for name, fused in (("torch", None), ("torch_fused", True)):
            model = Last()
            sgd = torch.optim.SGD(model.parameters(), lr=0.01, fused=fused)
            report(name, step(model, sgd, F.mse_loss, torch.randn(32, 32, 64), 0.5 * torch.randn(32, 128)))
    elif WORKLOAD == "transformer_step":
        features, places, letters = 128, 64, 65

        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm1, self.norm2 = nn.LayerNorm(features), nn.LayerNorm(features)
                self.qkv, self.project = nn.Linear(features, 3 * features), nn.Linear(features, features)
                self.linear1, self.linear2 = nn.Linear(features, 4 * features), nn.Linear(4 * features, features)

            def forward(self, x):
                n, l, _ = x.shape
                heads = (part.view(n, l, 4, features // 4).transpose(1, 2) for part in self.qkv(self.norm1(x)).split(features, 2))
                found = F.scaled_dot_product_attention(*heads, is_causal=True)
                x = x + self.project(found.transpose(1, 2).reshape(n, l, features))
                return x + self.linear2(F.gelu(self.linear1(self.norm2(x))))

        class Decoder(nn.Module):
            def __init__(self):
                super().__init__()
                self.letters, self.places = nn.Embedding(letters, features), nn.Embedding(places, features)
                self.blocks = nn.Sequential(*(Block() for _ in range(4)))
                self.norm, self.head = nn.LayerNorm(features), nn.Linear(features, letters, bias=False)
                self.register_buffer("numbers", torch.arange(places))

            def forward(self, x):
                return self.head(self.norm(self.blocks(self.letters(x) + self.places(self.numbers))))

        x, y = (torch.randint(letters, (16, places)) for _ in range(2))
        loss = lambda scores, y: F.cross_entropy(scores.view(-1, letters), y.view(-1))
        for name, fused in (("torch", None), ("torch_fused", True)):
            model = Decoder()
            adamw = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01, fused=fused)
            report(name, step(model, adamw, loss, x, y))
    elif WORKLOAD == "hvp":
        model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))
        x, y, p = torch.randn(128, 784), torch.randint(10, (128,)), list(model.parameters())
        v = [torch.randn(*q.shape) for q in p]
        def call():
            g = torch.autograd.grad(F.cross_entropy(model(x), y), p, create_graph=True)
            return torch.autograd.grad(g, p, grad_outputs=v)
        report("torch", call)
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

    def adam_step(loss, p, decay=0.0):
        def update(p, m, v, t):
            value, g = jax.value_and_grad(loss)(p)
            t = t + 1
            m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
            v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
            a, b = 1 - 0.9**t, 1 - 0.999**t
            p = jax.tree.map(lambda p, m, v: p * (1 - 1e-3 * decay) - 1e-3 * (m / a) / (jnp.sqrt(v / b) + 1e-8), p, m, v)
            return p, m, v, t, value

        update = jax.jit(update, donate_argnums=(0, 1, 2))
        state = [p, jax.tree.map(jnp.zeros_like, p), jax.tree.map(jnp.zeros_like, p), jnp.float32(0)]

        def call():
            *state[:], value = update(*state)
            return float(value)
        return call

    def sgd_step(loss, p, rate):
        def update(p):
            value, g = jax.value_and_grad(loss)(p)
            return jax.tree.map(lambda p, g: p - rate * g, p, g), value

        update = jax.jit(update, donate_argnums=0)
        state = [p]

        def call():
            state[0], value = update(state[0])
            return float(value)
        return call

    def layer_norm(x, w, b):
        deviation = x - x.mean(-1, keepdims=True)
        return deviation * jax.lax.rsqrt((deviation**2).mean(-1, keepdims=True) + 1e-5) * w + b

    if WORKLOAD in ("mlp_step", "hvp"):
        p = dense([784, 512, 256, 10])
        x, y = normal(128, 784), jnp.arange(128) % 10
        if WORKLOAD == "mlp_step":
            report("jax", adam_step(lambda p: cross_entropy(network(p, x, jax.nn.relu), y), p))
        else:
            # The data as an argument: of a constant XLA would compute in advance what depends on it alone.
            g = jax.grad(lambda p, x: cross_entropy(network(p, x, jax.nn.relu), y))
            v = jax.tree.map(lambda q: normal(*q.shape), p)
            reverse = jax.jit(lambda p, v, x: jax.vjp(lambda p: g(p, x), p)[1](v)[0])
            forward = jax.jit(lambda p, v, x: jax.jvp(lambda p: g(p, x), (p,), (v,))[1])
            report("jax", lambda: ready(reverse(p, v, x)))
            report("jax_forward_over_reverse", lambda: ready(forward(p, v, x)))
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
        report("jax", sgd_step(loss, dense([2, 16, 16, 1]), 0.1))
    elif WORKLOAD == "lstm_step":
        x, target = normal(32, 32, 64), 0.5 * normal(32, 128)
        p = [0.1 * normal(512, 64), 0.1 * normal(512, 128), 0.1 * normal(512), 0.1 * normal(512)]

        def cell(p, state, x):
            (h, c), (w_x, w_h, b_x, b_h) = state, p
            i, f, g, o = jnp.split(x @ w_x.T + b_x + h @ w_h.T + b_h, 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

        def loss(p):
            (h, _), _ = jax.lax.scan(lambda state, x: cell(p, state, x), (jnp.zeros((32, 128)),) * 2, x)
            return jnp.mean((h - target) ** 2)
        report("jax", sgd_step(loss, p, 0.01))
    elif WORKLOAD == "transformer_step":
        features, places, letters, n = 128, 64, 65, 16
        small = lambda *shape: 0.02 * normal(*shape)
        norm = lambda: (jnp.ones(features), jnp.zeros(features))
        linear = lambda i, o: (small(i, o), jnp.zeros(o))
        attention = lambda: (norm(), linear(features, 3 * features), linear(features, features))
        block = lambda: (*attention(), norm(), linear(features, 4 * features), linear(4 * features, features))
        p = small(letters, features), small(places, features), [block() for _ in range(4)], norm(), small(features, letters)
        x, y = (((jnp.arange(n * places) + k) * 7919 % letters).reshape(n, places) for k in range(2))
        seen = jnp.tril(jnp.ones((places, places), bool))

        def loss(p):
            affine = lambda x, wb: x @ wb[0] + wb[1]
            h = p[0][x] + p[1]
            for norm1, qkv, project, norm2, linear1, linear2 in p[2]:
                parts = jnp.split(affine(layer_norm(h, *norm1), qkv), 3, -1)
                q, k, v = (part.reshape(n, places, 4, features // 4).transpose(0, 2, 1, 3) for part in parts)
                products = jnp.where(seen, q @ k.swapaxes(-1, -2) / (features // 4) ** 0.5, -jnp.inf)
                found = (jax.nn.softmax(products, -1) @ v).transpose(0, 2, 1, 3).reshape(n, places, features)
                h = h + affine(found, project)
                h = h + affine(jax.nn.gelu(affine(layer_norm(h, *norm2), linear1), approximate=False), linear2)
            return cross_entropy((layer_norm(h, *p[3]) @ p[4]).reshape(-1, letters), y.reshape(-1))
        report("jax", adam_step(loss, p, 0.01))
    elif WORKLOAD == "layernorm":
        x, w, b, y_bar = normal(4096, 768), normal(768), normal(768) + 1, normal(4096, 768) - 1

        @jax.jit
        def f(x, w, b, y_bar):
            y, pullback = jax.vjp(layer_norm, x, w, b)
            return y, pullback(y_bar)
        report("jax", lambda: ready(f(x, w, b, y_bar)))
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
