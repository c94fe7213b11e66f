import type { RuleFile } from '../../seclang/rule-source';

/** How a text bids a model forget what it was told, in the languages in which it is tried most. */
const bidsToForget = String.raw`\b(?:ignore|disregard|forget|override|do\s+not\s+follow|stop\s+following)\
\s+(?:[a-z]{1,15}\s+){0,3}(?:previous|prior|preceding\
|above|earlier|foregoing|initial|original|existing|system|your)\s+(?:[a-z]{1,15}\s+){0,2}(?:instruction|prompt|rule|direction|directive\
|guideline|command|constraint|safeguard)s?\b|\b(?:ignorier(?:e|en)|vergiss|missachte)\s+(?:[a-z]{1,15}\s+){0,2}(?:vorherig|bisherig\
|vorig\
|obig|fr\xc3\xbcher)e[nr]?\s+(?:anweisung|anleitung|regel|vorgabe)(?:en|n)?\b|\b(?:ignore[zr]?|oublie[zr]?)\s+(?:[a-z]{1,15}\s+){0,2}\
(?:instructions|consignes|r\xc3\xa8gles)\s+(?:pr\xc3\xa9c\xc3\xa9dentes|ant\xc3\xa9rieures|ci-dessus)|\b(?:ignor[ae]|olvid[ae])\
\s+(?:[a-z]{1,15}\s+){0,2}\
(?:instrucciones|indicaciones|reglas)\s+(?:anteriores|previas)\b`;

/**
 * 1001xxx: what is said to a model so that it does what its owner has not asked for. These are signs and no proof: most of them
 * refuse nothing without a second one.
 */
export const prompts: RuleFile = {
  name: 'built-in/prompts.conf',
  text: String.raw`
# Elsewhere a body with such members is no prompt: the plan of a route says where it leads.
SecRule &TX:INSPECT_PROMPTS "@eq 0" "id:1001900,phase:2,pass,nolog,skipAfter:END-PROMPTS"
SecRule TX:INSPECT_PROMPTS "!@eq 1" "id:1001901,phase:2,pass,nolog,skipAfter:END-PROMPTS"
SecRule &TX:LLM_SCORE_THRESHOLD "@eq 0" "id:1001902,phase:2,pass,nolog,setvar:tx.llm_score_threshold=5"

# Written about as often as it is tried: alone it refuses nothing.
SecRule LLM_SYSTEM|LLM_PROMPT|LLM_TOOL_RESULT "@rx (?i)${bidsToForget}" \
    "id:1001100,\
    phase:2,\
    pass,\
    capture,\
    t:none,\
    msg:'Text bids a model forget what it was told',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-prompt',\
    tag:'paranoia-level/1',\
    severity:'ERROR',\
    setvar:'tx.llm_sign_1001100=%{tx.error_anomaly_score}'"

# People who build assistants ask so too.
SecRule LLM_SYSTEM|LLM_PROMPT|LLM_TOOL_RESULT "@rx (?i)\b(?:print|repeat|reveal|show|output|display|disclose|leak|recite|tell\s+me\
|give\s+me|write\s+out)\s+(?:[a-z]{1,15}\s+){0,4}\
(?:system|hidden|secret|initial|original|developer|internal)\s+(?:prompt|instructions?|message|guidelines)\b" \
    "id:1001110,\
    phase:2,\
    pass,\
    capture,\
    t:none,\
    msg:'Text asks a model for what it was told',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-prompt',\
    tag:'paranoia-level/1',\
    severity:'WARNING',\
    setvar:'tx.llm_sign_1001110=%{tx.warning_anomaly_score}'"

# Parts that models are asked to play so that their limits do not hold.
SecRule LLM_SYSTEM|LLM_PROMPT|LLM_TOOL_RESULT "@rx (?i)\bdo\s+anything\s+now\b|\b(?:developer|god|jailbreak|dan|sudo)\s+mode\
\s+(?:is\s+)?(?:now\s+)?(?:enabled|activated|unlocked)\b\
|\byou\s+(?:are|have)\s+(?:now\s+)?(?:been\s+)?(?:jailbroken|unrestricted|unfiltered|uncensored)\b|\b(?:without|free\s+of|freed\
\s+from|not\s+bound\s+by\
|no\s+longer\s+bound\s+by|no)\s+(?:[a-z]{1,15}\s+){0,2}(?:ethical|moral|safety|content)\s+(?:[a-z]{1,15}\s+){0,1}(?:guideline\
|restriction|filter|polic|constraint\
|limit)[a-z]{0,6}\b" \
    "id:1001120,\
    phase:2,\
    pass,\
    capture,\
    t:none,\
    msg:'Text gives a model a part without limits',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-prompt',\
    tag:'paranoia-level/1',\
    severity:'ERROR',\
    setvar:'tx.llm_sign_1001120=%{tx.error_anomaly_score}'"

# What a server writes between messages: inside one it lets its author speak as somebody else.
SecRule LLM_PROMPT|LLM_TOOL_RESULT "@rx <\|(?:im_start|im_end|im_sep|system|user|assistant|start_header_id|end_header_id\
|begin_of_text|eot_id|eom_id|endoftext\
|endofprompt|channel|start|message)\|>|<</?SYS>>|\[/?INST\]|<(?:start|end)_of_turn>" \
    "id:1001130,\
    phase:2,\
    pass,\
    capture,\
    t:none,\
    msg:'Text has marks by which models tell who speaks',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-prompt',\
    tag:'paranoia-level/1',\
    severity:'ERROR',\
    setvar:'tx.llm_sign_1001130=%{tx.error_anomaly_score}'"

# Tags of Unicode (U+E0000 to U+E007F) write ASCII that no screen shows. Flags of countries have seven of them at most.
SecRule LLM_SYSTEM|LLM_PROMPT|LLM_TOOL_RESULT|LLM_TOOL_ARGUMENTS "@rx (?:\xf3\xa0[\x80\x81][\x80-\xbf]){8}" \
    "id:1001140,\
    phase:2,\
    pass,\
    capture,\
    t:none,\
    msg:'Text that a model reads and nobody sees',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-prompt',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.llm_sign_1001140=%{tx.critical_anomaly_score}'"

# One is left over when pages are copied; four within a few words hide them from whoever looks for words.
SecRule LLM_SYSTEM|LLM_PROMPT|LLM_TOOL_RESULT "@rx (?i)[a-z](?:(?:\xe2\x80[\x8b-\x8f\xaa-\xae]|\xe2\x81[\xa0-\xa4\xa6-\xa9]|\xef\xbb\xbf)\
[a-z][^\xe2\xef]{0,20}){3}(?:\xe2\x80[\x8b-\x8f\xaa-\xae]|\xe2\x81[\xa0-\xa4\xa6-\xa9]|\xef\xbb\xbf)[a-z]" \
    "id:1001150,\
    phase:2,\
    pass,\
    capture,\
    t:none,\
    msg:'Words with signs inside that nobody sees',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-prompt',\
    tag:'paranoia-level/1',\
    severity:'WARNING',\
    setvar:'tx.llm_sign_1001150=%{tx.warning_anomaly_score}'"

# Pages and mails are no place for orders to whoever reads them out.
SecRule LLM_TOOL_RESULT "@rx (?i)(?:${bidsToForget})[^\x00]{0,120}\b(?:send|forward|e-?mail|post|upload|call|execute|run\
|delete|transfer|reply\s+with|include|append|instead)\b" \
    "id:1001160,\
    phase:2,\
    pass,\
    capture,\
    t:none,\
    msg:'What a tool has found bids the model do something else',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-prompt',\
    tag:'paranoia-level/1',\
    severity:'CRITICAL',\
    setvar:'tx.llm_sign_1001160=%{tx.critical_anomaly_score}'"

# Whoever shows the answer fetches the picture, and with it tells the server what stands in the address.
SecRule LLM_SYSTEM|LLM_PROMPT|LLM_TOOL_RESULT "@rx (?i)!\[[^\]\x00-\x1f]{0,100}\]\(\s*https?://[^)\s]{1,200}[?&=/](?:\{\{?|\[|<\
|\x24\{|%7b|%5b)\s{0,4}[a-z][a-z0-9_ -]{2,60}\s{0,4}(?:\}|\]|>|%7d|%5d)" \
    "id:1001170,\
    phase:2,\
    pass,\
    capture,\
    t:none,\
    msg:'Picture whose address is to be filled with what was said',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-prompt',\
    tag:'paranoia-level/1',\
    severity:'ERROR',\
    setvar:'tx.llm_sign_1001170=%{tx.error_anomaly_score}'"

# What is decoded in the model was seen by nobody before.
SecRule LLM_SYSTEM|LLM_PROMPT|LLM_TOOL_RESULT "@rx (?i)\b(?:decode|decrypt|decipher|unscramble)\s+(?:[a-z0-9]{1,15},?\s+){0,5}(?:and\
|then)\s+(?:[a-z]{1,15}\s+){0,2}(?:follow|obey|execute|do|perform|carry\s+out\
|comply)\b" \
    "id:1001180,\
    phase:2,\
    pass,\
    capture,\
    t:none,\
    msg:'Text bids a model do what is written in a cipher',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-prompt',\
    tag:'paranoia-level/1',\
    severity:'WARNING',\
    setvar:'tx.llm_sign_1001180=%{tx.warning_anomaly_score}'"

# Assistants that write programs read many files; none of these says anything about a program.
SecRule LLM_TOOL_ARGUMENTS "@rx (?i)(?:^|[/\\\s\x22'=~])(?:\.ssh[/\\](?:id_[a-z0-9]{2,10}|authorized_keys)|\.aws[/\\]credentials\
|\.kube[/\\]config|\.docker[/\\]config\.json\
|\.git-credentials|\.netrc|\.pgpass|etc[/\\]g?shadow)\b" \
    "id:1001190,\
    phase:2,\
    pass,\
    capture,\
    t:none,\
    msg:'Tool is called for a file of credentials',\
    logdata:'%{TX.0} in %{MATCHED_VAR_NAME}',\
    tag:'attack-prompt',\
    tag:'paranoia-level/1',\
    severity:'ERROR',\
    setvar:'tx.llm_sign_1001190=%{tx.error_anomaly_score}'"

# Each sign counts once, however often a conversation repeats it.
SecAction \
    "id:1001910,\
    phase:2,\
    pass,\
    nolog,\
    setvar:'tx.llm_score=+%{tx.llm_sign_1001100}',\
    setvar:'tx.llm_score=+%{tx.llm_sign_1001110}',\
    setvar:'tx.llm_score=+%{tx.llm_sign_1001120}',\
    setvar:'tx.llm_score=+%{tx.llm_sign_1001130}',\
    setvar:'tx.llm_score=+%{tx.llm_sign_1001140}',\
    setvar:'tx.llm_score=+%{tx.llm_sign_1001150}',\
    setvar:'tx.llm_score=+%{tx.llm_sign_1001160}',\
    setvar:'tx.llm_score=+%{tx.llm_sign_1001170}',\
    setvar:'tx.llm_score=+%{tx.llm_sign_1001180}',\
    setvar:'tx.llm_score=+%{tx.llm_sign_1001190}'"

# They count apart from attacks: prose that comes near to both is no attack.
SecRule TX:LLM_SCORE "@ge %{tx.llm_score_threshold}" \
    "id:1001990,\
    phase:2,\
    deny,\
    status:403,\
    t:none,\
    msg:'What is said to a model scores %{tx.llm_score}, and is refused from %{tx.llm_score_threshold}',\
    tag:'attack-prompt',\
    tag:'paranoia-level/1'"

SecMarker END-PROMPTS
`,
};
