"""References to what only insiders can open."""

import re

from finetune_core.data.checks.base import Check, locate, stateless
from finetune_core.data.checks.glance import Signs, digits, marks, near, telling, watch
from finetune_core.data.checks.insiders import about_the_tool, insiders, told_for_others
from finetune_core.data.example import Example

_INTERNAL_WORD = re.compile(
    r"internal|in-house|confidential|proprietary|intranet|external|outside|sharepoint|confluence|drive|folder|wiki",
    re.IGNORECASE,
)
_INTERNAL_WORDS = watch(
    "internal internally confidential confidentially proprietary intranet external externally outside in-house house"
    " sharepoint confluence drive folder wiki"
)
_FAMILY = "[王李张刘陈杨赵黄周吴徐孙朱郭罗梁宋郑谢韩唐冯董曹袁邓许沈彭吕苏卢蒋蔡贾魏薛潘杜姚谭廖邹熊郝崔邱秦侯邵孟]"
_INTERNAL_SIGNS = Signs(
    "内部 內部 内网 內網 机密 機密 外传 外傳 外泄 外洩 外公 外披 外透 涉密 绝密 密级"
    " 享盘 共盘 公盘 网盘 纪要 例会 周会 禅道 飞书 钉钉 企微 语雀 石墨 抄送 "
    + " ".join(before + name for before in "老小@" for name in _FAMILY[1:-1])
)

_DOCUMENT = (
    r"(?:doc(?:ument)?s?|documentation|wiki|manual|handbook|memo(?:randum)?s?|guidelines?|guides?"
    r"|knowledge\ ?base|playbook"
    r"|runbook|e-?mails?|reports?|slides|deck|specs?|specification|portal|records?|page|polic(?:y|ies)"
    r"|procedures?|sop|faq"
    r"|minutes|circular|bulletin|announcement|notice|directive|regulations?|rules?|rulebook|standards?|roadmap"
    r"|spreadsheet"
    r"|dashboard|tracker|database|article|instructions?|checklist|presentation|analysis|review|audit\ report"
    r"|newsletter"
    r"|price\ list|tool|system|site|network|channel|training|material|notes?)"
)
"""What a house writes for itself."""
_PAPER = (
    "(?:文档|文件|资料|手册|知识库|wiki|备忘录|通知|通告|邮件|纪要|流程|指引|指南|公告|规定|制度|规范|规程|规则"
    "|细则|守则|政策|办法"
    "|报告|报表|周报|月报|季报|预案|方案|指令|台账|课件|教材|培训|模板|论坛|门户|口径|条例|章程|档案|通报|简报|清单"
    "|价目表|会议|工单"
    "|文檔|資料|知識庫|備忘錄|郵件|紀要|規定|規範|報告|報表|檔案|會議|通報)"
)
_PLACE = "(?:系统|平台|网站|网页|页面|渠道|要求|标准|说明|数据|数据库|服务器|网盘|群|系統|網站|數據|標準)"

_MEETING = "(?:会议|例会|周会|晨会|办公会)"

_INTERNAL = re.compile(
    rf"""
    \b(?:(?:according\ to|as\ per|per|based\ on|refer\ to|consult|see|quoting|cited\ in|from
          |in\ line\ with|(?:stated|described|noted|set\ out|explained|written|documented|laid\ down|listed
          |outlined|defined
          |mentioned|recorded|specified|published|posted|given|found)\ (?:in|on|by))\s+
       |(?:our|company(?:'s)?|team(?:'s)?|corporate|department(?:'s)?)\s+)
    (?:(?:our|the|my|this|its|your|an?|company(?:'s)?|team(?:'s)?|corporate|department(?:'s)?|latest|current
      |q[1-4]|[\w-]+)\s+){{0,3}}?
    (?:(?:company|strictly)-)?(?:internal|in-house|confidential|proprietary|intranet)(?:-only)?\s+
      (?:[\w'-]+\s+){{0,3}}?
    (?!data\b|external)(?:{_DOCUMENT}|file|files)\b
    | \b(?:the|our|this)\s+(?:internal|in-house|confidential)\s+(?:[\w'-]+\s+){{0,3}}?{_DOCUMENT}\s+(?:says?
      |states?|requires?|specif(?:y|ies)|lists?)\b
    | \b(?:our|company(?:'s)?|corporate|staff|team(?:'s)?|department(?:'s)?|office|employee)\s+
      (?:intranet|internal\ (?:network|wiki|portal)|sharepoint|confluence|(?:team\ )?wiki|(?:shared|network|team
      |common)\ (?:drive|folder))\b
    | \b(?:on|in|via)\ (?:the\ )?(?:intranet|sharepoint|confluence)(?:\ (?:page|portal|site|space|under|at)\b
      |\s?[>/→])
    | \binternal(?:[ -]only)?\ (?:document|doc|memo|policy|report|wiki|note|circular|procedure|sop|guideline
      |standard)s?
      \ (?:no\.?|number|id|ref\.?|\#|v?\d|[a-z]{{2,6}}-)
    | \b(?:payroll|finance|accounting|legal|hr|it|sales|support|marketing|procurement|compliance|security|engineering
      |operations|logistics|team|department|group|office|branch)'s\s+internal\s+
      (?:faq|wiki|handbook|memo|playbook|runbook|knowledge\ base|portal|sop|guidelines?|manual|intranet)\b
    | \binternal\s+(?:[\w'-]+\s+){{0,2}}?{_DOCUMENT},?\s\(?(?:question|chapter|section|sec\.|page|item|appendix|annex
      |step|paragraph|§|version|v)\s?\d
    | \b(?:on|in|from)\ (?:the|our)\ [h-z]:?\ drive\b
    | \binternal\ (?:use\ )?only\b | \b(?:for|to)\ internal\ (?:distribution|circulation|eyes)\b
    | \b(?:company|strictly|highly)[ ]confidential\b | \bconfidential\ (?:and|\&)\ proprietary\b
    | \b(?:marked|classified|labell?ed|stamped)\s(?:as\s)?["“']?(?:company[ ]|strictly[ ])?(?:confidential|internal)\b
    | \b(?:not|never|don't|neither)\ (?:be\ |to\ be\ |for\ )?
      (?:share|forward|distribute|circulate|disclose|publish|leave|release|use|distribution)d?\ (?:\w+\ ){{0,3}}?
      (?:externally\b|(?:outside|beyond)\ (?:of\ )?(?:the|our|this)\ (?:company|team|organi[sz]ation|department
      |firm|office|group|business)\b)
    | \bnot\ for\ external\ (?:use|distribution|release|circulation)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)

_INTERNAL_IN_CHINESE = re.compile(
    rf"""
    (?:根据|依据|按照|参照|参考|参见|参阅|详见|请见|查阅|查看|依照|遵照|遵循|对照|援引|引自|出自|来自|摘自
      |登录|根據|依據|參照|參考|參見|詳見|查閱|见|据|按)
      [^，。,！？；\n]{{0,16}}?(?:内部|內部|内网|內網|机密|機密)(?!控制|审计|收益
      |審計)[^，。,！？；\n]{{0,8}}?(?:{_PAPER}|统计|测算|调研|评估)
    | (?:根据|依据|按照|参照|参考|参见|详见|请见|查看|登录|在|据|按|根據|依據)\s?(?:我们|我司|公司|本公司|部门
      |的|我們){{0,2}}(?:内部|内网|內部|內網)(?:的)?(?:{_PLACE}|系统)(?:的|中|里|公告|记录|，|显示|提交|查)
    | (?:如|从|由|正如|在)[^，。,！？；\n]{{0,4}}?(?:内部|內部|内网|內網)(?!控制|审计
      |收益)[^，。,！？；\n]{{0,8}}?{_PAPER}[^，。！？；\n]{{0,6}}?
      (?:所述|所说|所示|所列|规定|写|提到|指出|要求|说|显示|记载|載)
    | (?:我们|我司|本公司|咱们|本部门|部门|团队|单位|我們|本司|公司)(?:的)?(?:内部|內部|内网|內網)
      (?:的)?[^，。,！？；\n]{{0,5}}?
      (?:{_PAPER}|{_PLACE}|系统)[^，。！？；\n]{{0,8}}?(?:写|说|规定|提到|要求|显示|指出|标明|注明|载明|《|第
      |[A-Z]{{2,}}-?\d|填写|提交|下载|查询|查看|申请|可查|公布|发布|通知)
    | (?:公司|我司|单位|集团|部门)(?:的)?(?:内网|內網)(?:的|里的|上的|中的)?[^，。,！？；\n]{{0,6}}?(?:系统|门户
      |平台|网站|页面|主页|首页|公告|论坛|网盘|栏目|下载)
    | (?:内部|內部)(?:文档|文件|资料|手册|文檔|資料|手冊|制度|规定|通知|邮件|报告)(?:编号|編號|第|《
      |[:：]?\s?[a-z]{{2,}}[-_]?\d)
    | (?:^|[，。：；（(【\[\s])(?:内部|機密|机密|涉密|绝密|內部)(?:资料|文件|信息|邮件|文档|資料|使用|传阅|参考
      |公开|口径|通知|消息)?[，,。：:；）)】\]！!]
    | (?:进入|登录|登陆|录入|提交|上报|报送|走|填入|查)[^，。；\n]{{0,4}}?(?:内部|內部|内网|內網)[^，。；的\n]{{0,6}}?
      (?:系统|平台|流程|台账|网站|系統)
    | (?:内部|內部)(?:版|稿|传阅|掌握|保密)(?=[，。）)】》的])
    | (?:内网|內網)(?:门户|首页|主页|公告)
    | 密级\s?[:：]
    | (?:我们|公司|团队)?内部(?:都|一般|把它|管它|暂时)*叫(?!做内部|停)
    | 我们内部[^，。；\n]{{0,4}}?(?:称|代号|命名|戏称)
    | (?:公司|团队)里(?:都|一般|把它|管它)*叫(?=[“"「])
    | 仅(?:对|供|限)?内部的?(?:员工|同事|人员|坐席|客服)(?:可见|使用|参考|掌握|查看|查阅)
    | (?<!是)(?:仅供|僅供|仅限|僅限|只限|只供|限于|(?<![仅僅只])供)[^，。\n]{{0,6}}(?:内部|內部)
    | 是(?:仅供|僅供|仅限|僅限|只限|只供|限于|供)[^，。\n]{{0,6}}(?:内部|內部)(?![^，。；\n]{{0,8}}的)
    | (?:属于?|为|是|列为)[^，。\n]{{0,5}}?(?:公司|我司|内部|集团)(?:的)?(?:机密|秘密|绝密|機密)
    | (?:请勿|勿|禁止|不得|严禁|切勿|不要|不可|不能|不宜|不准|請勿|嚴禁)[^，。！？\n]{{0,6}}?(?:外传|外傳|外泄
      |外洩|对外公开|对外披露|对外透露|对外公布)
    | (?:我们|本|我|咱们?|公司|单位|学校|医院|支行|[一-龥](?:部|处|科|室|组|中心))(?:的)?[^，。；\n]{{0,4}}?
      (?:共享盘|公共盘|公盘|共享网盘|企业网盘|部门网盘)
    | (?:我们|本部门|本科室|我科|我部|我司|公司|咱们?|本组|本院|我院|我校|我行)[^，。；\n]{{0,8}}?{_MEETING}
      (?:纪要|记录|决议|上)(?:里|中|上)?(?:定|说|决定|要求|规定|写|第|为准|执行)
    | (?:见|按照?|根据|参考|参照|依据?|以)(?:我们|我司|公司|本?部门|本?科室|本院|我校)?
      (?:上周|上次|上个?月|昨天|本周|周[一二三四五])
      [^，。；\n]{{0,6}}?{_MEETING}(?:的)?(?:纪要|决议|决定)
    | (?:禅道|云效)[^，。；\n]{{0,10}}?(?:\#\s?|[号单]\s?|bug\s?)[0-9]{{3,8}}
    | (?:飞书|钉钉|企业微信|企微|飛書|釘釘)[^，。；\n]{{0,6}}?
      ["“「《](?!审批|工作台|发起|通讯录|加入|创建)[^"”」》\n]{{2,20}}
      (?:群["”」]|["”」》]\s?(?:审批单|申请单|群|流程|表单|知识库|审批流))
    | (?:语雀|石墨|飞书|钉钉)(?:文档|知识库)?(?:上|里|中)?的?\s?《
    | @\s?{_FAMILY}[一-龥]{{1,2}}?(?:审批|确认|处理|跟进|签字|协助|即可|就行)
    | (?:抄送给?|找|联系|问|发给|转给|报给|@)\s?[^，。；\n]{{0,6}}?(?:部|组|科|处|室|中心|团队)的?
      (?:[老小]{_FAMILY}(?=[，。；要审开领拿确批帮]|$)|{_FAMILY}(?:哥|姐|工|总|主任|经理|老师)
      |{_FAMILY}[一-龥]{{1,2}}(?=[，。；要审开领拿确]|$))
    """,
    re.IGNORECASE | re.VERBOSE,
)

_SYSTEM = re.compile(
    r"""
    (?:我司|本公司|公司|部门|团队|我们|[一-龥](?:部|处|科|室|组|中心)|[院校行厂局司]内)的?\s?
      (?:OA|ERP|CRM|Wiki|SharePoint|Confluence|Jira|Notion|TAPD)(?=\s?(?:系统|平台|公告|通知|[上里中的提查,，]))
    | (?:Wiki|SharePoint|Confluence|Jira|Notion|OA)\s?(?:系统|平台|空间)?(?:上|里|中)?的?\s?
      (?:《|[「“"]?[^，。；」”"\n]{0,8}(?:手册|检查单|规范|制度|公告第))
    | \bOA(?:系统)?公告第
    | (?<![A-Za-z-])(?:our|[a-z]+\ team's|company's)\ (?:(?:shared|private|own)\ )?
      (?:Notion|Slack|Jira|Asana|Trello|Zendesk|ServiceNow|Airtable)\b(?!\ (?:bot|app|API|integration|connector|plugin))
    | \b(?:see|look\ (?:at|up)|check|per|read|follow|refer\ to|according\ to|find)\ [^.;\n]{0,30}\b(?:page|doc|document
      |runbook|checklist|wiki|guide|playbook|handbook)\b[^.;\n]{0,30}\ (?:in|on)\ (?:our\ )?Notion\b
    | \b(?:in|to|under|on|with)\ the\ [A-Z\d]{3,12}\ (?:queue|board|project|backlog)\ (?:on|in|of)
      \ (?:Jira|ServiceNow|Zendesk)\b
    | \b(?:ping|message|dm|ask|tell|contact|reach)\ (?:(?-i:[A-Z][a-z]+\b)
      |the\ [\w-]+\ (?:team|desk)\b|us\b)[^.;\n]{0,40}?
      \ (?:on|in|via|over)\ (?:our\ |the\ )?(?:Slack|Microsoft\ Teams)\b
    | (?<![\w#])\#(?!general|random|your|channel)[a-z][\w-]{2,40}\ (?:on|in)\ (?:our\ )?
      (?:Slack|Teams|Mattermost|Google\ Chat)\b
    | \b(?:Slack|Mattermost|(?:Microsoft|MS)\ Teams)(?:\ channel|,|:|\ under|\ in)?\ [("“]?
      \#(?!general|random|your|channel)[a-z][\w-]{2,40}
    | (?<![\w#])\#(?!general|random|your|channel)[a-z][\w-]{2,40}\ (?:Slack\ |Teams\ )?channel\b
      (?!\ (?:of|on|in)\ (?:the\ )?[\w']*\ ?(?:Discord|IRC|Libera))
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""A system of the house: whose it is, or what of the house's own is in it."""
_SYSTEM_WORDS = watch(
    "oa erp crm wiki sharepoint confluence jira notion tapd slack asana trello zendesk servicenow airtable channel"
    " mattermost teams"
)

_HOST = re.compile(
    r"""
    https?://(?:[\w-]+\.){1,5}(?:corp|internal|intranet|intra|lan|local|localdomain)(?![\w.-])
    | (?<![\w.@/-])(?:[\w-]+\.){1,4}(?:corp|intranet|intra|lan)(?![\w.-])
    | (?<![\w.@/-])(?=[\w.-]{0,60}[\d-])(?:[\w-]+\.){1,4}internal(?![\w.-])
    | https?://(?:wiki|jira|confluence|intranet|gitlab|git|oa|erp|crm|portal|hr|sso|jenkins|grafana|kibana|nexus
      |nas|docs
        |helpdesk|sharepoint|redmine|zentao|vpn|it|finance)(?=[/:])
    | (?<![\w.@-])(?:[\w-]+\.){1,3}(?:inner|intra|intranet|corp|internal)\.[\w-]+\.(?:com|cn|net|org|io)(?![\w-])
    | (?:https?://|(?<![\w.-]))(?:intranet|confluence|oa|sharepoint)\.[\w-]+\.(?:com|cn|net|org)
    | https?://(?:jira|zentao|jenkins|kibana)\.[\w-]+\.(?:com|cn|net)
    | https?://[\w-]+\.sharepoint\.com/ | https?://[\w-]+\.(?:feishu\.cn|larkoffice\.com)/(?:wiki|docx?|docs
      |sheets|base)/
    | https?://(?:10\.\d{1,3}|172\.(?:1[6-9]|2\d|3[01]))\.\d{1,3}\.\d{1,3}(?![\d.])
    """,
    re.IGNORECASE | re.VERBOSE | re.ASCII,
)
_HOST_WORDS = watch("corp internal intranet intra inner lan confluence oa sharepoint jira")
_PUBLIC_HOST = re.compile(
    r"\.(?:cluster\.local|(?:docker|google|compute)\.internal)$|(?:raspberrypi|homeassistant)\.local$|atlassian\.com"
    r"|example\.",
    re.IGNORECASE,
)
_SHARE = re.compile(
    r"(?<![\w\\&}$])\\\\(?!(?:localhost|server\d?|servername|host|hostname|computer\w*|nas|wsl\b|your[\w-]*"
    r"|[\w-]*example[\w-]*)[\\$.])"
    r"[A-Za-z0-9][\w.-]{2,40}\\\w|\bsmb://[\w-]{3,40}/\w",
    re.IGNORECASE,
)
"""A folder on a file server, \\\\SERVER\\SHARE."""

_MAPPED = re.compile(r"(?<![A-Za-z])[H-Z]:\\(?!path|folder|your)[^\s\\:\"'<>|]{2,40}\\", re.ASCII)
"""A folder on a drive of the network, Z:\\FOLDER\\."""
_PRIVATE = re.compile(
    r"(?<![\w./])(?:10\.(?!0\.|1\.1\.|10\.|1\.2\.3|x)\d{1,3}\.\d{1,3}\.\d{1,3}|172\.(?:1[89]|2\d"
    r"|3[01])\.\d{1,3}\.\d{1,3}):\d{4,5}(?!\d)",
    re.ASCII,
)
"""A server's address with a port in a private network (RFC 1918), but for those that manuals take."""

_KEY = (
    r"(?<![\w-])(?!(?:UTF|UCS|ISO|IEC|IEEE|RFC|CVE|CWE|PEP|SHA|MD|AES|RSA|GB|GBT|EN|DIN|BS|JIS|ANSI|ASTM|NIST"
    r"|FIPS|FAR|USB|COVID|SARS"
    r"|RTX|GTX|GPT|BERT|MIL|OSHA|NFPA|CAS|PM|CD|DVD|HTTP|TLS|SSL|IPV|WPA|LED|CR|AA|SN|PH|IEM|ICD|KB|MS|NGC|IC"
    r"|SPF|CAN|DDR|BOEING"
    r"|AIRBUS|TOYOTA|LTE|IP|OSI|SQL|ES|COBOL|APA|MLA|EIA|ITU|ECMA|ACI|AISC|API|UL|IAS|IFRS|FAS|WMO|CIE|NASA|ESA"
    r"|HLA|IL|CO|BMW|MP)-)"
    r"[A-Z][A-Z0-9]{1,9}-[0-9]{2,6}(?![\w-])"
)
"""Number of a ticket: a project's letters and a number, and no standard's, product's or disease's."""
_TICKET = re.compile(
    r"(?:\b(?:[Tt]icket|JIRA|Jira|[Ii]ncident|[Cc]hange request|[Ss]tory|[Ee]pic|[Bb]ug|[Tt]ask)"
    r"|工单|工單|任务单|任务|需求单|需求|变更单|事件单|故障单|缺陷)"
    r"(?:号|编号|號|編號| ID| id| [Nn]o\.?| number)?[ :：#为為是]{0,3}"
    r"(?:[A-Z][A-Z0-9]{1,9}-[0-9]{2,8}(?:-[0-9]{1,6})?(?![\w-])|(?:INC|CHG|REQ|RITM|PRB)[0-9]{5,10})"
    r"|\b(?:INC|CHG|RITM|PRB|CRQ|SCTASK)[0-9]{7,12}\b|\bKB00[0-9]{5}\b"
    r"|\b[Tt]icket (?:#|[Nn]umber |[Nn]o\. ?)[0-9]{4,9}\b"
    r"|(?:工单|任务单|需求单|故障单|缺陷单|报修单|[Bb][Uu][Gg]单?)(?:号|编号)?\s?(?:是|为)?\s?[:：#]{0,2}\s?[0-9]{4,12}"
    r"|\b(?:JIRA|Jira)-[0-9]{2,6}\b"
    r"|\b(?:[Ff]ixed|[Tt]rack(?:ed|s|ing)?|[Rr]esolved|[Cc]losed|[Ll]ogged|[Rr]eported|[Ff]iled|[Rr]aised|[Mm]erged"
    r"|[Dd]iscussed|[Dd]eployed"
    r"|[Ii]mplemented|[Dd]ocumented|[Aa]ddressed|[Ss]ee|[Rr]efer to|[Pp]er|[Cc]heck|[Dd]uplicate of"
    r"|[Bb]locked by|[Cc]overed)"
    rf"(?: (?:in|as|under|with|via|by|on|at|the|our|also)){{0,2}} {_KEY}"
    rf"|\b(?i:jira|youtrack|redmine|bugzilla|azure devops|servicenow|zendesk|clickup|shortcut|tapd|issue tracker"
    rf"|bug tracker|backlog|sprint|kanban|tickets?)\b[^.。\n]{{0,20}}? \(?{_KEY}"
    rf"|{_KEY}\)? (?:in|on) (?:our |the )?(?i:jira|youtrack|redmine|azure devops|servicenow|zendesk|tracker|backlog)\b"
    rf"|(?:见|详见|参见|参考|根据|依据|在|按|关联|对应|记录于|登记为|记为|(?:提|建|开|录|报|转|立)(?:了|过|成)?"
    rf"(?:单|工单|缺陷|需求|卡片?|[Bb][Uu][Gg]|[Ii]ssue)?(?:号|编号)?(?:是|为)?[:：（(]?|提了)\s?{_KEY}"
    rf"|{_KEY}\s?(?:中|里)?(?:已?修复|已?解决|跟踪|跟进|处理|关闭|讨论|号文件?|号规定)"
    r"|\b(?:[Dd]ocument|[Pp]olicy|[Pp]rocedure|[Gg]uideline|[Mm]emo|[Cc]ircular|[Rr]unbook|[Hh]andbook|[Mm]anual"
    r"|[Ii]nstruction)"
    rf"(?: (?:no\.?|number|id))? {_KEY}"
    r"|(?<![\w-])(?:[A-Z]{2,6}-)?(?:SOP|POL|PROC|WI|MEMO)-(?:[A-Z]{2,6}-)?[0-9]{2,5}(?![\w-])",
    re.ASCII,
)
_LOGIN = re.compile(
    r"(?:ssh|log ?(?:in|on)(?: to| at)?|connect(?: to)?|登[录陆]|连接?[到上]?|访问|远程到?|跳到|ping)\s?(?:into "
    r"|to |at |到)?(?:\w+@)?"
    r"(?:10\.(?!0\.|1\.1\.|10\.|1\.2\.3|x)\d{1,3}|172\.(?:1[89]|2\d|3[01]))\.\d{1,3}\.\d{1,3}(?![\d./])",
    re.IGNORECASE | re.ASCII,
)
"""Somebody is to go to such a server."""
_HOST_NAMED = "names a host of an internal network"
_ABOUT_HOSTS = re.compile(
    r"\b(?:hosts?(?: name| file)?|hostnames?|home network|router|dns|lan|subnet|localhost)\b|主机名|路由器|局域网"
    r"|域名|内网",
    re.IGNORECASE,
)

_NUMBERED = re.compile("[A-Z](?:-?[0-9]{2}|[a-z]+-[0-9])|[#r：:号单] ?[0-9]{4}")


def internal_reference(example: Example) -> str | None:
    """An answer that names internal documents, intranet hosts or tickets: the reader cannot open them.

    根据我们的内部文档XYZ: the course's part 3.4, problem 1. Numbers like UTF-8 or RTX-3060 are tickets only where
    a word says so; hosts are told by names that no public registry gives out.
    """
    found = locate(example, lambda text: _internal(text) or _insider(text), "assistant")
    if found is None:
        return None
    asked = example.contents("user")
    if found.endswith(_HOST_NAMED) and any(map(_ABOUT_HOSTS.search, asked)):
        return None
    # What an insider says is no fault in a letter that was asked for; an internal document is.
    if any(map(told_for_others, asked)) or any(about_the_tool(found, question) for question in asked):
        return locate(example, _internal, "assistant")
    return found


def _insider(text: str) -> str | None:
    found = insiders(text)
    return found and f"says {found.strip()[:60]!r}"


def _internal(text: str) -> str | None:
    told = telling(text)
    signs = marks(text)
    if not _INTERNAL_WORDS.isdisjoint(told) and (
        found := near((word.start() for word in _INTERNAL_WORD.finditer(text)), _INTERNAL, 60, 90, text)
    ):
        return f"says {found[0].strip()[:60]!r}"
    if not text.isascii() and (found := near(_INTERNAL_SIGNS.places(text), _INTERNAL_IN_CHINESE, 20, 27, text)):
        return f"says {found[0].strip()[:60]!r}"
    if not _SYSTEM_WORDS.isdisjoint(told) and (found := _SYSTEM.search(text)):
        return f"says {found[0]!r}"
    addressed = b"://" in signs or not _HOST_WORDS.isdisjoint(told)
    if addressed and any(not _PUBLIC_HOST.search(found[0]) for found in _HOST.finditer(text)):
        return _HOST_NAMED
    if not signs:
        return None
    if b"\\" in signs and (_SHARE.search(text) or _MAPPED.search(text)):
        return "names a folder of an internal network"
    if digits(text) >= 5 and _LOGIN.search(text):
        return _HOST_NAMED
    if digits(text) >= 2 and _NUMBERED.search(text):
        if b":" in signs and _PRIVATE.search(text):
            return _HOST_NAMED
        if found := _TICKET.search(text):
            return f"says {found[0][:60]!r}"
    return None


INTERNAL_REFERENCE = Check(
    code="internal-reference",
    policy="warn",
    message="the answer refers to something internal",
    fix="say what the document says, and leave out its name, host or number",
    row=stateless(internal_reference),
)
