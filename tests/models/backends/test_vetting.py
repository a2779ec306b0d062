"""A model's folder names no code and no other place."""

import json
from pathlib import Path

import pytest

from visdiff_local.errors import WeightsError
from visdiff_local.models.backends.vetting import vet
from visdiff_local.models.paths import BUNDLED
from visdiff_local.models.specs import ModelSpec

SPEC = ModelSpec(name="m", backend="vlm")


@pytest.mark.parametrize(
    "content",
    [
        {"_attn_implementation": "org/kernel"},
        {"attn_implementation": {"": "kernels-community/flash-attn"}},
        {"text_config": {"_attn_implementation_internal": "a:b"}},
        {"_experts_implementation": "org/experts"},
        {"auto_map": {"AutoModel": "modeling.Evil"}},
        {"vision_config": {"auto_map": {"AutoConfig": "org/repo--x.Y"}}},
        {"trust_remote_code": True},
        {"model_cfg": {"text_cfg": {"hf_model_name": "/tmp/evil"}}},
        {"model_cfg": {"text_cfg": {"tokenizer_kwargs": {"trust_remote_code": True}}}},
        {"model_cfg": {"vision_cfg": {"timm_model_name": "hf-hub:org/x"}}},
        {"backbone": "org/backbone"},
        {"use_pretrained_backbone": True},
        {"kernel_config": {"RMSNorm": "org/kernel:RMSNorm"}},
        {"custom_generate": "org/decoding"},
        {"base_model_name_or_path": "org/base"},
        [{"deep": [{"auto_map": {"x": "y"}}]}],
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "processor_config.json"])
def test_nothing_in_a_folder_names_code(content: object, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(WeightsError, match="names code or another place"):
        vet(SPEC, tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        {"_attn_implementation": "flash_attention_2", "attn_implementation": None},
        {"trust_remote_code": False, "auto_map": {}, "use_mamba_kernels": True, "kernel_size": 3},
        {"_name_or_path": "org/model", "hf_tokenizer_name": "org/tokenizer"},
        {"timm_model_name": "vit_base_patch16_siglip_224", "timm_model_pretrained": False},
        {"conv_kernel": [3, 3], "backbone_config": {"model_type": "vit"}},
    ],
    ids=str,
)
def test_what_published_models_have_is_no_code(content: object, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(content))
    vet(SPEC, tmp_path)


def test_a_path_into_the_model_s_own_folder_is_no_other_place(tmp_path: Path) -> None:
    for named, refused in ((tmp_path, False), (tmp_path / "text", False), (tmp_path.parent, True)):
        config = {"text_cfg": {"hf_model_name": str(named)}}
        (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
        if refused:
            with pytest.raises(WeightsError, match="another place"):
                vet(SPEC, tmp_path)
        else:
            vet(SPEC, tmp_path)


@pytest.mark.parametrize("name", sorted(path.name for path in BUNDLED.iterdir() if path.is_dir()))
def test_the_bundled_models_pass(name: str) -> None:
    vet(SPEC, BUNDLED / name)


@pytest.mark.parametrize("content", ["[" * 100_000, "{", "\x00", "9" * 5000])
def test_a_config_that_is_none_is_an_error(content: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(WeightsError, match="cannot be read"):
        vet(SPEC, tmp_path)


def test_an_adapter_of_another_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(WeightsError, match="another model"):
        vet(SPEC, tmp_path)


@pytest.mark.parametrize(
    "pickle", ["open_clip_pytorch_model.bin", "pytorch_model.bin", "model.pth", "a.bin"]
)
def test_no_pickle_is_opened_whatever_lies_beside_it(pickle: str, tmp_path: Path) -> None:
    from visdiff_local.models.backends.open_clip import _weights, _without_pickles

    spec = ModelSpec(name="m", backend="open_clip")
    for name in (pickle, "open_clip_config.json", "domain.safetensors", "x.py"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(WeightsError, match="no weights in safetensors"):
        _weights(spec, tmp_path)
    (tmp_path / "model.safetensors").write_text("{}")
    chosen = _weights(spec, tmp_path)
    with _without_pickles(tmp_path, chosen) as seen:
        assert {path.name for path in seen.iterdir()} == {
            "model.safetensors",
            "open_clip_config.json",
        }
