"""An accelerator that isn't there: its tensors are kept on the CPU and computed there, but an operation refuses to mix them with
tensors of the CPU, as a GPU's would. Import it in a process of its own, before anything is trained."""
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._device import _device_constructors
from torch.utils._pytree import tree_map
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend


class Backend(_DummyBackendModule):
    "What PyTorch asks a device for. It has no random numbers of its own: those of the CPU are used."

    def get_rng_state(self, device=None): return torch.get_rng_state()

    def set_rng_state(self, state, device=None): pass


_setup_privateuseone_for_python_backend("far", Backend())
TAKE_INDICES = ("aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_", "aten::_unsafe_index")  # which may be the CPU's, on a GPU too


class Far(torch.Tensor):
    @staticmethod
    def __new__(cls, near):
        return torch.Tensor._make_wrapper_subclass(cls, near.shape, strides=near.stride(), storage_offset=near.storage_offset(), dtype=near.dtype, device="far:0")

    def __init__(self, near): self.near = near

    def __repr__(self): return f"Far({self.near})"

    def tolist(self): return self.near.tolist()

    def __getitem__(self, index):
        parts = index if isinstance(index, tuple) else (index,)
        return super().__getitem__(tuple(torch.tensor(x) if isinstance(x, list) else x for x in parts))

    def __setitem__(self, index, value):
        if isinstance(value, torch.Tensor): return super().__setitem__(index, value)
        self.near[tree_map(lambda x: x.near if isinstance(x, Far) else x, index)] = value  # a number, which needs no gradient

    @classmethod
    def __torch_dispatch__(cls, op, types, args=(), kwargs=None): return run(op, args, kwargs or {})


def run(op, args, kwargs):
    "Run an operation on what is behind its arguments."
    tensors, name, device = [], op._schema.name, kwargs.get("device")
    tree_map(lambda x: tensors.append(x) if isinstance(x, torch.Tensor) else None, (args, kwargs))
    far = [x for x in tensors if isinstance(x, Far)]
    near = [x for x in tensors if not isinstance(x, Far) and x.ndim]
    moves = name in ("aten::_to_copy", "aten::copy_")
    if far and near and not moves and name not in TAKE_INDICES:
        raise RuntimeError(f"Expected all tensors to be on the same device: {name} has some on far and some on cpu")
    def behind(x): return x.near if isinstance(x, Far) else torch.device("cpu") if isinstance(x, torch.device) and x.type == "far" else x
    found = op(*tree_map(behind, args), **tree_map(behind, kwargs))
    known = {id(x.near): x for x in far}  # what is changed in place stays the same tensor
    if name == "aten::copy_": return args[0]
    goes_far = torch.device(device).type == "far" if device is not None else bool(far)
    if not goes_far: return found
    return tree_map(lambda x: (known[id(x)] if id(x) in known else Far(x)) if isinstance(x, torch.Tensor) else x, found)


class Distance(TorchDispatchMode):
    "Within it, whatever is made on or moved to the far device is far."

    def __torch_dispatch__(self, op, types, args=(), kwargs=None): return run(op, args, kwargs or {})


def _made_near(make):
    "PyTorch makes tensors of numbers where no mode sees it; so make them near, and move them."
    def moved(data, *args, device=None, **settings):
        made = make(data, *args, **settings)
        return made if device is None else made.to(device)
    return moved


def train_there():
    "Let Accelerate find the far device, and nothing else. Returns the mode in which it works."
    from accelerate.state import PartialState
    _device_constructors()  # PyTorch remembers what makes tensors, before that has other names
    torch.tensor, torch.as_tensor = _made_near(torch.tensor), _made_near(torch.as_tensor)
    torch.inference_mode = torch.no_grad  # a wrapped tensor can't be of the kind that inference mode makes
    PartialState()
    PartialState._shared_state["device"] = torch.device("far:0")
    return Distance()
