import type { RuleFile } from '../../seclang/rule-source';

/**
 * 77009xx: what the other files count with, under the names the OWASP CRS has for it, so that both sets are tuned and read
 * in one way. Whoever sets a value before keeps it.
 */
export const setup: RuleFile = {
  name: 'built-in/setup.conf',
  text: String.raw`
SecRequestBodyAccess On
SecDefaultAction "phase:1,log,auditlog,pass"
SecDefaultAction "phase:2,log,auditlog,pass"

SecRule &TX:CRITICAL_ANOMALY_SCORE "@eq 0" "id:7700900,phase:1,pass,nolog,setvar:tx.critical_anomaly_score=5"
SecRule &TX:ERROR_ANOMALY_SCORE "@eq 0" "id:7700901,phase:1,pass,nolog,setvar:tx.error_anomaly_score=4"
SecRule &TX:WARNING_ANOMALY_SCORE "@eq 0" "id:7700902,phase:1,pass,nolog,setvar:tx.warning_anomaly_score=3"
SecRule &TX:NOTICE_ANOMALY_SCORE "@eq 0" "id:7700903,phase:1,pass,nolog,setvar:tx.notice_anomaly_score=2"
SecRule &TX:INBOUND_ANOMALY_SCORE_THRESHOLD "@eq 0" \
    "id:7700904,phase:1,pass,nolog,setvar:tx.inbound_anomaly_score_threshold=5"
SecRule &TX:STRICT_BODIES "@eq 0" "id:7700905,phase:1,pass,nolog,setvar:tx.strict_bodies=0"
SecAction "id:7700906,phase:1,pass,nolog,setvar:tx.inbound_anomaly_score_pl1=0"
`,
};
