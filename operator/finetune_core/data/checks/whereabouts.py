"""Where somebody lives, drives and goes online: homes, number plates, addresses on the internet."""

import re

from finetune_core.data.checks.glance import telling, watch

_STREET = (
    r"[0-9]{1,5}[A-Za-z]?\s(?:[A-Z][a-z'\u2019-]+\s){1,3}(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Close|Drive|Dr"
    r"|Court|Ct|Way"
    r"|Place|Pl|Crescent|Terrace|Gardens|Grove|Boulevard|Blvd|Row|Mews|Walk|Circle|Hill|Rise|View)\b\.?"
)
_UNIT = r"(?:Apartment|Apt\.?|Flat|Unit)\s?\#?[0-9]{0,4}[A-Z]?\b"
_HOME = re.compile(
    rf"\b{_STREET},?\s{_UNIT}|\b{_UNIT},?\s{_STREET}"
    r"|\b(?:lives?|lived|living|resid(?:es?|ed|ing)|home(?:\saddress)?|deliver(?:ed|y)?|shipp?(?:ed)?|neighbou?r"
    r"|(?i:address)\s?:"
    rf"|technician|courier|driver|visit)\b[^.\n]{{0,60}}?\b{_STREET}"
    rf"|\b(?:[A-Z][A-Za-z]+['\u2019]s\s(?:house|home|flat|place|apartment|cottage|door)|(?:Mr|Mrs|Ms|Miss|Dr)\.?\s[A-Z][A-Za-z]+"
    rf"|(?:parcel|package|ring|doorbell|picked\sup|collect(?:ed)?|moved)\b)[^.\n]{{0,50}}?\b{_STREET}"
)
_HOUSE = re.compile(
    "store|shop|office|branch|warehouse|museum|hotel|clinic|station|hospital|school|library|restaurant"
    "|headquarters|agency",
    re.IGNORECASE,
)
"""What is there for everybody."""
_HOME_WORDS = watch(
    "apartment apt flat unit lives lived living resides resided residing home deliver delivered delivery ship "
    "shipped address"
    " house cottage mr mrs ms miss dr parcel package ring doorbell picked collect collected moved"
    " technician courier driver neighbor neighbour visit"
)
_HOME_IN_CHINESE = re.compile(
    r"[0-9]单元\s?[0-9]{2,4}|[0-9A-Z](?:幢|栋|号楼)[^，。\s]{0,4}?[0-9]{3,4}(?!会议|教室|报告|办公|元|人|米|平|户|个)"
    r"|[路街道巷弄村里苑园区][0-9]{1,4}[号弄]"
)
_AT_HOME = re.compile("[住送寄到]|家在|[收][件货]|住址|家庭|户籍")
_HOUSE_IN_CHINESE = re.compile(
    "大厦|写字楼|广场|中心|公司|办公|教学楼|医院|科技园|学校|酒店|会议|门店|商场|馆|法院|局|银行"
)
_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_PLATE_IN_CHINESE = re.compile(rf"[{_PROVINCES}][A-HJ-NP-Z][·・•\s]?([A-HJ-NP-Z0-9]{{5,6}})(?![A-Za-z0-9])")
_PLATE = re.compile(
    r"\b(?i:(?:number|licen[cs]e|car)?\s?plates?|registration|reg)(?:\s(?i:number|no\.?))?(?:\s(?i:is|was"
    r"|of))?\s?[:#]?\s?[\"“]?"
    r"((?=[A-Z0-9 -]{0,9}[0-9])(?=[A-Z0-9 -]{0,9}[A-Z])[A-Z0-9]{2,4}[ -]?[A-Z0-9]{2,4}(?:[ -][A-Z0-9]{1,4})?)\b"
)
_NOBODYS_PLATE = re.compile("12345|ABC|AB12|XXX|00000|88888|66666|99999|11111|A1234", re.IGNORECASE)
_PLATE_WORDS = watch("plate plates registration reg")
_ONLINE = re.compile(r"(?<![\w./-])([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})(?![\w/]|\.[0-9])", re.ASCII)
_EVERYBODYS = frozenset(("8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "4.4.4.4", "1.2.3.4"))
_EVERYBODYS_NETS = re.compile(
    r"(?:0|10|127|169\.254|172\.(?:1[6-9]|2\d|3[01])|192\.168|192\.0\.[02]|198\.51\.100|203\.0\.113|100\.64"
    r"|198\.1[89]|114\.114"
    r"|223\.[56]|119\.29\.29|208\.67|180\.76\.76|22[4-9]|2[345]\d)\."
)
_SOMEBODY = re.compile(
    r"\b(?:users?|visitors?|subscribers?|customers?|accounts?|posts?|posted|registered|signed (?:in|up)|logged"
    r"|home|caller|author|he|she|her|his)\b"
    "|用户|户主|发帖|登录|登陆|宽带|机主|账号|访客|注册|本人|先生|女士|家里|他|她",
    re.IGNORECASE,
)


def whereabouts(text: str, digits: int) -> str | None:
    """What of somebody's is in a text with so many digits."""
    if text.isascii():
        told = telling(text)
        if not _HOME_WORDS.isdisjoint(told) and any(
            not _HOUSE.search(text, max(0, found.start() - 40), found.end()) for found in _HOME.finditer(text)
        ):
            return "somebody's address"
        if not _PLATE_WORDS.isdisjoint(told) and any(
            not _NOBODYS_PLATE.search(found[1]) for found in _PLATE.finditer(text)
        ):
            return "a number plate"
    else:
        numbered = "号" in text or "单元" in text or "栋" in text or "幢" in text
        for found in _HOME_IN_CHINESE.finditer(text) if numbered else ():
            before = text[max(0, found.start() - 30) : found.start()]
            sure = found[0][-1] not in "号弄" or _AT_HOME.search(before)
            if sure and not _HOUSE_IN_CHINESE.search(before + text[found.end() : found.end() + 8]):
                return "somebody's address"
        for found in _PLATE_IN_CHINESE.finditer(text) if "车" in text else ():
            if any(map(str.isdigit, found[1])) and len(set(found[1])) > 2 and not _NOBODYS_PLATE.search(found[1]):
                return "a number plate"
    if digits >= 6 and text.count(".") >= 3:
        for found in _ONLINE.finditer(text):
            if re.search(r"(?:version|release|firmware|版本|固件|\bv)\W?$", text[: found.start()][-12:], re.IGNORECASE):
                continue
            if max(map(int, found.groups())) > 255 or found[0] in _EVERYBODYS or _EVERYBODYS_NETS.match(found[0]):
                continue
            if _SOMEBODY.search(text):
                return "somebody's address on the internet"
    return None
