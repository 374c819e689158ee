"""Shapes: every one gives the true parameter count, and a stranger's config.json is checked before it is used."""

import json
from typing import Any

import pytest

from finetune_core.contract.shape import ModelShape
from finetune_core.errors import InvalidSpec
from finetune_core.planning.shapes import shape_from_config, shipped_shape, smaller_models

# What the hub says of the safetensors of each repository. Qwen3-0.6B and 1.7B are given as the model has them: their
# files hold the tied embedding twice (751,632,384 and 2,031,739,904).
PUBLISHED = {
    "Qwen/Qwen2.5-0.5B": 494_032_768,
    "Qwen/Qwen2.5-0.5B-Instruct": 494_032_768,
    "Qwen/Qwen2.5-1.5B": 1_543_714_304,
    "Qwen/Qwen2.5-1.5B-Instruct": 1_543_714_304,
    "Qwen/Qwen2.5-3B": 3_085_938_688,
    "Qwen/Qwen2.5-3B-Instruct": 3_085_938_688,
    "Qwen/Qwen2.5-7B": 7_615_616_512,
    "Qwen/Qwen2.5-7B-Instruct": 7_615_616_512,
    "Qwen/Qwen2.5-14B": 14_770_033_664,
    "Qwen/Qwen2.5-14B-Instruct": 14_770_033_664,
    "Qwen/Qwen2.5-32B": 32_763_876_352,
    "Qwen/Qwen2.5-32B-Instruct": 32_763_876_352,
    "Qwen/Qwen2.5-72B": 72_706_203_648,
    "Qwen/Qwen2.5-72B-Instruct": 72_706_203_648,
    "Qwen/Qwen3-0.6B": 596_049_920,
    "Qwen/Qwen3-0.6B-Base": 596_049_920,
    "Qwen/Qwen3-1.7B": 1_720_574_976,
    "Qwen/Qwen3-1.7B-Base": 1_720_574_976,
    "Qwen/Qwen3-4B": 4_022_468_096,
    "Qwen/Qwen3-4B-Base": 4_022_468_096,
    "Qwen/Qwen3-8B": 8_190_735_360,
    "Qwen/Qwen3-8B-Base": 8_190_735_360,
    "Qwen/Qwen3-14B": 14_768_307_200,
    "Qwen/Qwen3-14B-Base": 14_768_307_200,
    "Qwen/Qwen3-30B-A3B": 30_532_122_624,
    "Qwen/Qwen3-30B-A3B-Base": 30_532_122_624,
    "Qwen/Qwen3-30B-A3B-Instruct-2507": 30_532_122_624,
    "Qwen/Qwen3-30B-A3B-Thinking-2507": 30_532_122_624,
    "Qwen/Qwen3-Coder-30B-A3B-Instruct": 30_532_122_624,
    "Qwen/Qwen3-32B": 32_762_123_264,
    "Qwen/Qwen3-235B-A22B": 235_093_634_560,
    "Qwen/Qwen3-235B-A22B-Instruct-2507": 235_093_634_560,
    "Qwen/Qwen3-235B-A22B-Thinking-2507": 235_093_634_560,
    "meta-llama/Llama-3.2-1B": 1_235_814_400,
    "meta-llama/Llama-3.2-1B-Instruct": 1_235_814_400,
    "meta-llama/Llama-3.2-3B": 3_212_749_824,
    "meta-llama/Llama-3.2-3B-Instruct": 3_212_749_824,
    "meta-llama/Llama-3.1-8B": 8_030_261_248,
    "meta-llama/Llama-3.1-8B-Instruct": 8_030_261_248,
    "meta-llama/Llama-3.1-70B": 70_553_706_496,
    "meta-llama/Llama-3.1-70B-Instruct": 70_553_706_496,
    "mistralai/Mistral-7B-v0.3": 7_248_023_552,
    "mistralai/Mistral-7B-Instruct-v0.3": 7_248_023_552,
    "mistralai/Mixtral-8x7B-v0.1": 46_702_792_704,
    "mistralai/Mixtral-8x7B-Instruct-v0.1": 46_702_792_704,
    "TinyLlama/TinyLlama-1.1B-intermediate-step-1431k-3T": 1_100_048_384,
    "TinyLlama/TinyLlama-1.1B-Chat-v1.0": 1_100_048_384,
    "microsoft/Phi-3-mini-4k-instruct": 3_821_079_552,
    "microsoft/Phi-3-mini-128k-instruct": 3_821_079_552,
    "microsoft/Phi-3.5-mini-instruct": 3_821_079_552,
    "microsoft/Phi-3-medium-4k-instruct": 13_960_238_080,
    "microsoft/Phi-3-medium-128k-instruct": 13_960_238_080,
    "microsoft/Phi-4-mini-instruct": 3_836_021_760,
    "microsoft/phi-4": 14_659_507_200,
    "zai-org/GLM-4-9B-0414": 9_400_279_040,
    "THUDM/GLM-4-9B-0414": 9_400_279_040,
}

# A small model of each type, with as little said as its config.json may say. The counts are those of
# AutoModelForCausalLM.from_config on torch's meta device, transformers 5.23.
SMALL = {
    "hidden_size": 96,
    "intermediate_size": 160,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 1000,
}


def shipped(name: str) -> ModelShape:
    shape = shipped_shape(f"hf://{name}")
    assert shape is not None
    return shape


class TestShippedShape:
    @pytest.mark.parametrize(("name", "parameters"), PUBLISHED.items(), ids=PUBLISHED)
    def test_has_the_published_parameter_count(self, name: str, parameters: int) -> None:
        assert shipped(name).parameters == parameters

    def test_a_revision_makes_no_difference(self) -> None:
        assert shipped_shape("hf://Qwen/Qwen2.5-7B@main") == shipped("Qwen/Qwen2.5-7B")

    def test_base_and_instruct_differ_in_context(self) -> None:
        assert shipped("Qwen/Qwen2.5-7B").max_position_embeddings == 131072
        assert shipped("Qwen/Qwen2.5-7B-Instruct").max_position_embeddings == 32768

    @pytest.mark.parametrize(
        "uri",
        [
            "hf://Qwen/Qwen2.5-7B-GGUF",
            "hf://datasets/Qwen/Qwen2.5-7B",
            "hf://Qwen/Qwen2.5-7B/subfolder",
            "s3://models/Qwen/Qwen2.5-7B",
            "file:///models/Qwen2.5-7B",
        ],
    )
    def test_other_locations_have_none(self, uri: str) -> None:
        assert shipped_shape(uri) is None
        assert smaller_models(uri) == []

    def test_what_is_no_location_is_refused(self) -> None:
        with pytest.raises(InvalidSpec, match="is not a location"):
            shipped_shape("Qwen/Qwen2.5-7B")


class TestSmallerModels:
    @pytest.mark.parametrize(
        ("uri", "smaller"),
        [
            ("hf://Qwen/Qwen2.5-7B-Instruct@main",
             ["hf://Qwen/Qwen2.5-3B-Instruct", "hf://Qwen/Qwen2.5-1.5B-Instruct", "hf://Qwen/Qwen2.5-0.5B-Instruct"]),
            ("hf://Qwen/Qwen2.5-3B", ["hf://Qwen/Qwen2.5-1.5B", "hf://Qwen/Qwen2.5-0.5B"]),
            ("hf://Qwen/Qwen3-4B-Base", ["hf://Qwen/Qwen3-1.7B-Base", "hf://Qwen/Qwen3-0.6B-Base"]),
            ("hf://Qwen/Qwen3-4B", ["hf://Qwen/Qwen3-1.7B", "hf://Qwen/Qwen3-0.6B"]),
            ("hf://meta-llama/Llama-3.1-8B-Instruct",
             ["hf://meta-llama/Llama-3.2-3B-Instruct", "hf://meta-llama/Llama-3.2-1B-Instruct"]),
            ("hf://microsoft/Phi-3-medium-4k-instruct", ["hf://microsoft/Phi-3.5-mini-instruct"]),
            ("hf://Qwen/Qwen2.5-0.5B", []),
            ("hf://mistralai/Mistral-7B-v0.3", []),
        ],
    )  # fmt: skip
    def test_are_of_the_family_and_kind_and_the_next_comes_first(self, uri: str, smaller: list[str]) -> None:
        assert smaller_models(uri) == smaller

    @pytest.mark.parametrize("name", PUBLISHED)
    def test_are_shipped_themselves(self, name: str) -> None:
        sizes = [PUBLISHED[name], *(PUBLISHED[uri.removeprefix("hf://")] for uri in smaller_models(f"hf://{name}"))]
        assert sizes == sorted(set(sizes), reverse=True)


def config_of(shape: ModelShape) -> dict[str, Any]:
    """The config.json that says this shape."""
    inner = "moe_intermediate_size" if shape.model_type == "qwen3_moe" else "intermediate_size"
    experts = {"num_experts": shape.num_experts, "num_experts_per_tok": shape.experts_per_token}
    return (experts if shape.num_experts else {}) | {
        "model_type": shape.model_type,
        "hidden_size": shape.hidden_size,
        inner: shape.intermediate_size,
        "num_hidden_layers": shape.num_layers,
        "num_attention_heads": shape.num_heads,
        "num_key_value_heads": shape.num_kv_heads,
        "head_dim": shape.head_dim,
        "vocab_size": shape.vocab_size,
        "max_position_embeddings": shape.max_position_embeddings,
        "tie_word_embeddings": shape.tied_embeddings,
        "rope_theta": 1e6,
    }


class TestShapeFromConfig:
    @pytest.mark.parametrize("name", PUBLISHED)
    def test_reads_what_we_ship(self, name: str) -> None:
        config = json.loads(json.dumps(config_of(shipped(name))))
        assert shape_from_config(config, name) == shipped(name)

    @pytest.mark.parametrize(
        ("model_type", "changes", "parameters"),
        [
            ("llama", {}, 413_856),
            ("llama", {"tie_word_embeddings": True}, 317_856),
            ("llama", {"head_dim": 40}, 469_152),
            ("mistral", {}, 413_856),
            ("mistral", {"tie_word_embeddings": True}, 317_856),
            ("mistral", {"head_dim": 40}, 469_152),
            ("qwen2", {}, 414_432),
            ("qwen2", {"tie_word_embeddings": True}, 318_432),
            ("qwen2", {"head_dim": 40}, 470_112),
            ("qwen3", {}, 774_048),
            ("qwen3", {"tie_word_embeddings": True}, 678_048),
            ("qwen3", {"head_dim": 40}, 469_392),
            ("gemma", {}, 1_119_648),
            ("gemma", {"tie_word_embeddings": False}, 1_215_648),
            ("gemma", {"head_dim": 40}, 373_152),
            ("gemma3_text", {}, 1_121_760),
            ("gemma3_text", {"tie_word_embeddings": False}, 1_217_760),
            ("gemma3_text", {"head_dim": 40}, 373_968),
            ("phi3", {}, 413_856),
            ("phi3", {"tie_word_embeddings": True}, 317_856),
            ("phi3", {"head_dim": 40}, 469_152),
            ("glm4", {}, 776_928),
            ("glm4", {"attention_bias": False}, 773_856),
            ("glm4", {"tie_word_embeddings": True}, 680_928),
            ("glm4", {"head_dim": 40}, 470_688),
            ("mixtral", {}, 1_383_840),
            ("mixtral", {"num_local_experts": 4, "head_dim": 40}, 885_024),
            ("qwen3_moe", {"moe_intermediate_size": 64}, 7_390_512),
            ("qwen3_moe", {"moe_intermediate_size": 64, "num_experts": 12, "head_dim": 40}, 998_160),
        ],
    )
    def test_counts_as_transformers_does(self, model_type: str, changes: dict[str, Any], parameters: int) -> None:
        config = SMALL | {"model_type": model_type} | changes
        assert shape_from_config(config, "config.json").parameters == parameters

    @pytest.mark.parametrize(
        ("model_type", "heads", "kv_heads"),
        [("llama", 32, 32), ("mistral", 32, 8), ("qwen2", 64, 32), ("qwen3", 64, 32), ("gemma", 16, 16),
         ("gemma3_text", 8, 4), ("phi3", 32, 32), ("glm4", 4, 2), ("mixtral", 32, 8)],
    )  # fmt: skip
    def test_silence_on_kv_heads_means_the_default_of_the_type(
        self, model_type: str, heads: int, kv_heads: int
    ) -> None:
        config = {key: value for key, value in SMALL.items() if key != "num_key_value_heads"}
        config |= {"num_attention_heads": heads, "hidden_size": 64 * heads}
        assert shape_from_config({**config, "model_type": model_type}, "config.json").num_kv_heads == kv_heads

    def test_null_kv_heads_mean_as_many_as_heads(self) -> None:
        config = SMALL | {"model_type": "qwen2", "num_key_value_heads": None}
        assert shape_from_config(config, "config.json").num_kv_heads == 4

    @pytest.mark.parametrize(
        ("model_type", "positions"),
        [("llama", 2048), ("mistral", 131072), ("qwen2", 32768), ("qwen3", 32768), ("gemma", 8192),
         ("gemma3_text", 131072), ("phi3", 4096), ("glm4", 131072), ("mixtral", 131072)],
    )  # fmt: skip
    def test_silence_on_the_context_means_the_default_of_the_type(self, model_type: str, positions: int) -> None:
        assert shape_from_config(SMALL | {"model_type": model_type}, "x").max_position_embeddings == positions

    @pytest.mark.parametrize("model_type", ["mamba9", "t5", "", None, 7, ["llama"], {"llama": 1}])
    def test_other_types_are_refused_with_the_known_ones(self, model_type: object) -> None:
        with pytest.raises(InvalidSpec, match=r"config.json: model type .* is not known yet: known are llama, mistral"):
            shape_from_config(SMALL | {"model_type": model_type}, "config.json")

    @pytest.mark.parametrize(
        ("model_type", "reason"),
        [("gemma2", "its attention caps the scores"), ("qwen2_moe", "nothing beside the experts")],
    )
    def test_types_that_people_would_ask_for_are_refused_with_the_reason(self, model_type: str, reason: str) -> None:
        with pytest.raises(InvalidSpec, match=rf"config.json: model type {model_type} cannot be trained: .*{reason}"):
            shape_from_config(SMALL | {"model_type": model_type}, "config.json")

    def test_experts_are_read_by_either_name(self) -> None:
        told = shape_from_config(SMALL | {"model_type": "mixtral", "num_local_experts": 6}, "config.json")
        assert told == shape_from_config(SMALL | {"model_type": "mixtral", "num_experts": 6}, "config.json")
        assert (told.num_experts, told.experts_per_token) == (6, 2)
        assert list(told.linear_shapes) == ["q_proj", "k_proj", "v_proj", "o_proj"]

    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            ({"decoder_sparse_step": 2}, "decoder_sparse_step is 2: only models with experts in every layer are known"),
            ({"mlp_only_layers": [0]}, r"mlp_only_layers is \[0\]: only models without it are known"),
            ({"num_experts": 4, "num_experts_per_tok": 5}, "num_experts_per_tok is 5, and there are 4 experts"),
            ({"num_experts": 0}, "num_experts is 0: expected an integer from 1 to"),
        ],
    )
    def test_experts_that_would_not_be_counted_are_refused(self, changes: dict[str, Any], problem: str) -> None:
        mixture = SMALL | {"model_type": "qwen3_moe", "moe_intermediate_size": 64}
        assert shape_from_config(mixture | {"mlp_only_layers": [], "decoder_sparse_step": 1}, "config.json")
        with pytest.raises(InvalidSpec, match=problem):
            shape_from_config(mixture | changes, "config.json")

    def test_a_config_without_a_type_is_refused(self) -> None:
        with pytest.raises(InvalidSpec, match="model type None is not known yet"):
            shape_from_config({}, "config.json")

    def test_what_is_no_object_is_refused(self) -> None:
        with pytest.raises(InvalidSpec, match=r"not a config.json"):
            shape_from_config(json.loads("[1]"), "config.json")

    @pytest.mark.parametrize("key", [key for key in SMALL if key != "num_key_value_heads"])
    def test_a_missing_number_is_named(self, key: str) -> None:
        config = {name: value for name, value in SMALL.items() if name != key}
        with pytest.raises(InvalidSpec, match=f"config.json: {key} is missing"):
            shape_from_config({**config, "model_type": "qwen2"}, "config.json")

    @pytest.mark.parametrize("key", [*SMALL, "head_dim", "max_position_embeddings"])
    @pytest.mark.parametrize("value", ["96", 96.0, True, 0, -1, 10**12, [96], float("nan"), "x" * 10_000])
    def test_a_number_that_makes_no_sense_is_refused(self, key: str, value: object) -> None:
        with pytest.raises(InvalidSpec, match=f"config.json: {key} is .*: expected an integer from 1 to ") as error:
            shape_from_config(SMALL | {"model_type": "llama", key: value}, "config.json")
        assert len(str(error.value)) < 200

    def test_kv_heads_divide_the_heads(self) -> None:
        with pytest.raises(InvalidSpec, match=r"num_attention_heads is 4, .* num_key_value_heads 3"):
            shape_from_config(SMALL | {"model_type": "llama", "num_key_value_heads": 3}, "config.json")

    def test_heads_divide_the_hidden_size_unless_head_dim_is_given(self) -> None:
        odd = SMALL | {"model_type": "mistral", "hidden_size": 98}
        with pytest.raises(InvalidSpec, match=r"hidden_size is 98, .* num_attention_heads 4"):
            shape_from_config(odd, "config.json")
        assert shape_from_config(odd | {"head_dim": 32}, "config.json").head_dim == 32

    @pytest.mark.parametrize(("model_type", "flag"), [("llama", "tie_word_embeddings"), ("glm4", "attention_bias")])
    @pytest.mark.parametrize("value", ["false", 0, []])
    def test_flags_are_true_or_false(self, value: object, model_type: str, flag: str) -> None:
        with pytest.raises(InvalidSpec, match=rf"{flag} is .*: expected true or false"):
            shape_from_config(SMALL | {"model_type": model_type, flag: value}, "config.json")

    @pytest.mark.parametrize(
        ("model_type", "switch"), [("llama", "attention_bias"), ("llama", "mlp_bias"), ("qwen3", "attention_bias")]
    )
    def test_biases_that_would_not_be_counted_are_refused(self, model_type: str, switch: str) -> None:
        assert shape_from_config(SMALL | {"model_type": model_type, switch: False}, "config.json")
        with pytest.raises(InvalidSpec, match=f"{switch} is True"):
            shape_from_config(SMALL | {"model_type": model_type, switch: True}, "config.json")
