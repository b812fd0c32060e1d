"Attention: equality with brute force over shapes, types and masks; gradients; memory; and what is refused."
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from beyondtext.attention.cost import memory_efficient_attention, merge, peak_memory


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
    ((Q, Q, Q), {"mask": torch.ones(5, 6, dtype=torch.bool)}, ValueError, r"mask has the shape \(5, 6\); accepted is what can be expanded to \(1, 2, 6, 6\)"),
    ((Q, Q, Q), {"mask": torch.ones(6, 6, dtype=torch.int)}, TypeError, "mask has torch.int32; accepted are Boolean"),
    ((Q, Q, Q), {"mask": torch.zeros(6, 6, requires_grad=True)}, ValueError, "mask requires a gradient"),
])
def test_refused(arguments, settings, error, message):
    with pytest.raises(error, match=message): memory_efficient_attention(*arguments, **settings)
