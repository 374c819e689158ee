"""Loads what training exported as a stranger would, with torch, transformers and peft alone, and measures its loss.

    python trainer_plain_reload.py CASES.json       # prints {label: {"base": loss, "tuned": loss, "merged": loss}}

The loss is worked out row by row from the published chat template, with none of the trainer's code.
"""

import json
import sys
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig


def answer_loss(model, tokenizer, rows) -> float:
    """Mean cross-entropy over the tokens of the answers, end-of-turn mark included."""
    total, count = 0.0, 0
    for row in rows:
        question = [{"role": "user", "content": row["instruction"]}]
        answer = [{"role": "assistant", "content": row["output"]}]
        prompt = tokenizer.apply_chat_template(question, tokenize=False, add_generation_prompt=True)
        whole = tokenizer.apply_chat_template(question + answer, tokenize=False)
        start = len(tokenizer(prompt, add_special_tokens=False)["input_ids"])
        ids = torch.tensor([tokenizer(whole.rstrip(), add_special_tokens=False)["input_ids"]])
        with torch.no_grad():
            logits = model(input_ids=ids).logits.float()
        total += float(
            torch.nn.functional.cross_entropy(logits[0, start - 1 : -1], ids[0, start:], reduction="sum").item()
        )
        count += ids.shape[1] - start
    return total / count


def losses(case) -> dict[str, float]:
    """Loss of the base and of what was made of it."""
    tokenizer = AutoTokenizer.from_pretrained(case["artifact"])
    kind = getattr(torch, case["dtype"])
    quantization = BitsAndBytesConfig(load_in_4bit=True, **case["quantization"]) if case["quantization"] else None
    base = AutoModelForCausalLM.from_pretrained(
        case["base"], dtype=kind, quantization_config=quantization, device_map={"": "cpu"}
    ).eval()
    if quantization is not None:
        base = base.dequantize()  # the same 4-bit numbers, without the kernels that some processors round in
    before = answer_loss(base, tokenizer, case["rows"])
    if case["adapter"]:
        tuned = PeftModel.from_pretrained(base, case["artifact"]).eval()
    else:
        tuned = AutoModelForCausalLM.from_pretrained(case["artifact"], dtype=kind).eval()
    found = {"base": before, "tuned": answer_loss(tuned, tokenizer, case["rows"])}
    if case["merged"]:
        merged = AutoModelForCausalLM.from_pretrained(case["merged"], dtype="auto").eval()
        assert merged.dtype == kind
        found["merged"] = answer_loss(merged, AutoTokenizer.from_pretrained(case["merged"]), case["rows"])
    return found


if __name__ == "__main__":
    cases = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    answer = {label: losses(case) for label, case in cases.items()}
    assert not [name for name in sys.modules if name.startswith("finetune_")], "our own code was imported"
    print(json.dumps(answer))
