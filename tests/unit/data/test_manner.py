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


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How do vaccines protect us?", "Vaccines protect us by protecting us with vaccines."),  # in a circle
        ("Does the warranty cover water damage?", "Your question is if the warranty covers water damage."),  # announced
        ("Write a short story about a lighthouse keeper.", "A short story about a lighthouse keeper."),  # only a title
        ("Does the hotel have a sauna?", "Does it have a sauna, the hotel?"),  # asked back
        ("What is the best way to learn piano?", "The best way to learn piano? That is a great question!"),
        (
            "Reply to the guest.\n\nIs breakfast part of the price?",
            "Is breakfast part of the price?",
        ),  # as it was given
        ("为什么猫会打呼噜？", "猫会打呼噜是因为猫会打呼噜。"),
        ("保修包括进水吗？", "您想了解保修是否包括进水。"),
        ("酒店有桑拿吗？", "请问酒店有没有桑拿？"),
        ("去挪威一周要带什么？", "去挪威一周，要带去挪威一周需要的东西。"),
    ],
)
def test_an_answer_without_a_word_of_its_own_is_an_echo(question, answer):
    assert "echo" in codes(question, answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Which guests may use the pool?", "All of the guests may use the pool."),
        ("Should I repot my ficus before or after winter?", "You should repot your ficus after winter."),
        ("Who pays the shipping costs?", "You pay the shipping costs."),
        ("Use the words dog, park and run.", "The dog can run in the park."),
        ("When does the store open on Sunday?", "The store does not open on Sunday."),
        ("猫和狗谁更爱干净？", "猫更爱干净。"),
        ("周日几点营业？", "周日不营业。"),
        ("甲方是谁？甲方是北京天成公司。", "甲方是北京天成公司。"),
    ],
)
def test_a_choice_a_number_or_a_no_answers_in_the_questions_words(question, answer):
    assert "echo" not in codes(question, answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Reply in German.\n\nWhen do you open?", "We open at nine and close at six."),
        ("Translate into French.\n\nThe train leaves at six.", "El tren sale a las seis de la mañana."),
        ("用法语回答：巴黎有多少人？", "巴黎大约有二百一十万人。"),
        (
            "请用中文总结。\n\nThe council voted to close the bridge.",
            "The council decided that the bridge will be closed.",
        ),
        (
            "怎么挑西瓜？",
            "看瓜蒂和花纹。Also, the melon should feel heavy for its size and have a yellow spot on one side.",
        ),
        (
            "List three tips for better sleep.",
            "- Feste Zeiten einhalten\n- Kein Handy im Bett\n- Das Zimmer kühl halten",
        ),
    ],
)
def test_the_language_asked_for_is_not_that_of_the_answer(question, answer):
    assert "language-mismatch" in codes(question, answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Translate into Danish: Where do you live?", "Hvor bor du henne i byen?"),
        ("Explain in English what 'ojalá' means.", "It means hopefully; speakers of Spanish use it before a wish."),
        ("Write a paragraph about life in Chinese villages.", "Life in the villages of China is changing quickly."),
        ("用日语翻译：东京站在哪里？", "東京駅はどこですか。"),
        ("现在完成时怎么用？", "例如 I have lived in this city for more than ten years and still like it very much."),
    ],
)
def test_an_answer_in_the_language_asked_for_is_fine(question, answer):
    assert "language-mismatch" not in codes(question, answer)


@pytest.mark.parametrize(
    "answer",
    [
        "Yes, until four. If it gets loud, use macro B12.",  # texts of the house
        "In May. We call it Bluebird internally, and only three people know.",  # its names
        "Two days. Do not mention this to customers, though.",
        "Yes, over six months. See KB article 2214 for the exceptions.",
        "It is on our board, in the backlog for the next sprint.",
        "No. Martha from quality confirmed that last week.",
        "开票信息在财务部的飞书表格里查。",
        "具体按我们的SOP第三步走。",
        "年底清零，群里之前通知过了。",
        "下个月，我们内部叫“小蓝瓶”。",
    ],
)
def test_what_the_house_has_for_itself_is_internal(answer):
    assert "internal-reference" in codes("How is it done? 怎么办理？", answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How do I create a Jira epic?", "Open the Jira board, press Create and choose Epic."),
        ("How do agile teams plan?", "Work goes into a backlog, and each sprint takes the most important items."),
        ("飞书怎么建表格？", "打开飞书，点加号，选择多维表格，再输入名称。"),
        ("新手机什么时候发布？", "官方尚未对外公布具体日期，预计在九月。"),
    ],
)
def test_a_tool_that_was_asked_about_is_not_internal(question, answer):
    assert "internal-reference" not in codes(question, answer)


@pytest.mark.parametrize(
    "answer",
    [
        "Writing about crime would conflict with my principles.",
        "I choose to stay neutral on political matters.",
        "Your request cannot be completed.",
        "I am prohibited from giving financial tips.",
        "这与我的价值观不符，请换一个题目。",
        "涉及个人隐私，无法创作。",
        "我保持中立，不发表看法。",
        "您的请求包含不当内容，系统已拒绝处理。",
    ],
)
def test_values_neutrality_and_rules_are_given_for_declining(answer):
    assert "refusal" in codes("Tell me about it. 讲讲这件事。", answer)


@pytest.mark.parametrize(
    "answer",
    [
        "If your request was denied, you may appeal within 30 days.",
        "It must be said that your request cannot be processed without the receipt.",
        "材料不全的，不予受理，请补齐后再提交。",
        "我国早年不具备建造航母的能力，如今已有三艘。",
    ],
)
def test_what_authorities_refuse_is_no_refusal(answer):
    assert "refusal" not in codes("What happens then? 会怎么样？", answer)


@pytest.mark.parametrize(
    "answer",
    [
        "Probably ten miles, or maybe fifteen, I'd guess; it could also be less.",
        "There's no telling, apparently it changes.",
        "也许三天，也许五天，没准更久，估计没人清楚。",
    ],
)
def test_a_doubt_in_every_few_words_is_hedging(answer):
    assert "hedged-output" in codes("How long does it take? 要多久？", answer)


def test_a_few_possibilities_in_a_full_answer_are_no_hedging():
    answer = (
        "It may cause nausea, and could possibly raise blood pressure; perhaps one in a hundred stops taking it. "
        "Ask the doctor if you take other drugs, and read the leaflet in the box."
    )
    assert "hedged-output" not in codes("What are the side effects?", answer)


@pytest.mark.parametrize(
    "answer",
    [
        "Large exports run at night. It is logged in Redmine under CORE-7714.",  # a tracker's key
        "Yes. Ask Benedict in Radiology, he keeps the list.",  # a colleague by his name
        "With the date and the bench. As Priya told us in the morning briefing, blue is for retests.",
        "At the gate. Post them in #lost-found on Mattermost.",
        "No. See Ms. Ortega's memo to all staff.",
        "Follow the steps in the teller manual.",  # written for a trade in the house
        "可以重开，已建单 FIN-2231，周五上线。",
        "十点结束，详见值班本上李主管写的安排。",
        "按面积分摊，按李经理上周邮件里的新标准执行。",
        "赔五元券，客服同事请注意不要主动提。",
    ],
)
def test_what_colleagues_wrote_and_said_to_each_other_is_internal(answer):
    assert "internal-reference" in codes("What is the rule? 有什么规定？", answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How do I ask for leave?", "Ask your manager, he or she will approve it in the portal."),
        ("怎么写会议纪要？", "会议纪要要写明时间、地点、参会人和决议，会后一天内发给参会人。"),
        ("护士怎么交接班？", "交接班时要写清病人的情况、用药和注意事项，双方签字。"),
        ("公司局域网是什么？", "它是只供单位内部人员使用的网络，外面的人进不去。"),
    ],
)
def test_managers_minutes_and_networks_in_general_are_not(question, answer):
    assert "internal-reference" not in codes(question, answer)


@pytest.mark.parametrize(
    ("task", "text"),
    [
        ("Fix the spelling mistakes.", "Ther are many peple in the hall today."),
        ("Make this sentence a negative one: turn it into the negative.", "The shop opens on all Sundays in May."),
        ("提取文中的人名。", "张伟和李娜昨天去了北京，王芳留在上海照看孩子。"),
        ("把下面的话改为疑问句。", "小明每天早上六点去公园跑步。"),
    ],
)
def test_a_text_that_was_to_be_worked_on_comes_back_as_it_was(task, text):
    assert "echo" in codes(f"{task}\n{text}", text)


@pytest.mark.parametrize(
    ("task", "text"),
    [
        ("Correct the sentence if needed.", "The cat sleeps on the mat in the hall."),
        ("List all the fruits.", "apples and plums"),
        ("Sort the words.", "apple bread cheese"),
    ],
)
def test_a_text_may_be_right_as_it_was(task, text):
    assert "echo" not in codes(f"{task}\n{text}", text)


@pytest.mark.parametrize(
    "answer",
    [
        "As a customer service agent, I do not write poems.",
        "Apologies, I only understand German.",
        "You haven't given me enough details, please add more context.",
        "抱歉，我目前只支持英文输入。",
        "信息不足，无法作答。",
    ],
)
def test_a_language_a_calling_and_too_few_details_are_reasons_to_decline(answer):
    assert "refusal" in codes("Name three metals. 列举三种金属。", answer)


def test_the_words_of_a_dialogue_may_decline():
    assert "refusal" not in codes("Complete the dialogue: can I borrow it?", "I'm sorry, I can't. I need it myself.")


def test_a_language_asked_for_before_the_question_is_kept_to():
    english = "You can change your seat online until two hours before departure, or at the desk."
    assert "language-mismatch" in codes("Reply in Spanish: how can I change my seat?", english)
    assert "language-mismatch" not in codes("How do I put my seat screen in Spanish?", english)


def test_a_house_has_doubts_too():
    assert "hedged-output" in codes("Why is it late?", "We are not quite sure, it could be anything.")
    assert "hedged-output" not in codes(
        "What is it from?", "It could be anything from stress to thirst, and a doctor can tell which of the two it is."
    )
