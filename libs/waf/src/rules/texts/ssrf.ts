import type { RuleFile } from '../../seclang/rule-source';

/** 77006xx, the first half: addresses that a server must not fetch. */
export const ssrf: RuleFile = {
  name: 'built-in/ssrf.conf',
  text: String.raw`
SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)\b(?:169\.254\.169\.25[34]|169\.254\.170\.2\
|100\.100\.100\.200|192\.0\.0\.192|metadata\.(?:google\.internal|goog|tencentyun\.com)|instance-data\.ec2\.internal)\b\
|\[?fd00:ec2::254\]?|/(?:latest|[0-9]{4}-[0-9]{2}-[0-9]{2})/(?:meta-data|user-data|dynamic/instance-identity)\
|/computemetadata/v[0-9]|/metadata/(?:instance|identity)\?api-version|/opc/v[12]/instance" \
    "id:7700601,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Address of a metadata service',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-ssrf',\
    tag:'capec/1000/225/664',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rfi_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)^\s*(?:url:)?(?:gopher|dict|ldaps?|tftp|jar\
|netdoc|sftp|smb|rmi|iiop|jdbc:[a-z0-9]{2,20}):" \
    "id:7700602,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Address that no service fetches',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-ssrf',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rfi_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx\
 (?i)^\s*https?://(?:[^/?#@\s]{0,100}@)?(?:(?:0x[0-9a-f]{1,16}|[0-9]{1,16})(?:\.(?:0x[0-9a-f]{1,16}|[0-9]{1,16})){0,2}\
|(?:[0-9a-fx]{1,16}\.){0,3}(?:0x[0-9a-f]{1,16}|0[0-9]{1,16})(?:\.[0-9a-fx]{1,16}){0,3})(?:[:/?#]|$)" \
    "id:7700603,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Address of a host, written so that nobody knows it',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-ssrf',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rfi_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

# Clients of RFC 8252 name such addresses in redirect_uri, and developers everywhere: on its own it refuses nothing.
SecRule ARGS|!ARGS:redirect_uri|XML:/*|XML://@* "@rx (?i)^\s*(?:https?|ftp|wss?)://(?:[^/@\s]{0,100}@)?(?:localhost\
|127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}|0\.0\.0\.0|0|\[(?:::1?|::ffff:[0-9a-f:.]+|fe80:[^\]]*|f[cd][0-9a-f]{2}:[^\]]*)\])(?:[:/?#]\
|$)" \
    "id:7700604,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Address of the machine itself',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-ssrf',\
    tag:'paranoia-level/1',\
    severity:'ERROR',\
    setvar:'tx.rfi_score=+%{tx.error_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.error_anomaly_score}'"

SecRule ARGS|XML:/*|XML://@* "@rx (?i)^\s*(?:https?|ftp|wss?)://(?:[^/@\s]{0,100}@)?(?:10\.[0-9]{1,3}\.|192\.168\.|172\.(?:1[6-9]\
|2[0-9]|3[01])\.|169\.254\.)[0-9.]{1,7}(?:[:/?#]|$)" \
    "id:7700605,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Address of a private network',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-ssrf',\
    tag:'paranoia-level/1',\
    severity:'WARNING',\
    setvar:'tx.rfi_score=+%{tx.warning_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.warning_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@*|REQUEST_HEADERS "@rx (?i)\.(?:nip\.io|xip\.io\
|sslip\.io|localtest\.me|lvh\.me|vcap\.me|1u\.ms|rbndr\.us|burpcollaborator\.net|oastify\.com|interact\.sh|interactsh\.com\
|oast\.(?:pro|live|site|online|fun|me)|canarytokens\.com|requestrepo\.com|dnslog\.cn|ceye\.io|pipedream\.net)(?:[^a-z0-9.-]|$)" \
    "id:7700606,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Name of a service that answers for any address or tells of calls',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-ssrf',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rfi_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)^\s*(?:https?\
|ftp):/{2,}[^/?#\s]{0,255}(?:\x5c|[^/?#\s]@[^/?#\s]{0,255}@|%(?:00|0[ad]|2[35f]))" \
    "id:7700607,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    msg:'Address that two readers take for two hosts',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-ssrf',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rfi_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"
`,
};
