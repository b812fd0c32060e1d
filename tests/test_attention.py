"Attention: equality with brute force over shapes, types and masks; gradients; memory; and what is refused."
import json
import math

import numpy as np
import pytest
import torch
from conftest import ROOT, python
from hypothesis import given, settings
from hypothesis import strategies as st

from beyondtext.attention.cost import memory_efficient_attention, merge, peak_memory
from beyondtext.attention.linear import Favor, elu_features, favor_features, favor_projection, linear_attention
from beyondtext.attention.hashing import lsh_attention, lsh_buckets
from beyondtext.attention.patterns import Band, BlockLocal, Both, Causal, Dilated, Either, Global, Not, RandomBlocks, bigbird
from beyondtext.attention.plans import density, make_plan
from beyondtext.attention.sparse import sparse_attention


def brute_force(q, k, v, allowed=None, bias=None):
    "Softmax over the pairs that are allowed, in double precision; zeros where there is none."
    scores = q.double() @ k.double().transpose(-2, -1) / math.sqrt(q.shape[-1])
    if bias is not None: scores = scores + bias
    if allowed is not None: scores = scores.masked_fill(~allowed, -math.inf)
    return scores.softmax(-1).nan_to_num(0.0) @ v.double()


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 70), m=st.integers(1, 70), d=st.sampled_from([1, 8, 17]), e=st.sampled_from([1, 8]), lead=st.sampled_from([(), (3,), (2, 3)]),
       chunk=st.sampled_from([1, 7, (16, 32), (32, 5), 512]), causal=st.booleans(), mask=st.sampled_from([None, "pairs", "keys", "numbers", "nothing"]),
       kind=st.sampled_from([torch.float32, torch.float64, torch.bfloat16]), seed=st.integers(0, 99))
def test_equal_to_brute_force(n, m, d, e, lead, chunk, causal, mask, kind, seed):
    if chunk == 1: n, m = min(n, 9), min(m, 9)
    g = torch.Generator().manual_seed(seed)
    random = lambda *shape: torch.randn(*lead, *shape, generator=g).to(kind)
    q, k, v = random(n, d), random(m, d), random(m, e)
    given_mask = {None: None, "pairs": torch.rand(*lead, n, m, generator=g) < 0.5, "keys": torch.rand(m, generator=g) < 0.7,
                  "numbers": torch.randn(n, m, generator=g).to(kind), "nothing": torch.zeros(n, m, dtype=torch.bool)}[mask]
    allowed, bias = (None, given_mask) if mask == "numbers" else (given_mask, None)
    if causal:
        before = torch.ones(n, m, dtype=torch.bool).tril()
        allowed = before if allowed is None else allowed & before
    out = memory_efficient_attention(q, k, v, causal=causal, mask=given_mask, chunk=chunk)
    assert out.shape == (*lead, n, e) and out.dtype == kind
    expected = brute_force(q, k, v, allowed, bias)
    assert torch.allclose(out.double(), expected, atol=2e-2 if kind == torch.bfloat16 else 1e-5)
    if mask == "nothing": assert (out == 0).all()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mask", [None, torch.rand(11, 13, generator=torch.Generator().manual_seed(0)) < 0.5, torch.zeros(11, 13, dtype=torch.bool)])
def test_gradients(causal, mask):
    "Against finite differences in double precision; rows without a key have gradients of zero."
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, length, 5, dtype=torch.float64, requires_grad=True) for length in (11, 13, 13))
    assert torch.autograd.gradcheck(lambda *t: memory_efficient_attention(*t, causal=causal, mask=mask, chunk=(4, 6)), (q, k, v))


def test_large_scores_do_not_overflow():
    torch.manual_seed(0)
    q, k, v = (100 * torch.randn(1, 40, 8) for _ in range(3))
    out = memory_efficient_attention(q, k, v, chunk=7)
    assert torch.isfinite(out).all() and torch.allclose(out.double(), brute_force(q, k, v), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("settings", [{}, {"causal": True}, {"mask": torch.ones(6, 6, dtype=torch.bool)}])
def test_a_broken_number_is_not_hidden(settings):
    "What isn't a number stays visible, also where rows without a key become zeros."
    q = torch.randn(1, 6, 4)
    q[0, 3, 1] = float("nan")
    out = memory_efficient_attention(q, torch.randn(1, 6, 4), torch.randn(1, 6, 4), chunk=4, **settings)
    assert out[0, 3].isnan().all() and out[0, [0, 1, 2, 4, 5]].isfinite().all()


def test_memory_does_not_grow_with_the_square():
    "Forward and backward: twice the length, no more than the tensors of the input's size again."
    def needed(n):
        q, k, v = (torch.randn(1, 2, n, 16, requires_grad=True) for _ in range(3))
        return peak_memory(lambda: memory_efficient_attention(q, k, v, chunk=64).sum().backward(), q, k, v)
    short, long = needed(1024), needed(2048)
    assert long - short < 12 * 4 * 2 * 1024 * 16  # twelve tensors of the input's size; the matrix would add 100 MB
    assert peak_memory(lambda: torch.zeros(1000)) == 4000


def test_merge_of_nothing():
    "Two empty sets of keys give zeros; an empty one changes nothing."
    out, log = torch.randn(3, 4), torch.randn(3, 1)
    nothing = torch.zeros(3, 4), torch.full((3, 1), -math.inf)
    assert all(torch.equal(a, b) for a, b in zip(merge(*nothing, *nothing), nothing))
    assert all(torch.allclose(a, b) for a, b in zip(merge(out, log, *nothing), (out, log)))


Q = torch.zeros(1, 2, 6, 4)


@pytest.mark.parametrize("arguments, settings, error, message", [
    ((Q.numpy(), Q, Q), {}, TypeError, "q is of type ndarray; accepted are tensors"),
    ((Q.int(), Q.int(), Q.int()), {}, TypeError, "q has torch.int32; accepted are floating-point"),
    ((Q, Q.double(), Q), {}, ValueError, "k is torch.float64 on cpu, q is torch.float32 on cpu; accepted is one type"),
    ((Q[0, 0, 0], Q, Q), {}, ValueError, r"q has the shape \(4,\)"),
    ((Q, Q[:, :1], Q), {}, ValueError, r"k has the leading dimensions \(1, 1\), q has \(1, 2\)"),
    ((Q, Q[..., :3], Q), {}, ValueError, "k has width 3, q has 4"),
    ((Q, Q, Q[..., :5, :]), {}, ValueError, "v has length 5, k has 6"),
    ((Q, Q, Q), {"chunk": 0}, ValueError, r"chunk is \(0, 0\); accepted are one or two whole numbers from 1"),
    ((Q, Q, Q), {"chunk": (1, 2, 3)}, ValueError, "chunk is"),
    ((Q, Q, Q), {"mask": torch.ones(5, 6, dtype=torch.bool)}, ValueError, r"mask has the shape \(5, 6\); accepted is a mask that expands to \(1, 2, 6, 6\)"),
    ((Q, Q, Q), {"mask": torch.ones(6, 6, dtype=torch.int)}, TypeError, "mask has torch.int32; accepted are Boolean"),
    ((Q, Q, Q), {"mask": torch.zeros(6, 6, requires_grad=True)}, ValueError, "mask requires a gradient"),
])
def test_refused(arguments, settings, error, message):
    with pytest.raises(error, match=message): memory_efficient_attention(*arguments, **settings)


# Sparse attention

N = st.integers(1, 90)
ATOMS = st.one_of(
    st.builds(Band, st.integers(0, 12), st.one_of(st.none(), st.integers(0, 12))),
    st.builds(Dilated, st.one_of(st.none(), st.integers(0, 5)), st.integers(1, 9)),
    st.builds(BlockLocal, st.integers(1, 20), st.integers(0, 2), st.integers(0, 2)),
    st.builds(Global, st.one_of(st.integers(0, 1), st.just((-1, 0))), st.booleans(), st.booleans()),
    st.builds(RandomBlocks, st.integers(0, 3), st.integers(1, 20), st.integers(0, 9)),
    st.just(Causal()),
)
PATTERNS = st.recursive(ATOMS, lambda inner: st.one_of(st.builds(lambda a, b: a | b, inner, inner), st.builds(lambda a, b: a & b, inner, inner),
                                                       st.builds(lambda a: ~a, inner)), max_leaves=4)


def by_hand(pattern, n):
    "The conventions, pair by pair, written out once more."
    if isinstance(pattern, Either): return [[a or b for a, b in zip(*rows)] for rows in zip(by_hand(pattern.first, n), by_hand(pattern.second, n))]
    if isinstance(pattern, Both): return [[a and b for a, b in zip(*rows)] for rows in zip(by_hand(pattern.first, n), by_hand(pattern.second, n))]
    if isinstance(pattern, Not): return [[not a for a in row] for row in by_hand(pattern.pattern, n)]
    def kept(i, j):
        if isinstance(pattern, Causal): return j <= i
        if isinstance(pattern, Band): return i - pattern.before <= j <= i + pattern.after
        if isinstance(pattern, Dilated):
            steps, rest = divmod(abs(j - i), pattern.dilation)
            return rest == 0 and (pattern.window is None or steps <= pattern.window)
        if isinstance(pattern, BlockLocal): return -pattern.before <= j // pattern.size - i // pattern.size <= pattern.after
        if isinstance(pattern, Global):
            chosen = range(pattern.positions) if isinstance(pattern.positions, int) else [p % n for p in pattern.positions]
            return pattern.queries and i in chosen or pattern.keys and j in chosen
        return j // pattern.block in pattern.blocks(n)[i // pattern.block]
    return [[bool(kept(i, j)) for j in range(n)] for i in range(n)]


@settings(max_examples=60, deadline=None)
@given(pattern=PATTERNS, n=st.integers(1, 30))
def test_masks_follow_the_conventions(pattern, n):
    assert pattern.dense(n).tolist() == by_hand(pattern, n)
    hash(pattern), repr(pattern)


@settings(max_examples=100, deadline=None)
@given(pattern=PATTERNS, n=N, block=st.sampled_from([None, 1, 5, 16]), first=st.integers(0, 30), step=st.integers(1, 7), size=st.integers(1, 12))
def test_bounds_of_tiles_hold(pattern, n, block, first, step, size):
    "What may attend isn't missed, and what must attend does; and a plan has each pair once."
    dense = pattern.dense(n)
    rows = range(min(first, n - 1), n, step)[:size]
    may, must = (bool(np.broadcast_to(t, (1,))[0]) for t in pattern.tiles(*((np.array([r[0]]), np.array([r[-1]])) for r in (rows, rows)), n, step))
    tile = dense[list(rows)][:, list(rows)]
    assert may or not tile.any()
    assert not must or tile.all()
    plan = make_plan(pattern, n, block)
    assert plan.pairs == int(dense.sum()) <= plan.computed
    assert density(pattern, n) == pytest.approx(dense.float().mean().item())


@settings(max_examples=120, deadline=None)
@given(pattern=PATTERNS, n=N, block=st.sampled_from([None, 4, 16, 64]), d=st.sampled_from([1, 8]), e=st.sampled_from([1, 5]), lead=st.sampled_from([(), (3,), (2, 3)]),
       padding=st.sampled_from([None, "some", "none left"]), kind=st.sampled_from([torch.float32, torch.float64, torch.bfloat16]), seed=st.integers(0, 99))
def test_sparse_is_equal_to_brute_force(pattern, n, block, d, e, lead, padding, kind, seed):
    g = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(*lead, n, width, generator=g).to(kind) for width in (d, d, e))
    allowed, tokens = pattern.dense(n), None
    if padding:
        tokens = torch.rand(*lead[:1] if len(lead) > 1 else (), n, generator=g) < (0.7 if padding == "some" else 0)
        allowed = allowed & (tokens[:, None, None] if tokens.ndim > 1 else tokens)
    out = sparse_attention(q, k, v, pattern, attention_mask=tokens, block=block)
    assert out.shape == (*lead, n, e) and out.dtype == kind
    assert torch.allclose(out.double(), brute_force(q, k, v, allowed), atol=2e-2 if kind == torch.bfloat16 else 1e-5)
    assert (out[~allowed.any(-1).expand(*lead, n)] == 0).all()
    if kind == torch.float64:
        leaves = [t.clone().requires_grad_() for t in (q, k, v)]
        weights = torch.randn(out.shape, generator=g, dtype=kind)
        found, wanted = (torch.autograd.grad((f(*leaves) * weights).sum(), leaves) for f in (
            lambda *t: sparse_attention(*t, pattern, attention_mask=tokens, block=block), lambda *t: brute_force(*t, allowed)))
        # brute force has NaN gradients where a row is empty: those rows contribute nothing
        if allowed.any(-1).all(): assert all(torch.allclose(a, b, atol=1e-9) for a, b in zip(found, wanted))
        assert all(t.isfinite().all() for t in found)


@pytest.mark.parametrize("pattern", [Band(2), Band(3) | Global(2), Dilated(2, 3) | Band(1), bigbird(4, 1), Causal() & ~Band(2), ~Causal()], ids=repr)
@pytest.mark.parametrize("tokens", [None, torch.arange(14) != 3])
def test_gradients_of_sparse_attention(pattern, tokens):
    "Against finite differences in double precision, also of queries without a key."
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 14, width, dtype=torch.float64, requires_grad=True) for width in (3, 3, 2))
    assert torch.autograd.gradcheck(lambda *t: sparse_attention(*t, pattern, attention_mask=tokens, block=4), (q, k, v))


@pytest.mark.parametrize("backend", ["tiles", "dense"])
def test_queries_without_a_key_get_zeros(backend):
    q, k, v = torch.randn(3, 2, 20, 4)
    out = sparse_attention(q, k, v, ~Causal(), backend=backend)
    assert (out[:, -1] == 0).all() and out.isfinite().all()
    assert (sparse_attention(q, k, v, Band(3), attention_mask=torch.zeros(20), backend=backend) == 0).all()


@pytest.mark.parametrize("pattern", [Band(32), bigbird(32, 2)], ids=["band", "bigbird"])
def test_memory_of_sparse_attention(pattern):
    "At most eight times the output beside it, and twice the length needs twice the memory."
    def needed(n):
        make_plan(pattern, n)  # is kept, and small
        q, k, v = torch.randn(3, 1, 2, n, 32)
        return peak_memory(lambda: sparse_attention(q, k, v, pattern), q, k, v) / v.numel() / 4
    short, long = needed(4096), needed(8192)
    assert long - 1 <= 8 and long < 1.3 * short


@pytest.mark.parametrize("pattern", [Band(3) | Global((0, -1)), bigbird(8, 2), Dilated(2, 3) & Causal(), ~BlockLocal(5)], ids=repr)
def test_masks_suit_flex_attention(pattern):
    "The compiled backend maps the very functions over single indices."
    from torch.nn.attention.flex_attention import create_mask
    function = pattern.mask(40)
    assert torch.equal(create_mask(lambda b, h, i, j: function(i, j), 1, 1, 40, 40, device="cpu")[0, 0], pattern.dense(40))


def test_input_that_is_a_view():
    "Heads split off a projection are views; nothing is assumed about strides."
    pattern, x = Band(5) | Global(2), torch.randn(2, 50, 3 * 24)
    q, k, v = (t.unflatten(-1, (3, 8)).transpose(1, 2) for t in x.chunk(3, -1))
    dense = sparse_attention(q, k, v, pattern, backend="dense")
    assert torch.allclose(sparse_attention(q, k, v, pattern), dense, atol=1e-5)
    assert torch.allclose(sparse_attention(q.contiguous(), k, v, pattern, block=8), dense, atol=1e-5)


@pytest.mark.parametrize("arguments, settings, error, message", [
    ((Q, Q[:, :1], Q, Band(1)), {}, ValueError, r"k has the leading dimensions \(1, 1\), q has \(1, 2\)"),
    ((Q, Q[..., :5, :], Q[..., :5, :], Band(1)), {}, ValueError, "k has length 5, q has 6; accepted are equal lengths"),
    ((Q.int(), Q.int(), Q.int(), Band(1)), {}, TypeError, "q has torch.int32; accepted are floating-point"),
    ((Q, Q, Q, "band"), {}, TypeError, "pattern is of type str; accepted are patterns such as"),
    ((Q, Q, Q, Global((0, 9))), {}, ValueError, "Global names the position 9; the sequence length is 6"),
    ((Q, Q, Q, Band(1) | Global(7)), {}, ValueError, "Global names the position 6; the sequence length is 6"),
    ((Q, Q, Q, Global(range(-8, 0))), {"backend": "dense"}, ValueError, "Global names the position"),
    ((Q, Q, Q, Band(1)), {"attention_mask": torch.ones(1, 5)}, ValueError, r"attention_mask has the shape \(1, 5\); accepted is \(6,\) or \(1, 6\)"),
    ((Q, Q, Q, Band(1)), {"backend": "fast"}, ValueError, "backend is 'fast'; accepted are 'tiles', 'dense' and 'flex'"),
    ((Q, Q, Q, Band(1)), {"backend": "flex"}, ValueError, "backend is 'flex', which has no backward pass on a CPU"),
    ((Q, Q, Q, Band(1)), {"block": 0}, ValueError, "block is 0; accepted are whole numbers from 1"),
])
def test_sparse_attention_refuses(arguments, settings, error, message):
    with pytest.raises(error, match=message): sparse_attention(*arguments, **settings)


@pytest.mark.parametrize("make, error, message", [
    (lambda: Band(-1), ValueError, "before is -1; accepted are whole numbers from 0"),
    (lambda: Band(1, -2), ValueError, "after is -2"),
    (lambda: Band(1.5), TypeError, "before is 1.5; accepted are whole numbers"),
    (lambda: Dilated(-1, 2), ValueError, "window is -1"),
    (lambda: Dilated(1, 0), ValueError, "dilation is 0; accepted are whole numbers from 1"),
    (lambda: BlockLocal(0), ValueError, "size is 0"),
    (lambda: Global(-3), ValueError, "positions is -3"),
    (lambda: Global((1.5,)), TypeError, "positions has 1.5; accepted are whole numbers"),
    (lambda: RandomBlocks(-1), ValueError, "count is -1"),
    (lambda: RandomBlocks(1, avoid="band"), TypeError, "avoid is of type str"),
    (lambda: Band(1) | "band", TypeError, "unsupported operand"),
    (lambda: make_plan(Band(1), 0), ValueError, "n is 0; accepted are whole numbers from 1"),
])
def test_patterns_refuse(make, error, message):
    with pytest.raises(error, match=message): make()


@pytest.mark.parametrize("n, chunk, rounds, causal, padded", [(64, 8, 1, False, False), (64, 8, 3, True, False), (61, 8, 2, False, True), (61, 8, 2, True, True), (7, 8, 2, False, False), (8, 8, 1, True, False)])
def test_lsh_attention_is_brute_force_over_its_windows(n, chunk, rounds, causal, padded):
    torch.manual_seed(0)
    qk, v = torch.randn(2, n, 6, dtype=torch.float64), torch.randn(2, n, 3, dtype=torch.float64)
    tokens = torch.arange(n) < (n - 9 if padded else n)
    buckets = lsh_buckets(qk, (4, 2), rounds)
    out = lsh_attention(qk, v, chunk=chunk, rounds=rounds, buckets=buckets, causal=causal, attention_mask=tokens if padded else None)
    if n <= chunk: rounds = 1
    # the reference: every position with its own chunk and the one before it, of the rounds one after the other
    flat = torch.cat([torch.nn.functional.pad(torch.where(tokens, buckets[:, r], 99), (0, -n % chunk), value=100).sort(dim=-1, stable=True).indices for r in range(rounds)], -1)
    unit, expected = torch.nn.functional.normalize(qk, dim=-1), torch.zeros_like(v)
    for b in range(2):
        outs, logs = torch.zeros(rounds, n, 3, dtype=torch.float64), torch.full((rounds, n), -math.inf, dtype=torch.float64)
        blocks = flat[b].split(chunk)
        for c, block in enumerate(blocks):
            keys = block if n <= chunk else torch.cat([blocks[c - 1], block])
            for i in block.tolist():
                if i >= n: continue
                real = [j for j in keys.tolist() if j < n and (tokens[j] or j == i) and (not causal or j <= i)]
                scores = torch.stack([qk[b, i] @ unit[b, j] if j != i else torch.tensor(-1e5, dtype=torch.float64) + qk[b, i] @ unit[b, j] for j in real])
                r = c // (len(blocks) // rounds)
                outs[r, i], logs[r, i] = scores.softmax(-1) @ v[b, real], scores.logsumexp(-1)
        expected[b] = (outs * logs.softmax(0)[..., None]).sum(0)
    assert torch.allclose(out[:, tokens], expected[:, tokens], atol=1e-8)


def test_lsh_attention_has_gradients_and_refuses():
    torch.manual_seed(0)
    qk, v = torch.randn(1, 16, 3, dtype=torch.float64, requires_grad=True), torch.randn(1, 16, 2, dtype=torch.float64, requires_grad=True)
    buckets = lsh_buckets(qk, (4,), 2)
    assert torch.autograd.gradcheck(lambda *t: lsh_attention(*t, chunk=4, rounds=2, buckets=buckets, causal=True), (qk, v))
    for settings, message in (({"chunk": 0}, "chunk is 0"), ({"rounds": 0}, "rounds is 0"), ({"buckets": 3}, "buckets has the size 3; accepted are even numbers")):
        with pytest.raises(ValueError, match=message): lsh_attention(qk, v, **settings)
    with pytest.raises(ValueError, match="v has length 5, k has 16"): lsh_attention(qk, v[:, :5])


# Linear attention

def by_features(q, k, v, feature_map, allowed):
    weights = feature_map(q.double()) @ feature_map(k.double()).transpose(-2, -1) * allowed
    total = weights.sum(-1, keepdim=True)
    return weights @ v.double() / total.masked_fill(total == 0, 1.0)


@settings(max_examples=80, deadline=None)
@given(n=N, m=N, d=st.sampled_from([1, 8]), e=st.sampled_from([1, 5]), lead=st.sampled_from([(), (3,), (2, 3)]), chunk=st.sampled_from([None, 1, 7, 32]), causal=st.booleans(),
       favor=st.booleans(), padding=st.sampled_from([None, "some", "none left"]), kind=st.sampled_from([torch.float32, torch.float64, torch.bfloat16]), seed=st.integers(0, 99))
def test_linear_is_equal_to_brute_force(n, m, d, e, lead, chunk, causal, favor, padding, kind, seed):
    if causal: m = n
    g = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(*lead, length, width, generator=g).to(kind) for length, width in ((n, d), (m, d), (m, e)))
    feature_map, allowed, tokens = Favor(d, 6) if favor else elu_features, torch.ones(n, m), None
    if causal: allowed = allowed.tril()
    if padding:
        tokens = torch.rand(*lead[:1] if len(lead) > 1 else (), m, generator=g) < (0.7 if padding == "some" else 0)
        allowed = allowed * (tokens[:, None, None] if tokens.ndim > 1 else tokens)
    out = linear_attention(q, k, v, causal=causal, feature_map=feature_map, attention_mask=tokens, chunk=chunk)
    assert out.shape == (*lead, n, e) and out.dtype == kind
    assert torch.allclose(out.double(), by_features(q, k, v, feature_map, allowed), atol=2e-2 if kind == torch.bfloat16 else 1e-4)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("feature_map", [elu_features, Favor(3, 8)], ids=["elu", "favor"])
def test_gradients_of_linear_attention(causal, feature_map):
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 9, width, dtype=torch.float64, requires_grad=True) for width in (3, 3, 2))
    assert torch.autograd.gradcheck(lambda *t: linear_attention(*t, causal=causal, feature_map=feature_map, chunk=4), (q, k, v))


def test_large_features_do_not_overflow():
    torch.manual_seed(0)
    q, k, v = 40 * torch.randn(3, 1, 300, 16)
    for causal in (False, True):
        assert linear_attention(q, k, v / 40, causal=causal, feature_map=Favor(16, 64)).isfinite().all()


def test_linear_attention_refuses():
    q = torch.randn(2, 6, 4)
    for call, message in ((lambda: linear_attention(q, q[:, :5], q[:, :5], causal=True), "k has length 5, q has 6; accepted are equal lengths if causal"),
                          (lambda: linear_attention(q, q, q, chunk=0), "chunk is 0"), (lambda: linear_attention(q, q[:1], q), r"k has the leading dimensions \(1,\)"),
                          (lambda: linear_attention(q, q, q, attention_mask=torch.ones(3, 6)), "attention_mask has the shape"),
                          (lambda: Favor(4, 7), "features is 7; accepted are even numbers"), (lambda: favor_projection(0), "width is 0"),
                          (lambda: favor_features(q, favor_projection(4), "cosine"), "kind is 'cosine'")):
        with pytest.raises(ValueError, match=message): call()
    with pytest.raises(TypeError, match="q has torch.int64"): linear_attention(q.long(), q, q)


# Benchmark

def test_benchmark(tmp_path):
    "One command, two short lengths: tables, a plot, and a file with ratios and slopes."
    out = tmp_path / "result.json"
    run = python(str(ROOT / "benchmarks" / "attention.py"), "--lengths", "256,512", "--rounds", "1", "--out", str(out), "--only", "dense: PyTorch,band,BigBird,linear")
    assert run.returncode == 0, run.stderr[-1500:]
    report = json.loads(out.read_text())
    assert {(r["name"], r["pass"], r["n"]) for r in report["results"]} == {(name, kind, n) for name in ("dense: PyTorch", "band", "BigBird", "linear") for kind in ("forward", "forward+backward") for n in (256, 512)}
    band = next(r for r in report["results"] if r["name"] == "band" and r["n"] == 512)
    assert band["faster_than"] == "dense: PyTorch" and band["share_of_ideal"] > 0 and band["peak_bytes"] > 0
    assert out.with_suffix(".png").exists() and "times" in run.stdout


def test_the_stored_benchmark_is_of_the_present_contestants():
    stored = json.loads((ROOT / "benchmarks" / "attention.json").read_text())
    assert {"date", "machine", "versions", "settings", "slopes", "results"} <= stored.keys()
    assert {r["n"] for r in stored["results"]} >= {1024, 2048, 4096, 8192, 16384}
    assert {"band", "BigBird", "Longformer", "LSH", "linear", "linear, causal", "FAVOR+"} <= {r["name"] for r in stored["results"]}
