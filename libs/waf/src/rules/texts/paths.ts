import type { RuleFile } from '../../seclang/rule-source';

/** 77004xx: files that are not meant to be read, and ways to them. */
export const paths: RuleFile = {
  name: 'built-in/paths.conf',
  text: String.raw`
SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@*|FILES "@rx (?:^|[\x5c/;=])\.\.(?:[\x5c/;]|$)" \
    "id:7700401,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:urlDecodeUni,\
    t:removeNulls,\
    msg:'Value climbs to a parent folder',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-lfi',\
    tag:'capec/1000/255/153/126',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.lfi_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_URI_RAW "@rx (?i)(?:%2f|%5c|[/\x5c=])(?:%2e|\.)(?:%2e|\.)(?:%2f|%5c|[/\x5c;&?]|$)|/(?:%2e|\.){1,2};" \
    "id:7700402,\
    phase:1,\
    block,\
    capture,\
    t:none,\
    msg:'Path climbs to a parent folder',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-lfi',\
    tag:'capec/1000/255/153/126',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.lfi_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@*|REQUEST_FILENAME "@pm /etc/passwd /etc/shadow\
 /etc/group /etc/hosts /etc/sudoers /etc/crontab /etc/ssh/ /proc/self/ /proc/version /proc/net/ /.ssh/id_ /.ssh/authorized_keys\
 /.aws/credentials /.kube/config /.docker/config.json /.bash_history /.mysql_history /.netrc /windows/win.ini /windows/system32\
 /boot.ini /winnt/ /inetpub/ /web-inf/web.xml /meta-inf/ /wp-config.php /.htpasswd /var/run/secrets/ /var/log/ " \
    "id:7700403,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:normalizePathWin,\
    t:lowercase,\
    msg:'File of an operating system or a server',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-lfi',\
    tag:'capec/1000/255/153/126',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.lfi_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_FILENAME "@rx (?i)/\.(?:git|svn|hg|bzr|cvs|env|aws|ssh|gnupg|docker|kube|terraform|vscode|idea|ds_store|ht(?:access\
|passwd)|npmrc|pypirc|netrc|bash_history|bashrc|profile|user\.ini)(?:$|[/._~-])" \
    "id:7700404,\
    phase:1,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:normalizePath,\
    msg:'File that folders hide',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-lfi',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.lfi_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

# Editors, tools and agents keep their settings and keys so: on its own it refuses nothing.
SecRule REQUEST_FILENAME "@rx /\.[A-Za-z0-9_]" \
    "id:7700412,\
    phase:1,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:normalizePath,\
    msg:'File or folder that is hidden',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-lfi',\
    tag:'paranoia-level/1',\
    severity:'ERROR',\
    chain"
    SecRule REQUEST_FILENAME "!@beginsWith /.well-known/" \
        "t:none,\
        setvar:'tx.lfi_score=+%{tx.error_anomaly_score}',\
        setvar:'tx.inbound_anomaly_score_pl1=+%{tx.error_anomaly_score}'"

# Some APIs name documents so: on its own it refuses nothing.
SecRule REQUEST_FILENAME "@rx (?i)\.(?:bak|swp|swo|old|orig|sql|sqlite3?|db3?|mdb|kdbx?|tfstate|pfx|p12|jks|keystore|env|ini|conf\
|cfg|config|inc)(?:\.(?:gz|zip|bz2|xz|7z))?~?$|[^/]~$" \
    "id:7700405,\
    phase:1,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Copy, dump or setting of a server',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-lfi',\
    tag:'paranoia-level/1',\
    severity:'ERROR',\
    setvar:'tx.lfi_score=+%{tx.error_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.error_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)^\s*(?:php|phar|expect|glob|rar|ogg|zip\
|ssh2(?:\.[a-z]+)?|compress\.(?:zlib|bzip2))://" \
    "id:7700406,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:removeNulls,\
    msg:'Wrapper of PHP',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-lfi',\
    tag:'attack-injection-php',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.php_injection_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)^\s*(?:file:/{1,3}\
|\x5c\x5c[a-z0-9_.-]{1,255}\x5c[a-z0-9_$.-])" \
    "id:7700407,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:removeNulls,\
    msg:'Address of a file',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-lfi',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.lfi_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

# APIs of machines take such paths: on its own it refuses nothing.
SecRule ARGS "@rx ^/(?:etc|proc|sys|root|boot|dev/(?:shm|mem|fd)|var/(?:log|lib|spool|backups))/[^\s<>]{1,200}$" \
    "id:7700408,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:normalizePath,\
    msg:'Path of an operating system',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-lfi',\
    tag:'paranoia-level/1',\
    severity:'ERROR',\
    setvar:'tx.lfi_score=+%{tx.error_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.error_anomaly_score}'"

SecRule REQUEST_BASENAME "@rx (?i)^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.[a-z0-9]{0,8})?$" \
    "id:7700409,\
    phase:1,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Name of a device',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-lfi',\
    tag:'paranoia-level/1',\
    severity:'WARNING',\
    setvar:'tx.lfi_score=+%{tx.warning_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.warning_anomaly_score}'"

SecRule REQUEST_FILENAME "@rx (?i)::\$(?:data|index_allocation)|\.(?:aspx?|php|jsp)(?:\.|%20|\s)+$|~[0-9]\.[a-z]{3}$" \
    "id:7700410,\
    phase:1,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Second name of a file on Windows',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-lfi',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.lfi_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

# Where C reads the value, it ends there.
SecRule ARGS "@rx \x00" \
    "id:7700411,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'NUL byte in a value',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-protocol',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.http_violation_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"
`,
};
