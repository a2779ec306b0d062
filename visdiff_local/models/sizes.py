"""The numbers of an architecture that decide how much memory a model takes."""

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """A table of models.toml: unknown keys are errors, and nothing is changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Vision(Strict):
    """The image tower of a model, for one image."""

    tokens: int = Field(ge=1)
    """Patches that pass through it, over all tiles of the image."""
    width: int = Field(ge=1)
    mlp: int = Field(ge=1)
    parameters: float = Field(default=0, ge=0)
    """Of the tower and its projector, where they are a file of their own (``mmproj``); else they
    are counted in the model's."""
    stored_bits: float = Field(default=16, gt=0)
    """Bits a parameter in that file."""

    @property
    def file_bytes(self) -> float:
        """Of the file of its own; 0 where there is none."""
        return self.parameters * self.stored_bits / 8


class Linear(Strict):
    """Layers of linear attention (Gated DeltaNet): a state of one size, however long the prompt."""

    layers: int = Field(ge=1)
    width: int = Field(ge=1)
    """Value heads times their size."""
    key: int = Field(ge=1)
    """Size of a key head."""

    @property
    def state_bytes(self) -> int:
        """Of one sequence: a matrix a value head and layer, in 32 bits."""
        return self.layers * self.width * self.key * 4


class Size(Strict):
    """The numbers of an architecture that decide how much memory it takes (``models plan``)."""

    parameters: float = Field(gt=0)
    quantized: float = Field(default=0, ge=0)
    """Of those, the ones that nf4 or int8 puts in 4 or 8 bits; the others keep 16."""
    stored_bits: float = Field(default=16, gt=0)
    """Bits a parameter in the published files."""
    layers: int = Field(default=0, ge=0)
    """Of the language model; likewise what follows."""
    width: int = Field(default=0, ge=0)
    mlp: int = Field(default=0, ge=0)
    kv_width: int = Field(default=0, ge=0)
    """Key-value heads times their size: the mean of all layers, where some keep none of their own
    or another width."""
    vocabulary: int = Field(default=0, ge=0)
    image_tokens: int = Field(default=0, ge=0)
    """Tokens of the prompt that one image becomes."""
    vision: Vision | None = None
    linear: Linear | None = None

    @property
    def published_bytes(self) -> float:
        """Of all published files."""
        beside = self.vision.file_bytes if self.vision else 0.0
        return self.parameters * self.stored_bits / 8 + beside

    @property
    def kv_bytes_per_token(self) -> int:
        """Keys and values of all layers in 16 bits."""
        return 2 * self.layers * self.kv_width * 2
