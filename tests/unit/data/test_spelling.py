"""Words written wrong: told by dictionaries, so the words here are in no list of mistakes."""

import pytest

from finetune_core.data import RawRow, examine


def wrong(answer: str, question: str = "How does it work? 怎么用？") -> bool:
    row = RawRow(1, {"instruction": question, "output": answer})
    return "typo" in {finding.code for finding in examine([row]).findings}


@pytest.mark.parametrize(
    "answer",
    [
        "大家都很喜换这个功能，用起来很方便。",  # the same sound
        "请先备分数据，再升级系统。",
        "点击保村按钮，等待完成。",
        "商品质亮有问题可以退货。",
        "免废领取试用装一份。",
        "他的态渡很好，回复也快。",  # a look-alike
        "锻炼身休要循序渐进。",
        "这种材料很溥弱，容易破。",
        "请输入正确的秘码后登录。",  # in the list of words that are always wrong
        "名列前矛的同学有奖励。",
        "双方因该先协商，再签合同。",  # in some surroundings only
        "己经发货的订单不能改地址。",
    ],
)
def test_a_wrong_character_in_a_chinese_word_is_seen(answer):
    assert wrong(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "大家都很喜欢这个功能，用起来很方便。",
        "因该公司违约，合同已经解除。",
        "以经济手段调节市场，效果更持久。",
        "主编是江泽远和邢福义，记者杨国钧报道。",  # names
        "焯水后收汁，撒上香菜，再淋一点蚝油。",  # words that no old dictionary has
        "先用微信扫码，再在小程序里截图上传。",
        "学而时习之，不亦说乎？温故而知新，可以为师矣。",  # classical
        "環境與勇氣都很重要，請先備份資料。",  # traditional
        "“喜换”写错了，应为“喜欢”。",  # quoted
    ],
)
def test_names_new_words_and_other_chinese_are_no_mistakes(answer):
    assert not wrong(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "You need a telescope with a large magnifcation.",
        "The custmer pays the postage for it.",
        "Open the pasword page and choose a new one.",
        "The adminstration office is on the first floor.",
        "It was a great suprise for all of us.",
        "The wheels were aligned yesterdya by the mechanic.",
        "If your not sure, ask the support team.",
        "The new model is better then the old one.",
        "You will loose your data if you reset it.",
        "You should of called the office first.",
        "Check weather the valve is open.",
    ],
)
def test_an_english_word_one_slip_away_from_a_frequent_one_is_seen(answer):
    assert wrong(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "The colour of the neighbour's jewellery is the centre of the programme.",  # British
        "The profiler shows which coroutines the backend awaits in the namespace.",  # of today
        "Ask Priyanka or Thorvaldsen at the desk of the hotel.",  # names
        "Le plat du jour est servi avec une salade verte, et le fromage vient ensuite.",  # French
        "Your welcome pack is here, and your right to cancel lasts 14 days.",
        "Wash it more, then the rest will come off by itself.",
        "Run `systemctl strat nginx` and read the log.",
    ],
)
def test_british_spelling_new_words_and_names_are_no_mistakes(answer):
    assert not wrong(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "We'll take the fee off you're bill.",
        "The birds leave there nests in autumn.",
        "They should of let it charge fully.",
        "The unused dataa rolls over to the next month.",
        "系统繁忙，请稍后在试。",
    ],
)
def test_a_word_for_another_that_sounds_alike_is_seen(answer):
    assert wrong(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "You may leave there at noon.",
        "You should, of course, ask first.",
        "Valentina Orlova won.",
        "creat() makes a file.",
    ],
)
def test_words_in_their_place_names_and_functions_are_no_mistakes(answer):
    assert not wrong(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "手术前要空服八小时，不要喝水。",  # words of every day that newspapers seldom have
        "领口要手洗，不能瀑晒。",
        "苗高十厘米时定值，株距三十厘米。",
        "到派处所办理即可。",  # the wrong character makes a word with its neighbour
        "先关闭总闸，在拧紧接头。",  # what is done next
        "灯泡的平均受命是一万小时。",  # a word for another
        "When your signed in, press Save.",
        "The guide explains how too apply for a refund.",
        "If you still cant open it, restart the phone.",
        "It differs form the first one, and came form the factory.",
    ],
)
def test_slips_of_every_day_are_seen(answer):
    assert wrong(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "到达后在办理大厅取号，完成后在使用说明上签字。",
        "先登记，在使用前检查设备，关门后在前台登记时间。",
        "睡前喝一点温水，开窗通风，手机放在客厅。",
        "歡迎光臨本店。",  # traditional
        "If your at-home test is positive, stay in.",
        "Candesartan and the other sartans lower blood pressure.",  # drugs
    ],
)
def test_places_times_and_drugs_are_no_slips(answer):
    assert not wrong(answer)
