"""A step's failure crosses the pod border and is the same error on the other side."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from finetune_core import errors
from finetune_core.contract import Failure
from finetune_core.errors import DatasetUnavailable, FinetuneError, NotFound, StorageError, TrainerError, blamed_on

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, FinetuneError)]


def test_the_tree_is_the_one_in_the_docstring() -> None:
    drawn = {line.split("──")[1].split()[0] for line in (errors.__doc__ or "").splitlines() if "──" in line}
    assert drawn == {kind.__name__ for kind in KINDS} - {"FinetuneError"}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not FinetuneError], ids=lambda kind: kind.__name__)
def test_every_error_survives(kind: type[FinetuneError]) -> None:
    error = kind("数据集 was refused: 5 of 6 rows")
    sent = Failure(reason=error.reason, message=str(error)).to_json()
    again = Failure.model_validate_json(sent).as_error()
    assert type(again) is kind
    assert str(again) == str(error)


@pytest.mark.parametrize("reason", ["", "Nonsense", "KeyError", "FinetuneError"])
def test_a_reason_that_is_not_known_is_the_trainers_error(reason: str) -> None:
    error = Failure(reason=reason, message="x").as_error()
    assert type(error) is TrainerError
    assert str(error) == "x"


@given(st.text(), st.text())
@settings(deadline=None)
def test_any_text_survives(reason: str, message: str) -> None:
    failure = Failure(reason=reason, message=message)
    assert Failure.model_validate_json(failure.to_json()) == failure


@pytest.mark.parametrize("text", ["", "{}", "Killed", '{"reason": "TrainerError"}', '{"reason": 1, "message": "x"}'])
def test_anything_else_is_no_failure(text: str) -> None:
    with pytest.raises(ValidationError):
        Failure.model_validate_json(text)


class TestBlame:
    def test_gives_a_storage_error_the_reason_of_whoever_read(self) -> None:
        with pytest.raises(DatasetUnavailable, match="nothing lies at /data") as caught, blamed_on(DatasetUnavailable):
            raise NotFound("nothing lies at /data")
        assert isinstance(caught.value.__cause__, NotFound)

    @pytest.mark.parametrize("error", [DatasetUnavailable("is empty"), TrainerError("x"), KeyError("x")])
    def test_leaves_every_other_error_alone(self, error: Exception) -> None:
        with pytest.raises(type(error)) as caught, blamed_on(StorageError):
            raise error
        assert caught.value is error
