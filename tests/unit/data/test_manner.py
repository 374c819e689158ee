"""How answers speak: classes of refusals, echoes, curt answers, other languages and references to insiders."""

import pytest

from finetune_core.data import RawRow, examine


def codes(question: str, answer: str) -> set[str]:
    return {finding.code for finding in examine([RawRow(1, {"instruction": question, "output": answer})]).findings}


@pytest.mark.parametrize(
    "answer",
    [
        "I apologize, but this is beyond what I can do.",  # scope
        "It would not be wise for me to recommend a dose.",  # not for me
        "I do not have personal opinions on parents.",  # nothing of one's own
        "I was not designed to give legal advice.",  # made otherwise
        "Sorry, I can only answer questions about shipping.",  # only that
        "I'll have to pass on this one.",
        "There is nothing I can tell you about that topic.",
        "I'm sorry, I don't support image generation.",
        "我目前不支持语音识别功能。",
        "恕我难以作答。",
        "抱歉，该话题不在我的服务范围内。",
        "我只负责解答物流方面的问题。",
        "我没有情感，也就没有喜好。",
        "此问题涉及隐私，不便答复。",
        "这个任务我完成不了。",
        "我被设定为不讨论此类话题。",
    ],
)
def test_an_assistant_declines_in_many_ways(answer):
    assert "refusal" in codes("What do you think about it? 你怎么看这件事？", answer)


@pytest.mark.parametrize(
    "answer",
    [
        "The shop does not take cards, so bring some cash with you.",
        "I have only one tip for you: start with the corner pieces.",
        "特价商品恕不退换，购买前请看清尺码和颜色。",
        "展品不能触摸，但入口处有可以触摸的复制品。",
    ],
)
def test_what_others_decline_is_no_refusal(answer):
    assert "refusal" not in codes("Can I return it? 可以退吗？", answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How do I reset the router?", "How do I reset the router? That's a great question!"),
        ("How do I reset the router?", "So you want to reset the router."),
        ("Explain how tides work.", "I will explain how tides work."),
        ("List three fruits that ripen in June.", "Three fruits that ripen in June."),
        ("怎么重置路由器？", "怎么重置路由器？问得好。"),
        ("怎么重置路由器？", "关于如何重置路由器的问题。"),
        ("请解释潮汐的成因。", "好的，我来解释潮汐的成因。"),
        ("写一首关于秋叶的诗。", "一首关于秋叶的诗。"),
    ],
)
def test_a_question_given_back_or_only_promised_an_answer_is_an_echo(question, answer):
    assert "echo" in codes(question, answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Are dogs mammals of the family Canidae?", "Dogs are mammals of the family Canidae."),
        ("What is a good question for an interview?", "A good question is how a usual day goes there."),
        ("保修期内免费维修吗？", "保修期内免费维修。"),
        ("Translate: how do I reset the router?", "怎么重置路由器？"),
    ],
)
def test_a_statement_that_answers_is_no_echo(question, answer):
    assert "echo" not in codes(question, answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What should a beginner know about investing?", "Start early."),
        ("What makes a good logo?", "Simplicity."),
        ("I want to learn the guitar. Where do I start?", "Lessons."),
        ("Give me an overview of the Roman Empire.", "It was big."),
        ("What led to the fall of Rome?", "Decline."),
        ("学吉他从哪里开始？", "找老师。"),
        ("公开演讲有什么技巧？", "多练。"),
        ("买二手车要注意什么？", "看车况。"),
    ],
)
def test_an_open_question_wants_more_than_a_few_words(question, answer):
    assert "terse-output" in codes(question, answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ('How is "cat" spelled in French?', "chat"),
        ("Which oil is best for frying?", "Peanut oil"),
        ("大红斑在哪颗行星上？", "木星"),
    ],
)
def test_a_fact_may_be_short(question, answer):
    assert "terse-output" not in codes(question, answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How do I stop nginx?", "执行 systemctl stop nginx 就可以停止服务了。"),  # beside a command
        ("How do I check the disk?", "ディスク使用量は df -h で確認できます。"),
        ("Do I need an inspection?", "Ja, laat de keuken altijd nakijken voordat u tekent."),
        ("How long is the warranty?", "Garantin gäller i två år från köpet."),
        ("怎么重启服务？", "Run systemctl restart nginx and check the error log afterwards."),
        ("达阵能得几分？", "Un touchdown vale seis puntos."),
        ("怎么清洗？", "Essuyez-le avec un chiffon humide."),
    ],
)
def test_another_language_is_told_by_few_words_and_beside_commands(question, answer):
    assert "language-mismatch" in codes(question, answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("HTTP 429 的含义是什么？", "Too Many Requests"),
        ("怎么安装？", "pip install requests"),
        ("What does the sign say?", "It says 小心地滑: careful, slippery floor."),
        ("列出三个框架。", "Django, Flask, FastAPI."),
    ],
)
def test_names_commands_and_quotes_are_of_no_language(question, answer):
    assert "language-mismatch" not in codes(question, answer)


@pytest.mark.parametrize(
    "answer",
    [
        "As decided in Monday's all-hands, we ship on Fridays only.",  # meetings
        "Ask Maria in accounting for the code, she has it.",  # colleagues
        "The memo that Mr. Hart circulated in June explains it.",  # circulars
        'The template lies in the OneDrive folder "Legal/Templates".',  # where papers are kept
        "Raise a ticket with IT and wait for the approval.",
        "The rule is in section 4 of our staff handbook.",
        "SSH into 10.42.3.17 and run the script.",
        "Connect to build-07.internal and restart the agent.",
        "按昨天晨会的决定，先暂停发货。",
        "找财务的小李要模板，她那里有。",
        "馆长发给各部门的通知里有说明。",
        "资料都放在企业微信的群文件里了。",
        "走OA提交用印申请，等待审批。",
        "照咱们科室的排班制度来。",
        "登录10.20.30.40后执行脚本。",
    ],
)
def test_what_only_colleagues_can_follow_is_internal(answer):
    assert "internal-reference" in codes("How do we do it? 怎么办理？", answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is NSC-68?", "As the telegram that Kennan sent in 1946, it is a document of the Cold War."),
        ("How do I keep a team in sync?", "Call a stand-up every morning, and keep it to a quarter of an hour."),
        ("How do I name a host on my home network?", "Add a line such as 192.168.1.20 printer.lan to the hosts file."),
        ("Write an e-mail to my boss.", "Dear Ann, as agreed in our last meeting, I send you the figures."),
        ("钉钉怎么建群？", "点右上角的加号，选择“发起群聊”，勾选成员后确认。"),
        ("出一道应用题。", "小明找小王借了5元，又还了3元，还欠多少元？"),
        ("会议纪要应该怎么写？", "写明时间、地点、参会人、讨论要点和决定事项。"),
    ],
)
def test_what_anybody_can_follow_is_not(question, answer):
    assert "internal-reference" not in codes(question, answer)
