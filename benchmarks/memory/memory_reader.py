"""How much memory is in use: of a card by torch's allocator, of a processor by the process."""

import gc
from pathlib import Path
from typing import Protocol

import torch


class MemoryReader(Protocol):
    """Bytes in use, now and at most."""

    def allocated(self) -> int:
        """What tensors take now."""

    def peak_allocated(self) -> int:
        """Most that tensors took since the last ``reset_peak``."""

    def peak_reserved(self) -> int:
        """Most that the allocator held since the last ``reset_peak``, what it keeps for later included."""

    def outside(self) -> int:
        """What the process takes of the card beyond the allocator: context, kernels, libraries."""

    def reset_peak(self) -> None:
        """Start a new peak."""

    def free(self) -> None:
        """Give back everything that nothing refers to any more."""

    def synchronize(self) -> None:
        """Wait until the device has done all that it was told."""


class CudaMemory:
    """A card. Nothing else may run on it: what others take would count as ``outside``."""

    def allocated(self) -> int:
        """Bytes in tensors."""
        return torch.cuda.memory_allocated()

    def peak_allocated(self) -> int:
        """Most bytes in tensors."""
        return torch.cuda.max_memory_allocated()

    def peak_reserved(self) -> int:
        """Most bytes that the caching allocator held."""
        return torch.cuda.max_memory_reserved()

    def outside(self) -> int:
        """Used memory of the card, as ``nvidia-smi`` shows it, less what the caching allocator holds."""
        free, total = torch.cuda.mem_get_info()
        return total - free - torch.cuda.memory_reserved()

    def reset_peak(self) -> None:
        """Both peaks."""
        torch.cuda.reset_peak_memory_stats()

    def free(self) -> None:
        """Collect cycles and empty the cache."""
        gc.collect()
        torch.cuda.empty_cache()

    def synchronize(self) -> None:
        """Wait for the card."""
        torch.cuda.synchronize()


class ProcessMemory:
    """This process, on Linux: to try the program out. What Python and libraries take is in every figure."""

    def allocated(self) -> int:
        """Resident size."""
        return self._status("VmRSS")

    def peak_allocated(self) -> int:
        """Peak resident size."""
        return self._status("VmHWM")

    def peak_reserved(self) -> int:
        """The same: a processor's allocator keeps nothing that could be told apart."""
        return self._status("VmHWM")

    def outside(self) -> int:
        """Nothing."""
        return 0

    def reset_peak(self) -> None:
        """As proc(5) has it: writing 5 resets the peak resident size."""
        Path("/proc/self/clear_refs").write_text("5")

    def free(self) -> None:
        """Collect cycles."""
        gc.collect()

    def synchronize(self) -> None:
        """Nothing to wait for."""

    def _status(self, name: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:"))) * 1024
