import type { RuleFile } from '../../seclang/rule-source';

/** 77008xx: programs that look for weaknesses and say so, or ask for what only they ask for. */
export const bots: RuleFile = {
  name: 'built-in/bots.conf',
  text: String.raw`
SecRule REQUEST_HEADERS:User-Agent "@pm sqlmap nikto nessus acunetix netsparker invicti nuclei wpscan dirbuster gobuster\
 feroxbuster ffuf/ wfuzz masscan zgrab zmap/ nmap w3af arachni havij skipfish openvas jaeles whatweb commix jbrofuzz joomscan\
 droopescan dirsearch sqlninja absinthe/ bsqlbf paros/ webinspect appscan qualys-was burpcollaborator xsser dalfox kiterunner\
 l9explore l9tcpid" \
    "id:7700801,\
    phase:1,\
    block,\
    capture,\
    t:none,\
    msg:'Scanner that says its name',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-reputation-scanner',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.http_violation_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_HEADERS_NAMES "@rx (?i)^(?:acunetix-[a-z-]+|x-scanner|x-scan-memo|x-wipp|x-nuclei|x-ratproxy-loop|x-burp-[a-z]+\
|bugcrowd-[a-z]+)$" \
    "id:7700802,\
    phase:1,\
    block,\
    capture,\
    t:none,\
    msg:'Field that scanners add',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-reputation-scanner',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.http_violation_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule REQUEST_FILENAME "@pm /vendor/phpunit/ eval-stdin.php /_ignition/execute-solution /boaform/admin/ /hnap1 /gponform/\
 /cgi-bin/luci /goform/ /actuator/heapdump /actuator/gateway /actuator/env /actuator/jolokia /jolokia/exec /solr/admin/\
 /manager/html /invoker/jmxinvokerservlet /wls-wsat/ /_async/asyncresponseservice /struts2-showcase /telescope/requests\
 /autodiscover/autodiscover.json /owa/auth/ /ecp/ /remote/fgt_lang /dana-na/ /+cscoe+/ /tmui/login.jsp /mgmt/tm/util/bash\
 /api/jsonws/invoke /druid/indexer /_cat/indices /server-status /debug/pprof /phpinfo.php /shell.php /c99.php /r57.php /adminer.php\
 /containers/json /api/v1/namespaces/kube-system" \
    "id:7700803,\
    phase:1,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:lowercase,\
    msg:'Path that attacks are known by',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-reputation-scanner',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.http_violation_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

# A route that serves such software leaves this rule out.
SecRule REQUEST_FILENAME "@pm /wp-login.php /wp-admin/ /xmlrpc.php /wp-content/plugins/ /phpmyadmin /pma/ /myadmin/\
 /administrator/index.php /user/login.php /joomla/ /drupal/ /magento/ /typo3/ /cgi-bin/ /console/ /jenkins/ /phppgadmin" \
    "id:7700804,\
    phase:1,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:lowercase,\
    msg:'Path of software that is looked for everywhere',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-reputation-scanner',\
    tag:'paranoia-level/1',\
    severity:'WARNING',\
    setvar:'tx.http_violation_score=+%{tx.warning_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.warning_anomaly_score}'"

SecRule &REQUEST_HEADERS:User-Agent "@eq 0" \
    "id:7700805,\
    phase:1,\
    block,\
    t:none,\
    msg:'Client says no name',\
    logdata:'%{MATCHED_VAR_NAME}',\
    tag:'attack-reputation-client',\
    tag:'paranoia-level/1',\
    severity:'NOTICE',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.notice_anomaly_score}'"

SecRule REQUEST_HEADERS:User-Agent "@rx ^\s*$" \
    "id:7700806,\
    phase:1,\
    block,\
    t:none,\
    msg:'Client says an empty name',\
    logdata:'%{MATCHED_VAR_NAME}',\
    tag:'attack-reputation-client',\
    tag:'paranoia-level/1',\
    severity:'NOTICE',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.notice_anomaly_score}'"

SecRule REQUEST_HEADERS:User-Agent "@rx [<>\x60{}|^]|\$\(|\x5cx[0-9a-fA-F]{2}|'\s|%[0-9a-fA-F]{2}%" \
    "id:7700807,\
    phase:1,\
    block,\
    capture,\
    t:none,\
    msg:'Client says a name that is code',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-reputation-client',\
    tag:'paranoia-level/1',\
    severity:'ERROR',\
    setvar:'tx.http_violation_score=+%{tx.error_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.error_anomaly_score}'"

SecRule REQUEST_HEADERS:User-Agent "@rx ^Mozilla/[45]\.0\b" \
    "id:7700808,\
    phase:1,\
    block,\
    t:none,\
    msg:'Client says it is a browser and accepts nothing',\
    logdata:'%{MATCHED_VAR_NAME}',\
    tag:'attack-reputation-client',\
    tag:'paranoia-level/1',\
    severity:'NOTICE',\
    chain"
    SecRule &REQUEST_HEADERS:Accept "@eq 0" \
        "t:none,\
        setvar:'tx.inbound_anomaly_score_pl1=+%{tx.notice_anomaly_score}'"

SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*|XML://@* "@pm acunetix_wvs_security_test acu_phpinfo\
 netsparker( ns:netsparker appscan_fingerprint owasp_zap nessus_is_probing wvstest bxss.me xss.report vulnweb.com" \
    "id:7700809,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:lowercase,\
    msg:'Value that scanners send',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-reputation-scanner',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.http_violation_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"
`,
};
