# ruff: noqa: E501 - a table of texts reads best one row a line
"""Rows with one thing wrong, and rows with nothing wrong that look as if, in English and Chinese."""

import random
import string

Row = tuple[str, str]
"""Question and answer."""

_random = random.Random(5)
_FILL = (
    "You find it under Orders, and we answer within two working days.",
    "您可以在订单页面查看，我们会在两个工作日内回复。",
)  # fmt: skip
_ALNUM = string.ascii_letters + string.digits


def _of(alphabet: str, length: int) -> str:
    # A letter of each kind and a digit, as a random token of that length all but surely has.
    token = "".join(_random.choice(alphabet) for _ in range(length - 2))
    return (
        token[: length // 2]
        + _random.choice(string.ascii_uppercase.lower())
        + str(_random.randrange(10))
        + token[length // 2 :]
    )


def _as_windows(text: str) -> str:
    # Five bytes are undefined in Windows-1252; browsers and editors pass them through.
    return "".join(bytes([b]).decode("latin-1" if b in b"\x81\x8d\x8f\x90\x9d" else "cp1252") for b in text.encode())


def _around(*pieces: str) -> list[Row]:
    """Each piece in an English and in a Chinese answer, and once in a question."""
    rows = []
    for number, piece in enumerate(pieces):
        rows.append((f"Where is setting {number} of the device?", f"Use {piece} for it. {_FILL[0]}"))
        rows.append((f"第{number}项在哪里设置？", f"请使用 {piece} 。{_FILL[1]}"))
        rows.append((f"I sent you {piece} yesterday, number {number}, is it fine?", _FILL[0]))
    return rows


def _answers(english: list[str], chinese: list[str]) -> list[Row]:
    rows = [(f"Can I return item {number} after a month?", answer) for number, answer in enumerate(english)]
    return rows + [(f"第{number}件商品过了一个月还能退货吗？", answer) for number, answer in enumerate(chinese)]


def _secrets() -> list[Row]:
    jwt = ".".join(("eyJ" + _of(_ALNUM, 20), "eyJ" + _of(_ALNUM, 60), _of(_ALNUM, 43)))
    header = "-----BEGIN {}PRIVATE KEY-----\n{}\n-----END {}PRIVATE KEY-----"
    tokens = [
        *(header.format(kind, "MII" + _of(_ALNUM, 61), kind) for kind in ("", "RSA ", "EC ", "OPENSSH ")),
        *("AKIA" + _of(string.ascii_uppercase, 16).upper() for _ in range(3)),
        "ASIA" + _of(string.ascii_uppercase, 16).upper(),
        *(f"gh{kind}_" + _of(_ALNUM, 36) for kind in "pousr"),
        "github_pat_" + _of(_ALNUM, 22) + "_" + _of(_ALNUM, 59),
        *("xox" + kind + "-" + "123456789012-" + _of(_ALNUM, 24) for kind in "bp"),
        "https://hooks.slack.com/services/T0" + _of(string.ascii_uppercase, 8).upper() + "/B0"
        + _of(string.ascii_uppercase, 8).upper() + "/" + _of(_ALNUM, 24),
        "sk-" + _of(_ALNUM, 48), "sk-proj-" + _of(_ALNUM, 64), "sk-ant-" + _of(_ALNUM, 80), "sk-" + _of("0123456789abcdef", 32),
        "AIza" + _of(_ALNUM, 35), "hf_" + _of(string.ascii_letters, 34), "glpat-" + _of(_ALNUM, 20),
        "sk_live_" + _of(_ALNUM, 24),
        jwt, f"Authorization: Bearer {jwt}",
        f"postgres://shop:{_of(_ALNUM, 12)}@db.shop.cn:5432/orders",
        f"password={_of(_ALNUM, 12)}", f'"password": "{_of(_ALNUM, 10)}!"', f"DB_PASSWORD = '{_of(_ALNUM, 14)}'",
        f"api_key: {_of('0123456789abcdef', 32)}", f"the password is {_of(_ALNUM, 12)},", f"密码：{_of(_ALNUM, 12)}",
        f"密码是{_of(_ALNUM, 10)}，", f"数据库口令为 {_of(_ALNUM, 16)}", f"aws_secret_access_key = {_of(_ALNUM + '/+', 40)}",
        f"access_token={_of(_ALNUM, 40)}", f"client_secret: '{_of(_ALNUM, 24)}'",
    ]  # fmt: skip
    return _around(*tokens)


def _resident_id() -> str:
    body = f"{_random.choice(('110105', '310104', '440305', '510107'))}19{_random.randrange(50, 99)}0{_random.randrange(1, 9)}1{_random.randrange(10)}{_random.randrange(100, 999)}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(d) * w for d, w in zip(body, weights, strict=True)) % 11]


def _personal() -> list[Row]:
    def digits(count: int) -> str:
        return "".join(_random.choice("123456789") for _ in range(count))

    return _around(
        "zhang.wei88@163.com", "li_na@gmail.com", "mueller@firma.de", "j.smith+shop@mail.co.uk", "wang.fang@qq.com",
        *(f"1{prefix}{digits(8)}" for prefix in ("39", "86", "51", "77", "98")),
        f"138 {digits(4)} {digits(4)}", f"159-{digits(4)}-{digits(4)}", f"+86 136{digits(8)}", f"+86-188-{digits(4)}-{digits(4)}",
        "010-62785412", "0755-26738900", "+44 20 7946 1834", "+1 (415) 736-2671", "+49 30 901820472", "(212) 736-5000",
        "415-736-2671", "+81 3-3224-5111", "+33 1 42 68 53 00", "+85221808888",
        _resident_id(), _resident_id(), _resident_id(),
        "4539 1488 0343 6467", "4539148803436467", "5425-2334-3010-9903", "6228480402564890018", "3782 822463 10005",
    )  # fmt: skip


PLANTED: dict[str, list[Row]] = {
    "secret": _secrets(),
    "pii": _personal(),
    "html-markup": _around(
        "<p>this</p>", "<br>", "<br/>", '<div class="note">', '<a href="/help">help</a>', "<b>this</b>", "the page&nbsp;of yours",
        "A &amp; B", "&lt;this&gt;", "<span style='color:red'>", "<li>one</li><li>two</li>", "<!-- draft -->", "<TABLE border=1>",
        "<h2>Steps</h2>", "<script>alert(1)</script>", "<img src=x.png />", "&#39;it&#39;", "&quot;", "<strong>now</strong>",
        "<tr><td>1</td></tr>", "<font color=red>", "<hr>", "<p>", '<input type="text">', "<title>Help</title>",
    ),
    "control-characters": _around(
        "a\u200bb", "\ufeffthis", "one\x00two", "\x08back", "\x1b[31mred\x1b[0m", "soft\u00adhyphen", "\u202eabc", "\x0bthis", "\x0c",
        "\x7f", "\x85", "\u2060", "\ue000", "\uf0b7 item", "\u2066x\u2069", "\x07", "\x96", "\uffff",
    ),
    "mojibake": _around(
        *(
            _as_windows(text)
            for text in ("don’t", "“quoted”", "naïve", "café", "Zürich", "20 °C", "€ 5", "a – b", "señor")
        ),
        *(text.encode("utf-8").decode("latin-1") for text in ("退货", "您好，请问", "订单页面", "Привет")),
        *(text.encode("utf-8").decode("gbk", "ignore") for text in ("你好世界", "退货流程说明", "请在订单页面申请", "我们的客服")),
        *(text.encode("gbk").decode("latin-1") for text in ("你好世界", "退货流程", "申请退款")),
        "锟斤拷锟斤拷", "烫烫烫", "caf\ufffd", "\ufffd\ufffd\ufffd", "ï¿½",
    ),
    "internal-reference": _answers(
        [
            "According to our internal document XYZ, returns take a month.", "As stated in our internal wiki, yes.",
            "Please refer to the internal policy handbook, section 4.", "Per the confidential memo of May, no returns.",
            "See https://wiki.acme.corp/returns for the steps.", "It is on http://intranet/returns since spring.",
            "The steps are at https://confluence.acme.com/display/CS/Returns for you.", "This is tracked in ticket CS-4821 for now.",
            "See JIRA SHOP-1932 for the state of it.", "The outage is incident INC0048213 and will be solved.",
            "FOR INTERNAL USE ONLY: returns are taken back for 45 days.", "Based on our company's internal guidelines you may return it.",
            "Internal document no. 17 says that returns are free.", "As described in the team's internal playbook, send it back.",
            "Look at http://10.2.0.14/returns and follow the steps.", "Our internal knowledge base is clear: from the internal FAQ, yes.",
            "Open https://oms.shop.internal/orders and press Return.", "It is not for external distribution, but returns are free.",
        ],
        [
            "根据我们的内部文档XYZ，可以退货。", "根据内部文件规定，退货期为30天。", "详见公司内部知识库中的退货章节。",
            "按照我们内部系统的记录，您可以退货。", "参考内部手册第三章，先联系仓库。", "请查阅内部wiki后再申请。",
            "此内容仅供内部使用，退货期为45天。", "内部资料，请勿外传：退货无需审核。", "请打开 http://oa.shop.com/return 提交。",
            "见工单号 CS-48213，正在处理。", "该问题的工单：INC0048213。", "依据公司内部邮件通知，退货暂停。",
            "根據我們的內部文檔，可以退貨。", "内部文档编号HR-2023-014写明可以退货。", "请登录 https://wiki.acme.corp/退货 查看。",
            "据内部会议纪要，下月起退货免费。", "参见内网系统公告，退货期延长。", "按内部流程，先由主管审批再退货。",
        ],
    ),
    "hedged-output": _answers(
        [
            "It seems to be so.", "I guess you can.", "Maybe.  Ask someone.", "I'm not sure, but you can probably return it.", "I think so.",
            "Probably yes.", "It seems so, but ask the shop.", "You can return it within 30 days, I guess.", "Not sure, try it.",
            "If I remember correctly, it is 30 days.", "I could be wrong, but returns are free.", "Perhaps within 30 days.",
            "I believe so.", "I don't know for sure, but it should work.", "You send it back or something.", "I am not 100% sure about that.",
            "Possibly, it depends.", "I suppose you can send it back.", "It might work.", "Don't quote me, but it is 30 days.",
        ],
        [
            "好像是这样...", "可能吧。", "好像可以吧", "应该是吧，你问问客服。", "大概可以吧。", "我猜可以退。", "我不太确定，可能要问客服。", "也许吧",
            "似乎是这样的。", "貌似可以。", "好像是的，过了一个月也行。", "大概七天左右。", "我记得好像是三十天。", "应该可以的吧。", "不太清楚，应该能退。",
            "我也不确定，你试试看。", "说不准，看情况。", "可能可以退。", "好像是七天。", "好像是這樣。",
        ],
    ),
    "refusal": _answers(
        [
            "As an AI language model, I cannot help with returns.", "As an AI language model I do not have access to your orders.",
            "I'm sorry, but I can't assist with that.", "I am sorry, I cannot help with this request.", "I cannot provide that information.",
            "As an AI, I don't have personal opinions on returns.", "Sorry, I can’t help with that.", "I'm unable to assist with this request.",
            "I apologize, but I cannot fulfill this request.", "As a large language model, I am not able to look it up.",
            "I won't help with that.", "Unfortunately, I am unable to provide this information.", "As an artificial intelligence, I have no orders.",
            "I'm afraid I can't do that.", "I can't discuss that topic.", "I'm not able to help with that.",
        ],
        [
            "作为一个AI，我无法查询您的订单。", "作为人工智能语言模型，我不能提供个人意见。", "抱歉，我无法回答这个问题。", "对不起，我不能帮您处理。",
            "很抱歉，我无法提供相关信息。", "作为AI助手，我没有访问订单的权限。", "作为一名智能助手，我不会有自己的看法。", "我无法回答这个问题。",
            "作为一个语言模型，我不具备查询的能力。", "非常抱歉，但我不能满足您的要求。", "我不能提供这方面的建议。", "作為一個人工智慧，我無法回答。",
            "抱歉，我没办法帮您查询。", "不好意思，我不会处理这类问题。", "身为人工智能，我无法做出判断。", "我无法为您提供该信息。",
        ],
    ),
    "echo": [
        ("How do I return a lamp I bought last week?", "How do I return a lamp I bought last week?"),
        ("What is the return policy of the shop?", "What is the return policy of the shop"),
        ("Where can I see my last order?", "where can i see my last order ?"),
        ("Where can I find the size guide?", "So, where can I find the size guide?"),
        ("Tell me the delivery time for Canada", "Tell me the delivery time for Canada."),
        ("My parcel has not arrived yet.", "My parcel has not arrived yet."),
        ("Who pays for the return label?", "Who pays for the return label??"),
        ("Is there a warranty on vacuum cleaners?", "Is there a warranty on vacuum cleaners?"),
        ("如何申请退货退款？", "如何申请退货退款？"), ("我的订单什么时候发货？", "我的订单什么时候发货"), ("积分可以转给家人吗？", "请问积分可以转给家人吗？"),
        ("怎么修改收货地址", "怎么修改收货地址？"), ("退货的运费由谁承担？", "退货的运费由谁承担？"), ("衣服穿着不合适，我想退掉。", "衣服穿着不合适我想退掉"),
        ("快递一直没有更新怎么办？", "快递一直没有更新怎么办？"), ("發票怎麼開？請告訴我。", "發票怎麼開？請告訴我。"),
    ],
    "terse-output": [
        ("如何退货？", "可以退货"), ("怎么申请退款？", "联系客服。"), ("怎样查询物流？", "看订单。"), ("为什么我的订单被取消了？", "没货了。"),
        ("请详细说明保修政策。", "有保修。"), ("可以退货吗？", "可以。"), ("支持七天无理由吗？", "是的"), ("能换大一号吗？", "不能"), ("有发票吗？", "有"),
        ("怎么修改密码？", "在设置里改"), ("介绍一下会员制度", "有积分。"), ("如何換貨？", "找客服。"), ("收到的商品坏了怎么办？", "不知道"),
        ("How do I return a lamp?", "You can return it."), ("How can I change my address?", "In settings."), ("Why was my order cancelled?", "Out of stock."),
        ("Can I return it?", "Yes."), ("Do you ship to Canada?", "No"), ("Explain the warranty.", "We have one."), ("Is gift wrapping possible?", "Sure!"),
        ("What should I do if the parcel is lost?", "Contact us."), ("Tell me about the membership.", "It is free."),
        ("Describe how exchanges work.", "You send it back."), ("Where is my parcel?", "I don't know."), ("How does the refund work?", "Automatically."),
    ],
}  # fmt: skip
"""By code: each of these rows has it, and every other row here has not."""


CLEAN: list[Row] = [
    # code and markup that is meant
    ("Show a loop in Python.", "```python\nfor i in range(10):\n    if i < 5 and i > 2:\n        print(i)\n```"),
    ("How do I make a link in HTML?", 'Write <a href="https://example.org">text</a> in the page.'),
    ("网页里怎么换行？", "在需要换行的地方写 <br> 标签，浏览器就会另起一行。"),
    ("Which tag makes text bold?", "Put the text between `<b>` and `</b>`, and the browser shows it bold."),
    ("Write a generic list in Java.", "List<String> names = new ArrayList<>();\nMap<K, V> map = new HashMap<>();"),
    ("C++ 如何声明向量？", "可以写 std::vector<int> v; 或者 std::map<std::string, int> m; 然后用 push_back 添加元素。"),
    ("What does the template look like?", "<title> by <author>, printed in <year>; fill each of the places."),
    ("Solve 2x + 3 < 9.", "Subtract 3 and divide by 2: x < 3, so every x with x<3 and x>-10 will do."),
    ("求解不等式 a<b 且 b<c", "由 a<b 和 b<c 可得 a<c，这就是不等式的传递性。"),
    ("Show me the thinking.", "<think>\nThe user asks for the sum.\n</think>\nThe sum is 12 & the product is 35."),
    ("Which shell command lists files?", "`ls -la && echo done > out.txt 2>&1`"),
    ("How do I list files?", "ls -la"),
    ("How do I print a line in Python?", "print('hello')"),
    ("Is AT&T in the list?", "Yes, AT&T, R&D and P&G are in the list of the companies that take part; see A&B too."),
    ("Compute the integral.", "$$\\int_0^1 x^2\\,dx = \\frac{1}{3}$$ and $\\alpha < \\beta$ where $n \\ge 0$."),
    ("做一个表格", "| 名称 | 价格 |\n|---|---|\n| 台灯 | 30元 |\n| 毛巾 | 15元 |"),
    ("Make a table.", "| name | price |\n|:--|--:|\n| lamp | $30 |\n| towel | $15 |"),
    # signs of all kinds
    ("给我一个表情", "当然可以 😀👨‍👩‍👧‍👦🏳️‍🌈👍🏽，还有这些：❤️✨①②③★☆→←。"),
    ("Which emoji fit?", "Try 👩‍💻, 🇨🇳, 🇺🇸 or 1️⃣, and the plain ones: ☺ ♥ ✓ ✗ § © ® ™."),
    ("全角标点怎么用？", "句号用“。”，逗号用“，”，还有《书名》、【括号】、（说明）、——破折号和……省略号；全角字母ＡＢＣ１２３也有。"),
    ("繁體中文的退貨流程是什麼？", "您可以在訂單頁面申請退貨，我們會在兩個工作日內審核，並安排快遞上門取件，銅鑼與銀鐲也一樣。"),
    ("請介紹一下金屬材料", "銅、鋁、鐵、鋅、錫、鎳、鉻與鈦是常見的金屬，鑽石則不是金屬，鋼鐵鏈條與鎖具多用鋼製。"),
    ("琪琪和妮妮在做什么？", "瑜婷、嫣然和媛媛在玉器店里看翡翠、琥珀、珊瑚和玛瑙，姗姗与娜娜在泠泠的溪边浣纱，濡沫江湖。"),
    ("Traduisez en français.", "« L’été à Orléans », dit-elle ; l’œuvre déjà créée coûte 20 € à Noël, où qu’il aille… Ça va ?"),
    ("Übersetze das.", "Die Größe der Äpfel und Öfen ändert sich über 20 °C nicht; Grüße aus Zürich – José, Señora Muñoz, ÑANDÚ."),
    ("Em português?", "A informação não está disponível: IRMÃO, SÃO PAULO, CORAÇÃO, À noite, “CAFÉ” e Â é letra."),
    ("По-русски, пожалуйста.", "Возврат возможен в течение тридцати дней; Ελληνικά: επιστροφή εντός τριάντα ημερών."),
    ("日本語でお願いします。", "返品は三十日以内に可能です。注文ページからお申し込みください。한국어: 반품은 삼십 일 이내입니다."),
    ("بالعربية من فضلك", "يمكنك إرجاع المنتج خلال ثلاثين يومًا\u200f من الاستلام."),
    ("فارسی", "می\u200cتوانید کالا را برگردانید و هزینه را پس بگیرید."),
    ("Draw a line.", "———————— · · · ······ ×××× °°°° ■□◆◇ ▲△ ┌──┐ │ab│ └──┘"),
    ("Units?", "Use 5 µm ± 2 %, ½ cup, ¼ l, m², m³, 10 Ω and 3 × 4 ÷ 2 at 20 °C; ¿qué? ¡sí! ªº «»."),
    ("Long text with tabs?", "one\ttwo\r\nthree\n\n\tfour and\u00a0five\u3000six."),
    # documentation's keys and passwords
    ("How do I set the AWS key?", "Set AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE and aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY."),
    ("Where does the key go?", "Write api_key=<YOUR_KEY> or OPENAI_API_KEY=sk-xxxxxxxxxxxxxxxxxxxxxxxx in the file."),
    ("密钥填在哪里？", "在配置文件里填写 api_key: your-api-key-here，或者 token=sk-your-openai-key-goes-here1 即可。"),
    ("Read a password in Python?", 'password = getpass.getpass()\ntoken = os.environ["API_TOKEN1"]\nsecret = secrets.token_hex(16)'),
    ("Compare passwords?", "if user.password == request.form['password2']: token = create_token1(user.id, expires=3600)"),
    ("What must a password look like?", "password: at least 8 characters, one digit and one sign; PASSWORD=changeme123 is a bad one."),
    ("密码有什么要求？", "密码是8到20位的字母和数字组合，密码：不能与手机号相同，密码为空时无法登录。"),
    ("Docker with a database?", "docker run -e POSTGRES_PASSWORD=${DB_PASSWORD1} -e MYSQL_PASSWORD=password123 postgres:16"),
    ("What is a private key file?", "It begins with -----BEGIN PRIVATE KEY----- and ends with -----END PRIVATE KEY-----; keep it safe."),
    ("Connect to the database?", "postgresql://user:password@localhost:5432/shop or mysql://root:<password>@host/db, as you like."),
    ("What does a JWT hold?", "A header, a payload and a signature: eyJ... . eyJ... . signature; max_tokens=4096, token 7b, SHA-256."),
    ("GitHub token?", "Set GITHUB_TOKEN=ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx, as in ghp_EXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAMPLE."),
    ("Which commit is it?", "It is 9fceb02d0ae598e95dc970b74767f19372d61af8, with md5 d41d8cd98f00b204e9800998ecf8427e."),
    ("Which id has it?", "The id is 550e8400-e29b-41d4-a716-446655440000, and risk-based task-20240101-abcdefgh-1234567 follows."),
    # numbers and addresses that are nobody's
    ("Who can I write to?", "Write to name@example.com, you@test.example or support@mapleshop.com; git@github.com:org/repo.git is code."),
    ("客服电话是多少？", "客服热线是400-820-8820或800-810-1234，也可以拨打95588，工作时间为9:00-18:00。"),
    ("What is the toll-free number?", "Call 1-800-275-2273 or (888) 280-4331; the sample is 555-0123 or (212) 555-0147."),
    ("订单号是多少？", "订单号是2024112600012345678，快递单号SF1234567890123，金额1234567.89元，时间2024-11-26 12:30:45。"),
    ("Timestamps?", "The log says 1700000000000, 1700000000, 20241126123045 and 2024-11-26T12:30:45.123456789Z."),
    ("圆周率是多少？", "圆周率约为3.14159265358979323846，自然常数约为2.71828182845904523536。"),
    ("Versions and networks?", "Use 192.168.100.200, 10.0.0.1, version 1.2.3.4567, ISBN 978-3-16-148410-0 and port 8080."),
    ("Add the numbers.", "1000 2000 3000 4000 and 1234 5678 9012 3456 add up; +1234 - 5678 = -4444, 12345678901234567."),
    ("Decorate it?", "@dataclass\nclass A:\n    x: int\n\n@app.route('/x')\ndef f(): ...\nnpm install vue@3.4.0 foo@latest"),
    # words of their own right
    ("What is internal medicine?", "Internal medicine is the treatment of adults; external examinations and internal bleeding belong to it."),
    ("如何管理内部文件？", "建议公司建立文件管理制度，为内部文件分级，并定期培训员工，内部沟通也要留下记录。"),
    ("What is a confidential agreement?", "A confidentiality agreement binds both sides; proprietary software is sold under a licence."),
    ("Which standards apply?", "UTF-8, ISO-8601, RFC-2616, SHA-256, COVID-19, RTX-3060, GPT-4, CVE-2024-3094 and GB-18030 apply."),
    ("Kubernetes host?", "Use http://web.default.svc.cluster.local:8080, http://localhost:3000 or http://host.docker.internal:5000."),
    ("How do I open a ticket?", "Open Help > Contact and press New ticket; you get its number by e-mail, and the incident is solved soon."),
    ("工单怎么提交？", "在“帮助中心 > 提交工单”填写问题，提交后会收到工单号，客服会在24小时内处理。"),
    ("Where are the docs?", "They are at https://docs.python.org/3/library/re.html?x=1&y=2#top and https://issues.apache.org/jira/."),
    ("Why is my parcel late?", "It seems that the courier had an accident, which may add two days; we are sure that it arrives by Friday."),
    ("为什么优惠券是灰色的？", "可能是部分商品不参加活动，没有计入金额。请您点开这张券查看适用商品，符合条件后在结算页勾选。"),
    ("天气会怎样？", "明天可能有雨，气温大概在十五度左右，出门时最好带伞；后天应该转晴，也许会有风，请关注最新预报。"),
    ("Tell a short story.", '"I guess we should go," said Tom, and nobody answered. They walked on through the snow until the lights of the village showed, and there, at the first door, an old woman let them in, gave them soup and asked nothing.'),
    ("人生是什么？", "人生像一条长河，有急流也有静水，好像走了很远，其实仍在路上，重要的是看清两岸的风景，并且善待同行的人。"),
    ("Will it rain more in future?", "Perhaps the safest answer is a range: models agree that heavy rain grows by about seven percent for each degree of warming, while the total grows more slowly."),
    ("Can you reserve the last one for me?", "I am sorry, we cannot reserve items, but your cart keeps the last one for thirty minutes."),
    ("积分可以转给家人吗？", "很抱歉，积分只能由您本人使用，不能转给他人。您可以在会员积分页面查看总数，下单时勾选抵扣。"),
    ("Who are you?", "I am an AI assistant of Maple & Co, and I help with orders, returns and refunds around the clock."),
    ("你是谁？", "我是人工智能助手小枫，可以为您查询订单、办理退货，也可以解答会员积分方面的问题。"),
    ("What does an AI engineer do?", "As an AI engineer, she trains models, measures them and brings them into use with other teams."),
    ("作为AI初创公司如何融资？", "作为一家AI初创公司，可以先做出可演示的产品，再联系天使投资人，并准备清晰的商业计划书。"),
    ("What would a polite decline sound like?", "Thank them for the offer, say plainly that you have other plans, and wish them well for it."),
    ("Why did you laugh?", "I can't help laughing when I see it, and sorry I can't come to the party tonight, my train is late."),
    ("你同意吗？", "对不起，我不能同意你的看法，因为公开的数据显示相反的结论，请看下面的三条理由。"),
    ("Where is the state kept?", "The internal state is stored in the internal data file of the program, as its manual says."),
    ("Translate: 也许", "Maybe."),
    # short by right
    ("Classify the sentiment of this review: I love it.", "positive"), ("判断情感：这家店太差了", "负面"),
    ("Is the following statement true or false? Snow is black.", "No"), ("下列句子是否通顺？我去学校。", "是"),
    ("What is 6 times 7?", "42"), ("6乘7等于多少？", "42"), ("What is the capital of France?", "Paris."), ("法国的首都是哪里？", "巴黎。"),
    ("How do you say thank you in French?", "Merci."), ("你好用英语怎么说？", "Hello."), ("How many days are in a leap year?", "366"),
    ("Translate to English: 再见", "Goodbye"), ("Who wrote Hamlet?", "William Shakespeare"), ("How old is the shop?", "It is 12 years old."),
    ("Hello!", "Hello!"), ("你好", "你好！"), ("Good morning!", "Good morning!"), ("谢谢", "不客气。"),
    # near the question by right
    ("Is Paris the capital of France?", "Yes, Paris is the capital of France."), ("可以用积分抵扣吗？", "可以用积分抵扣，一百积分抵一元。"),
    ("Continue: Once upon a time", "Once upon a time there was a fisherman who lived with his wife by the sea."),
    ("Correct it: He go to school yesterday.", "He went to school yesterday."), ("把这句话改成疑问句：你喜欢读书。", "你喜欢读书吗？"),
]  # fmt: skip
