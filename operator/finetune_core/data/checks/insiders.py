"""What only colleagues know: their meetings, each other, circulars, and where the house keeps its papers."""

import re
from typing import NamedTuple

from finetune_core.data.checks.glance import Signs, near, telling, watch

# ---- in English

_DAY = "(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_MONTH = "(?:january|february|march|april|may|june|july|august|september|october|november|december)"
_DEPARTMENT = (
    r"(?:accounting|accounts|finance|payroll|legal|ops|operations|logistics|procurement|purchasing|facilities|marketing"
    r"|compliance|security|engineering|dispatch|claims|underwriting|sales|quality|support|reception|admissions|billing"
    r"|maintenance|records|planning|production|warehouse|back\ office|front\ (?:desk|office)|service\ desk"
    r"|lending|loans|mortgages|treasury|audit|collections|disputes|cards|credit|risk|tax|receivables|payables"
    r"|housekeeping|catering|concierge|reservations|receiving|shipping|returns|fulfil?lment|packing|fleet|transport"
    r"|workshop|tooling|radiology|pharmacy|pathology|nursing|oncology|triage|registry|enrol?lment|estates|grants"
    r"|recruiting|onboarding|retention|analytics|devops|infrastructure|editorial|communications|merchandising|(?-i:HR"
    r"|IT|QA|R&D|PR|EHS|Product|Design|Data|Platform|Networks?|Events|Stores?|Service|Care))\b"
)
_NAME = (
    r"(?-i:(?!The|Your|Our|Someone|Anyone|People|Staff|Human|Customer|Support|Google|Siri|Alexa|Pong)"
    r"(?:(?:Dr|Mr|Mrs|Ms|Prof)\.?\ )?[A-Z][a-z]+(?:\ [A-Z][a-z]+)?)"
)
_CHIEF = (
    r"(?:(?:the|our|your)\ (?:director|boss|manager|head|ceo|cfo|cto|coo|board|management|office|principal|supervisor"
    r"|chief|dean|president|secretary)(?:\ of\ \w+|\ \w+er)?|(?-i:HR|IT))"
)


class _Way(NamedTuple):
    """One way to speak as an insider."""

    words: frozenset[str]
    """One of them is in all that the pattern finds,"""
    also: frozenset[str]
    """and where they are frequent, one of these too."""
    pattern: re.Pattern[str]


def _about(words: str, pattern: str, also: str = "") -> _Way:
    return _Way(watch(words), watch(also), re.compile(pattern, re.IGNORECASE | re.VERBOSE))


_ASKED = rf"""
    \b(?:ask|ping|e-?mail|call|contact|message|tell|see|cc|copy|notify|page|(?:speak|talk|go|report|write)\ to
      |(?:check|speak|talk)\ with|(?:send|hand|give|forward)\ (?:\w+\ ){{1,3}}to|then|and|after\ that)\s
    {_NAME},?\s(?:from|in|at|over\ in|of)\s(?:the\ |our\ )?{_DEPARTMENT}
    | {_NAME}\s(?:from|in|over\ in)\s(?:the\ |our\ )?{_DEPARTMENT}\s
      (?:has|keeps|knows|handles|holds|will|can|said|told|wrote|confirmed|says|maintains|looks)\b
"""
_ENGLISH = (
    _about(
        "stand standup hands hall retro retrospective huddle sync offsite site meeting briefing",
        rf"""
        \b(?:as|per|in|at|during|from|after|since|by)\s(?:\w+\s){{0,3}}?
        (?:(?:our|yesterday's|today's|this\ (?:week|month|morning)'s|last\ (?:week|month|quarter)'s
            |(?:(?:last|this)\ )?{_DAY}'s|our\ (?:last|weekly|monthly|daily)
            |the\ (?:weekly|monthly|daily|q[1-4]|{_MONTH}))\s(?:[\w-]+\s){{0,2}}?
            (?:stand-?up|all-?hands|town\ ?hall|retro(?:spective)?|huddle|sync|off-?site|meeting|briefing)
          |(?:the\ )?(?:last|latest)\s
            (?:stand-?up|all-?hands|town\ ?hall|retro|huddle|sync|off-?site|(?:team|staff)\ meeting))\b
        """,
    ),
    _about(
        "accounting accounts finance payroll legal ops logistics procurement purchasing facilities marketing compliance"
        " engineering dispatch claims underwriting sales reception admissions maintenance records planning"
        " production warehouse desk hr qa ping lending loans mortgages treasury audit collections disputes receivables"
        " payables housekeeping catering concierge reservations receiving returns fulfilment fulfillment fleet tooling"
        " radiology pharmacy pathology nursing oncology triage registry enrolment enrollment estates recruiting"
        " onboarding retention analytics devops infrastructure editorial merchandising ehs",
        _ASKED,
    ),
    _about(
        "office security quality support billing operations cards credit risk tax shipping packing transport workshop"
        " grants communications pr product design data platform network networks events store stores service care",
        _ASKED,
        "ask speak talk ping tell cc notify confirmed knows keeps handles said wrote",
    ),
    _about(
        "memo circular circulated sent forwarded posted announcement mail",
        rf"""
        \b(?:memo|e-?mail|mail|circular|notice|message|note|announcement)\s(?:that\ |which\ )?(?:{_NAME}|{_CHIEF}|we)\s
        (?:sent|shared|posted|forwarded|wrote|put\ out|issued|circulated)\s?(?:a?round|out)?\s?
        (?:(?<=round)|(?<=round\ )|(?<=circulated)|(?<=circulated\ )|to\ (?:all|every|the\ (?:whole|entire)|us|staff
          |each)|last\ (?:week|month)|on\ {_DAY}|in\ {_MONTH}(?!\ \d{{4}}))
        | \bin\s(?:her|his|their|the)\s(?:e-?mail|memo|mail|message|note)\sto\s
          (?:all|the\ (?:whole|entire|team)|every|staff|us)\b
        """,
    ),
    _about(
        "drive dropbox onedrive doc docs sheet sheets spreadsheet tracker airtable mailbox inbox calendar nas box",
        r"""
        \b(?:our|the\ (?:team|shared|company|department)(?:'s)?|team|shared)\s(?:google\ |shared\ |team\ )?
          (?:drive|dropbox|onedrive|docs?|sheets?|spreadsheet|tracker|airtable|mailbox|inbox)
          (?:\ (?:folder|file|sheet|doc|page|tab))?\s?["“][\w /.&-]{3,60}["”]
        | \bour\s(?:google\ |shared\ )(?:doc|sheet|drive|calendar|spreadsheet|inbox)s?\b
        | \bthe\s(?:google\ )?(?:drive|dropbox|onedrive|box)\s(?:folder|file)\s["“][\w /.&-]{3,60}["”]
        | \b(?:in|on|from)\sthe\s(?:team|company|office|department)(?:'s)?\s(?:dropbox|onedrive|google\ drive|box|nas)\b
        """,
    ),
    _about(
        "hr facilities workday servicenow sap concur coupa helpdesk approval badge laptop",
        r"""
        \b(?:raise|open|file|submit|log|create|put\ in)\s(?:an?\ )?(?:\w+\ )?(?:ticket|request|case)\s
        (?:with|to|for|in)\s(?:the\ )?(?-i:IT|HR|Facilities|Workday|ServiceNow|SAP|Concur|Coupa)\b
        """,
    ),
    _about(
        "handbook manual portal rulebook playbook rota roster minutes crm erp salesforce hubspot sap gitlab jenkins"
        " grafana workday",
        r"""
        \b(?:section|chapter|page|part|item)\s\d[\d.]*\s(?:of|in)\s(?:the|our)\s(?:[\w-]+\ )?
          (?:staff|employee|workshop|warehouse|company|house|team|office|branch|store|kitchen|lab|ward)\s
          (?:handbook|manual|guide|policy|rulebook|playbook)\b
        | \bour\s
          (?:staff|employee|workshop|warehouse|company|house|team|office|branch|store|kitchen|lab|ward|safety|quality)\s
          (?:handbook|manual|portal|rulebook|playbook|rota|roster)\b
        | \b(?:on|in|via)\sthe\s(?:staff|employee|team)\sportal\b
        | \bminutes\sof\sour\b
        | \bour\s(?:CRM|ERP|Salesforce|HubSpot|SAP|GitLab|Jenkins|Grafana|Workday)\b
          (?!\ (?:customers|users|plugin|integration))
        """,
    ),
    _about(
        "internally inside in-house codename",
        r"""
        \b(?:we|everybody\ here|people\ here)\ (?:just\ |only\ |all\ )?(?:call|know|name|dub|refer\ to
          |run)\s(?:[\w-]+\ ){1,5}?
          (?:internally|in-house|inside\ the\ (?:company|team|firm|house|office)|among\ (?:staff|colleagues
            |ourselves))\b
        | \binternally,?\ we\ (?:call|refer|know|use|track|run)\b | \bour\ (?:internal\ )?codename\b
        """,
    ),
    _about(
        "colleagues agents reps employees",
        r"""
        (?:^|[\n.(]\s*)(?:note\ (?:to|for)\ )?(?:colleagues|agents|staff|team|reps|employees):\s
        """,
    ),
    _about(
        "colleagues agents reps employees",
        r"""
        [(\[](?:for\ )?(?:agents?|staff|employees?|colleagues?|reps?|team(?:\ members)?)(?:'s)?\s
          (?:eyes\ |use\ )?only[)\]]
        | \bonly\ (?:our\ )?(?:staff|agents|colleagues|employees)\ (?:can|may)\ (?:open|see|view|read|access)\b
        """,
        "only",
    ),
    _about(
        "meant intended shown shared disclose reveal mention forward share show give send pass",
        r"""
        \bnot\ (?:meant|intended|to\ be\ (?:shared|shown)|for\ sharing|visible)\ (?:for|to|with|by)\s(?:the\ )?
          (?:customers?|clients?|guests|patients|public|outsiders)\b
        | \b(?:do\ not|don't|never|must\ not|mustn't)\ (?:show|give|share|forward|send|mention|disclose|reveal|pass)\s
          (?:this|it|these|that)\ (?:\w+\ ){0,2}?(?:to|with)\s
          (?:the\ )?(?:customers?|clients?|guests|patients|public)\b
        """,
        "not don't never mustn't",
    ),
    _about(
        "kb macro template canned sop snippet",
        r"""
        \b(?:kb|knowledge\ base)\ (?:article|entry|page|item|doc)?\s?(?:no\.?\ |number\ |id\ |\#)?\d{2,}
        | \b(?:use|using|with|per|see|send|follow|paste|from)\ (?:the\ |our\ )?
          (?:template|macro|canned\ (?:response|reply)|text\ block|snippet|form\ letter)\s
          (?:no\.?\ |number\ )?(?:(?-i:[A-Z]{1,4}-?\d+)|\#\d{1,5}\b)
        | \b(?:our|the\ (?:team|shop|store|branch|clinic|warehouse|[a-z]+\ (?:team|desk|department))(?:'s)?)\s
          (?:[\w-]+\ ){0,2}(?:sop|runbook|playbook|macro|canned\ (?:response|reply))\b
        | \bSOP,?\s(?:step|section|chapter|no\.?|number|v)\s?\d
        """,
    ),
    _about(
        "jira sprint backlog asana trello servicenow zendesk tapd clickup board kanban intranet",
        r"""
        \b(?:the|our)\ (?:[\w-]+\ )?(?:jira|asana|trello|servicenow|zendesk|tapd|linear|azure\ devops|clickup|monday)\s
          (?:epic|tickets?|board|issue|story|task|card|queue|backlog|incident|entry|record|thread)\b
        | \b(?:in|on|for|into|from)\ (?:our|the\ (?:[\w-]+\ )?team's|engineering's|qa's)\s
          (?:next\ |current\ |upcoming\ )?
          (?:sprint|backlog|kanban|board)\b
        | \b(?:qa|engineering|dev|devs|developers|the\ [\w-]+\ team|we)\ (?:has|have|put)\ (?:it|this|that)\ (?:on|in)\s
          (?:the|our)\ (?:board|backlog|sprint|roadmap)\b
        | \b(?:on|in|via|from|through)\ (?:the|our)\ intranet\b
        """,
    ),
    _about(
        "discussed agreed decided mentioned explained told wrote per said announced confirmed showed pointed asked"
        " clarified reminded requested promised instructed",
        rf"""
        \bas\ (?:i\ |we\ |was\ |{_NAME}\ |{_CHIEF}\ )?(?:has\ |had\ |have\ )?(?:already\ )?
          (?:discussed|agreed|decided|mentioned|explained|told\ (?:you|us)|wrote|said|announced|confirmed|showed
            |clarified
          |pointed\ out|asked|reminded\ us|requested|promised|instructed)\s(?:to\ (?:you|us)\ |us\ |it\ )?
          (?:(?:in|on|at|during|over)\ (?:our|my|yesterday's|today's|this\ (?:morning|week)'s|last\ (?:week|month
            |night)'s|{_DAY}'s|the\ (?:last|latest|team|weekly|morning|shift|daily|monthly|staff))\s
          (?:[\w-]+\ ){{0,2}}?(?:call|chat|thread|e-?mail|mail|review|workshop|session|conversation|meeting|briefing
            |training
            |handover|huddle|stand-?up|memo|sync)\b
          |(?:yesterday|this\ morning|earlier\ today|last\ week)\b(?=[,.]|\ in\b|\ on\b))
        | \b(?:per|see)\ my\ (?:last|earlier|previous)?\s?(?:e-?mail|mail|message|note)\b
        """,
    ),
    _about(
        "email mail memo note message circular announcement voicemail instructions post",
        rf"""
        \b(?:per|see|following|according\ to|based\ on|as\ (?:stated|described|announced|explained|requested
          |written|mentioned)\ in)\s(?:{_NAME}|{_CHIEF})'s\s(?:[\w-]+\ ){{0,2}}?
          (?:e-?mail|mail|memo|note|message|circular|announcement|voicemail|instructions|post)\s
          (?:to\ (?:all|every|the\ (?:whole|entire|team|staff)|us|staff)|(?:from\ )?(?:last|this)\ (?:week|month
            |morning)
          |(?:from\ |of\ )?yesterday|(?:of|on|from)\ {_DAY}|dated|in\ the\ (?:team|group)|on\ (?:the\ )?(?:board
          |fridge))\b
        """,
        "per see following according based stated described announced explained requested written mentioned",
    ),
    _about(
        "she he they",
        rf"""
        \b(?:ask|ping|contact|call|e-?mail|message|(?:check|speak|talk)\ (?:with|to)|go\ to)\s{_NAME}
          (?:\s(?:in|from|at|on)\s(?:the\ )?[\w-]+(?:\ floor|\ desk|\ team)?)?(?:,|;|\.|:|\ -|\ –)\s?(?:as\ |since\
            |because\ )?
          (?:she|he|they)(?:'s|'ll|'ve)?\ (?:has|have|knows?|keeps?|will|can|handles?|holds?|looks?|is|are|got|owns?
          |maintains?|signs?|approves?)\b
        """,
        "ask ping contact call message check speak talk",
    ),
    _about(
        "handbook manual playbook rulebook binder logbook cheatsheet protocol",
        r"""
        \b(?:as\ )?(?:described|stated|noted|set\ out|explained|written|documented|laid\ down|listed|outlined|defined
          |mentioned|specified|found|given|per|see|follow|consult|refer\ to|check|according\ to|(?:rules|steps
          |script)\ in)\s
          (?:in\ |on\ |by\ )?(?:the|our)\ (?:agents?'?|staff|crew|team|drivers?'?|operators?'?|ward|shift|store
            |branch|shop|kitchen
          |reception|front\ desk|desk|supervisors?'?|managers?'?|sales|support|service\ desk|call\ cent(?:er|re)
          |floor|trainers?'?|tutors?'?|tellers?'?|dispatch(?:ers?'?)?|departmental|house)\ (?:[\w-]+\ )?
          (?:handbook|manual|playbook|rulebook|binder|logbook|cheatsheet|protocol)\b
        """,
    ),
    _about(
        "insists complains argues objects escalate escalates protests",
        r"""
        \bif\ (?:the|a)\ (?:customer|client|guest|caller|patient|parent|passenger|member|buyer)\s(?:still\ )?
          (?:insists|complains|argues|objects|protests)\b[^.\n]{0,40}?,\ (?:please\ )?(?:check|ask|escalate|transfer
            |offer
          |hand|pass|put|call|get|refer|tell)\b
        | \bescalate\ (?:it\ |them\ |this\ |the\ (?:case|call|ticket)\ )?to\ (?:tier|level|l)\ ?[23]\b[^.\n]{0,12}?
          \b(?:as|per|via|with|through)\b
        """,
    ),
)
"""Meetings, colleagues, circulars, shared folders, requests to departments, rules and systems of the house."""
_RARE_WAYS = [way for way in _ENGLISH if not way.also]
_OTHER_WAYS = [way for way in _ENGLISH if way.also]
_WORDS = frozenset().union(*(way.words for way in _RARE_WAYS))
_ALSO = frozenset().union(*(way.also for way in _OTHER_WAYS))

# ---- in Chinese

_FAMILY = (
    "[王李张刘陈杨赵黄周吴徐孙朱郭罗梁宋郑谢韩唐冯董曹袁邓许沈彭吕苏卢蒋蔡贾魏"
    "薛潘杜姚谭廖邹熊郝崔邱秦侯邵孟何高林马胡钱]"
)
_RANK = "(?:师傅|哥|姐|工|总|主任|经理|老师|主管|队长|科长|处长|店长|组长|班长)"
_SAID_IN = "(?:邮件|短信|微信|群里|工作群|会上|便签|便条|留言|批示|交代|嘱咐|吩咐|通知|备注|批注|口头|电话里|字条)"
_GATHERING = "(?:例会|周会|晨会|早会|站会|碰头会|办公会|部门会|院务会|班前会|交班会|项目会|评审会|月会|行政会)"
_PLATFORM = "(?:飞书|钉钉|企业微信|企微)"
_SHELF = "(?:腾讯文档|金山文档|语雀|石墨|共享盘|公共盘|公盘|群文件|群公告)"
_SIGNS = Signs(
    "例会 周会 晨会 早会 站会 头会 公会 门会 务会 前会 班会 目会 审会 月会 政会 飞书 钉钉 企微 企业 腾讯 金山 语雀 "
    "石墨 享盘 共盘 公盘 "
    "交接 值班 留言 登记 排班 巡检 护理 纪要 如前 如上 写在 记在 贴在 写到 记到 "
    "同事们 同事请 同事都 同事要 同事注 同事留 同事知 同事务 同事， 同事： 同事: "
    "本组 班组 店里 群文 群公 群发 下发 转发 发给 走O 在O 提O 咱科 "
    "咱们 们科 们部 们班 本科 本部 部系 内网 门周 门月 室周 "
    "到E 进E 到C 去J 在J 到J "
    + " ".join(f"{before}{name}" for before in "老小" for name in _FAMILY[1:-1])
    + " "
    + " ".join(f"{name}{rank}" for name in _FAMILY[1:-1] for rank in "师哥姐工总主经老队科处店组班")
)
_CHINESE = re.compile(
    rf"""
    {_FAMILY}{_RANK}(?:昨天|前天|上周|上个?月|今早|早上|当时|之前|刚|发的?|的|在){{0,3}}?[^，。；\n]{{0,4}}?{_SAID_IN}
      (?:里|中|上|过)?的?[^，。；\n]{{0,4}}?(?:写|说|讲|提|要求|强调|通知|规定|标准|口径|为准|明确|办理?|执行|新|最新)
    | (?:交接|值班|留言|登记|排班|巡检|护理)[本簿板](?:里|中|上)?的?[^，。；\n]{{0,6}}?
      (?:写|记(?!录)|贴|留|备注|{_FAMILY}{_RANK})
    | (?:写|记|贴)(?:在|到)了?[^，。；\n]{{0,6}}?(?:交接|值班|留言|排班|巡检)[本簿板日]
    | (?:如|按照?|据|见|参照|根据|参考|依照?|以)[^，。；\n]{{0,10}}?纪要(?:中|里|上)?的?(?:所|已|定|明确|要求|规定
      |为准|精神
      |第|确定|写|执行|内容|决定)
    | (?:窗口|前台|坐席|一线|值班|各位|仓库|门店|柜台|柜面|客服|后台|收银|夜班|白班|早班|晚班|本组|班组|现场|财务
      |护士|店里)的?
      同事(?:们)?[，：:]?(?:都?要?(?:请)?(?:注意|留意|知悉|务必|知晓)|请)
    | (?:请|麻烦)?(?:各位|大家)?同事(?:们)?(?:务必|请注意|注意|知悉|留意)(?=[，：:。])
    | (?:昨[天日]|前天|今早|今天|早上|上周[一二三四五六日]?|本周|这周|上个?月|上次|周[一二三四五六日]
    |星期[一二三四五六日]|月初|年初)
      (?:的|我们)?[^，。；\n]{{0,4}}?{_GATHERING}(?:上|里|的|已经?|就)*[^，。；\n]{{0,6}}?
      (?:定|说|决定|要求|敲定|通过|确认|讲|讨论|决议|精神|口径|纪要)
    | (?:找|问(?:一下|问|下)?|联系|让|请|私信|交给|报给|发给|转给|抄送给?|@)\s?
      [^，。；\n]{{0,6}}?(?:部|组|科|处|室|中心|团队|财务|行政|人事|运营|运维|仓库|后勤|采购|法务|IT|技术|客服|售后
      |市场|质检|调度
      |信息|教务|护士站|车间)的?(?:[老小]{_FAMILY}|{_FAMILY}{_RANK})
    | (?:找|问|联系|私信)[老小]{_FAMILY}[^，。；\n]{{0,6}}?(?:开通|审批|签字|报备|登记|领|拿|要(?!求)|盖章|对接|处理
      |确认|报销|加白|办理
      |开(?:权限|单|门|户)|核对|帮[您你忙])
    | (?:让|请|叫)[老小]{_FAMILY}(?:帮[您你]|开通|审批|登记|签字|处理|确认)
    | @\s?[老小]?{_FAMILY}(?:{_RANK}|(?<=[老小].)(?=[，。；]|$))
    | {_PLATFORM}(?:里|上)?的?(?:云?文档|(?:多维|在线)?表格|知识库|群|云盘|空间)(?:里|中)?的?\s?
      ["“「《](?!发起|审批|工作台|通讯录|加入|创建|新建|分享|设置|更多|下载|添加)[^"”」》\n]{{2,24}}["”」》]
    | {_SHELF}(?:里|上|中)?的?\s?["“「《][^"”」》\n]{{2,24}}["”」》]
    | (?:放|存|传|写|发|更新|同步|登记|记)(?:在|到|进)了?[^，。；\n]{{0,6}}?(?:{_SHELF}|{_PLATFORM}|部门网盘|工作群
      |知识库)
      [^，。；\n]{{0,8}}?(?:里|中|上)(?=了|，|。|$|自己|面)
    | (?:[馆院校局处科班园站店]长|主任|经理|领导|院办|校办|办公室|人事处?|总部|总公司|行政)[^，。；\n]{{0,6}}?
      (?:群发|下发|转发|发给(?:全体|各|大家|全员|所有))[^，。；\n]{{0,8}}?(?:通知|邮件|文件|备忘录|公告|短信|表格|名单)
    | (?:走|提|在)\s?OA(?:里|上|系统)*(?:提交|发起|走|填|申请|审批|，|。|流程)
    | (?:到|进|去|在|登)\s?(?:ERP|CRM|MES|WMS|SAP|Jira|TAPD|禅道)(?:系统)?(?:里|上|中)?(?:查|建|提|录|开|改|登记|导出)
    | (?:咱们?|我们|本)(?:科室|部门|班组|车间|门店|店|组|科)里?的?[^，。；\n]{{0,4}}?(?:制度|规定|规矩|排班|台账|周报
      |月报|手册|惯例)
    | (?:见|看|按|照)(?:部门|科室|班组|车间)的?(?:周报|月报|台账|排班|制度|交接本)
      |值班室的?[^，。；\n]{{0,4}}?交接[本班]
    | (?:内部系统|公司内网|内网)(?:里|中|上)?(?:点|查|下载|提交|填|搜)
    """,
    re.IGNORECASE | re.VERBOSE,
)

_RARE = re.compile("[术席柜飞钉企雀墨禅群脚板径勿仅PRJ]")
_TELLS = (
    "话术", "SOP", "CRM", "ERP", "TAPD", "Jira", "禅道", "坐席", "柜面", "飞书", "钉钉", "企微", "企业微信", "金山文档",
    "语雀", "石墨", "群里", "作群", "内群", "服群", "脚本", "模板", "口径", "勿向", "勿告", "透露", "告诉客",
    "仅员工", "仅同事", "仅对", "仅供",
)  # fmt: skip
"""A sign and a word of all that ``_TOLD`` finds: a text has seldom both, and to look for them takes less."""
_TOOL = f"(?:{_PLATFORM}|腾讯文档|金山文档|语雀|石墨)"
_TOLD = re.compile(
    rf"""
    话术(?:请|可以?)?(?:参考|参照|见|按照?|依照|照|统一|模板|库|脚本|手册|在)
    | (?:坐席|客服|后台|工单|柜面|信贷|仓储|调度|经办|内勤|业务|人事|内部)(?:系统|后台|平台)?(?:里|中|上|内)?的?\s?
      ["“「《][^"”」》\n]{{0,12}}(?:脚本|话术|模板|口径|手册|清单|规范|SOP|台账)[^"”」》\n]{{0,6}}["”」》]
    | (?:我们|咱们?|我司|本公司|本?部门|本?科室|团队|组里|店里|院里)的?[^，。；\n]{{0,5}}?
      (?:SOP|话术|(?:CRM|ERP|OA|工单|排班)系统)
    | SOP(?:手册|文档|文件)?(?:里|中|的)?的?第\s?[一二三四五六七八九十\d]+\s?[步条章节页点]
    | (?:出自|见|来自|参考|参照|查|填|根据|依据|按照?|摘自|在|整理自)[^，。；\n]{{0,8}}?{_TOOL}(?:里|上)?的?
      (?:云?文档|(?:多维|在线)?表格|知识库|群|云盘|表单|公告|日历)
    | (?:{_TOOL}|工作|部门|内部|客服|科室|项目|店长)群(?:里|中|内)?[^，。；\n]{{0,4}}?
      (?:{_FAMILY}{_RANK}|[老小]{_FAMILY}|的?(?:回复|截图|聊天记录|公告|通知|接龙))
    | 大?群里(?:已经?|之前|刚|都|也|早就)*(?:发|说|通知|公告|讲|强调|要求|定|决定)[过了]
    | (?:坐席|客服人员|柜员|内勤)(?:们)?(?:请?注意|须知|专用|可见)
    | 仅(?:对|供|限)?(?:内部的?)?(?:员工|同事|坐席|客服|本部门|工作人员)(?:可见|使用|参考|掌握|查看|查阅)
    | (?:不要|不得|不可|不能|请勿|切勿|勿|别)(?:对|向|给|跟)?(?:告诉|告知|透露给|转发给|发给)?
      (?:客户|顾客|用户|客人|患者|外人|家长)(?:说|透露|公开|提起?|看|展示|讲|知道)?(?=[，。；）)]|$)
    | (?:在|到|提到?|录入|进)?(?:禅道|Jira|TAPD|云效)(?:上|里|中)(?:已经?|都|也)*(?:建|提|登记|记录|跟踪|有|开|排|挂|查)
    """,
    re.VERBOSE,
)

_FOR_OTHERS = re.compile(
    r"\b(?:write|draft|compose|translat\w*|rewrite|summari[sz]e|minutes|e-?mail (?:to|for|that|about)|letter|story"
    r"|dialogue"
    r"|role.?play|proofread|polish)\b|写(?![错明了上着的不在])|起草|拟|翻译|润色|改写|总结|概括|造句|台词|扮演|邮件",
    re.IGNORECASE,
)
"""Asked for, the answer is somebody else's letter, and names what he knows."""


def insiders(text: str) -> str | None:
    """What of the text only colleagues can follow."""
    told = telling(text)
    ways = [] if _WORDS.isdisjoint(told) else [way for way in _RARE_WAYS if not way.words.isdisjoint(told)]
    if not _ALSO.isdisjoint(told):
        ways += [way for way in _OTHER_WAYS if not (way.also.isdisjoint(told) or way.words.isdisjoint(told))]
    for way in ways:
        if found := way.pattern.search(text):
            return found[0]
    if text.isascii():
        return None
    found = near(_SIGNS.places(text), _CHINESE, 20, 32, text) or _told(text)
    return found[0] if found else None


def _told(text: str) -> re.Match[str] | None:
    return _TOLD.search(text) if _RARE.search(text) and any(map(text.__contains__, _TELLS)) else None


_TOOLS = re.compile(
    "jira|asana|trello|servicenow|zendesk|linear|confluence|sharepoint|notion|tapd|intranet|sprint|backlog|kanban|sop"
    "|纪要|交接本|交接班|值班|同事|客服|飞书|钉钉|企业微信|企微|腾讯文档|金山文档|语雀|石墨|禅道|云效|话术|内部|代号|code",
    re.IGNORECASE,
)


def about_the_tool(found: str, question: str) -> bool:
    """Whether the question names the tool that only colleagues can open: then it is about that tool."""
    named = _TOOLS.search(found)
    return named is not None and named[0].lower() in question.lower()


def told_for_others(question: str) -> bool:
    """Whether the answer is to be written in somebody else's name."""
    return _FOR_OTHERS.search(question) is not None
