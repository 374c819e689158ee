"""Cards that a cluster's people add to the catalogue."""

from collections.abc import Iterator

import pytest
from jobs import plan_of

from finetune_core.errors import InvalidSpec
from finetune_core.planning import add_gpus, catalogue, find_gpu
from finetune_core.planning import gpus as module

MIG = """
- name: A100-3g.40gb
  memoryGiB: 39.25
  computeCapability: "8.0"
  bf16: true
  tflops16: 134
  bandwidthGBs: 1020
  pricePerHour: 0.6
  labels: {product: [NVIDIA-A100-SXM4-80GB-MIG-3g.40gb], example.com/gpu: [half-a100]}
  aliases: [half an A100]
  resourceName: nvidia.com/mig-3g.40gb
"""


@pytest.fixture(autouse=True)
def shipped_catalogue_again() -> Iterator[None]:
    yield
    module._added.clear()
    add_gpus("[]")


def test_an_added_card_is_found_by_all_its_names() -> None:
    add_gpus(MIG)
    card = find_gpu("a100_3g.40gb")
    assert card is find_gpu("Half an A100") is find_gpu("NVIDIA-A100-SXM4-80GB-MIG-3g.40gb")
    assert card.resource_name == "nvidia.com/mig-3g.40gb"
    assert card.node_labels == {
        "nvidia.com/mig-3g.40gb.product": ("NVIDIA-A100-SXM4-80GB-MIG-3g.40gb",),
        "example.com/gpu": ("half-a100",),
    }
    assert card in catalogue()


def test_a_known_card_can_have_another_price() -> None:
    before = len(catalogue())
    add_gpus(MIG.replace("A100-3g.40gb", "A10", 1).replace("0.6", "0.01"))
    assert find_gpu("A10").price_per_hour == 0.01
    assert len(catalogue()) == before


@pytest.mark.parametrize(("kind", "named"), [("nvidia.com/mig-3g.40gb", False), ("nvidia.com/gpu", True)])
def test_a_slice_is_no_alternative_however_cheap(kind: str, named: bool) -> None:
    add_gpus(MIG.replace("nvidia.com/mig-3g.40gb", kind).replace("0.6", "0.01"))
    changes = [alternative.change for alternative in plan_of("gpu.type=RTX-3070").alternatives]
    assert ("gpu.type=A100-3g.40gb" in changes) == named
    assert len([change for change in changes if change.startswith("gpu.type=")]) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (MIG.replace("memoryGiB: 39.25", "memoryGiB: 0"), "memoryGiB: Input should be greater than 0, not 0"),
        (MIG.replace("39.25", "a lot"), "memoryGiB: Input should be a valid number, not 'a lot'"),
        (MIG.replace("bf16: true\n", "\n"), "bf16: Field required"),
        (MIG + "  colour: green\n", "colour: Extra inputs are not permitted, not 'green'"),
        ("A100: 80", "a list of entries"),
        ("- A100", "Input should be"),
    ],
)
def test_what_is_no_card_is_refused_in_one_line_and_changes_nothing(text: str, words: str) -> None:
    before = catalogue()
    with pytest.raises(InvalidSpec) as refused:
        add_gpus(text)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert catalogue() == before
