"""Claim: on a GPU the backends are at least as fast as the bare library, with full-size models.

    python scripts/performance/gpu.py [--case NAME ...] [--images 256] [--json FILE] [--tiny]

Models in the real configurations with random weights are written to a temporary folder, opened by
the backend, and measured against the bare library on the same files in the same run: images,
captions and answers a second, tokens a second, peak memory. Each case is a process of its own.
Without a GPU it says so and ends with 0; ``--tiny`` runs the same code with tiny models anywhere,
and its numbers mean nothing.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

CASES = ("clip", "llava-nf4", "llava-bf16", "blip2", "llama", "one-process")
QUESTION = "is there a red dog in this image"
PROMPTS = 64


@dataclass(frozen=True)
class Row:
    """One measurement: items per second by the backend and by the bare library."""

    case: str
    what: str
    backend: float
    bare: float
    peak_gib: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", action="append", choices=CASES)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--here", choices=CASES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        rows = [asdict(row) for row in measure(options.here, options.images, options.tiny)]
        print(json.dumps(rows))
        return 0
    card = card_name()
    if card is None and not options.tiny:
        print("no CUDA GPU here: nothing was measured (--tiny runs the code with tiny models)")
        return 0
    print(f"card: {card or 'none, tiny models on the CPU: these numbers mean nothing'}")
    rows, failed = [], False
    for case in options.case or CASES:
        words = [sys.executable, __file__, "--here", case, "--images", str(options.images)]
        done = subprocess.run(
            [*words, *(["--tiny"] if options.tiny else [])], stdout=subprocess.PIPE, text=True
        )
        if done.returncode:
            failed = True
            print(f"{case}: failed with exit code {done.returncode}")
            continue
        for found in json.loads(done.stdout.splitlines()[-1]):
            rows.append(found)
            print(
                "{case:12} {what:28} {backend:10.1f} /s   bare {bare:10.1f} /s   "
                "peak {peak_gib:.1f} GiB".format(**found)
            )
    if options.json:
        options.json.write_text(json.dumps({"card": card, "rows": rows}, indent=1))
    return int(failed)


def card_name() -> str | None:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def measure(case: str, images: int, tiny: bool) -> list[Row]:
    device = "cpu" if card_name() is None else "cuda"
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if case == "one-process":
            return one_process()
        if case == "llama":
            return llama(folder, tiny, device)
        refs = pictures(folder / "images", images)
        if case == "clip":
            return clip(folder, refs, tiny, device)
        return vision_language(case, folder, refs, tiny, device)


# ---- the cases -----------------------------------------------------------------------------------


def clip(folder: Path, refs: list[Any], tiny: bool, device: str) -> list[Row]:
    import open_clip
    import random_models
    import torch

    from visdiff_local.models.backends import open_clip as backend
    from visdiff_local.models.specs import ModelSpec

    where = random_models.clip(folder / "clip", tiny, device)
    precision = "fp16" if device == "cuda" else "fp32"
    spec = ModelSpec(name="clip", backend="open_clip", quantization=precision)
    with backend.open_model(spec, where, device=device) as model:
        ours = rate(lambda: model.embed_images(refs), len(refs))
    bare, _, prepare = open_clip.create_model_and_transforms(
        f"local-dir:{where}", precision=precision, device=device
    )
    dtype = torch.float16 if device == "cuda" else torch.float32

    @torch.inference_mode()
    def embed() -> None:
        for batch in batches(refs, 128):
            pixels = torch.stack([prepare(opened(ref)) for ref in batch])
            bare.encode_image(pixels.to(device, dtype), normalize=True).cpu()

    return [Row("clip", "images embedded", ours, rate(embed, len(refs)), peak())]


def vision_language(case: str, folder: Path, refs: list[Any], tiny: bool, device: str) -> list[Row]:
    """Captions and P(yes), by the backend and by plain transformers, on the same quantization."""
    import random_models

    from visdiff_local.models.backends.huggingface import blip2, vlm
    from visdiff_local.models.specs import ModelSpec

    kind, _, wanted = case.partition("-")
    quantization = (wanted or "nf4") if device == "cuda" else "fp32"
    name = "blip2" if kind == "blip2" else "vlm"
    where = getattr(random_models, kind)(folder / kind, tiny, device)
    spec = ModelSpec(name=case, backend=name, quantization=quantization, max_new_tokens=32)
    backend = blip2 if kind == "blip2" else vlm
    with backend.open_model(spec, where, device=device) as model:
        words = "" if kind == "blip2" else "describe this image."
        captions = rate(lambda: model.caption(refs, words), len(refs))
        answers = rate(lambda: model.p_yes(refs, [QUESTION]), len(refs))
        most = peak()
    told, asked = bare_transformers(where, quantization, refs, device, kind)
    return [Row(case, "captions of 32 tokens", captions, told, most),
            Row(case, "P(yes)", answers, asked, most)]  # fmt: skip


def bare_transformers(
    where: Path, quantization: str, refs: list[Any], device: str, kind: str
) -> tuple[float, float]:
    import torch
    import transformers as hf

    quantized = hf.BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
    )
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    model = hf.AutoModelForImageTextToText.from_pretrained(
        where,
        dtype=dtype,
        device_map={"": 0 if device == "cuda" else "cpu"},
        quantization_config=quantized if quantization == "nf4" else None,
        local_files_only=True,
    ).eval()
    processor = hf.AutoProcessor.from_pretrained(where, local_files_only=True)
    processor.tokenizer.padding_side = "left"

    def inputs(batch: list[Any], text: str) -> Any:
        prompt = text if kind == "blip2" else f"USER: <image>\n{text} ASSISTANT:"
        images = [opened(ref) for ref in batch]
        made = processor(
            images=images, text=[prompt] * len(batch), return_tensors="pt", padding=True
        )
        return made.to(device, dtype)

    @torch.inference_mode()
    def caption() -> None:
        for batch in batches(refs, 16):
            model.generate(**inputs(batch, "describe this image."), max_new_tokens=32)

    @torch.inference_mode()
    def answer() -> None:
        for batch in batches(refs, 16):
            model(**inputs(batch, QUESTION), logits_to_keep=1).logits[:, -1].float().cpu()

    return rate(caption, len(refs)), rate(answer, len(refs))


def llama(folder: Path, tiny: bool, device: str) -> list[Row]:
    """Yes/no questions that share a long beginning, and free text, against one call at a time."""
    import llama_cpp
    import random_models

    from visdiff_local.models.backends.llama import model as backend
    from visdiff_local.models.specs import ModelSpec

    where = random_models.llama(folder / "llama", tiny)
    spec = ModelSpec(name="llama", backend="llama_cpp", context=2048)
    beginning = "is there a red dog in this image " * 16
    prompts = [f"{beginning} {number} answer" for number in range(PROMPTS)]
    before = used_gib()
    with backend.open_model(spec, where, device=device) as model:
        asked = rate(lambda: model.text_p_yes(prompts), PROMPTS)
        written = rate(lambda: model.complete(prompts[:8], max_tokens=64), 8)
        most = used_gib() - before
    layers = -1 if device == "cuda" else 0
    settings = {"n_ctx": 2048, "n_gpu_layers": layers, "flash_attn": device == "cuda"}
    with repacking(device == "cuda"):
        bare = llama_cpp.Llama(str(where / "model.gguf"), **settings, verbose=False)

    def ask() -> None:
        for prompt in prompts:
            bare.create_completion(prompt, max_tokens=1, temperature=0)

    def write() -> None:
        for prompt in prompts[:8]:
            bare.create_completion(prompt, max_tokens=64, temperature=0)

    return [Row("llama", "P(yes)", asked, rate(ask, PROMPTS), most),
            Row("llama", "texts of 64 tokens", written, rate(write, 8), most)]  # fmt: skip


def one_process() -> list[Row]:
    """torch's CUDA and faiss's in one process: both must compute, in either order."""
    import faiss
    import numpy as np
    import torch

    vectors = np.random.default_rng(0).standard_normal((20_000, 256)).astype(np.float32)
    index = faiss.IndexFlatIP(256)
    index.add(vectors)
    expected = index.search(vectors[:64], 5)[1]
    if torch.cuda.is_available() and getattr(faiss, "get_num_gpus", lambda: 0)():
        torch.ones(8, device="cuda").sum().item()
        resources = faiss.StandardGpuResources()
        found = faiss.index_cpu_to_gpu(resources, 0, index).search(vectors[:64], 5)[1]
        product = torch.from_numpy(vectors[:64]).cuda() @ torch.from_numpy(vectors).cuda().T
        best = product.topk(5).indices.cpu().numpy()
        if not (found[:, 0] == expected[:, 0]).all() or not (best[:, 0] == expected[:, 0]).all():
            raise RuntimeError("torch and faiss disagree in one process")
    fast = rate(lambda: index.search(vectors[:256], 5), 256)
    return [Row("one-process", "torch and faiss agree", fast, fast, peak())]


@contextmanager
def repacking(allowed: bool) -> Iterator[None]:
    """Whether weights may be repacked for a CPU's matrix unit, which crashes llama-cpp-python
    0.3.36; its ``Llama`` has no option for it."""
    from llama_cpp import llama_cpp as library

    defaults = library.llama_model_default_params

    def changed() -> Any:
        parameters = defaults()
        parameters.use_extra_bufts = allowed
        return parameters

    library.llama_model_default_params = changed
    try:
        yield
    finally:
        library.llama_model_default_params = defaults


# ---- what they share -----------------------------------------------------------------------------


def rate(work: Callable[[], Any], count: int) -> float:
    """Items per second, after a first round that warms everything up."""
    import torch

    work()
    start = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return count / (time.perf_counter() - start)


def peak() -> float:
    """The most that torch held on the card, in GiB."""
    import torch

    return torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0.0


def used_gib() -> float:
    """What anybody holds on the card; llama.cpp's memory is not torch's."""
    import torch

    if not torch.cuda.is_available():
        return 0.0
    free, total = torch.cuda.mem_get_info()
    return (total - free) / 2**30


def pictures(folder: Path, count: int) -> list[Any]:
    """Noisy JPEGs of 512 pixels a side, all different."""
    import hashlib

    import numpy as np
    from PIL import Image

    from visdiff_local.images import File
    from visdiff_local.types import ImageRef

    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    refs = []
    for number in range(count):
        path = folder / f"{number:05d}.jpg"
        coarse = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
        coarse.resize((512, 512), Image.Resampling.BICUBIC).save(path, quality=90)
        refs.append(ImageRef(hashlib.sha256(path.read_bytes()).hexdigest(), File(path)))
    return refs


def opened(ref: Any) -> Any:
    from PIL import Image

    return Image.open(ref.at.open()).convert("RGB")


def batches(items: Sequence[Any], size: int) -> list[list[Any]]:
    return [list(items[start : start + size]) for start in range(0, len(items), size)]


if __name__ == "__main__":
    sys.exit(main())
