import type { RuleFile } from '../../seclang/rule-source';

/** 77001xx: requests that no honest client writes, and texts that become protocol where they are pasted into it. */
export const protocol: RuleFile = {
  name: 'built-in/protocol.conf',
  text: String.raw`
SecRule ARGS|ARGS_NAMES|REQUEST_COOKIES "@rx (?i)[\r\n]\s*(?:set-cookie|location|content-(?:type|length|disposition)\
|transfer-encoding|http/[0-9.]+\s+[1-5][0-9]{2}\b|<html)\s*:?" \
    "id:7700101,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Line end followed by a field of an answer',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-protocol',\
    tag:'capec/1000/210/272/220/34',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.http_violation_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule ARGS|ARGS_NAMES|REQUEST_COOKIES "@rx (?i)[\r\n](?:get|post|put|delete|head|options|patch|trace|connect)\s+\S{1,512}\s+http/[0-9]" \
    "id:7700102,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'A second request inside a value',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-protocol',\
    tag:'capec/1000/210/272/220/33',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.http_violation_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule ARGS_NAMES|REQUEST_COOKIES_NAMES|FILES_NAMES "@rx [\r\n]" \
    "id:7700103,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Line end in a name',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-protocol',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.http_violation_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

# Each range is a part of the answer that is made and framed: a few bytes cost megabytes.
SecRule REQUEST_HEADERS:Range|REQUEST_HEADERS:Request-Range "@rx ^[^,]*(?:,[^,]*){9}" \
    "id:7700104,\
    phase:1,\
    block,\
    capture,\
    t:none,\
    msg:'More than nine ranges',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-protocol',\
    tag:'attack-dos',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.http_violation_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

# CGI hands it to programs as the variable that names their proxy (CVE-2016-5385 and kin).
SecRule &REQUEST_HEADERS:Proxy "@gt 0" \
    "id:7700105,\
    phase:1,\
    block,\
    t:none,\
    msg:'Field that becomes HTTP_PROXY',\
    logdata:'%{MATCHED_VAR_NAME}',\
    tag:'attack-protocol',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.http_violation_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_HEADERS:X-HTTP-Method-Override|REQUEST_HEADERS:X-HTTP-Method|REQUEST_HEADERS:X-Method-Override "@rx\
 (?i)^\s*(?:trace|track|connect|debug)\s*$" \
    "id:7700106,\
    phase:1,\
    block,\
    capture,\
    t:none,\
    msg:'Method that no API should serve, in a field',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-protocol',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.http_violation_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

# Some origins serve this path instead of the one that was authorised. Some proxies send it: a warning.
SecRule REQUEST_HEADERS:X-Original-URL|REQUEST_HEADERS:X-Rewrite-URL "@rx ^/" \
    "id:7700107,\
    phase:1,\
    block,\
    t:none,\
    msg:'Field that replaces the path',\
    logdata:'%{MATCHED_VAR_NAME}',\
    tag:'attack-protocol',\
    tag:'paranoia-level/1',\
    severity:'WARNING',\
    setvar:'tx.http_violation_score=+%{tx.warning_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.warning_anomaly_score}'"

SecRule REQUEST_URI_RAW "@rx (?i)%25(?:2e|2f|5c|00|3c|27|22)" \
    "id:7700108,\
    phase:1,\
    block,\
    capture,\
    t:none,\
    msg:'Path or query is escaped twice',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-protocol',\
    tag:'paranoia-level/1',\
    severity:'WARNING',\
    setvar:'tx.http_violation_score=+%{tx.warning_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.warning_anomaly_score}'"

SecRule REQUEST_URI_RAW "@rx (?i)%u[0-9a-f]{4}|%c0%a[ef]|%c1%9c|%e0%80%a[ef]" \
    "id:7700109,\
    phase:1,\
    block,\
    capture,\
    t:none,\
    msg:'Path or query is escaped in a way only old servers read',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-protocol',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.http_violation_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule ARGS|ARGS_NAMES "@rx \)\s*\(\s*[|&!]\s*\(?\s*[a-zA-Z]|\*\s*\)\s*\(\s*[a-zA-Z|&!]" \
    "id:7700110,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Filter of LDAP inside a value',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-ldap',\
    tag:'capec/1000/152/248/136',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.http_violation_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

# A token of three parts whose last is empty says that nobody signed it (alg none).
SecRule REQUEST_HEADERS:Authorization "@rx ^(?i:bearer)\s+[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*\.\s*$" \
    "id:7700111,\
    phase:1,\
    block,\
    capture,\
    t:none,\
    msg:'Token without a signature',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-protocol',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.http_violation_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_HEADERS:Accept-Language|REQUEST_HEADERS:Accept-Encoding|REQUEST_HEADERS:Accept-Charset\
|REQUEST_HEADERS:X-Requested-With "@rx [<>\x22'(){}$|\x5c\x60]" \
    "id:7700112,\
    phase:1,\
    block,\
    capture,\
    t:none,\
    msg:'Field that names languages or codings holds code',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-protocol',\
    tag:'paranoia-level/1',\
    severity:'ERROR',\
    setvar:'tx.http_violation_score=+%{tx.error_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.error_anomaly_score}'"

SecRule REQUEST_HEADERS:Expect "!@rx (?i)^100-continue$" \
    "id:7700113,\
    phase:1,\
    block,\
    t:none,\
    msg:'Expectation nobody meets',\
    logdata:'%{MATCHED_VAR_NAME}',\
    tag:'attack-protocol',\
    tag:'paranoia-level/1',\
    severity:'WARNING',\
    setvar:'tx.http_violation_score=+%{tx.warning_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.warning_anomaly_score}'"

# Origins build links and cache keys of it.
SecRule REQUEST_HEADERS:X-Forwarded-Host|REQUEST_HEADERS:X-Host|REQUEST_HEADERS:X-Forwarded-Server\
|REQUEST_HEADERS:X-Forwarded-Proto|REQUEST_HEADERS:X-Forwarded-Scheme "@rx [^A-Za-z0-9.:,_ \[\]-]" \
    "id:7700114,\
    phase:1,\
    block,\
    capture,\
    t:none,\
    msg:'Field of a proxy that no proxy writes',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-protocol',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.http_violation_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"
`,
};
