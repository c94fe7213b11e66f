import type { RuleFile } from '../../seclang/rule-source';

/** 77005xx: commands of shells, code of languages and their templates. */
export const commands: RuleFile = {
  name: 'built-in/commands.conf',
  text: String.raw`
SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@*|REQUEST_HEADERS:User-Agent|REQUEST_HEADERS:Referer\
 "@rx (?:[;|]|&&|\x60|\$\(|<\(|>\()\s*(?:[a-z_][a-z0-9_]{0,32}=\S{0,64}\s+)?(?:/(?:usr/)?(?:local/)?s?bin/)?(?:cat|tac|head|tail\
|less|more|ls|dir|id|whoami|uname|hostname|ifconfig|netstat|ps|w|who|last|env|printenv|set|export|echo|printf|wget|curl|fetch|lynx\
|ftp|tftp|scp|rsync|nc|ncat|netcat|socat|telnet|ssh|ping|nslookup|dig|host|bash|sh|zsh|ksh|csh|dash|ash|busybox|python[23]?|perl\
|ruby|php|node|lua|awk|gawk|sed|grep|find|xargs|tee|touch|rm|cp|mv|ln|chmod|chown|mkfifo|mknod|dd|base64|xxd|od|openssl|gcc|make\
|crontab|at|kill|pkill|killall|sleep|timeout|nohup|sudo|su|passwd|useradd|adduser|mount|umount|reboot|shutdown|halt|init|service\
|systemctl|docker|kubectl)(?:\s*(?:[<>|;&\x60)]|\$[({a-z]|$)|\s+(?:-{1,2}[a-z0-9]|[/~.$*\x22'0-9]|https?:))" \
    "id:7700501,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:lowercase,\
    msg:'Command of a shell',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-rce',\
    tag:'capec/1000/152/248/88',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rce_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@*|REQUEST_HEADERS:User-Agent|REQUEST_HEADERS:Referer\
 "@rx (?:\||&&|\x60|\$\(|<\()\s*(?:/(?:usr/)?(?:local/)?s?bin/)?(?:cat|tac|head|tail|less|more|ls|dir|id|whoami|uname|hostname\
|ifconfig|netstat|ps|w|who|last|env|printenv|set|export|echo|printf|wget|curl|fetch|lynx|ftp|tftp|scp|rsync|nc|ncat|netcat|socat\
|telnet|ssh|ping|nslookup|dig|host|bash|sh|zsh|ksh|csh|dash|ash|busybox|python[23]?|perl|ruby|php|node|lua|awk|gawk|sed|grep|find\
|xargs|tee|touch|rm|cp|mv|ln|chmod|chown|mkfifo|mknod|dd|base64|xxd|od|openssl|gcc|make|crontab|at|kill|pkill|killall|sleep|timeout\
|nohup|sudo|su|passwd|useradd|adduser|mount|umount|reboot|shutdown|halt|init|service|systemctl|docker|kubectl)(?:\s*(?:[/<>\
|;&\x60)]|\$[({a-z]|$)|\s+(?:-{1,2}[a-z0-9]|[/~.$*\x22'0-9]|https?:))" \
    "id:7700520,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:cmdLine,\
    msg:'Command of a shell, written so that nobody sees it',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-rce',\
    tag:'capec/1000/152/248/88',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rce_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@*|REQUEST_HEADERS:User-Agent|REQUEST_HEADERS:Referer\
 "@rx (?i)\$\{?ifs\b|\$\{(?:path|home|shell|pwd|user)[:#%/]|\$\(\(\s*\d|\$'\\x[0-9a-f]{2}|/\?{2,}/[a-z?*]{2,}\
|/b[?i*]n/[a-z?*]*[?*]" \
    "id:7700502,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Expansion of a shell',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-rce',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rce_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@*|REQUEST_HEADERS:User-Agent|REQUEST_HEADERS:Referer\
 "@rx (?i)/dev/(?:tcp|udp)/[a-z0-9]|\b(?:nc|ncat|netcat)\s+(?:-[a-z]+\s+)*-[a-z]*[ec]\b|\b(?:ba|z|k|da)?sh\s+-i\s*(?:[>&|<]|$)\
|\bmkfifo\s+/|\b(?:python[23]?|perl|ruby|php|lua)\s+-[cer]+\s*['\x22]|\bsocat\s+\S+:\S+\s+exec:|\bbase64\s+(?:-d|--decode)\b[^\
|]{0,100}\|\s*(?:ba)?sh\b" \
    "id:7700503,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:compressWhitespace,\
    msg:'Shell that calls back',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-rce',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rce_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)\bcmd(?:\.exe)?\s*/[ckr]\b|\b(?:powershell\
|pwsh)(?:\.exe)?\s+[-/](?:e|en|enc|encodedcommand|c|command|nop|noprofile|w|windowstyle|ep|executionpolicy|f|file)\b\
|\b(?:certutil(?:\.exe)?\s+-(?:urlcache|decode)|bitsadmin(?:\.exe)?\s+/transfer|mshta(?:\.exe)?\s+(?:https?:|javascript:|vbscript:)\
|rundll32(?:\.exe)?\s+\S+,|regsvr32(?:\.exe)?\s+/|wmic\s+process\s+call|iex\s*\(\s*(?:new-object|iwr))|\bdownloadstring\s*\(" \
    "id:7700504,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:compressWhitespace,\
    msg:'Command of Windows',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-rce',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rce_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

# CVE-2014-6271.
SecRule REQUEST_HEADERS|REQUEST_LINE|ARGS|REQUEST_COOKIES "@rx ^\s*\(\s*\)\s*\{" \
    "id:7700505,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Function of a shell in a variable',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-rce',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rce_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

# CVE-2021-44228, and the ways to write it so that nobody sees it.
SecRule REQUEST_LINE|REQUEST_HEADERS|REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)\$\{\s*(?:jndi\
|ctx|env|sys|lower|upper|date|java|main|marker|map|bundle|spring|kubernetes|docker|web)\s*:|\$\{\s*:{1,2}-|\$\{[^}]{0,80}\$\{" \
    "id:7700506,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:htmlEntityDecode,\
    t:jsDecode,\
    msg:'Lookup of a log library',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-rce',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rce_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@*|REQUEST_HEADERS:User-Agent|REQUEST_HEADERS:Referer\
 "@rx (?i)(?:\{\{|\{%|\$\{|#\{|<%=|\*\{|@\()[^}]{0,200}?(?:\b[0-9]{1,8}\s*\*\s*['\x22]?[0-9]{1,8}|__(?:class|mro|base|subclasses\
|globals|builtins|init|import)__|\b(?:config|self|request|cycler|joiner|lipsum|namespace)\s*(?:\.|\[)\s*(?:__|['\x22]__|items\
|application|environ)|\bpopen\s*\(|\bgetruntime\b|\bprocessbuilder\b|\bfreemarker\b|\bt\s*\(\s*java\b|\bjava\.(?:lang|util|io)\b\
|\b_self\b)" \
    "id:7700507,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Template of a server that runs code',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-rce',\
    tag:'attack-ssti',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rce_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@*|REQUEST_HEADERS:User-Agent|REQUEST_HEADERS:Referer\
 "@rx (?i)<\?(?:php|=)|<\?\s+(?:echo|eval|system|exec|passthru|include|require)\b|\b(?:eval|assert|system|passthru|shell_exec|exec\
|popen|proc_open|pcntl_exec|preg_replace|create_function|call_user_func(?:_array)?|include(?:_once)?|require(?:_once)?|file_(?:get\
|put)_contents|base64_decode|str_rot13|gzinflate)\s*\(\s*(?:\$_(?:get|post|request|cookie|server|files)|base64_decode|gzinflate\
|str_rot13|['\x22](?:php|data|https?|expect):)|\$_(?:get|post|request|cookie|server|files|session|env)\s*\[" \
    "id:7700508,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Code of PHP',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-injection-php',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.php_injection_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?:^\
|[;{:\s\x22])[oOcC]:[0-9]{1,5}:\x22[^\x22]{1,255}\x22:[0-9]{1,5}:\{" \
    "id:7700509,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Object of PHP, serialised',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-injection-php',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.php_injection_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@*|REQUEST_HEADERS:User-Agent|REQUEST_HEADERS:Referer\
 "@rx (?i)\b(?:child_process|process\s*\.\s*(?:mainmodule|binding|dlopen)|global\s*\.\s*process)\b\
|\brequire\s*\(\s*['\x22](?:node:)?(?:child_process|fs|os|net|vm|http|module|worker_threads)['\x22]\s*\)|_\$\$nd_func\$\$_\
|\bconstructor\s*\.\s*constructor\s*\(|\bimport\s*\(\s*['\x22](?:node:)?(?:child_process|fs|vm)['\x22]" \
    "id:7700510,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Code of Node',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-injection-nodejs',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rce_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule ARGS_NAMES|ARGS "@rx (?i)(?:^|[\x5b.\x22'])__proto__(?:$|[\x5b\].\x22'])|(?:^|[\[.])constructor[\].\[]+prototype(?:$|[\].\[])" \
    "id:7700511,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Prototype of every object',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-injection-nodejs',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rce_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@*|REQUEST_HEADERS:User-Agent|REQUEST_HEADERS:Referer\
 "@rx (?i)\b__import__\s*\(|\bos\s*\.\s*(?:system|popen|exec[lv]p?e?|spawn[lv]p?e?)\s*\(|\bsubprocess\s*\.\s*(?:popen|run|call\
|check_output|getoutput)\s*\(|\bpty\s*\.\s*spawn\s*\(|__(?:subclasses|globals|builtins|mro)__|\bpickle\s*\.\s*loads?\s*\(" \
    "id:7700512,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Code of Python',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-injection-generic',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rce_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx ^\s*(?:\xac\xed\x00\x05|rO0AB[A-Za-z0-9+/]{4}\
|H4sIA[A-Za-z0-9+/]{3}[A-Za-z0-9+/=]{0,64}rO0AB|AAEAAAD/{5}|gASV[A-Za-z0-9+/]{8})" \
    "id:7700513,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Object of Java, .NET or Python, serialised',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-injection-java',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rce_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

# Names of classes are harmless in themselves: on its own it refuses nothing.
SecRule ARGS "@rx ^(?:com\.sun\.|javax?\.(?:naming|lang|net|rmi|script|management)\.|org\.(?:apache|springframework|hibernate|jboss\
|codehaus)\.|ch\.qos\.|sun\.)[A-Za-z0-9_.$]{3,200}$" \
    "id:7700514,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Class of Java as a value',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-injection-java',\
    tag:'paranoia-level/1',\
    severity:'ERROR',\
    setvar:'tx.rce_score=+%{tx.error_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.error_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@*|REQUEST_HEADERS:User-Agent|REQUEST_HEADERS:Referer\
 "@rx (?i)\bjava\.lang\.(?:runtime|processbuilder|system|class|thread)(?:[^a-z]|$)|\bgetruntime\s*\(\s*\)\s*\.\s*exec\b\
|#_memberaccess|@ognl\.|\bclass(?:\.module)?\.classloader\b|\bnew\s+javax?\.[a-z.]{3,80}\(|\bscriptenginemanager\b" \
    "id:7700515,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Code of Java',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-injection-java',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rce_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

# CVE-2022-22965.
SecRule ARGS_NAMES "@rx (?i)(?:^|[.\[])class[.\]\[]+(?:module[.\]\[]+)?classloader(?:$|[.\]\[])" \
    "id:7700516,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Class loader in a name',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-injection-java',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rce_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)<!--\s*#\s*(?:exec|include|echo|config\
|printenv|set|fsize|flastmod)\b|<esi:(?:include|inline|vars|eval|remove|comment)\b" \
    "id:7700517,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:htmlEntityDecode,\
    msg:'Include of a server',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-injection-generic',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rce_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)!!(?:python/(?:object|name|module)|ruby/\
|java|com\.sun|javax?\.)|!ruby/(?:object|hash|regexp)|!<tag:yaml\.org,2002:(?:js/|python/)" \
    "id:7700518,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Type of a language in YAML',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-injection-generic',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rce_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@rx (?i)<%(?:[=@!#-]|\s*(?:system|exec|eval\
|out\.print|response\.write|runtime)\b)|<jsp:|<cf(?:execute|script|include)\b" \
    "id:7700519,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    msg:'Code of a server page',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-injection-generic',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rce_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"
`,
};
