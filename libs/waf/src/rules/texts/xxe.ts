import type { RuleFile } from '../../seclang/rule-source';

/** 77006xx, the second half: documents that make their reader fetch or grow. */
export const xxe: RuleFile = {
  name: 'built-in/xxe.conf',
  text: String.raw`
SecRule XML_DOCUMENT "@rx (?i)<!entity\s+(?:%\s+)?[a-z_:][\w:.-]*\s+(?:system|public|[\x22'])" \
    "id:7700620,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    msg:'Entity is declared in a document',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-xxe',\
    tag:'capec/1000/152/278',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rfi_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

# HTML names its type with PUBLIC at most.
SecRule XML_DOCUMENT "@rx (?i)<!doctype\s[^>\[]{0,300}(?:\bsystem\b|\[)" \
    "id:7700621,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    msg:'Document type with parts of its own',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-xxe',\
    tag:'capec/1000/152/278',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rfi_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule XML_DOCUMENT "@rx (?i)<xi:include\b|xmlns:[a-z]{1,20}\s*=\s*[\x22']https?://www\.w3\.org/2001/xinclude" \
    "id:7700622,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    msg:'Include of a document',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-xxe',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rfi_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule ARGS "@rx (?i)<!(?:doctype\s[^>]{0,300}\[|entity\s)" \
    "id:7700623,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    t:urlDecodeUni,\
    t:htmlEntityDecode,\
    msg:'Document type in a value',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-xxe',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.rfi_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

SecRule XML_DOCUMENT "@rx (?i)<\?xml-stylesheet\b|<xsl:(?:include|import|value-of|script)\b\
|xmlns:[a-z]{1,20}\s*=\s*[\x22'](?:http://xml\.apache\.org/xalan|urn:schemas-microsoft-com:xslt)" \
    "id:7700624,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    msg:'Style sheet that runs in its reader',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-xxe',\
    tag:'paranoia-level/1',\
    severity:'ERROR',\
    setvar:'tx.rfi_score=+%{tx.error_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.error_anomaly_score}'"
`,
};
