"The Vision Transformer: the classifier with everything that people hand to it."
import io

import numpy as np
import pytest
import torch
from PIL import Image

from beyondtext.beyond.vit import classify_image, image_classifier, patchify
from beyondtext.recipes.vit import evaluate_vit, vit_config
from beyondtext.world.dataset import world_dataset
from beyondtext.world.scenes import make_scene

@pytest.fixture(scope="module")
def scene(): return make_scene(2, "test")


def encoded(image, kind="png", **settings):
    out = io.BytesIO()
    image.save(out, kind, **settings)
    return out.getvalue()


def test_the_classifier_is_the_real_pipeline(scene):
    from transformers import ImageClassificationPipeline
    pipe = image_classifier("toy")
    assert isinstance(pipe, ImageClassificationPipeline)
    best = {a["label"] for a in pipe(scene.image(), top_k=2)}
    assert best == {scene.objects[0].colour, scene.objects[0].shape}


def test_every_form_of_one_image_gives_one_answer(scene, tmp_path):
    image = scene.image()
    image.save(tmp_path / "a.png")
    turned = image.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    forms = {"path": tmp_path / "a.png", "string": str(tmp_path / "a.png"), "PIL": image, "bytes": encoded(image), "array": np.asarray(image), "channels first": np.asarray(image).transpose(2, 0, 1),
             "float": np.asarray(image) / 255, "tensor": torch.tensor(np.asarray(image)), "alpha": image.convert("RGBA"), "turned": encoded(turned, exif=exif), "palette": image.quantize(256, dither=0)}
    wanted = classify_image(image)
    for name, form in forms.items():
        found = classify_image(form)
        best = [dict(zip(answer["label"][:2], answer["score"][:2])) for answer in (found, wanted)]
        assert best[0] == pytest.approx(best[1], abs=0.02), name
    assert list(wanted.columns) == ["label", "score"] and len(wanted) == 5


def test_an_image_from_an_address(scene, tmp_path):
    import threading
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
    scene.image().save(tmp_path / "a.png")
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=tmp_path))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    assert classify_image(f"{address}/a.png").equals(classify_image(scene.image()))
    with pytest.raises(ValueError, match="could not be read: .*404"): classify_image(f"{address}/b.png")
    server.shutdown()
    with pytest.raises(ValueError, match="could not be read"): classify_image("http://127.0.0.1:9/a.png")


def test_lists_and_batches(scene):
    one, three = classify_image(scene.image(), top_k=2), classify_image([scene.image()] * 3, top_k=2)
    assert list(three["image"]) == [0, 0, 1, 1, 2, 2] and list(three["label"]) == list(one["label"]) * 3
    assert classify_image(np.stack([np.asarray(scene.image())] * 2), top_k=1)["image"].tolist() == [0, 1]
    assert len(classify_image(scene.image(), top_k=100)) == 14


def test_a_grey_image_of_another_size_is_taken(scene):
    large = scene.image().convert("L").resize((200, 100))
    assert set(classify_image(large)) == {"label", "score"}


@pytest.mark.parametrize("image, error, message", [("none.png", ValueError, "no file 'none.png'"), ([], ValueError, "empty list"), (None, TypeError, "NoneType"), ([None], TypeError, "NoneType"),
                                                   (b"no image", ValueError, "not an image"), (np.zeros((1, 0, 3)), ValueError, "shape")])
def test_bad_images_are_refused_before_any_model_is_loaded(image, error, message, monkeypatch):
    monkeypatch.setenv("BEYONDTEXT_CHECKPOINT", "this would fail")
    with pytest.raises(error, match=message): classify_image(image)


def test_bad_settings(scene):
    for top_k, error in ((0, ValueError), (-1, ValueError), (1.5, ValueError), (float("nan"), ValueError), ("2", TypeError), (True, TypeError)):
        with pytest.raises(error, match="top_k is"): classify_image(scene.image(), top_k=top_k)
    for device, error in (("gpu", ValueError), (1.5, TypeError), ("mps" if not torch.backends.mps.is_available() else "cuda", ValueError)):
        with pytest.raises(error, match="device is"): classify_image(scene.image(), device=device)
    with pytest.raises(ValueError, match="checkpoint is 'nowhere'"): classify_image(scene.image(), checkpoint="nowhere")
    with pytest.raises(ValueError, match="size is 'huge'; accepted are toy, small, base"): vit_config("huge")
    with pytest.raises(ValueError, match="images are 30 x 32 pixels"): patchify(torch.zeros(1, 3, 30, 32), 8)


def test_the_pipeline_reads_a_data_set():
    rows = world_dataset("single", "test", 50)
    answers = image_classifier("toy")(list(rows["image"]), top_k=2)
    right = [rows.features["shape"].int2str(r["shape"]) in {a["label"] for a in answer} for r, answer in zip(rows, answers)]
    assert np.mean(right) > 0.95


def test_an_untrained_model_fails_the_bars():
    "The evaluation can fail: random weights are near chance."
    from transformers import ViTForImageClassification
    torch.manual_seed(0)
    found = evaluate_vit(ViTForImageClassification(vit_config()), "test", 1000)
    assert found["shape"] < 0.35 and found["colour"] < 0.35
