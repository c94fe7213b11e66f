import type { RuleFile } from '../../seclang/rule-source';

/** 77007xx: names and types of files that become programs where they land. */
export const uploads: RuleFile = {
  name: 'built-in/uploads.conf',
  text: String.raw`
SecRule FILES "@rx (?i)\.(?:php[0-9s]?|phtml?|phar|pht|jspx?|jspf|jsw|jsv|jhtml|do|action|aspx?|ashx|asmx|ascx|cer|asa|axd|svc\
|cshtml|vbhtml|cgi|fcgi|war|cfml?|cfc|shtml?|stm)$" \
    "id:7700701,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:trim,\
    msg:'File that a server runs',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-upload',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rce_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule FILES "@rx (?i)\.(?:php[0-9s]?|phtml|phar|jspx?|aspx?|ashx|cgi|exe|scr|bat|cmd|hta|vbs|ps1|shtml)\.[a-z0-9]{1,5}$" \
    "id:7700702,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:trim,\
    msg:'File with the suffix of a program before its own',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-upload',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rce_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

# Stores of software take them: on its own it refuses nothing.
SecRule FILES "@rx (?i)\.(?:exe|scr|com|pif|bat|cmd|msi|msp|hta|vb[es]?|js[e]?|ws[cfh]?|ps[12]|psm1|lnk|reg|inf|cpl|dll|sys|jar|app|dmg)$" \
    "id:7700703,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:trim,\
    msg:'File that a computer runs',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-upload',\
    tag:'paranoia-level/1',\
    severity:'ERROR',\
    setvar:'tx.rce_score=+%{tx.error_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.error_anomaly_score}'"

SecRule FILES "@rx [\x5c/:*?\x22<>|\x00-\x1f\x7f]|^\s*\.{1,2}\s*$" \
    "id:7700704,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Name of a file that is a path or none at all',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-upload',\
    tag:'attack-lfi',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.lfi_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule FILES "@rx (?i)^(?:\.(?:ht(?:access|passwd)|user\.ini|env|bashrc|profile|git[a-z]*)|web\.config|php\.ini|authorized_keys\
|crontab|passwd|shadow)$" \
    "id:7700705,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:trim,\
    msg:'File that changes a server',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-upload',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rce_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

# Marks of direction turn "gpj.exe" around.
SecRule FILES "@rx \xe2\x80[\x8b-\x8f\xaa-\xae]|\xe2\x81[\xa0-\xa9]|\xef\xbb\xbf" \
    "id:7700706,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Name of a file that reads otherwise than it is',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-upload',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rce_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule FILES "@rx (?i)(?:::\$[a-z_]+|\.[a-z0-9]{1,5}[. ]+)$" \
    "id:7700707,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Name of a file that Windows shortens',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-upload',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rce_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule MULTIPART_PART_HEADERS "@rx (?i)^content-type\s*:\s*(?:application/(?:x-(?:httpd-)?php[0-9]?|x-(?:sh|csh|msdownload|dosexec\
|executable|perl|python|ruby)|java-archive|hta)|text/(?:x-)?(?:php|perl|shellscript|vbscript))" \
    "id:7700708,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    msg:'File that says it is a program',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-upload',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rce_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule MULTIPART_PART_HEADERS "@rx (?i)^content-disposition\s*:(?:[^\x22;]|\x22[^\x22]*\x22\
|;)*;\s*filename\*?\s*=.*;\s*filename\*?\s*=.*;\s*filename\*?\s*=" \
    "id:7700709,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    msg:'File with three names',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-upload',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.http_violation_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"
`,
};
