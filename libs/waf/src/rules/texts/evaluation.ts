import type { RuleFile } from '../../seclang/rule-source';

/** 77009xx: what the sum of all findings means. */
export const evaluation: RuleFile = {
  name: 'built-in/evaluation.conf',
  text: String.raw`
# A single critical finding is enough; errors, warnings and notices add up.
SecRule TX:INBOUND_ANOMALY_SCORE_PL1 "@ge %{tx.inbound_anomaly_score_threshold}" \
    "id:7700990,\
    phase:2,\
    deny,\
    status:403,\
    t:none,\
    msg:'The request scores %{tx.inbound_anomaly_score_pl1}, and is refused from %{tx.inbound_anomaly_score_threshold}',\
    tag:'anomaly-evaluation',\
    tag:'paranoia-level/1'"
`,
};
