"""Writings of internal references, tokens, telephones, misreadings and languages beyond the planted rows."""

import random
import string

import pytest

from finetune_core.data import RawRow, examine

ALNUM = string.ascii_letters + string.digits


def codes(question: str, answer: str) -> set[str]:
    return {finding.code for finding in examine([RawRow(1, {"instruction": question, "output": answer})]).findings}


def drawn(length: int, alphabet: str = ALNUM) -> str:
    dice = random.Random(length)
    return "".join(dice.choice(alphabet) for _ in range(length))


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("internal-reference", "As our in-house style guide puts it, use short words."),
        ("internal-reference", r"It is on \\nas02\finance\rates.xlsx since May."),
        ("internal-reference", "Resolved under CORE-1183 last week."),
        ("internal-reference", "Connect to db01.acme.corp with your badge."),
        ("internal-reference", "我司内部系统显示已发货，请耐心等待。"),
        ("internal-reference", "请登录公司OA系统提交申请，主管审批后生效。"),
        ("internal-reference", "该问题由OPS-2231跟踪处理，预计周五完成。"),
        ("secret", f"Use LTAI{drawn(20)} for it."),
        ("secret", f"请使用 npm_{drawn(36)} 。"),
        ("secret", f"mysql -uroot -p{drawn(10)} shop"),
        ("pii", "Ring 07911 204 863 after six."),
        ("pii", "Call 0171/4482936 or write."),
        ("pii", "The IBAN is DE12500105170648489890 at our bank."),
        ("pii", "护照号E82910374，有效期十年。"),
        ("control-characters", "Click the li\u2063nk below."),
        ("control-characters", "点击链\u200d接即可退订。"),
        ("mojibake", "I don‚Äôt know."),
        ("mojibake", "容量：1.5L锛屾潗璐細304不锈钢"),
        ("language-mismatch", "Abrimos a las nueve y cerramos a las ocho."),
        ("language-mismatch", "Oui, nous acceptons les cartes."),
    ],
)
def test_other_writings_are_found(code, answer):
    assert code in codes("How does the customer find it?", answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is on an intranet?", "Companies share internal reports with managers there every month."),
        ("How do I name a share?", r"Write the UNC path, such as \\server\share, into the field of the dialog."),
        ("Which planes are there?", "See Boeing-737 and RTX-4090 for two names of things with a number in them."),
        ("内部结构是怎样的？", "根据细胞内部的结构，可分为原核细胞与真核细胞两类。"),
        ("Which numbers were drawn?", "The lottery drew 03 11 19 24 42 on Saturday, and nobody won the jackpot."),
        (
            "Which number is for films?",
            "Ofcom keeps 07700 900123 and its neighbours for drama on radio and television.",
        ),
        ("Which novel did he write in 1985?", "El amor en los tiempos del cólera"),
        ("Write a letter in Arabic script.", "The word is سلام\u200e, written from right to left, and it means peace."),
        ("Why do I see Ã© on my page?", "The file is UTF-8, and the browser reads it as Latin-1; send the charset."),
    ],
)
def test_what_only_looks_it_is_clean(question, answer):
    assert codes(question, answer) <= {"too-few-samples"}


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("secret", f"Cookie: PHPSESSID={drawn(26, string.ascii_lowercase + string.digits)}"),
        ("secret", f"SMTP_PASS={drawn(8)}7!k"),
        ("secret", "The door code is 4829, then press the bell."),
        ("secret", "门锁密码是 739204，进门后请关好。"),
        ("secret", f"SMTP 授权码：{drawn(16, string.ascii_lowercase)}"),
        ("secret", f"mosquitto_sub -h mq.example -u bot -P '{drawn(6)}8!{drawn(4)}'"),
        (
            "secret",
            "The seed phrase: abandon ocean trigger velvet puzzle lemon rival garden swift copper magnet flight",
        ),
        ("pii", "She lives at 27 Birch Hollow Road, Leeds."),
        ("pii", "寄到成都市武侯区桐梓林北路12号3栋1402，何雪莲收。"),
        ("pii", "His licence plate is 7KLM 482, a blue Honda."),
        ("pii", "车主李建军，车牌粤B·5F68T。"),
        ("pii", "该账号昨晚从58.247.31.190登录。"),
        ("pii", "Name: Ola Berg\nDOB: 17/08/1979"),
        ("pii", "Please go to Lena Hofmann's flat, 14 Maple Grove, and use the spare key."),
        ("pii", "Call Dr. Anna Petrova at home on 01865 552 713."),
        ("secret", "Use the password Garden_Gate-19 at the panel."),
        ("secret", "打印机密码是 hxsy20177。"),
        ("mojibake", "Ask Mьller & Sцhne for it."),
        ("mojibake", "您好，欢迎光临".encode("gbk").decode("big5", "ignore")),
        ("mojibake", "今天的素菜是" + "豆腐和香菇".encode("gbk").decode("cp932", "ignore")),
    ],
)
def test_what_opens_a_door_names_a_home_or_was_misread_is_seen(code, answer):
    assert code in codes("What does it say? 写的是什么？", answer)


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("secret", "The default PIN is 0000; change it at once."),
        ("secret", "Error code 4031 says that the token has expired."),
        ("secret", "银行卡密码是6位数字。"),
        ("secret", "A strong password has 12 characters; the password is Summer2024 in many weak ones."),
        ("secret", "密码要有字母和数字，密码是 qiche2024 就太简单。"),
        ("pii", "Call the City Library on 020 7946 0123, or visit 12 High Street, open daily."),
        ("secret", "cp -p 'file1_v2.txt' keeps times."),
        ("pii", "The museum is at 48 Larkspur Close, two stops from the station."),
        ("pii", "公司在科技园路8号创新大厦A座12层。"),
        ("pii", "在2号楼305会议室，下午3点开始。"),
        ("pii", "京A开头的车牌是北京的，例如京A12345。"),
        ("pii", "Version 4.18.22.101 fixes the crash that users saw."),
        ("mojibake", "口腔癌和鼻腔出血都要看医生。"),
        ("mojibake", "The letters α and β, and 20‰ of it."),
    ],
)
def test_codes_places_and_signs_of_everybody_are_fine(code, answer):
    assert code not in codes("What does it say? 写的是什么？", answer)
