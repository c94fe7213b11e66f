import type { RuleFile } from '../../seclang/rule-source';

/** 77000xx: bodies that are not what their type says. A parser behind us may read such a body in another way than we did. */
export const parsing: RuleFile = {
  name: 'built-in/parsing.conf',
  text: String.raw`
# Where the route is strict, what we could not read reaches nobody.
SecRule REQBODY_ERROR "!@eq 0" \
    "id:7700020,\
    phase:2,\
    deny,\
    status:400,\
    t:none,\
    msg:'Body is not what its media type says',\
    logdata:'%{MATCHED_VAR_NAME}',\
    tag:'attack-protocol',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    chain"
    SecRule TX:STRICT_BODIES "@eq 1" \
        "t:none"

# Where it is lenient, the record says so.
SecRule REQBODY_ERROR "!@eq 0" \
    "id:7700021,\
    phase:2,\
    pass,\
    t:none,\
    msg:'Body is not what its media type says, and the route lets it pass',\
    logdata:'%{MATCHED_VAR_NAME}',\
    tag:'attack-protocol',\
    tag:'paranoia-level/1',\
    severity:'WARNING',\
    chain"
    SecRule TX:STRICT_BODIES "!@eq 1" \
        "t:none,\
        setvar:'tx.inbound_anomaly_score_pl1=+%{tx.warning_anomaly_score}'"

# Each flag is a place where readers of forms are known to differ. A quoted boundary is none: every .NET client quotes.
SecRule MULTIPART_BOUNDARY_WHITESPACE|MULTIPART_DATA_BEFORE|MULTIPART_DATA_AFTER|MULTIPART_HEADER_FOLDING\
|MULTIPART_INVALID_HEADER_FOLDING|MULTIPART_LF_LINE|MULTIPART_CRLF_LF_LINES|MULTIPART_SEMICOLON_MISSING|MULTIPART_INVALID_QUOTING\
|MULTIPART_INVALID_PART|MULTIPART_FILE_LIMIT_EXCEEDED|MULTIPART_UNMATCHED_BOUNDARY "@eq 1" \
    "id:7700022,\
    phase:2,\
    deny,\
    status:400,\
    t:none,\
    msg:'Form is written in a way that readers disagree on',\
    logdata:'%{MATCHED_VAR_NAME}',\
    tag:'attack-protocol',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    chain"
    SecRule TX:STRICT_BODIES "@eq 1" \
        "t:none"

# The same for lenient routes.
SecRule MULTIPART_BOUNDARY_WHITESPACE|MULTIPART_DATA_BEFORE|MULTIPART_DATA_AFTER|MULTIPART_HEADER_FOLDING\
|MULTIPART_INVALID_HEADER_FOLDING|MULTIPART_LF_LINE|MULTIPART_CRLF_LF_LINES|MULTIPART_SEMICOLON_MISSING|MULTIPART_INVALID_QUOTING\
|MULTIPART_INVALID_PART|MULTIPART_FILE_LIMIT_EXCEEDED|MULTIPART_UNMATCHED_BOUNDARY "@eq 1" \
    "id:7700023,\
    phase:2,\
    pass,\
    t:none,\
    msg:'Form is written in a way that readers disagree on, and the route lets it pass',\
    logdata:'%{MATCHED_VAR_NAME}',\
    tag:'attack-protocol',\
    tag:'paranoia-level/1',\
    severity:'WARNING',\
    chain"
    SecRule TX:STRICT_BODIES "!@eq 1" \
        "t:none,\
        setvar:'tx.inbound_anomaly_score_pl1=+%{tx.warning_anomaly_score}'"

# The first or the last counts, depending on who reads.
SecRule &REQUEST_HEADERS:Content-Type "@gt 1" \
    "id:7700024,\
    phase:2,\
    block,\
    t:none,\
    msg:'More than one media type',\
    logdata:'%{MATCHED_VAR_NAME}',\
    tag:'attack-protocol',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.http_violation_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"

# Decoders differ: one drops the sign, one keeps it, one refuses.
SecRule URLENCODED_ERROR "@eq 1" \
    "id:7700025,\
    phase:2,\
    block,\
    t:none,\
    msg:'Percent sign without two hexadecimal digits',\
    logdata:'%{MATCHED_VAR_NAME}',\
    tag:'attack-protocol',\
    tag:'paranoia-level/1',\
    severity:'WARNING',\
    setvar:'tx.http_violation_score=+%{tx.warning_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.warning_anomaly_score}'"

# A list, many parameters or bytes beyond ASCII: parsers cut them in different places.
SecRule REQUEST_HEADERS:Content-Type "@rx ^[^;\x22]*,|;[^;]*;[^;]*;|[^\x20-\x7e\t]" \
    "id:7700026,\
    phase:2,\
    block,\
    capture,\
    t:none,\
    msg:'Media type with more than one meaning',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-protocol',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.http_violation_score=+%{tx.critical_anomaly_score}',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"
`,
};
