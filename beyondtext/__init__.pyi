# The public face of the package, one line a name: `from beyondtext import NAME`.
from .attention.cost import memory_efficient_attention as memory_efficient_attention
from .attention.hashing import lsh_attention as lsh_attention
from .attention.linear import linear_attention as linear_attention
from .attention.sparse import sparse_attention as sparse_attention
from .beyond.igpt import complete_image as complete_image
from .beyond.tables import ask_table as ask_table
from .beyond.video import classify_video as classify_video
from .beyond.vit import classify_image as classify_image
from .core import label_point as label_point
from .core import model_card as model_card
from .core import print_source as print_source
from .core import versions as versions
from .inputs.files import allow_urls as allow_urls
from .multimodal.clip import find_images as find_images
from .multimodal.clip import match_texts as match_texts
from .multimodal.dalle import draw as draw
from .multimodal.layoutlm import ask_document as ask_document
from .multimodal.layoutlm import read_document as read_document
from .multimodal.speech import restore_punctuation as restore_punctuation
from .multimodal.speech import transcribe as transcribe
from .multimodal.text_encoder import encode_text as encode_text
from .multimodal.vqa import ask_image as ask_image
from .scaling.challenges import plan_budget as plan_budget
from .scaling.challenges import training_memory as training_memory
from .scaling.fits import compute_optimal as compute_optimal
from .scaling.fits import fit_chinchilla as fit_chinchilla
from .scaling.fits import fit_power_law as fit_power_law
from .toys.cache import prune as prune
from .toys.cache import toy_folder as toy_folder
from .toys.hub import checkpoint_folder as checkpoint_folder
from .toys.registry import systems as systems
from .world.language import caption as caption
from .world.scenes import make_scene as make_scene

__version__: str
__all__: list[str]
