"""Calls with what people have: (name, call, what is expected), by kind. Expected is a value, or an error of one sentence."""
import datetime
import functools

import numpy as np
import pandas as pd
import torch
import transformers as tf

from beyondtext.attention.cost import memory_efficient_attention
from beyondtext.attention.linear import linear_attention
from beyondtext.attention.patterns import Band, Global, RandomBlocks
from beyondtext.core import literal_text
from beyondtext.recipes.altclip import translate
from beyondtext.scaling.challenges import inference_memory, training_memory
from beyondtext.scaling.curation import curate, find_personal_data, near_duplicates
from beyondtext.scaling.fits import fit_chinchilla, fit_power_law
from beyondtext.scaling.timeline import fit_growth, model_timeline
from beyondtext.inputs.code import source_code
from beyondtext.world.voices import phonemes

# ------------------------------------------------------------------------------------------------ dates

SIZES = [1e8, 1e10]
grows = lambda *dates: round(fit_growth(dates, SIZES)["orders_a_year"], 2)
NONE = (ValueError, "accepted are dates")
DATES = [
    *((f"{type(d).__name__} {d}", lambda d=d: grows("2018-01-01", d), 1.0) for d in (
        "2020-01-01", "2020-01-01T00:00:00", "2020-01-01 00:00", "2020-01-01T00:00:00Z", "2020-01-01T05:30:00+05:30", "2020-01", datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1), pd.Timestamp("2020-01-01"),
        np.datetime64("2020-01-01"), np.datetime64("2020-01"), pd.Timestamp("2020-01-01", tz="UTC"), pd.Timestamp("2020-01-01T09:00", tz="Asia/Tokyo"), datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
    )),
    *((f"no date: {d!r}", lambda d=d: grows("2018-01-01", d), NONE) for d in ("01-02-2020", "1/2/2020", "01.02.2020", "2020", 2020, 20200101, 2020.5, "", "soon", None, float("nan"), pd.NaT, "2020-13-01", "2020-02-30", True, "2020-01-01T25:00")),
    ("one text for a list", lambda: fit_growth("2020-01-01", [1]), (TypeError, "dates is of type str")), ("a Series with any index", lambda: round(fit_growth(pd.Series(["2018-01-01", "2020-01-01"], index=[7, 7]), SIZES)["orders_a_year"], 2), 1.0),
    ("the same date twice", lambda: grows("2020-01-01", "2020-01-01"), (ValueError, "1 different entries")), ("a size that is none", lambda: fit_growth(["2018-01-01", "2020-01-01"], [1, float("nan")]), (ValueError, "finite")),
    ("the timeline from a year", lambda: model_timeline(2020), (ValueError, "start is 2020")), ("the timeline to a day-first date", lambda: model_timeline(end="31-01-2021"), (ValueError, "end is '31-01-2021'")), ("the timeline to a date", lambda: len(model_timeline(end=datetime.date(2019, 1, 1))), 3),
]

# ------------------------------------------------------------------------------------------------ memory of models

SMALL = {"vocab_size": 50, "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 64}
GROUPED = SMALL | {"num_key_value_heads": 2, "head_dim": 16}
MODELS = {
    "GPT-2": tf.GPT2Config(vocab_size=50, n_embd=64, n_layer=2, n_head=4, n_positions=64), "grouped": tf.LlamaConfig(**GROUPED), "one head of keys": tf.FalconConfig(vocab_size=50, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, multi_query=True),
    "window": tf.MistralConfig(**GROUPED, sliding_window=8), "every second a window": tf.Gemma2Config(**GROUPED, sliding_window=8), "windows first": tf.Qwen2Config(**SMALL, num_key_value_heads=2, use_sliding_window=True, sliding_window=8, max_window_layers=1),
    "latent": tf.DeepseekV3Config(**SMALL, num_key_value_heads=4, q_lora_rank=16, kv_lora_rank=16, qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=8, n_routed_experts=4, n_group=1, topk_group=1, first_k_dense_replace=2),
    "states": tf.MambaConfig(vocab_size=50, hidden_size=64, num_hidden_layers=2), "more states": tf.Mamba2Config(vocab_size=50, hidden_size=64, num_hidden_layers=2, num_heads=8, head_dim=16, n_groups=1, state_size=8),
    "states and attention": tf.JambaConfig(**SMALL, num_key_value_heads=2, num_experts=2, attn_layer_period=2, attn_layer_offset=1, use_mamba_kernels=False),
    "linear and attention": tf.Qwen3NextConfig(**GROUPED | {"num_hidden_layers": 4}, num_experts=2, num_experts_per_tok=1, moe_intermediate_size=16, shared_expert_intermediate_size=16, linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=16, linear_value_head_dim=16),
    "a BERT that writes": tf.BertConfig(**SMALL, is_decoder=True), "no positions": tf.BloomConfig(vocab_size=50, hidden_size=64, n_layer=2, n_head=4),
}
MEMORY = [
    *((f"refused: {name}", lambda c=c: inference_memory(c, 1, 16), (ValueError, words)) for name, c, words in (
        ("reads only", tf.BertConfig(**SMALL), "keeps no cache"), ("encoder and decoder", tf.T5Config(vocab_size=50, d_model=64, num_layers=2, num_heads=4), "type t5"), ("of images", tf.ViTConfig(num_hidden_layers=1), "type vit"), ("RWKV", tf.RwkvConfig(vocab_size=50, hidden_size=64, num_hidden_layers=2), "keeps no cache"),
        ("text", "llama", "accepted are a transformers model"), ("None", None, "accepted are a transformers model"), ("a number", 7e9, "determine the size of the cache"),
    )),
    ("longer than it takes", lambda: inference_memory(MODELS["GPT-2"], 1, 65), (ValueError, "context is 65")), ("half a sequence", lambda: inference_memory(MODELS["GPT-2"], 0.5), (ValueError, "batch_size is 0.5")), ("nothing named", lambda: inference_memory(MODELS["states"]), (ValueError, "context is None")),
    ("training a grouped model", lambda: training_memory(MODELS["grouped"]), (ValueError, "type llama")), ("training states", lambda: training_memory(MODELS["states"]), (ValueError, "type mamba")),
]

# ------------------------------------------------------------------------------------------------ personal data and duplicates

finds = lambda text: [tuple(row) for row in find_personal_data(text)[["kind", "text"]].itertuples(index=False)]
PERSONAL = [
    *((f"phone {n}", lambda n=n: finds(f"Call {n} today."), [("phone", n)]) for n in (
        "+1 212-555-0187", "(212) 555-0187", "212-555-0187", "+44 20 7946 0958", "020 7946 0958", "+49 30 12345678", "030 12345678", "+33 1 23 45 67 89", "01 23 45 67 89", "01.23.45.67.89", "+34 912 34 56 78", "+39 06 1234 5678", "+41 44 668 18 00", "044 668 18 00",
        "+31 20 123 4567", "+91 98765 43210", "+81 3-1234-5678", "03-1234-5678", "+55 11 96123-4567", "(11) 96123-4567", "+61 2 9374 4000", "(02) 9374 4000", "+86 10 6552 9988", "+82 2-312-3456", "+4915123456789", "+14155552671",
    )),
    *((f"none: {t}", lambda t=t: finds(t), []) for t in (
        "in 2019 and 2021", "from 2019-2021 to 2022-2023", "on 2026-11-20", "20.11.2026 at 12:30:45", "version 3.11.245", "12 of 4096 copies at 3 @ 5", "10 000 of 1 234 567", "1,234,567,890", "EUR 1 234 567,89", "0.123456789", "3.14159265358979", "ISBN 978-3-16-148410-0", "order 123456789", "id 0612345678",
        "arXiv:2203.15556", "192.168.100.200", "tracking 00340434161094021501", "epoch 1700000000", "4111 1111 1111 1112", "DE89 3704 0044 0532 0130 01", "x@y", "@name", "GDP 3 400 000 000", "serial 4711-0815-1234", "",
    )),
    ("a bare number after a word", lambda: finds("tel: 0612345678"), [("phone", "0612345678")]), ("a card", lambda: finds("Pay with 4111 1111 1111 1111."), [("card", "4111 1111 1111 1111")]), ("a card without spaces", lambda: finds("378282246310005"), [("card", "378282246310005")]), ("a card with hyphens", lambda: finds("5555-5555-5555-4444"), [("card", "5555-5555-5555-4444")]),
    ("an account", lambda: finds("to DE89 3704 0044 0532 0130 00 please"), [("IBAN", "DE89 3704 0044 0532 0130 00")]), ("an account without spaces", lambda: finds("GB82WEST12345698765432"), [("IBAN", "GB82WEST12345698765432")]), ("an address", lambda: finds("to a.b-c+d@mail.example.co.uk, soon"), [("e-mail", "a.b-c+d@mail.example.co.uk")]),
    ("a Series", lambda: len(find_personal_data(pd.Series(["a@b.org", "nothing"], index=[3, 3]))), 1), ("a missing text", lambda: find_personal_data(["a", None]), (TypeError, "at position 1")), ("a frame", lambda: find_personal_data(pd.DataFrame({"text": ["a"]})), (TypeError, "type DataFrame")),
]
pairs = lambda *texts: near_duplicates(list(texts))[["first", "second"]].to_numpy().tolist()
DUPLICATES = [
    ("Chinese", lambda: pairs("今天天气很好，我们去公园散步吧，然后回家吃饭。", "今天天气很好我们去公园散步吧然后回家吃饭", "明天会下雨所以我们都留在家里看书喝茶聊天"), [[0, 1]]), ("Japanese", lambda: pairs("今日はいい天気ですから公園を散歩しましょう", "今日はいい天気ですから公園を散歩しましょう。"), [[0, 1]]),
    ("Thai", lambda: pairs("วันนี้อากาศดีมากเราไปเดินเล่นในสวนกัน", "วันนี้อากาศดีมากเราไปเดินเล่นในสวนกัน!"), [[0, 1]]), ("other Chinese", lambda: pairs("红色的星形在左边", "蓝色的圆环在右边"), []), ("punctuation alone", lambda: pairs("!!! ???", "... ---", "#####"), []), ("emoji", lambda: pairs("🙂🙂🙂", "🙃🙃🙃", "🙂🙂🙂"), [[0, 2]]),
    ("capitals and spaces", lambda: pairs("A red star.", "a  RED star"), [[0, 1]]), ("missing", lambda: pairs("a", float("nan")), (TypeError, "at position 1")), ("one text", lambda: near_duplicates("a b"), (ValueError, "one text")), ("no frame", lambda: curate(["a"]), (TypeError, "type list")), ("no licence", lambda: curate(pd.DataFrame({"text": ["a"], 3: [1]})), (ValueError, "licence is missing")),
    ("a missing text in a frame", lambda: curate(pd.DataFrame({"text": ["a", None], "licence": "CC0-1.0"})), (TypeError, "at position 1")),
]

# ------------------------------------------------------------------------------------------------ attention

Q = torch.linspace(-1, 1, 24).reshape(1, 6, 4)
TOKENS = torch.tensor([1, 1, 1, 1, 0, 0])
masked = lambda mask: torch.allclose(linear_attention(Q, Q, Q, attention_mask=mask), linear_attention(Q, Q[:, :4], Q[:, :4]), atol=1e-6)
seen = lambda pattern: int(pattern.dense(8).sum())
ATTENTION = [
    *((f"mask {name}", lambda m=m: masked(m), True) for name, m in {"whole": TOKENS, "bool": TOKENS.bool(), "float": TOKENS.float(), "half": TOKENS.half(), "added": (1 - TOKENS) * -1e9, "added, infinite": torch.where(TOKENS == 1, 0.0, -torch.inf), "added, lowest": torch.where(TOKENS == 1, 0.0, torch.finfo(torch.float32).min)}.items()),
    *((f"mask {name}", lambda m=m: masked(m), (ValueError, "attention_mask has")) for name, m in {"fractions": TOKENS * 0.5, "two": TOKENS * 2, "nan": TOKENS * float("nan"), "mixed": torch.tensor([1.0, 1, 1, 1, -1e9, -1e9]), "little less": TOKENS - 1.0}.items()),
    ("mask, a list", lambda: masked([1, 1, 1, 1, 0, 0]), (TypeError, "attention_mask is of type list")), ("mask of zeros and ones that would be added", lambda: memory_efficient_attention(Q, Q, Q, mask=torch.ones(6, 6).tril()), (ValueError, "zeros and ones")), ("whole mask", lambda: memory_efficient_attention(Q, Q, Q, mask=torch.ones(6, 6, dtype=torch.long)), (TypeError, "mask has torch.int64")),
    *((f"Global({p!r})", lambda p=p: seen(Global(p)), n) for p, n in ((3, 39), (np.int64(3), 39), ([0, 2], 28), (np.array([0, 2]), 28), (torch.tensor([0, 2]), 28), (range(3), 39), ((np.int64(0), 2), 28), (torch.tensor(3), 39))),
    ("NumPy's numbers in a band", lambda: seen(Band(np.int64(1))), 22), ("NumPy's numbers in blocks", lambda: seen(RandomBlocks(np.int64(1), np.int64(2))) , 16), ("NumPy's chunk", lambda: memory_efficient_attention(Q, Q, Q, chunk=np.int64(2)).shape, (1, 6, 4)),
]

# ------------------------------------------------------------------------------------------------ fits

X, Y = np.geomspace(1e2, 1e6, 6), 5 * np.geomspace(1e2, 1e6, 6) ** -0.2
FITS = [
    *((f"{k}={v!r}", lambda k=k, v=v: fit_power_law(X, Y, **{"resamples": 0} | {k: v}), (ValueError, f"{k} is")) for k, v in (("delta", 0), ("delta", -1), ("resamples", -1), ("resamples", 2.5), ("resamples", True), ("level", 0), ("level", 1), ("level", 95), ("level", "high"), ("offset", -1), ("offset", float("nan")), ("offset", 5), ("offset", "guess"))),
    ("offset that isn't there", lambda: abs(round(fit_power_law(X, Y, "fit", resamples=0).offset, 3)), 0.0), ("Chinchilla, level", lambda: fit_chinchilla(X, X, Y, level=2), (ValueError, "level is 2")), ("Chinchilla, delta", lambda: fit_chinchilla(X, X, Y, delta=0), (ValueError, "delta is 0")),
]

# ------------------------------------------------------------------------------------------------ language

LANGUAGE = [
    ("two clauses", lambda: len(phonemes("A star. Two rings, and more!")), 6), ("no words", lambda: phonemes("..."), (ValueError, "accepted are words")), ("no text", lambda: phonemes(None), (TypeError, "type NoneType")),
    ("without a size", lambda: translate("a red star", "zh"), "一个红色星形"), ("without an article", lambda: translate("red star", "ja"), "赤い星"), ("an orange ring", lambda: translate("an orange ring", "zh"), "一个橙色圆环"), ("capital and full stop", lambda: translate("A red star and a ring.", "zh"), "一个红色星形和一个圆环"),
    ("a relation", lambda: translate("a small star left of a ring", "zh"), "一个小的星形在一个圆环的左边"), ("two relations", lambda: translate("a star above a ring below a cross", "zh"), (ValueError, "at most one of")), ("half a relation", lambda: translate("a star left of", "ja"), (ValueError, "between two objects")), ("no object", lambda: translate("a small red", "zh"), (ValueError, "where an object is expected")),
    ("another word", lambda: translate("a dog", "zh"), (ValueError, "text has dog")), ("another language", lambda: translate("a star", "fr"), (ValueError, "language is 'fr'")), ("no text to translate", lambda: translate(3, "zh"), (TypeError, "type int")),
    ("dollars", lambda: literal_text("$10 to $20"), r"\$10 to \$20"), ("control characters", lambda: literal_text("a\0b\x1bc"), "a b c"), ("two lines", lambda: literal_text("a\nb"), "a\nb"), ("right to left", lambda: literal_text("שלום ‏!"), "שלום ‏!"), ("a number", lambda: literal_text(3.5), "3.5"),
]

# ------------------------------------------------------------------------------------------------ sources


def louder(function):
    @functools.wraps(function)
    def wrapped(*arguments): return function(*arguments)
    return wrapped


class Kinds:
    @property
    @louder
    def getter(self): return "of a getter"

    def whole(self, x): return "the whole"
    half = functools.partialmethod(whole, 2)

    @functools.singledispatchmethod
    def by_type(self, x): return "of anything"

    @by_type.register
    def _(self, x: int): return "of a number"


@functools.singledispatch
def dispatched(x): return "of anything"


@dispatched.register
def _(x: int): return "of a number"


def made():
    class Inside:
        def method(self): return "inside"
    return Inside


holds = lambda obj, *words: all(word in source_code(obj) for word in words)
SOURCES = [
    ("a getter that is wrapped", lambda: holds(Kinds.getter, "of a getter"), True), ("a partial method", lambda: holds(Kinds.half, "the whole"), True), ("of an instance", lambda: holds(Kinds().half, "the whole"), True), ("singledispatch", lambda: holds(dispatched, "of anything", "of a number"), True),
    ("singledispatchmethod", lambda: holds(vars(Kinds)["by_type"], "of anything", "of a number"), True), ("a class made by a function", lambda: holds(made(), "inside"), True), ("a generic class", lambda: holds(functools.partial(Kinds.whole, 1), "the whole"), True),
    *((f"none: {name}", lambda o=o: source_code(o), (TypeError, "obj is")) for name, o in {"a list of ints": list[int], "a union": int | str, "an instance": Kinds(), "a number": 5, "None": None, "a text": "text", "built-in": len, "a made class": type("Made", (), {})}.items()),
]

CASES = [(f"{kind}: {name}", call, expected) for kind, cases in {
    "dates": DATES, "memory": MEMORY, "personal": PERSONAL, "duplicates": DUPLICATES, "attention": ATTENTION, "fits": FITS, "language": LANGUAGE, "sources": SOURCES,
}.items() for name, call, expected in cases]
