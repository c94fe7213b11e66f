/** What a person or a script needs to know once everything runs. */
export interface Announcement {
  readonly ingress: string;
  readonly admin: string;
  /** Null when it was drawn at an earlier start. */
  readonly adminToken: string | null;
  readonly apiKey: string | null;
  /** Limit of the demo key; undefined without the demo. */
  readonly limit: string | undefined;
  /** The rules that inspect requests: name, where they were found, how many. */
  readonly ruleset: string;
  readonly seconds: number;
  readonly embeddedDatabase: boolean;
  readonly dataDir: string;
}

/** One JSON line for scripts. */
export function announceToScript({ ingress, admin, adminToken, apiKey }: Announcement): string {
  return `${JSON.stringify({ ready: true, ingress, admin, adminToken, apiKey })}\n`;
}

/** At most twelve lines for a person; every one of them can be acted on. */
export function announceToPerson(facts: Announcement): string {
  const key = facts.apiKey ?? '$SALLYPORT_KEY';
  const lines = [
    `ready in ${facts.seconds.toFixed(1)} s   gateway ${facts.ingress}   admin API ${facts.admin}/api/v1`,
    facts.adminToken === null
      ? 'admin token    the one of the first start (SALLYPORT_ADMIN_TOKEN sets another)'
      : `admin token    ${facts.adminToken}   (shown once)`,
  ];
  if (facts.apiKey !== null) lines.push(`demo API key   ${facts.apiKey}   (shown once; ${facts.limit})`);
  const more = facts.ruleset.startsWith('built-in') ? '; the OWASP rules: sallyport crs install' : '';
  lines.push(`inspection     ${facts.ruleset}${more}`);
  lines.push('try it:');
  if (facts.limit !== undefined) lines.push(`  curl ${facts.ingress}/orders -H "Authorization: Bearer ${key}"`);
  lines.push(
    `  curl -N ${facts.ingress}/v1/chat/completions -H "Authorization: Bearer ${key}" -H 'content-type: application/json' -d '{"model":"echo","stream":true,"messages":[{"role":"user","content":"hello"}]}'`,
  );
  if (facts.embeddedDatabase) {
    lines.push(
      `embedded mode: one process, data in ${facts.dataDir}. A cluster sets SALLYPORT_DATABASE_URL and SALLYPORT_NATS_URL.`,
    );
  }
  return `${lines.join('\n')}\n`;
}
