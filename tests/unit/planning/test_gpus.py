"""The catalogue: what it says of each card, and which names lead to it."""

import dataclasses
import json
import re
from collections import Counter

import pytest

from finetune_cli.gpus import Output, gpus
from finetune_core.errors import InvalidSpec
from finetune_core.planning.gpus import Gpu, catalogue, find_gpu, price_note

CARDS = [gpu for gpu in catalogue() if not gpu.is_cpu]
NAMES = [(name, gpu) for gpu in catalogue() for name in (gpu.name, *gpu.aliases)]
GIB = 2**30
GKE = "cloud.google.com/gke-accelerator"
KARPENTER = "karpenter.k8s.aws/instance-gpu-name"
EKS_AUTO_MODE = "eks.amazonaws.com/instance-gpu-name"
AKS = "karpenter.azure.com/sku-gpu-name"


def _named(gpu: Gpu) -> str:
    return gpu.name


class TestCatalogue:
    def test_holds_the_common_cards(self) -> None:
        promised = {
            "cpu", "V100-16GB", "V100-32GB", "T4", "A10", "A10G", "A30", "A40", "A100-40GB", "A100-80GB", "L4", "L40",
            "L40S", "H100-80GB", "H100-NVL", "H200", "H20", "GH200-96GB", "B200", "RTX-2080-Ti", "RTX-3060", "RTX-3070",
            "RTX-3080-10GB", "RTX-3090", "RTX-4060-Ti-16GB", "RTX-4070", "RTX-4080", "RTX-4090", "RTX-5080", "RTX-5090",
            "RTX-A4000", "RTX-A5000", "RTX-A6000", "RTX-6000-Ada", "RTX-2070", "RTX-2080-Super", "TITAN-RTX",
            "Quadro-RTX-8000", "RTX-3080-12GB", "RTX-3080-Ti", "RTX-3090-Ti", "RTX-4060", "RTX-4070-Ti-Super",
            "RTX-4090-D", "RTX-5060-Ti-16GB", "RTX-5070-Ti", "RTX-4000-Ada", "RTX-5000-Ada", "RTX-PRO-5000-72GB",
            "RTX-PRO-6000", "A2", "A16", "A800-80GB", "H800", "L20", "GH200-144GB", "GB200", "B300", "GB300",
            "A100-40GB-3g.20gb", "A100-80GB-1g.10gb", "H100-80GB-3g.40gb", "H200-1g.18gb",
        }  # fmt: skip
        assert promised <= {gpu.name for gpu in catalogue()}

    def test_names_a_card_once(self) -> None:
        assert max(Counter(gpu.name for gpu in catalogue()).values()) == 1

    def test_is_read_once(self) -> None:
        assert catalogue() is catalogue()

    def test_cannot_be_changed(self) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            find_gpu("A10").memory_bytes = 0  # type: ignore[misc]

    @pytest.mark.parametrize(
        ("name", "gib"),
        [
            ("RTX-3070", 7.65), ("RTX-3060", 11.75), ("T4", 14.6), ("RTX-4060-Ti-16GB", 15.6), ("V100-16GB", 15.75),
            ("L4", 22.0), ("A10", 22.05), ("RTX-4090", 23.5), ("RTX-3090", 23.6), ("A100-40GB", 39.4), ("L40S", 44.4),
            ("RTX-PRO-5000-72GB", 71.1), ("H100-80GB", 79.1), ("A100-80GB", 79.15), ("RTX-PRO-6000", 94.95),
            ("GH200-144GB", 142.5), ("GB200", 184.3), ("B300", 267.65), ("GB300", 276.45), ("A100-80GB-1g.10gb", 9.5),
            ("A100-80GB-3g.40gb", 39.25), ("H200-2g.35gb", 32.5), ("cpu", 16),
        ],
    )  # fmt: skip
    def test_memory_is_what_the_driver_reports(self, name: str, gib: float) -> None:
        assert find_gpu(name).memory_bytes == round(gib * GIB)

    @pytest.mark.parametrize("gpu", [gpu for gpu in CARDS if gpu.name.lower().endswith("gb")], ids=_named)
    def test_memory_is_a_little_less_than_the_label(self, gpu: Gpu) -> None:
        label = int(re.findall(r"(\d+)gb", gpu.name.lower())[-1])
        assert 0.88 * label <= gpu.memory_bytes / GIB < label

    @pytest.mark.parametrize("gpu", catalogue(), ids=_named)
    def test_bf16_begins_with_compute_capability_8(self, gpu: Gpu) -> None:
        assert gpu.bf16 == ((gpu.compute_capability or (0, 0)) >= (8, 0))

    @pytest.mark.parametrize(
        ("name", "capability"),
        [("V100-16GB", (7, 0)), ("T4", (7, 5)), ("A100-80GB", (8, 0)), ("A10", (8, 6)), ("L4", (8, 9)),
         ("H100-80GB", (9, 0)), ("B200", (10, 0)), ("B300", (10, 3)), ("RTX-5090", (12, 0)), ("cpu", None)],
    )  # fmt: skip
    def test_compute_capability(self, name: str, capability: tuple[int, int] | None) -> None:
        assert find_gpu(name).compute_capability == capability

    @pytest.mark.parametrize("gpu", CARDS, ids=_named)
    def test_a_card_has_speed_and_price(self, gpu: Gpu) -> None:
        # Outside of these bounds a figure has slipped: sparse TFLOPS, GiB/s, or cents.
        assert 15 <= gpu.tflops <= 2500
        assert 200 <= gpu.bandwidth <= 8000
        assert 0.05 <= gpu.price_per_hour <= 20

    def test_the_processor_costs_nothing(self) -> None:
        cpu = find_gpu("cpu")
        assert cpu.is_cpu
        assert cpu.price_per_hour == 0
        assert not cpu.bf16

    @pytest.mark.parametrize("gpu", CARDS, ids=_named)
    def test_a_card_is_had_by_its_resource_and_found_by_labels_that_nodes_can_have(self, gpu: Gpu) -> None:
        profile = re.search(r"\dg\.\d+gb$", gpu.name)
        assert gpu.resource_name == (f"nvidia.com/mig-{profile[0]}" if profile else "nvidia.com/gpu")
        assert gpu.is_slice == bool(profile)
        assert gpu.node_labels.keys() <= {f"{gpu.resource_name}.product", GKE, KARPENTER, EKS_AUTO_MODE, AKS}
        for value in (value for values in gpu.node_labels.values() for value in values):
            assert re.fullmatch(r"[A-Za-z0-9][-A-Za-z0-9_.]{0,61}[A-Za-z0-9]", value)
            assert value in gpu.aliases

    def test_only_cards_that_share_their_label_with_another_size_have_none(self) -> None:
        assert {gpu.name for gpu in CARDS if not gpu.node_labels} == {
            "RTX-2060-6GB", "RTX-3080-10GB", "RTX-3080-12GB", "RTX-4060-Ti-8GB", "RTX-4060-Ti-16GB", "RTX-5060-Ti-8GB",
            "RTX-5060-Ti-16GB",
        }  # fmt: skip

    def test_labels_are_told_apart_by_who_gives_them(self) -> None:
        assert find_gpu("T4").node_labels == {
            "nvidia.com/gpu.product": ("Tesla-T4",),
            GKE: ("nvidia-tesla-t4",),
            KARPENTER: ("t4",),
            EKS_AUTO_MODE: ("t4",),
            AKS: ("T4",),
        }

    @pytest.mark.parametrize("key", [KARPENTER, EKS_AUTO_MODE])
    def test_labels_of_eks_but_those_that_stand_for_several_sizes_or_parts_of_a_card(self, key: str) -> None:
        labels = {gpu.node_labels[key][0]: gpu.name for gpu in CARDS if key in gpu.node_labels}
        assert labels == {
            "t4": "T4", "a10g": "A10G", "l40s": "L40S", "h100": "H100-80GB", "h200": "H200", "b200": "B200",
        }  # fmt: skip

    def test_a_slice_is_told_by_the_label_of_its_kind_and_is_less_than_the_card(self) -> None:
        for slice_ in (gpu for gpu in CARDS if gpu.is_slice):
            card = find_gpu(slice_.name.rpartition("-")[0])
            ((key, products),) = slice_.node_labels.items()
            profile = slice_.name.rpartition("-")[2]
            assert key == f"nvidia.com/mig-{profile}.product"
            assert products == tuple(f"{of}-MIG-{profile}" for of in card.node_labels["nvidia.com/gpu.product"])
            assert slice_.compute_capability == card.compute_capability
            for of_slice, of_card in (
                (slice_.memory_bytes, card.memory_bytes),
                (slice_.tflops, card.tflops),
                (slice_.bandwidth, card.bandwidth),
                (slice_.price_per_hour, card.price_per_hour),
            ):
                assert 0.1 < of_slice / of_card < 0.51

    def test_the_processor_is_no_resource_and_has_no_label(self) -> None:
        assert (find_gpu("cpu").resource_name, find_gpu("cpu").node_labels) == (None, {})

    def test_prices_say_their_date_and_currency(self) -> None:
        assert re.search(r"USD.*20\d\d", price_note())


class TestFindGpu:
    @pytest.mark.parametrize(("name", "gpu"), NAMES, ids=[name for name, _ in NAMES])
    def test_every_name_and_alias_leads_to_its_card(self, name: str, gpu: Gpu) -> None:
        # Also proves that no two cards claim a name: the second would win, and the first fail here.
        assert find_gpu(name) is gpu

    @pytest.mark.parametrize("gpu", catalogue(), ids=_named)
    def test_spelling_makes_no_difference(self, gpu: Gpu) -> None:
        for spelled in (
            gpu.name.lower(),
            gpu.name.upper(),
            gpu.name.replace("-", " "),
            gpu.name.replace("-", "_"),
            gpu.name.replace("-", ""),
            f"NVIDIA-{gpu.name}",
            f" nvidia {gpu.name}\n",
        ):
            assert find_gpu(spelled) is gpu, spelled

    @pytest.mark.parametrize(
        ("label", "name"),
        [
            ("nvidia-tesla-t4", "T4"), ("nvidia-tesla-v100", "V100-16GB"), ("nvidia-tesla-a100", "A100-40GB"),
            ("nvidia-a100-80gb", "A100-80GB"), ("nvidia-l4", "L4"), ("nvidia-h100-80gb", "H100-80GB"),
            ("nvidia-h100-mega-80gb", "H100-80GB"), ("nvidia-h200-141gb", "H200"), ("nvidia-b200", "B200"),
            ("nvidia-gb200", "GB200"),
        ],
    )  # fmt: skip
    def test_labels_of_gke(self, label: str, name: str) -> None:
        assert find_gpu(label).name == name

    @pytest.mark.parametrize(
        ("label", "name"),
        [
            ("Tesla-T4", "T4"), ("Tesla-V100-SXM2-32GB", "V100-32GB"), ("NVIDIA-A10", "A10"),
            ("NVIDIA-A100-SXM4-40GB", "A100-40GB"), ("NVIDIA-A100-SXM4-80GB", "A100-80GB"),
            ("NVIDIA-A100-80GB-PCIe", "A100-80GB"), ("NVIDIA-H100-80GB-HBM3", "H100-80GB"),
            ("NVIDIA-H100-NVL", "H100-NVL"), ("NVIDIA-GeForce-RTX-4090", "RTX-4090"),
            ("NVIDIA-RTX-6000-Ada-Generation", "RTX-6000-Ada"), ("NVIDIA-B300-SXM6-AC", "B300"),
            ("NVIDIA-GeForce-RTX-4070-Ti-SUPER", "RTX-4070-Ti-Super"), ("Quadro-RTX-8000", "Quadro-RTX-8000"),
            ("NVIDIA-RTX-PRO-5000-Blackwell", "RTX-PRO-5000-48GB"),
            ("NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition", "RTX-PRO-6000"),
            ("NVIDIA-H100-80GB-HBM3-MIG-1g.10gb", "H100-80GB-1g.10gb"),
            ("NVIDIA-A100-SXM4-80GB-MIG-1g.10gb", "A100-80GB-1g.10gb"),
        ],
    )  # fmt: skip
    def test_labels_of_gpu_feature_discovery(self, label: str, name: str) -> None:
        assert find_gpu(label).name == name

    @pytest.mark.parametrize(
        ("unknown", "nearest"),
        [
            ("A100", ["A100-40GB", "A100-80GB"]),
            ("nvidia_v100", ["V100-16GB", "V100-32GB"]),
            ("NVIDIA-GeForce-RTX-4060-Ti", ["RTX-4060-Ti-8GB", "RTX-4060-Ti-16GB"]),
            ("RTX 3080", ["RTX-3080-10GB", "RTX-3080-12GB"]),
            ("mig-1g.10gb", ["A100-80GB-1g.10gb", "H100-80GB-1g.10gb"]),
            ("A100-80", ["A100-80GB"]),
            ("RTX-4091", ["RTX-4090"]),
            ("RTX-6000", ["Quadro-RTX-6000", "RTX-6000-Ada"]),
        ],
    )
    def test_an_unknown_name_answers_with_the_nearest(self, unknown: str, nearest: list[str]) -> None:
        with pytest.raises(InvalidSpec) as error:
            find_gpu(unknown)
        message = str(error.value)
        assert repr(unknown) in message
        assert all(name in message for name in nearest)
        assert "\n" not in message

    def test_slices_do_not_hide_the_sizes_of_a_card(self) -> None:
        with pytest.raises(InvalidSpec, match="did you mean A100-40GB or A100-80GB\\? "):
            find_gpu("A100")

    @pytest.mark.parametrize("unknown", ["", "nvidia", "-", "MI300X", "\n" * 200, "x" * 100_000])
    def test_a_name_like_no_other_points_at_the_list(self, unknown: str) -> None:
        with pytest.raises(InvalidSpec, match=": 'ftj gpus' lists all of them") as error:
            find_gpu(unknown)
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 200


class TestCommand:
    def test_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        gpus(Output.json)
        rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
        assert list(rows) == [gpu.name for gpu in catalogue()]
        assert rows["A10"] == {
            "name": "A10",
            "memoryBytes": round(22.05 * GIB),
            "computeCapability": "8.6",
            "bf16": True,
            "tflops16": 125.0,
            "bandwidthGBs": 600.0,
            "pricePerHour": 0.75,
            "currency": "USD",
            "aliases": ["NVIDIA-A10"],
        }
        assert rows["cpu"]["computeCapability"] is None

    def test_text_fits_80_columns(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "80")
        gpus(Output.text)
        lines = capsys.readouterr().out.splitlines()
        for gpu in catalogue():
            assert any(line.strip().startswith(gpu.name) for line in lines), gpu.name
        rows = [line for line in lines if any(line.split()[:1] == [gpu.name] for gpu in catalogue())]
        assert len(rows) == len(catalogue())
        assert max(map(len, lines)) <= 80
        assert not any("…" in line for line in lines)
