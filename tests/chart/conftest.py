"""Helm and promtool, the real ones, and an API server. That this file is here makes ``import rendered`` possible."""

from collections.abc import Callable
from pathlib import Path

import pytest
from rendered import Helm

from go_binaries import GoMissing, go_binary
from integration.conftest import control_plane, say

__all__ = ["control_plane", "say"]


@pytest.fixture(scope="session")
def helm(say: Callable[[str], None], tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm, with nothing of this machine's own settings."""
    return Helm(_binary("helm", say), tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def promtool(say: Callable[[str], None]) -> Path:
    """Prometheus' tool that checks and tests rules."""
    return _binary("promtool", say)


def _binary(name: str, say: Callable[[str], None]) -> Path:
    try:
        return go_binary(name, say, pinned=True)
    except GoMissing as error:
        pytest.skip(str(error))
