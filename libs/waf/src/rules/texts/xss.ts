import type { RuleFile } from '../../seclang/rule-source';

/** 77003xx: markup and scripts. The detector does most of it; the rules beside it know what it does not parse. */
export const xss: RuleFile = {
  name: 'built-in/xss.conf',
  text: String.raw`
# Cookies are left to the rules below: Base64 that ends in "on…=" is a handler of an event to the detector.
SecRule ARGS_NAMES|ARGS|XML:/*|XML://@* "@detectXSS" \
    "id:7700301,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:htmlEntityDecode,\
    t:jsDecode,\
    t:cssDecode,\
    t:removeNulls,\
    msg:'Script in an argument',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-xss',\
    tag:'capec/1000/152/242',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.xss_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_HEADERS:User-Agent|REQUEST_HEADERS:Referer|REQUEST_HEADERS:X-Forwarded-For "@detectXSS" \
    "id:7700302,\
    phase:1,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:htmlEntityDecode,\
    t:jsDecode,\
    t:removeNulls,\
    msg:'Script in a field',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-xss',\
    tag:'capec/1000/152/242',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.xss_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_FILENAME "@detectXSS" \
    "id:7700303,\
    phase:1,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:removeNulls,\
    msg:'Script in the path',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-xss',\
    tag:'capec/1000/152/242',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.xss_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)<(?:/\s*)?script(?:[\s/>]|$)" \
    "id:7700304,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:htmlEntityDecode,\
    t:jsDecode,\
    t:removeNulls,\
    msg:'Script element',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-xss',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.xss_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)<[a-z][^>]{0,512}[\s\x22'/]on(?:abort\
|after[a-z]{3,12}|animation[a-z]{3,9}|before[a-z]{3,12}|begin|blur|bounce|can[a-z]{4,12}|change|click|close|contextmenu|copy|cut\
|dblclick|drag[a-z]{0,5}|drop|end|error|finish|focus(?:in|out)?|form[a-z]{4,8}|hashchange|input|invalid|key(?:down|press|up)\
|load[a-z]{0,8}|message|mouse[a-z]{2,6}|page(?:hide|show)|paste|play(?:ing)?|pointer[a-z]{2,12}|popstate|progress|readystatechange\
|repeat|reset|resize|scroll[a-z]{0,4}|search|seek(?:ed|ing)|select[a-z]{0,6}|show|start|storage|submit|toggle|touch[a-z]{3,6}\
|transition[a-z]{3,6}|unload|volumechange|wheel)\s*=" \
    "id:7700305,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:htmlEntityDecode,\
    t:jsDecode,\
    t:removeNulls,\
    msg:'Handler of an event in an element',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-xss',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.xss_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)(?:^|[\x22'=(])(?:javascript|vbscript\
|livescript|mocha):|(?:^|[\x22'=(])data:(?:text/(?:html|xml|javascript)|application/(?:xhtml\+xml|javascript)|image/svg\+xml)[;,]" \
    "id:7700306,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:htmlEntityDecode,\
    t:jsDecode,\
    t:removeNulls,\
    t:removeWhitespace,\
    msg:'Address that is a script',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-xss',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.xss_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)<(?:iframe|frame|object|embed|applet|base\
|link|meta|portal)\b[^>]{0,512}[\s\x22'/](?:src(?:doc)?|data|href|http-equiv|code|codebase)\s*=" \
    "id:7700307,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:htmlEntityDecode,\
    t:jsDecode,\
    t:removeNulls,\
    msg:'Element that loads something',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-xss',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.xss_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)\b(?:document(?:\.(?:cookie|domain\
|write(?:ln)?\s*\()|\[\s*['\x22](?:cookie|domain|location))|(?:window|self|top|parent|globalthis)\s*\[\s*['\x22][a-z]{2,20}['\x22]\
|string\s*\.\s*fromcharcode\s*\(|\[\s*['\x22]constructor['\x22]\s*\])" \
    "id:7700308,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:htmlEntityDecode,\
    t:jsDecode,\
    t:removeNulls,\
    msg:'Expression that reaches into a page',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-xss',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.xss_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)\{\{[^}]{0,300}(?:constructor\s*[.(\[]\
|\$(?:eval|on|watch|parent)\b|\btostring\s*\(|\balert\s*\()" \
    "id:7700309,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:htmlEntityDecode,\
    t:jsDecode,\
    t:removeNulls,\
    msg:'Template of a page that runs code',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-xss',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.xss_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)(?:-moz-binding\
|behaviou?r)\s*:\s*url\s*\(|:\s*expression\s*\(|@import\s+[\x22']?(?:https?:|//|data:)" \
    "id:7700310,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:htmlEntityDecode,\
    t:cssDecode,\
    t:removeNulls,\
    msg:'Style that runs code',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-xss',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.xss_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)<(?:svg\
|math)\b[^>]{0,512}>.{0,512}?<(?:script|set|animate[a-z]{0,9}|foreignobject|annotation-xml|maction|use)\b" \
    "id:7700311,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:htmlEntityDecode,\
    t:jsDecode,\
    t:removeNulls,\
    msg:'Drawing or formula that holds code',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-xss',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.xss_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)<(?:form|input|button\
|isindex)\b[^>]{0,512}[\s\x22'/](?:formaction|action)\s*=" \
    "id:7700312,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:htmlEntityDecode,\
    t:jsDecode,\
    t:removeNulls,\
    msg:'Form that sends somewhere',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-xss',\
    tag:'paranoia-level/1',\
    severity:'ERROR',\
    setvar:'tx.xss_score=+%{tx.error_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.error_anomaly_score}'"
`,
};
