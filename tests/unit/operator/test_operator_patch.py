"""What is written to a status: only what changed."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_operator.apply import merge_patch

names = st.sampled_from("abc")
values = st.recursive(
    st.integers(0, 3) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(names, values, max_size=3)


def merged(target: Any, patch: Any) -> Any:
    """RFC 7386, as its section 2 has it."""
    if not isinstance(patch, dict):
        return patch
    kept = dict(target) if isinstance(target, dict) else {}
    changed = {name: merged(kept.get(name), value) for name, value in patch.items() if value is not None}
    return {name: value for name, value in (kept | changed).items() if patch.get(name, value) is not None}


@given(objects, objects)
@settings(max_examples=200, deadline=None)
def test_the_patch_makes_one_into_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert merged(before, merge_patch(before, after)) == after


@given(objects)
@settings(max_examples=50, deadline=None)
def test_nothing_changed_is_nothing_written(same: dict[str, Any]) -> None:
    assert merge_patch(same, same) == {}


def test_only_what_changed_is_written() -> None:
    before = {"phase": "Queued", "progress": {"step": 1, "loss": 2.0}, "plan": {"method": "lora"}, "attempts": [1]}
    after = {"phase": "Training", "progress": {"step": 2}, "plan": {"method": "lora"}, "attempts": [1, 2]}
    wanted = {"phase": "Training", "progress": {"step": 2, "loss": None}, "attempts": [1, 2]}
    assert merge_patch(before, after) == wanted
