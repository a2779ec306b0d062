"""Which files of a model's folder or repository the program needs, and nothing else."""

from collections.abc import Collection

from visdiff_local.errors import WeightsError
from visdiff_local.models import domain
from visdiff_local.models.backends.files import SETTINGS, WEIGHTS
from visdiff_local.models.specs import ModelSpec

_CLIP = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors")
_INDEX = "model.safetensors.index.json"


def choose(spec: ModelSpec, there: Collection[str]) -> list[str]:
    """File names, sorted: the weights and the small files beside them.

    Args:
        there: paths of all files there are, relative to the repository or folder.

    Raises:
        WeightsError: there are no weights of a kind that is opened, or several to choose from.
    """
    top = sorted(name for name in there if "/" not in name)
    settings = [name for name in top if name.endswith(SETTINGS)]
    named = [name for name in spec.files if name.endswith(WEIGHTS)]
    missing = sorted(set(spec.files) - set(there))
    if missing:
        raise WeightsError(f"{spec.name}: {_where(spec)} has no {missing[0]}")
    if spec.backend in ("llama_cpp", "llama_vision"):
        # A GGUF holds its own tokenizer; the settings beside it belong to other formats.
        return named or _ggufs(spec, top)
    if spec.backend == "open_clip":
        weights = named or _clip(top)
        settings = [name for name in settings if name != _INDEX]
    else:
        weights = named or _transformers(top)
    if not weights:
        found = ", ".join(name for name in top if name.endswith((".bin", ".pt", ".ckpt", ".h5")))
        raise WeightsError(
            f"{spec.name}: {_where(spec)} has no safetensors"
            + (f"; {found} is not opened, since such files can run code" if found else "")
        )
    return sorted({*weights, *settings})


def _clip(top: list[str]) -> list[str]:
    preferred = next((name for name in _CLIP if name in top), None)
    if preferred is not None:
        return [preferred]
    return [name for name in top if name.endswith(".safetensors") and name != domain.FILE][:1]


def _transformers(top: list[str]) -> list[str]:
    shards = [name for name in top if name.startswith("model-") and name.endswith(".safetensors")]
    if _INDEX in top and shards:
        return shards
    return ["model.safetensors"] if "model.safetensors" in top else []


def _ggufs(spec: ModelSpec, top: list[str]) -> list[str]:
    """The one language model; of a vision model its mmproj, too. Which is which is told by their
    names here: they may be a repository's, which nobody has read."""
    ggufs = [name for name in top if name.endswith(".gguf")]
    sides = [name for name in ggufs if "mmproj" in name.lower()]
    models = [name for name in ggufs if name not in sides]
    wanted = 1 if spec.backend == "llama_vision" else 0
    if len(models) == 1 and (not wanted or len(sides) == 1):
        return [*models, *(sides if wanted else [])]
    what = f"{len(models)} GGUF files" + (f" and {len(sides)} mmproj files" if wanted else "")
    named = f" ({', '.join(ggufs)}); name yours under files in models.toml" if ggufs else ""
    raise WeightsError(f"{spec.name}: {_where(spec)} has {what}{named}")


def _where(spec: ModelSpec) -> str:
    return spec.repo or "its folder"
