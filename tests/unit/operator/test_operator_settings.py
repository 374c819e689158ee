"""Settings from the environment."""

from dataclasses import fields
from typing import Any

import pytest

from finetune_core.errors import InvalidSpec
from finetune_operator.settings import PREFIX, Settings, settings_from_environment

IMAGE = {f"{PREFIX}TRAINER_IMAGE": "registry.local/trainer:1"}
OTHER: dict[Any, tuple[str, Any]] = {int: ("7", 7), float: ("0.5", 0.5), str: ("other", "other")}


def test_the_image_is_enough() -> None:
    assert settings_from_environment(IMAGE | {"PATH": "/bin"}) == Settings(trainer_image="registry.local/trainer:1")


@pytest.mark.parametrize("field", fields(Settings), ids=lambda field: field.name)
def test_every_setting_can_be_given(field: Any) -> None:
    text, value = OTHER.get(field.type, ("a, b,", ("a", "b")))
    given = settings_from_environment(IMAGE | {f"{PREFIX}{field.name.upper()}": text})
    assert getattr(given, field.name) == value


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        pytest.param({}, "FTJ_OPERATOR_TRAINER_IMAGE is not set", id="no image"),
        pytest.param({f"{PREFIX}TRAINER_IMAGE": ""}, "FTJ_OPERATOR_TRAINER_IMAGE is not set", id="empty image"),
        pytest.param(IMAGE | {f"{PREFIX}PROT": "1"}, "FTJ_OPERATOR_PROT is no setting", id="unknown"),
        pytest.param(IMAGE | {f"{PREFIX}PORT": "http"}, "FTJ_OPERATOR_PORT='http' is not of type", id="no number"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused_by_name(environment: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        settings_from_environment(environment)
    assert str(caught.value).startswith(message)
