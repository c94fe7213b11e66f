import type { RuleFile } from '../../seclang/rule-source';

/** 77002xx: SQL and its kin. The detector does most of it; the rules beside it know what it does not parse. */
export const sqli: RuleFile = {
  name: 'built-in/sqli.conf',
  text: String.raw`
SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@detectSQLi" \
    "id:7700201,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:removeNulls,\
    msg:'SQL in an argument or a cookie',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-sqli',\
    tag:'capec/1000/152/248/66',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.sql_injection_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_HEADERS:User-Agent|REQUEST_HEADERS:Referer|REQUEST_HEADERS:X-Forwarded-For "@detectSQLi" \
    "id:7700202,\
    phase:1,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:removeNulls,\
    msg:'SQL in a field',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-sqli',\
    tag:'capec/1000/152/248/66',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.sql_injection_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_BASENAME|REQUEST_FILENAME "@detectSQLi" \
    "id:7700203,\
    phase:1,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:removeNulls,\
    msg:'SQL in the path',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-sqli',\
    tag:'capec/1000/152/248/66',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.sql_injection_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)\b(?:pg_sleep|sleep|benchmark|randomblob\
|dbms_pipe\s*\.\s*receive_message|dbms_lock\s*\.\s*sleep)\s*\(\s*(?:[0-9.]+\s*[,)]|\(|['\x22a-z]+\s*,)|\bwaitfor\s+(?:delay\
|time)\s+['\x22]" \
    "id:7700204,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:replaceComments,\
    t:compressWhitespace,\
    msg:'Function that makes a database wait',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-sqli',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.sql_injection_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)\bunion(?:\s+(?:all\
|distinct))?\s*[\s(]\s*select\b[^a-z]" \
    "id:7700205,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:replaceComments,\
    t:compressWhitespace,\
    msg:'UNION SELECT',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-sqli',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.sql_injection_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)[;'\x22)]\s*(?:drop|truncate|alter\
|create)\s+(?:table|database|schema|user|view|index|function|procedure|trigger)\b|;\s*(?:insert\s+into|delete\s+from\
|update\s+\S+\s+set|exec(?:ute)?\s+(?:master|xp_|sp_|immediate)|grant\s+\S+\s+(?:on|to)|shutdown\b|declare\s+@)" \
    "id:7700206,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:replaceComments,\
    t:compressWhitespace,\
    msg:'A second statement',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-sqli',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.sql_injection_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx\
 (?i)\bfrom\s+[\x60'\x22\x5b]?(?:information_schema|pg_catalog|pg_(?:shadow|user|tables)|sqlite_(?:master|schema)|sys(?:objects\
|columns|databases|\.(?:tables|columns|databases))|all_(?:tables|tab_columns|users)|mysql\s*\.\s*(?:user|db)|master\s*\.\s*\.?)" \
    "id:7700207,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:replaceComments,\
    t:compressWhitespace,\
    msg:'Tables that describe a database',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-sqli',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.sql_injection_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)\b(?:load_file|xp_cmdshell|xp_dirtree\
|xp_regread|utl_http\s*\.\s*request|utl_inaddr\s*\.|openrowset|opendatasource|lo_import|lo_export|pg_read_file|pg_ls_dir\
|sp_oacreate|load_extension)\s*[('\x22]|\binto\s+(?:out|dump)file\s+['\x22]|\bcopy\s+\S+\s+(?:from|to)\s+program\b" \
    "id:7700208,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:replaceComments,\
    t:compressWhitespace,\
    msg:'Function that reaches out of a database',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-sqli',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.sql_injection_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule ARGS_NAMES "@rx (?:^|[\[.])\$(?:n?e|gte?|lte?|n?in|regex|where|exists|expr|function|accumulator|elemmatch|nor\
|jsonschema)(?:$|[\].])" \
    "id:7700209,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:lowercase,\
    msg:'Operator of a document database in a name',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-nosqli',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.sql_injection_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule ARGS "@rx (?i)[\x22']\$(?:where|function|accumulator)[\x22']\s*:|;\s*(?:return|sleep)\s*\(?\s*(?:true|1\
|[0-9]{3,})\s*\)?\s*;?\s*(?:var\b|//|\}|$)|'\s*\|\|\s*'?1'?\s*==\s*'?1|\b(?:this|obj)\.[a-z_]{1,40}\.match\s*\(" \
    "id:7700210,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Code of a document database',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-nosqli',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.sql_injection_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)\b(?:extractvalue\
|updatexml)\s*\([^)]{0,200}(?:concat|select|0x7e|version)|\bexp\s*\(\s*~\
|\bgroup\s+by\s+concat\s*\(|\bprocedure\s+analyse\s*\(|\bctxsys\s*\.\s*drithsx" \
    "id:7700211,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:replaceComments,\
    t:compressWhitespace,\
    msg:'Function that tells data by an error',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-sqli',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.sql_injection_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)['\x22)]\s*(?:order\
|group)\s+by\s+[0-9]{1,3}\s*(?:--|#|/\*|,|;|$)|['\x22)]\s+having\s+[0-9'\x22]+\s*=\s*[0-9'\x22]+" \
    "id:7700212,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:compressWhitespace,\
    msg:'Columns of a query are counted',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-sqli',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.sql_injection_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)['\x22]\s*(?:or|and|xor|\|\|\
|&&)\s*(?:not\s+)?['\x22(]*\s*(\w{1,40})['\x22)]*\s*(?:=|<=>|<>|!=|like|rlike|regexp|sounds like)\s*['\x22(]*\w{1,40}" \
    "id:7700213,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:replaceComments,\
    t:compressWhitespace,\
    msg:'Condition behind a closed quote',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-sqli',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.sql_injection_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"
`,
};
